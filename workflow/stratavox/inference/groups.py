"""Intervals over groups, such as individuals or recording sessions.

Clips of one group resemble each other, so an interval over clips is far too narrow (measured: .59
coverage at a nominal .95). Every estimate here is a statistic of weighted groups: with all weights
1 it is the estimate, with one weight 0 a jackknife replicate, with multinomial counts a bootstrap
replicate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student

# Weights (draws, groups) to values (draws,), by `weights @ values` and `len(weights)` alone.
Statistic = Callable[[np.ndarray], np.ndarray]

LEVEL = 0.95
# With fewer groups than the first there is only their range. From the second on the bootstrap is
# used: its bounds may be asymmetric, but it is too narrow for few groups (coverage .83 at 5).
FEWEST_T, FEWEST_BOOTSTRAP = 6, 15
RESAMPLES = 2000
RANGE, STUDENT, BCA = "range over groups", "t over groups", "BCa over groups"


@dataclass(frozen=True)
class Without:
    """The matrix 1 - I (groups, groups): its product and its length, as statistics use it.

    The full matrix would take 0.8 GB at 10,000 groups.
    """

    groups: int

    def __len__(self) -> int:
        return self.groups

    def __matmul__(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=0) - values


@dataclass(frozen=True)
class Groups:
    """The groups of one task. Groups are resampled within each of ``strata`` (groups,)."""

    strata: np.ndarray

    @classmethod
    def of(cls, clips: np.ndarray) -> Groups:
        """Groups with ``clips`` (groups, classes) clips of each class.

        Where each group has a single class (a nested design, such as days of an individual), the
        classes are strata: otherwise a resample could lack a class, and the error would include
        differences between classes, which are fixed.
        """
        has = clips > 0
        nested_design = (has.sum(axis=1) == 1).all()
        return cls(has.argmax(axis=1) if nested_design else np.zeros(len(clips), dtype=int))

    @property
    def n(self) -> int:
        return len(self.strata)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Groups (groups,) in the stratum of each group."""
        return np.bincount(self.strata)[self.strata]

    @property
    def freedom(self) -> int:
        """Degrees of freedom: groups minus strata."""
        return self.n - len(np.unique(self.strata))

    @property
    def kind(self) -> str:
        """The kind of interval for so many groups; in a nested design for so many of a class."""
        if self.n < FEWEST_T or self.freedom < 2 or self.sizes.min() < 2:
            return RANGE
        return STUDENT if self.sizes.min() < FEWEST_BOOTSTRAP else BCA

    @property
    def everyone(self) -> np.ndarray:
        """Weights (1, groups) of the estimate itself."""
        return np.ones((1, self.n))

    @property
    def without(self) -> Without:
        """Weights (groups, groups) that leave out one group each."""
        return Without(self.n)

    @cached_property
    def resamples(self) -> np.ndarray:
        """Bootstrap weights (`RESAMPLES`, groups), the same for every statistic of these groups."""
        generator = np.random.default_rng(0)
        weights = np.zeros((RESAMPLES, self.n))
        for stratum in np.unique(self.strata):
            rows = np.flatnonzero(self.strata == stratum)
            share = np.full(len(rows), 1 / len(rows))
            weights[:, rows] = generator.multinomial(len(rows), share, RESAMPLES)
        return weights

    def influence(self, without: np.ndarray) -> np.ndarray:
        """Each group's part (groups, ...) in the standard error: its square is the sum of theirs.

        ``without`` (groups, ...) are values with one group left out each. Delete-a-group jackknife
        (Efron & Tibshirani 1993, An Introduction to the Bootstrap, p. 141), centred by stratum
        (Wolter 2007, Introduction to Variance Estimation, section 4.5).
        """
        parts = np.empty_like(without)
        for stratum in np.unique(self.strata):
            rows = self.strata == stratum
            size = rows.sum()
            parts[rows] = np.sqrt((size - 1) / size) * (without[rows] - without[rows].mean(axis=0))
        return parts

    def pseudo_values(self, statistic: Statistic) -> np.ndarray:
        """The statistic of each single group (groups,); their mean is about the statistic.

        Tukey's pseudo-values (Efron & Tibshirani 1993, p. 145) make groups comparable that have
        different shares of the classes.
        """
        value = statistic(self.everyone)[0]
        return self.n * value - (self.n - 1) * statistic(self.without)


@dataclass(frozen=True)
class Interval:
    """An estimate, its bounds and their kind; a range has no ``error`` and ``freedom``."""

    value: float
    low: float | None = None
    high: float | None = None
    kind: str = "none"
    error: float | None = None
    freedom: int | None = None

    def bounds(self) -> dict:
        """The columns value, low, high and interval of a table of answers."""
        return {"value": self.value, "low": self.low, "high": self.high, "interval": self.kind}


def interval(statistic: Statistic, groups: Groups, share: bool = False) -> Interval:
    """The statistic with 95 % bounds; the number of groups decides between t, BCa and range.

    ``share``: the statistic lies between 0 and 1, and the bounds of t are computed on the logit
    scale, where it is more symmetric (coverage at 6 groups .94 without, .95 with;
    benchmarks/coverage.py).
    """
    value = float(statistic(groups.everyone)[0])
    if groups.kind == RANGE:
        each = statistic(np.eye(groups.n))
        return Interval(value, float(np.nanmin(each)), float(np.nanmax(each)), RANGE)
    without = statistic(groups.without)
    error = float(np.linalg.norm(groups.influence(without)))
    if groups.kind == BCA:
        low, high = bca(value, without, statistic(groups.resamples))
    else:
        times = student.ppf((1 + LEVEL) / 2, groups.freedom)
        low, high = t_bounds(value, without, groups, times, share)
    return Interval(value, low, high, groups.kind, error, groups.freedom)


def t_bounds(
    value: float, without: np.ndarray, groups: Groups, times: float, share: bool
) -> tuple[float, float]:
    """Bounds at ``times`` the standard error on either side, for a share on the logit scale.

    Where a share is 0 or 1 in some replicate its logit is undefined; the bounds are then computed
    on the plain scale and cut at 0 and 1.
    """
    inside = share and min(value, without.min()) > 0 and max(value, without.max()) < 1
    if not inside:
        half = times * float(np.linalg.norm(groups.influence(without)))
        cut = (0.0, 1.0) if share else (-np.inf, np.inf)
        return max(cut[0], value - half), min(cut[1], value + half)
    half = times * np.linalg.norm(groups.influence(logit(without)))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))


def bca(value: float, without: np.ndarray, resampled: np.ndarray) -> tuple[float, float]:
    """Bias-corrected and accelerated bounds from jackknife and bootstrap values.

    Efron 1987, J. Am. Stat. Assoc. 82:171-185, equations 6.4 to 6.7. Replicates in which the
    statistic is undefined are left out.
    """
    resampled = resampled[np.isfinite(resampled)]
    if np.ptp(resampled) == 0:
        return value, value
    below = np.mean(resampled < value) + np.mean(resampled == value) / 2
    bias = norm.ppf(np.clip(below, 1 / len(resampled), 1 - 1 / len(resampled)))
    apart = without.mean() - without
    spread = np.sum(apart**2) ** 1.5
    acceleration = np.sum(apart**3) / (6 * spread) if spread else 0.0
    z = bias + norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.quantile(resampled, norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)
