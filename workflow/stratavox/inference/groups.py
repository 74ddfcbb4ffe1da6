"""Intervals over groups, such as individuals or recording sessions.

Clips of one group resemble each other, so an interval over clips is far too narrow (measured: .59
coverage at a nominal .95). Every estimate here is a smooth function of the weights of the groups:
with all weights 1 it is the estimate, and its slope along one weight is that group's influence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy  # its parts load at their first use, not for those who read a constant here

# Weights (draws, groups) to values (draws,), by `weights @ values` and `len(weights)` alone.
Statistic = Callable[[np.ndarray], np.ndarray]
# Value, standard error, groups and how many standard errors, to low and high.
Bounds = Callable[[float, float, "Groups", float], tuple[float, float]]

LEVEL = 0.95
# With fewer degrees of freedom there is only the range over groups, and no test. From 2 on the t
# interval covers at least .95 (benchmarks/calibration), if only because it is wide.
FEWEST_FREEDOM = 2
RANGE, STUDENT = "range over groups", "t over groups"
STEP = 1e-4  # of a group's weight, for its influence
NO_SPREAD = 1e-9  # a smaller standard error is rounding


@dataclass(frozen=True)
class Nudged:
    """The matrix 1 + step * I (groups, groups): its product and its length, as statistics use it.

    The full matrix would take 0.8 GB at 10,000 groups.
    """

    groups: int
    step: float

    def __len__(self) -> int:
        return self.groups

    def __matmul__(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=0) + self.step * values


@dataclass(frozen=True)
class Groups:
    """The groups of one task, by their ``clips`` (groups, classes) of each class.

    Degrees of freedom and the correction for few groups follow from these counts alone (Bell &
    McCaffrey 2002, Survey Methodology 28:169-181; Pustejovsky & Tipton 2018, J. Business & Economic
    Statistics 36:672-683). Their working model: a group's score in one class is independent of all
    others and equally variable. So one rule holds where groups have all classes (crossed), where
    each has one (nested), and for all between; and a class in few groups counts as few.
    """

    clips: np.ndarray

    @classmethod
    def of(cls, clips: np.ndarray) -> Groups:
        """Groups with ``clips`` (groups, classes) clips of each class."""
        return cls(np.asarray(clips, dtype=float))

    @cached_property
    def pooled(self) -> Groups:
        """The same groups for quantities that do not distinguish classes."""
        return Groups(self.clips.sum(axis=1, keepdims=True))

    @property
    def n(self) -> int:
        return len(self.clips)

    @cached_property
    def _shares(self) -> np.ndarray:
        """Share (groups, classes) of each class's clips that a group has."""
        return self.clips / self.clips.sum(axis=0)

    @cached_property
    def _variance(self) -> np.ndarray:
        """Variance (groups,) of a group's part in the score, about the true score."""
        return np.square(self._shares / self.clips.shape[1]).sum(axis=1)

    @cached_property
    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        """The covariance of all groups' parts about the estimate, without `_variance`.

        It is L C L' (groups, groups) with L (groups, 2 classes) and C (2 classes, 2 classes).
        """
        share, weight = self._shares, self._shares / self.clips.shape[1]
        one = np.eye(share.shape[1])
        core = np.block([[np.diag(np.square(share).sum(axis=0)), -one], [-one, 0 * one]])
        return np.hstack([weight, weight * share]), core

    @cached_property
    def correction(self) -> np.ndarray:
        """What each group's squared part is multiplied by, for an unbiased variance (groups,)."""
        left, core = self._factors
        about_estimate = self._variance + np.einsum("gi,ij,gj->g", left, core, left)
        # a class in a single group has no spread; its degrees of freedom are 0 as well
        return self._variance / np.maximum(about_estimate, NO_SPREAD * self._variance)

    @cached_property
    def freedom(self) -> float:
        """Degrees of freedom of the variance: 2 E(v)^2 / Var(v) under the working model."""
        left, core = self._factors
        corrected = left * np.sqrt(self.correction)[:, None]
        own = self._variance * self.correction
        squares = np.square(own).sum()
        squares += 2 * np.einsum("g,gi,ij,gj->", own, corrected, core, corrected)
        inner = corrected.T @ corrected @ core
        squares += np.trace(inner @ inner)
        return float(self._variance.sum() ** 2 / squares)

    @cached_property
    def effective(self) -> float:
        """The number of equal groups that would weigh as much (Kish 1965, Survey Sampling)."""
        weight = self._shares.mean(axis=1)
        return float(weight.sum() ** 2 / np.square(weight).sum())

    @property
    def kind(self) -> str:
        """The kind of interval that these groups allow."""
        lone = (self.clips > 0).sum(axis=0).min() < 2
        few = lone or self.freedom < FEWEST_FREEDOM * (1 - 1e-9)
        return RANGE if few else STUDENT

    @property
    def everyone(self) -> np.ndarray:
        """Weights (1, groups) of the estimate itself."""
        return np.ones((1, self.n))

    def slopes(self, statistic: Statistic) -> np.ndarray:
        """The slope of a statistic along each group's weight (groups,).

        The infinitesimal jackknife (Efron 1982, The Jackknife, the Bootstrap and Other Resampling
        Plans, chapter 6).
        """
        up, down = statistic(Nudged(self.n, STEP)), statistic(Nudged(self.n, -STEP))
        return (up - down) / (2 * STEP)

    def influence(self, statistic: Statistic) -> np.ndarray:
        """Each group's part (groups,) in the standard error: its square is the sum of theirs."""
        return np.sqrt(self.correction) * self.slopes(statistic)

    def of_each(self, statistic: Statistic) -> np.ndarray:
        """The statistic of each group (groups,), made comparable: their mean is the statistic.

        Pseudo-values (Efron & Tibshirani 1993, An Introduction to the Bootstrap, p. 145).
        """
        return statistic(self.everyone)[0] + self.n * self.slopes(statistic)


