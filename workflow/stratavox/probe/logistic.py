"""Multinomial logistic regression with an L2 penalty, solved along a path of penalties.

The problem is scikit-learn's: minimise C * sum of log-losses + ||W||^2 / 2 with a free intercept.
A readout's spectrum is steep, so plain L-BFGS needs hundreds of steps where the penalty is weak.
Rotating the standardised training clips onto their principal axes changes nothing (the penalty does
not know directions) and makes the Hessian nearly diagonal: scaling by its diagonal, taken where the
last penalty's fit ended, cuts the steps to a few dozen. One rotation serves every penalty, inner
fold and permutation of a training set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.special import logsumexp

STEPS = 1000
# Largest entry of the scaled gradient of the mean loss at which a fit stops; one that ends above
# ten times this is counted as not converged.
TOLERANCE = 2e-5
FLAT = 1e-6  # curvature given to an intercept that has none left


@dataclass(frozen=True)
class Rotation:
    """Standardisation by, and principal axes of, one set of training clips.

    ``train`` (clips, rank) are the training clips in these axes; ``power`` (rank,) the mean square
    of each axis.
    """

    mean: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    train: np.ndarray
    power: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Rotation:
        """Standardise and rotate ``x`` (clips, width); constant columns stay zero."""
        mean = x.mean(axis=0, dtype=np.float64)
        scale = x.std(axis=0, dtype=np.float64)
        scale[scale <= 1e-7 * np.abs(mean)] = np.inf
        z = ((x - mean) / scale).astype(np.float32)
        n, width = z.shape
        if width <= n:
            power, axes = eigh(z.T @ z, driver="evd")
            keep = power > power[-1] * 1e-7
            axes = axes[:, keep]
        else:
            power, left = eigh(z @ z.T, driver="evd")
            keep = power > power[-1] * 1e-7
            axes = z.T @ (left[:, keep] / np.sqrt(power[keep]))
        train = z @ axes
        return cls(mean, scale, axes, train, np.mean(np.square(train), axis=0, dtype=np.float64))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Other clips (clips, width) in the same axes: (clips, rank)."""
        return ((x - self.mean) / self.scale).astype(np.float32) @ self.axes


@dataclass(frozen=True)
class Fit:
    """Weights (rank, classes) and intercepts (classes,) of one fit."""

    weights: np.ndarray
    intercepts: np.ndarray
    converged: bool

    def log_probabilities(self, z: np.ndarray) -> np.ndarray:
        """Log-probability (clips, classes) of each class, columns as in training."""
        logits = z @ self.weights.astype(np.float32) + self.intercepts
        return logits - logsumexp(logits, axis=1, keepdims=True)


def fit(
    z: np.ndarray,
    y: np.ndarray,
    classes: int,
    c: float,
    power: np.ndarray,
    start: Fit | None = None,
    tolerance: float = TOLERANCE,
) -> Fit:
    """Fit rotated clips ``z`` (clips, rank) to class numbers ``y`` (clips,), each class present.

    ``power`` is the mean square of each axis; ``start`` a fit to begin from.
    """
    n, rank = z.shape
    truth = np.zeros((n, classes), dtype=np.float32)
    truth[np.arange(n), y] = 1
    # with two classes scikit-learn penalises one weight vector w, here w / 2 and -w / 2
    penalty = (2 if classes == 2 else 1) / (c * n)
    if start is None:
        chance = np.full(classes, (1 - 1 / classes) / classes)
        curvature = np.vstack([np.outer(power, chance), chance])
    else:
        p = np.exp(start.log_probabilities(z))
        spread = p * (1 - p)
        curvature = np.vstack([np.square(z).T @ spread / n, spread.mean(axis=0)])
    step = 1 / np.sqrt(curvature + np.append(np.full(rank, penalty), FLAT)[:, None])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = flat.reshape(rank + 1, classes) * step
        weights, intercepts = scaled[:-1], scaled[-1]
        logits = z @ weights.astype(np.float32) + intercepts.astype(np.float32)
        top = logits.max(axis=1, keepdims=True)
        shifted = np.exp(logits - top)
        total = shifted.sum(axis=1, keepdims=True)
        right = np.take_along_axis(logits, y[:, None], axis=1)
        value = float(np.mean(top + np.log(total) - right, dtype=np.float64))
        error = shifted / total - truth
        gradient = np.empty((rank + 1, classes))
        gradient[:-1] = z.T @ error / n + penalty * weights
        gradient[-1] = error.mean(axis=0, dtype=np.float64)
        value += 0.5 * penalty * float(np.sum(np.square(weights)))
        return value, (gradient * step).ravel()

    first = np.zeros((rank + 1, classes))
    if start is not None:
        first[:-1], first[-1] = start.weights, start.intercepts
    found = minimize(
        loss,
        (first / step).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": STEPS, "maxfun": 2 * STEPS, "gtol": tolerance, "ftol": 0, "maxcor": 20},
    )
    solved = found.x.reshape(rank + 1, classes) * step
    return Fit(solved[:-1], solved[-1], bool(np.abs(found.jac).max() <= 10 * tolerance))
