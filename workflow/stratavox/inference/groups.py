"""Intervals over groups: whatever varies from individual to individual or session to session.

Clips of one group resemble each other, so an interval over clips is far too narrow (FACTS: .59
coverage at a nominal .95). Every estimate here is a statistic of weighted groups: all weights one
is the estimate, one of them zero a jackknife replicate, multinomial counts a bootstrap replicate.
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
# Below this number of groups nothing but their range is told; from the second on, the bootstrap's
# asymmetry is worth more than t's guard against few groups (FACTS: its coverage is .83 at 5).
FEWEST_T, FEWEST_BOOTSTRAP = 6, 15
RESAMPLES = 2000
RANGE, STUDENT, BCA = "range over groups", "t over groups", "BCa over groups"


@dataclass(frozen=True)
class Without:
    """The matrix 1 - I (groups, groups) as statistics use it, by its product and its length.

    Written out it would take 0.8 GB at 10,000 groups.
    """

    groups: int

    def __len__(self) -> int:
        return self.groups

    def __matmul__(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=0) - values


@dataclass(frozen=True)
class Groups:
    """The groups of one task. ``strata`` (groups,) numbers what is drawn from separately."""

    strata: np.ndarray

    @classmethod
    def of(cls, clips: np.ndarray) -> Groups:
        """Groups with ``clips`` (groups, classes) clips of each class.

        Where each group has a single class (an individual's days), the classes are strata:
        otherwise a resample could lack a class, and an error would count what cannot vary.
        """
        has = clips > 0
        nested = (has.sum(axis=1) == 1).all()
        return cls(has.argmax(axis=1) if nested else np.zeros(len(clips), dtype=int))

    @property
    def n(self) -> int:
        return len(self.strata)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Groups (groups,) in the stratum of each group."""
        return np.bincount(self.strata)[self.strata]

    @property
    def freedom(self) -> int:
        """Degrees of freedom: groups less strata."""
        return self.n - len(np.unique(self.strata))

    @property
    def kind(self) -> str:
        """What interval these groups allow; where they are nested, the smallest class counts."""
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
        """Each group's part (groups, ...) in the error of a statistic; squares sum to its square.

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
        """What each group (groups,) says of the statistic by itself; their mean is about it.

        Tukey's pseudo-values (Efron & Tibshirani 1993, p. 145): groups of unlike make-up, which
        have one class more often than another, are put on one footing.
        """
        value = statistic(self.everyone)[0]
        return self.n * value - (self.n - 1) * statistic(self.without)

    def error(self, statistic: Statistic) -> float:
        """Standard error of a statistic."""
        return float(np.linalg.norm(self.influence(statistic(self.without))))


@dataclass(frozen=True)
class Interval:
    """An estimate, its bounds, and what these are; ``error`` and ``freedom`` where not a range."""

    value: float
    low: float | None
    high: float | None
    kind: str
    error: float | None = None
    freedom: int | None = None


def interval(statistic: Statistic, groups: Groups, share: bool = False) -> Interval:
    """The statistic with bounds of 95 %: t, BCa or a mere range, by the number of groups.

    ``share``: the statistic lies between 0 and 1, and t's bounds are drawn on the logit's scale,
    where it is nearer to symmetric (benchmarks/coverage.py; .94 without at 6 groups, .95 with).
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
    """Bounds ``times`` the standard error on either side, of a share on the logit's scale.

    Where a share is 0 or 1 in some replicate its logit is not defined: it is cut at 0 and 1.
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
    statistic is undefined (no group with a signal was drawn) are left out.
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