@dataclass(frozen=True)
class Interval:
    """An estimate, its bounds and their kind; a range has no ``error`` and ``freedom``."""

    value: float
    low: float | None = None
    high: float | None = None
    kind: str = "none"
    error: float | None = None
    freedom: float | None = None

    def bounds(self) -> dict:
        """The columns value, low, high and interval of a table of answers."""
        return {"value": self.value, "low": self.low, "high": self.high, "interval": self.kind}

    def beside(self, error: float, freedom: float) -> Interval:
        """The same estimate with a second, independent source of error.

        Degrees of freedom by Satterthwaite 1946, Biometrics Bulletin 2:110-114.
        """
        if self.error is None:
            return self
        both = np.array([self.error, error]) ** 2
        total = both.sum()
        if total == 0:
            return self
        joint = float(total**2 / np.sum(both**2 / np.array([self.freedom, freedom])))
        half = scipy.stats.t.ppf((1 + LEVEL) / 2, joint) * np.sqrt(total)
        low, high = min(self.low, self.value - half), max(self.high, self.value + half)
        return Interval(self.value, low, high, self.kind, float(np.sqrt(total)), joint)


def interval(statistic: Statistic, groups: Groups, bounds: Bounds | None = None) -> Interval:
    """The statistic with 95 % bounds by t over groups, or its range where groups are too few.

    ``bounds``: `plain_bounds` by default, `share_bounds` or `explained_bounds`.
    """
    value = float(statistic(groups.everyone)[0])
    if groups.kind == RANGE:
        each = statistic(np.eye(groups.n))
        return Interval(value, float(np.nanmin(each)), float(np.nanmax(each)), RANGE)
    error = float(np.linalg.norm(groups.influence(statistic)))
    error = error if error > NO_SPREAD else 0.0
    times = scipy.stats.t.ppf((1 + LEVEL) / 2, groups.freedom)
    low, high = (bounds or plain_bounds)(value, error, groups, times)
    return Interval(value, low, high, STUDENT, error, groups.freedom)


def plain_bounds(value: float, error: float, groups: Groups, times: float) -> tuple[float, float]:
    """Bounds at ``times`` the standard error on either side.

    Where no group differs from another the error is unknown: with n effective groups that agree,
    a share of up to 1 - (1 - level)^(1 / n) of all groups may differ from them by as much as 1.
    """
    if error:
        return value - times * error, value + times * error
    agree = (1 - scipy.stats.t.cdf(times, groups.freedom)) ** (1 / groups.effective)
    return float(agree * value - (1 - agree)), float(agree * value + (1 - agree))


def share_bounds(value: float, error: float, groups: Groups, times: float) -> tuple[float, float]:
    """Bounds of a share: the wider, on each side, of those on the logit scale and exact ones.

    The exact ones are the binomial bounds of Clopper and Pearson for the effective number of clips
    value * (1 - value) / error^2 (Korn & Graubard 1998, Survey Methodology 24:193-201). Where no
    group differs from another it is the effective number of groups.
    """
    level = scipy.stats.t.cdf(times, groups.freedom)
    if not error:
        return exact_bounds(value, groups.effective, level)
    spread = value * (1 - value)
    clips = spread * (scipy.stats.norm.ppf(level) / (times * error)) ** 2
    low, high = exact_bounds(value, clips, level)
    half = times * error / spread
    ends = scipy.special.expit(scipy.special.logit(value) + np.array([-half, half]))
    return min(low, float(ends[0])), max(high, float(ends[1]))


def explained_bounds(
    value: float, error: float, groups: Groups, times: float
) -> tuple[float, float]:
    """Bounds of a share of variance explained: the wider, on each side, of two.

    One is t; the other is t on the logarithm of the share that is not explained, a ratio of two
    positive sums. Neither is above 1.
    """
    low, high = plain_bounds(value, error, groups, times)
    rest = 1 - value
    if error and rest > 0:
        ends = 1 - rest * np.exp(np.array([1, -1]) * times * error / rest)
        low, high = min(low, float(ends[0])), max(high, float(ends[1]))
    return low, min(high, 1.0)


def exact_bounds(share: float, trials: float, level: float) -> tuple[float, float]:
    """Clopper & Pearson 1934, Biometrika 26:404-413, each bound at a one-sided ``level``."""
    right = share * trials
    low = scipy.stats.beta.ppf(1 - level, right, trials - right + 1) if share > 0 else 0.0
    high = scipy.stats.beta.ppf(level, right + 1, trials - right) if share < 1 else 1.0
    return float(low), float(high)
