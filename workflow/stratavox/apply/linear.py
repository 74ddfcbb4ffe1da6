"""A linear probe as one matrix on a readout's standardised columns, and its held-out predictions.

Fitted as probe/nested_cv.py does: columns standardised by the training clips, multinomial logistic
regression, the penalty chosen in inner folds that keep groups apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from stratavox.probe import logistic
from stratavox.probe.nested_cv import choose_c
from stratavox.probe.readouts import refuse_straddling
from stratavox.probe.rotation import Rotation


@dataclass(frozen=True)
class Linear:
    """``mean`` and ``scale`` (width,) standardise; ``coefficients`` (classes, width).

    ``intercepts`` (classes,). A constant column has an infinite scale, and so becomes 0.
    """

    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray

    def standardised(self, x: np.ndarray) -> np.ndarray:
        """Clips ``x`` (clips, width) with mean 0 and deviation 1 over the training clips."""
        return ((x - self.mean) / self.scale).astype(np.float32)

    def log_probabilities(self, x: np.ndarray) -> np.ndarray:
        """Natural log-probability (clips, classes) of each class, not calibrated."""
        logits = self.standardised(x) @ self.coefficients.T + self.intercepts
        return log_softmax(logits.astype(np.float64), axis=1)


@dataclass(frozen=True)
class Fit:
    """The probe, its inverse penalty ``c``, and whether it and the inner fits converged."""

    probe: Linear
    c: float
    converged: bool


def fit(
    x: np.ndarray, y: np.ndarray, group: np.ndarray | None, train: np.ndarray, settings: dict
) -> Fit:
    """Fit the clips ``train`` (clips,) of ``x`` (clips, width) to class numbers ``y`` (clips,).

    ``group`` (clips,) is the unit that inner folds keep apart, None where it is the clip;
    ``settings`` holds inner_folds, c_grid and seed.
    """
    rotation = Rotation.of(x, train)
    chosen = choose_c(rotation.train, y[train], None if group is None else group[train], settings)
    fits = logistic.fit(rotation.train, y[train][None], y.max() + 1, chosen.c)
    probe = Linear(
        mean=rotation.mean,
        scale=rotation.scale,
        coefficients=np.ascontiguousarray(fits.weights[0] @ rotation.axes.T),
        intercepts=fits.intercepts[0],
    )
    return Fit(probe, chosen.c, bool(fits.converged[0]) and chosen.converged)


def held_out(
    x: np.ndarray, y: np.ndarray, group: np.ndarray | None, fold: np.ndarray, settings: dict
) -> np.ndarray:
    """Log-probabilities (tested clips, classes) of the clips with a ``fold`` (clips,) of 0 or more.

    Each fold's clips are predicted by a probe of all other clips. Other arguments as in `fit`.
    """
    log_p = np.empty((len(y), y.max() + 1))
    for number in range(fold.max() + 1):
        test = fold == number
        refuse_straddling(group, test)
        log_p[test] = fit(x, y, group, ~test, settings).probe.log_probabilities(x[test])
    return log_p[fold >= 0]
