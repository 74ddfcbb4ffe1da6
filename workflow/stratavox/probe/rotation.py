"""Standardisation by one set of clips and rotation onto its principal axes.

A rotation does not change a fit with an L2 penalty. It reduces a readout that is wider than the
number of clips to the axes that they span, and makes the solver's Hessian nearly diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh

# With fewer clips than columns, axes with a smaller share of the largest power are rounding.
NULL_POWER = 1e-8
# A column whose deviation is below this share of its mean is constant except for rounding.
CONSTANT = 1e-7


@dataclass(frozen=True)
class Rotation:
    """Standardisation by, and principal axes of, one set of training clips.

    ``mean`` and ``scale`` (width,) are subtracted and divided by; ``axes`` (width, rank) are in
    order of rising power; ``train`` (clips, rank) are the training clips in these axes.
    """

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    train: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, rows: np.ndarray, standardise: bool = True) -> Rotation:
        """Standardise (or centre alone) and rotate the clips ``rows`` of ``x`` (clips, width).

        ``rows`` (clips,) is a mask. Constant columns become zero.
        """
        z = np.compress(rows, x, axis=0).astype(np.float32, copy=False)
        mean = z.mean(axis=0, dtype=np.float64).astype(np.float32)
        z -= mean
        deviation = np.sqrt(np.einsum("nw,nw->w", z, z) / len(z))
        scale = deviation if standardise else np.ones_like(deviation)
        scale = np.where(deviation <= CONSTANT * np.abs(mean), np.float32(np.inf), scale)
        z /= scale
        axes = _principal(z)
        return cls(mean, scale, axes, z @ axes)

    def narrowed(self, width: int | None) -> Rotation:
        """Only the ``width`` strongest axes: principal components of the rows; all for None."""
        if width is None:
            return self
        train = np.ascontiguousarray(self.train[:, -width:])
        return replace(self, axes=self.axes[:, -width:], train=train)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Other clips (clips, width) in the same axes: (clips, rank)."""
        return ((x.astype(np.float32) - self.mean) / self.scale) @ self.axes


def _principal(z: np.ndarray) -> np.ndarray:
    """Axes (width, rank), of rising power, that the rows of ``z`` (clips, width) span."""
    n, width = z.shape
    if width <= n:
        return eigh(z.T @ z, driver="evd")[1]
    # float64, as in float32 weak axes are not orthogonal: off by .17, probabilities by .008
    power, left = eigh((z @ z.T).astype(np.float64), driver="evd")
    keep = power > power[-1] * NULL_POWER
    return z.T @ (left[:, keep] / np.sqrt(power[keep])).astype(np.float32)
