"""Probabilities that mean what they say: temperature scaling, and the error that it leaves.

Guo et al. 2017 (ICML, PMLR 70:1321-1330), section 4.2: all log-probabilities are divided by one
temperature, the one with the least log loss on clips that were not trained on. It does not change
which class is predicted. The label counts as 1 - 1 / (n + 2) and not as 1, as in Platt 1999
(Advances in Large Margin Classifiers, 61-74): otherwise, where all n clips are predicted right,
the temperature would be 0 and every probability 1.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

BOUNDS = (0.02, 50.0)
BINS = 10
DRAWS = 500


def temperature(log_p: np.ndarray, y: np.ndarray) -> float:
    """The temperature for held-out ``log_p`` (clips, classes) of clips with labels ``y`` (clips,).

    Above 1 it makes probabilities less extreme.
    """
    n, classes = log_p.shape
    doubt = 1 / (n + 2)
    truth = np.full(log_p.shape, doubt / (classes - 1))
    truth[np.arange(n), y] = 1 - doubt

    def loss(log_t: float) -> float:
        return -np.sum(truth * scaled(log_p, np.exp(log_t)))

    # in 1 / temperature the loss is convex, so there is one minimum
    return float(np.exp(minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded").x))


def scaled(log_p: np.ndarray, t: float | np.ndarray) -> np.ndarray:
    """``log_p`` (clips, classes) at temperature ``t``, one or (clips, 1)."""
    return log_softmax(log_p / t, axis=1)


def cross_fitted(log_p: np.ndarray, y: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Log-probabilities (clips, classes) with the temperature of the other parts.

    ``part`` (clips,) are sets of whole groups. With one part alone nothing can be held out, and
    the log-probabilities stay as they are.
    """
    fitted = log_p.copy()
    for name in np.unique(part) if len(np.unique(part)) > 1 else ():
        here = part == name
        fitted[here] = scaled(log_p[here], temperature(log_p[~here], y[~here]))
    return fitted


def error(log_p: np.ndarray, y: np.ndarray) -> float:
    """Expected calibration error of the predicted class's probability, 0 to 1.

    Clips are sorted by this probability into `BINS` bins of equal numbers (Nguyen & O'Connor 2015,
    EMNLP, 1587-1598). The error is the mean over bins of |mean probability - share that is right|.
    """
    return _error(np.exp(log_p.max(axis=1)), log_p.argmax(axis=1) == y)


def least_error(log_p: np.ndarray, seed: int) -> float:
    """The mean `error` of as many clips with these probabilities if they were exactly right.

    It is not 0, as the share that is right varies by chance; from `DRAWS` draws.
    """
    confidence = np.exp(log_p.max(axis=1))
    random = np.random.default_rng(seed)
    draws = (random.random(len(confidence)) < confidence for _ in range(DRAWS))
    return float(np.mean([_error(confidence, right) for right in draws]))


def _error(confidence: np.ndarray, right: np.ndarray) -> float:
    bins = np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(right)))
    gaps = [len(bin) * abs(confidence[bin].mean() - right[bin].mean()) for bin in bins]
    return float(np.sum(gaps) / len(right))


def log_loss(log_p: np.ndarray, y: np.ndarray) -> float:
    """Mean negative log-probability of the label, in nats."""
    return float(-log_p[np.arange(len(y)), y].mean())
