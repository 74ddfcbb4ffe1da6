"""Tests of the difference of two scores of the same clips, and the difference they can detect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import scipy

from stratavox.inference.groups import Groups, Interval, Statistic, interval

SIGNIFICANT, POWER = 0.05, 0.8
# 2 ** 14 sign patterns are enumerated; with more groups as many are drawn at random.
MOST_EXACT = 14
RESAMPLES = 4000


@dataclass(frozen=True)
class Difference:
    """One statistic minus another of the same groups, with what tests of it need.

    ``influence`` and ``of_each`` (groups,) as `Groups` gives them.
    """

    interval: Interval
    influence: np.ndarray
    of_each: np.ndarray

    @classmethod
    def of(cls, first: Statistic, other: Statistic, groups: Groups) -> Difference:
        def subtracted(weights: np.ndarray) -> np.ndarray:
            return first(weights) - other(weights)

        estimate = interval(subtracted, groups)
        return cls(estimate, groups.influence(subtracted), groups.of_each(subtracted))

    @property
    def p_value(self) -> float | None:
        return group_p(self.interval, self.of_each)

    def p_equivalent(self, margin: float) -> float | None:
        return equivalence_p(self.interval, self.influence, margin)


def group_p(difference: Interval, of_each: np.ndarray) -> float | None:
    """Two-sided p of a difference from its error over groups; None where there is only a range.

    Where no group differs from another, by the signs of ``of_each`` (groups,) instead
    (`Groups.of_each`): with few groups their agreement is no certainty.
    """
    if difference.error is None:
        return None
    if difference.error == 0:
        return sign_flip(of_each) if difference.value else 1.0
    return two_sided(difference)


def two_sided(difference: Interval) -> float:
    """Two-sided p of an estimate with an error, by t."""
    return float(2 * scipy.stats.t.sf(abs(difference.value) / difference.error, difference.freedom))


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
    return float(2 * scipy.stats.t.sf(abs(differences.mean()) / error, n - 1))


def above_p(difference: Interval, influence: np.ndarray, bound: float) -> float | None:
    """One-sided p that a difference is above ``bound``; None where it cannot be tested.

    The larger of the p of t and that of the bootstrapped t (Efron & Tibshirani 1993, p. 160): where
    only a few groups differ, t alone is too sure that all others never will. ``influence``
    (groups,) as `Groups.influence` gives it.
    """
    if not difference.error:
        return None
    observed = (difference.value - bound) / difference.error
    generator = np.random.default_rng(0)
    drawn = influence[generator.integers(len(influence), size=(RESAMPLES, len(influence)))]
    total = drawn.sum(axis=1)
    spread = np.square(drawn).sum(axis=1) - total**2 / len(influence)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = total / np.sqrt(np.maximum(spread, 0.0))
    # a resample without spread is compatible with any bound
    as_far = np.sum(~(ratio < observed)) + 1
    return float(max(scipy.stats.t.sf(observed, difference.freedom), as_far / (RESAMPLES + 1)))


def equivalence_p(difference: Interval, influence: np.ndarray, margin: float) -> float | None:
    """P that the difference lies within +-``margin``: the larger of two one-sided tests.

    Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657-680. None where there is only a range, or
    where no group differs from another, as the precision of the difference is then unknown.
    """
    if not difference.error:
        return None
    turned = replace(difference, value=-difference.value)
    return max(above_p(difference, influence, -margin), above_p(turned, -influence, -margin))


def within_p(difference: Interval, margin: float) -> float:
    """The same by t alone, for an error that is not one of groups alone."""
    distance = (margin - abs(difference.value)) / difference.error
    return float(scipy.stats.t.sf(distance, difference.freedom))


def detectable(difference: Interval, tests: int) -> float | None:
    """The least difference detected with a chance of 80 % at the level that ``tests`` tests leave.

    From the error over groups and Bonferroni's level, which is Holm's first step. None where the
    error is unknown or 0.
    """
    if not difference.error:
        return None
    level = SIGNIFICANT / tests
    steps = scipy.stats.t.ppf([1 - level / 2, POWER], difference.freedom).sum()
    return float(steps * difference.error)
