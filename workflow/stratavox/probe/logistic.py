"""Multinomial logistic regression with an L2 penalty: many fits to one set of clips at once.

The problem is scikit-learn's: minimise C * sum of log-losses + ||W||^2 / 2 with a free intercept.
The variance of a readout differs strongly between directions, so plain L-BFGS needs hundreds of
steps where the penalty is weak. On the principal axes of the training clips (rotation.py) the
Hessian is nearly diagonal: scaling by its diagonal, at the solution for the last penalty, reduces
the steps to a few dozen. All penalties, inner folds and permutations of a training set share one
rotation, and the inner folds or permutations of one penalty are rows of the same matrix products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratavox.probe import lbfgs

# A fit stops where its mean log-loss is this close to the minimum, by the scaled gradient.
TOLERANCE = 1e-10
SCALED = 1e-4  # the gap at which a fit to this tolerance, started from nothing, is scaled anew
LAX = 10  # a fit that stopped early counts as converged within this many tolerances
FLAT = 1e-6  # added to the curvature of the intercepts, which may be 0
ABSENT = np.float32(-1e9)  # added to the logit of a class without a clip in training
CHUNK_BYTES = 400e6  # memory for the fits that are solved together


@dataclass(frozen=True)
class Fits:
    """Weights (fits, classes, rank), intercepts (fits, classes), and which fits converged."""

    weights: np.ndarray
    intercepts: np.ndarray
    converged: np.ndarray

    def log_probabilities(self, z: np.ndarray) -> np.ndarray:
        """Log-probability (fits, classes, clips) of each class for rotated clips (clips, rank)."""
        logits = _logits(self.weights, self.intercepts, z)
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def part(self, fits: slice) -> Fits:
        """Some of the fits."""
        return Fits(self.weights[fits], self.intercepts[fits], self.converged[fits])


def fit(
    z: np.ndarray,
    y: np.ndarray,
    classes: int,
    c: float,
    trained: np.ndarray | None = None,
    start: Fits | None = None,
    tolerance: float = TOLERANCE,
) -> Fits:
    """Fit the rotated clips ``z`` (clips, rank) to each row of class numbers ``y`` (fits, clips).

    ``trained`` (fits, clips) says which clips each fit sees, all where it is None; ``start`` are
    fits to begin from. A class without such a clip gets probability 0.
    """
    n, rank = z.shape
    # bytes of a fit: places, gradients and pairs of L-BFGS; logits and arrays of their size
    each = 4 * classes * ((rank + 1) * (2 * lbfgs.MEMORY + 10) + 6 * n)
    size = max(1, int(CHUNK_BYTES / each))
    solved = []
    for low in range(0, len(y), size):
        fits = slice(low, low + size)
        loss = _Loss(z, y[fits], classes, c, None if trained is None else trained[fits])
        begun = None if start is None else start.part(fits)
        if start is None and tolerance <= TOLERANCE:
            begun = loss.least(None, SCALED)
        solved.append(loss.least(begun, tolerance))
    return Fits(
        np.concatenate([fits.weights for fits in solved]),
        np.concatenate([fits.intercepts for fits in solved]),
        np.concatenate([fits.converged for fits in solved]),
    )


class _Loss:
    """Penalised mean log-losses of several fits at once, and their gradients.

    A place is a fit's weights and intercept of each class, divided by ``step`` (fits, classes,
    rank + 1), so that the Hessian is near the identity.
    """

    def __init__(self, z, y, classes, c, trained):
        n, self.rank = z.shape
        self.z = z
        self.beside_one = np.column_stack([z, np.ones(n, np.float32)])  # for the intercepts
        seen = np.ones(y.shape, bool) if trained is None else trained
        # a trained clip's share of the mean
        self.share = (seen / seen.sum(axis=1, keepdims=True)).astype(np.float32)
        truth = (y[:, None, :] == np.arange(classes)[:, None]) & seen[:, None, :]
        self.truth = truth * self.share[:, None]
        present = truth.any(axis=2)
        self.present = present.sum(axis=1)
        self.absent = np.where(present, np.float32(0), ABSENT)
        # with two classes scikit-learn penalises one weight vector w, here w / 2 and -w / 2
        doubled = np.where(self.present == 2, 2, 1)
        self.penalty = np.zeros((len(y), 1, self.rank + 1), np.float32)
        self.penalty[..., :-1] = (doubled / (c * seen.sum(axis=1)))[:, None, None]

    def least(self, start: Fits | None, tolerance: float) -> Fits:
        """The fits of least loss."""
        fits, classes, n = self.truth.shape
        first = np.zeros((fits, classes, self.rank + 1), np.float32)
        if start is None:
            # at equal probabilities
            power = np.square(self.beside_one).mean(axis=0)
            curvature = np.repeat(power / self.present[:, None], classes, axis=0)
            curvature = curvature.reshape(first.shape)
        else:
            first[..., :-1], first[..., -1] = start.weights, start.intercepts - self.absent
            p = np.exp(start.log_probabilities(self.z))
            spread = p * (1 - p) * self.share[:, None]
            curvature = spread.reshape(-1, n) @ np.square(self.beside_one)
            curvature = curvature.reshape(first.shape)
        curvature += self.penalty
        curvature[..., -1] += FLAT
        self.step = (1 / np.sqrt(curvature)).astype(np.float32)
        self._choose(np.arange(fits))
        places = (first / self.step).reshape(fits, -1)
        places, gaps = lbfgs.minimise(self, places, tolerance)
        solved = places.reshape(first.shape) * self.step
        intercepts = solved[..., -1] + self.absent
        return Fits(np.ascontiguousarray(solved[..., :-1]), intercepts, gaps <= LAX * tolerance)

    def _choose(self, fits: np.ndarray) -> None:
        """Select what the losses of these fits need."""
        self.chosen = fits
        names = ("truth", "share", "absent", "penalty", "step")
        self.of = {name: getattr(self, name)[fits] for name in names}

    def __call__(self, places: np.ndarray, fits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if len(fits) != len(self.chosen):  # fits only leave
            self._choose(fits)
        truth, share, absent, penalty, step = self.of.values()
        scaled = places.reshape(step.shape) * step
        scaled[..., -1] += absent
        logits = (scaled.reshape(-1, self.rank + 1) @ self.beside_one.T).reshape(truth.shape)
        logits -= logits.max(axis=1, keepdims=True)
        right = np.vecdot(logits.reshape(len(fits), -1), truth.reshape(len(fits), -1))
        error = np.exp(logits, out=logits)
        total = error.sum(axis=1)
        error *= (share / total)[:, None]
        shrunk = penalty * scaled
        value = np.vecdot(np.log(total), share) - right
        value += 0.5 * np.vecdot(shrunk, scaled).sum(axis=1)
        error -= truth
        gradient = (error.reshape(-1, len(self.z)) @ self.beside_one).reshape(step.shape)
        gradient += shrunk
        gradient *= step
        return value, gradient.reshape(len(fits), -1)


def _logits(weights: np.ndarray, intercepts: np.ndarray, z: np.ndarray) -> np.ndarray:
    fits, classes, rank = weights.shape
    logits = (weights.reshape(fits * classes, rank) @ z.T).reshape(fits, classes, len(z))
    logits += intercepts[..., None]
    return logits
