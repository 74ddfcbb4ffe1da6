"""Linear erasure of a concept, such as the individual, from the clips of a readout (LEACE).

Belrose et al. 2023, NeurIPS ("LEACE: Perfect linear concept erasure in closed form"), theorem 4.3:
of all affine maps after which no linear probe can predict the concept, the one that changes the
clips least. Written for the principal axes of the training clips (rotation.py), where their
covariance is diagonal, so that no inverse is needed and a readout may be wider than its clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf_shrinkage

# Directions with a smaller share of the largest covariance with the concept are rounding.
ROUNDING = 1e-9
# The least scale of an axis, as a share of the largest: a constant column has none of its own.
LEAST_SCALE = 1e-6


def spread(z: np.ndarray) -> np.ndarray:
    """Deviation (rank,) of rotated training clips ``z`` (clips, rank) along each axis, shrunk.

    With few clips for the width the weakest axes look weaker than they are, and test clips would
    be changed far too much along the others. The variances are therefore drawn towards their mean
    (Ledoit & Wolf 2004, J. Multivar. Anal. 88:365-411). The erasure is exact with any scale; the
    change is least for the shrunk covariance, and never larger than that of a plain projection.
    """
    z = z - z.mean(axis=0, dtype=np.float64)
    variance = np.square(z).mean(axis=0)
    share = ledoit_wolf_shrinkage(z, assume_centered=True)
    scale = np.sqrt((1 - share) * variance + share * variance.mean())
    return np.maximum(scale, LEAST_SCALE * scale.max())


@dataclass(frozen=True)
class Eraser:
    """The map that erases a concept: ``z - (z - mean) @ along @ back.T``.

    ``mean`` (rank,) is that of the training clips; ``along`` and ``back`` (rank, directions) have
    one direction fewer than the concept has values, or the rank where that is less.
    """

    mean: np.ndarray
    along: np.ndarray
    back: np.ndarray

    @classmethod
    def of(cls, z: np.ndarray, concept: np.ndarray, scale: np.ndarray) -> Eraser:
        """Fit to rotated training clips ``z`` (clips, rank) and their values ``concept`` (clips,).

        ``scale`` (rank,) is their `spread`.
        """
        mean = z.mean(axis=0, dtype=np.float64)
        values, place = np.unique(concept, return_inverse=True)
        has = place[:, None] == np.arange(len(values))
        covariance = (z - mean).T @ (has - has.mean(axis=0)) / len(z)
        whitened = np.divide(covariance.T, scale, out=np.zeros(covariance.T.shape), where=scale > 0)
        directions, size, _ = np.linalg.svd(whitened.T, full_matrices=False)
        directions = directions[:, size > ROUNDING * size[0]]
        inverse = np.divide(1.0, scale, out=np.zeros(len(scale)), where=scale > 0)
        return cls(mean, directions * inverse[:, None], directions * scale[:, None])

    def apply(self, z: np.ndarray) -> np.ndarray:
        """Other clips (clips, rank) in the same axes without the concept, float32."""
        return (z - (z - self.mean) @ self.along @ self.back.T).astype(np.float32)
