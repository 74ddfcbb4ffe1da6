"""Several statistics of the same groups: simultaneous bounds, the best of them, Holm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy

from stratavox.inference.groups import (
    LEVEL,
    NO_SPREAD,
    RANGE,
    STUDENT,
    Bounds,
    Groups,
    Interval,
    Statistic,
    plain_bounds,
    share_bounds,
)

DRAWS, MOST_RESIDUALS = 10_000, 50


@dataclass(frozen=True)
class Joint:
    """Values (statistics,) and influence (groups, statistics) of several statistics.

    The square of a value's standard error is the sum of the squares of its column (see
    `Groups.influence`).
    """

    values: np.ndarray
    influence: np.ndarray
    groups: Groups

    @classmethod
    def of(cls, statistics: Sequence[Statistic], groups: Groups) -> Joint:
        values = np.array([statistic(groups.everyone)[0] for statistic in statistics])
        influence = [groups.influence(statistic) for statistic in statistics]
        return cls(values, np.stack(influence, axis=1), groups)

    def combined(self, weights: np.ndarray) -> Joint:
        """Linear combinations: ``weights`` (statistics, combinations)."""
        return Joint(self.values @ weights, self.influence @ weights, self.groups)

    @property
    def errors(self) -> np.ndarray:
        """Standard errors (statistics,); 0 where they are rounding."""
        errors = np.linalg.norm(self.influence, axis=0)
        return np.where(errors > NO_SPREAD, errors, 0.0)

    def intervals(self, times: float | None = None) -> list[Interval]:
        """An interval for each statistic, each alone or at ``times`` its standard error.

        None of them has bounds where groups are too few.
        """
        if self.groups.kind == RANGE:
            return [Interval(float(value), kind=RANGE) for value in self.values]
        freedom = self.groups.freedom
        times = scipy.stats.t.ppf((1 + LEVEL) / 2, freedom) if times is None else times
        return [
            Interval(
                value, *plain_bounds(value, error, self.groups, times), STUDENT, error, freedom
            )
            for value, error in zip(self.values.tolist(), self.errors.tolist(), strict=True)
        ]

    @property
    def times(self) -> float:
        """The number of standard errors within which all values are with 95 %: max-t.

        Single-step: Hothorn, Bretz & Westfall 2008, Biometrical Journal 50:346-363, by simulation.
        Not of their multivariate t, whose values share one standard error: each value has its own
        here, from as many simulated residuals as there are degrees of freedom (with a common one
        the band of 8 readouts covers .92 at 3 degrees of freedom, with their own .95). Bonferroni's
        where no value has any spread.
        """
        freedom, errors = self.groups.freedom, self.errors
        unit = self.influence[:, errors > 0] / errors[errors > 0]
        if not unit.size:
            return float(scipy.stats.t.ppf(1 - (1 - LEVEL) / (2 * len(errors)), freedom))
        power, axes = np.linalg.eigh(unit.T @ unit)
        root = axes[:, power > NO_SPREAD].T * np.sqrt(power[power > NO_SPREAD])[:, None]
        generator = np.random.default_rng(0)

        def drawn() -> np.ndarray:
            return generator.standard_normal((DRAWS, len(root))) @ root

        # with many degrees of freedom the standard errors hardly vary
        count = int(np.ceil(min(freedom, MOST_RESIDUALS)))
        parts = np.ones(count)
        parts[-1] -= count - min(freedom, MOST_RESIDUALS)
        variance = sum(part * np.square(drawn()) for part in parts) / parts.sum()
        return float(np.quantile(np.abs(drawn() / np.sqrt(variance)).max(axis=1), LEVEL))

    def bands(self, bounds: Bounds = share_bounds) -> list[tuple[float, float]] | None:
        """Bounds that hold for all at once with 95 %; None where groups are too few."""
        if self.groups.kind == RANGE:
            return None
        times = self.times
        return [
            bounds(value, error, self.groups, times)
            for value, error in zip(self.values.tolist(), self.errors.tolist(), strict=True)
        ]

    def differ(self) -> bool | None:
        """Whether some value differs from their mean (max-t, 5 %); None with too few groups."""
        if self.groups.kind == RANGE:
            return None
        n = len(self.values)
        apart = self.combined(np.eye(n) - 1 / n)
        clear = np.abs(apart.values) > apart.times * apart.errors
        return bool((clear & (apart.errors > 0)).any())

    def perhaps_largest(self) -> list[int] | None:
        """Numbers of the values that may be the largest (95 %); None where groups are too few.

        One is excluded when another is above it in a simultaneous comparison of all pairs (multiple
        comparisons with the best: Hsu 1984, Ann. Stat. 12:1136-1144).
        """
        if self.groups.kind == RANGE:
            return None
        pairs = np.array(list(combinations(range(len(self.values)), 2))).reshape(-1, 2)
        if not len(pairs):
            return [0]
        one = np.eye(len(self.values))
        ahead = self.combined((one[pairs[:, 0]] - one[pairs[:, 1]]).T)
        # few groups that agree are no certainty, so a difference without spread excludes nothing
        surely = (np.abs(ahead.values) > ahead.times * ahead.errors) & (ahead.errors > 0)
        beaten = np.where(ahead.values > 0, pairs[:, 1], pairs[:, 0])[surely]
        return [place for place in range(len(self.values)) if place not in beaten]


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that the chance of any false positive stays at the level.

    Holm 1979, Scand. J. Stat. 6:65-70.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(order), 0, -1) * np.asarray(p_values, dtype=float)[order]
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, steps))
    return adjusted.tolist()
