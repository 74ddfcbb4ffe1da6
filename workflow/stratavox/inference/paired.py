"""Tests of the difference of two scores of the same clips, and the difference they can detect."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.stats import t as student

from stratavox.inference.groups import Interval

SIGNIFICANT, POWER = 0.05, 0.8
# 2 ** 14 sign patterns are enumerated; with more groups as many are drawn at random.
MOST_EXACT = 14


def group_p(difference: Interval) -> float | None:
    """Two-sided p of a difference from its error over groups; None where there is only a range."""
    if difference.error is None:
        return None
    if difference.error == 0:
        return 1.0 if difference.value == 0 else 0.0
    return float(2 * student.sf(abs(difference.value) / difference.error, difference.freedom))


def sign_flip(differences: np.ndarray) -> float:
    """Two-sided p of the mean of group-wise ``differences`` (groups,) under random signs.

    Exact up to 14 groups, else 2 ** 14 random patterns with the observed one among them
    (Fisher 1935; Winkler et al. 2014, NeuroImage 92:381-397, on sign flipping).
    """
    if len(differences) <= MOST_EXACT:
        signs = np.array(list(product((1.0, -1.0), repeat=len(differences))))
    else:
        generator = np.random.default_rng(0)
        signs = generator.choice((1.0, -1.0), (2**MOST_EXACT, len(differences)))
        signs[0] = 1.0
    sums = np.abs(signs @ differences)
    # equal sums may differ in the last bits
    return float(np.mean(sums >= abs(differences.sum()) * (1 - 1e-9)))


def corrected_resampled(differences: np.ndarray, test_by_train: float) -> float | None:
    """Two-sided p of fold-wise ``differences`` (repeats x folds,), whose training sets overlap.

    ``test_by_train`` is the number of test clips over that of training clips. Nadeau & Bengio
    2003, Machine Learning 52:239-281, section 3 (the corrected resampled t).
    """
    n = len(differences)
    if n < 2:
        return None
    error = np.sqrt((1 / n + test_by_train) * differences.var(ddof=1))
    if error == 0:
        return 1.0 if differences.mean() == 0 else 0.0
    return float(2 * student.sf(abs(differences.mean()) / error, n - 1))


def equivalent(difference: Interval, margin: float) -> bool | None:
    """Whether the difference lies within +-``margin``: two one-sided tests at 5 % each.

    Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657-680. None where there is only a range, or
    where no group differs from another, as the precision of the difference is then unknown.
    """
    if not difference.error:
        return None
    half = student.ppf(1 - SIGNIFICANT, difference.freedom) * difference.error
    return bool(abs(difference.value) + half < margin)


def detectable(difference: Interval, tests: int) -> float | None:
    """The least difference detected with a chance of 80 % at the level that ``tests`` tests leave.

    From the error over groups and Bonferroni's level, which is Holm's first step. None where the
    error is unknown or 0.
    """
    if not difference.error:
        return None
    level = SIGNIFICANT / tests
    steps = student.ppf(1 - level / 2, difference.freedom) + student.ppf(POWER, difference.freedom)
    return float(steps * difference.error)
