"""Multiple comparisons: simultaneous bands, the confidence set of best blocks, Holm."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from stratavox.inference.groups import LEVEL, RANGE, Groups, Statistic, t_bounds

DRAWS = 10_000


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that the chance of any false positive stays at the level.

    Holm 1979, Scand. J. Stat. 6:65-70.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(order), 0, -1) * np.asarray(p_values, dtype=float)[order]
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, steps))
    return adjusted.tolist()


def critical(influence: np.ndarray, freedom: int) -> float:
    """The 95 % quantile of the largest of several correlated |t|.

    ``influence`` (groups, statistics) as `Groups.influence` gives it. Single-step max-t: Hothorn,
    Bretz & Westfall 2008, Biometrical Journal 50:346-363, by simulation of the multivariate t.
    Correlations estimated from few groups are too strong, so they are shrunk by one over the root
    of ``freedom`` (coverage at 6 groups .90 to .93 without, .94 with; benchmarks/coverage.py).
    """
    error = np.linalg.norm(influence, axis=0)
    unit = influence[:, error > 0] / error[error > 0]
    if not unit.size:
        return 0.0
    generator = np.random.default_rng(0)
    shrunk = freedom**-0.5
    z = np.sqrt(1 - shrunk) * generator.standard_normal((DRAWS, len(unit))) @ unit
    z += np.sqrt(shrunk) * generator.standard_normal((DRAWS, unit.shape[1]))
    scale = np.sqrt(generator.chisquare(freedom, DRAWS) / freedom)
    return float(np.quantile(np.abs(z).max(axis=1) / scale, LEVEL))


def bands(shares: Sequence[Statistic], groups: Groups) -> list[tuple[float, float]] | None:
    """Bounds that hold for all of ``shares`` at once with 95 %; None where groups are too few."""
    if groups.kind == RANGE:
        return None
    without = _without(shares, groups)
    times = critical(groups.influence(without), groups.freedom)
    return [
        t_bounds(float(share(groups.everyone)[0]), column, groups, times, share=True)
        for share, column in zip(shares, without.T, strict=True)
    ]


def confidence_set(statistics: Sequence[Statistic], groups: Groups) -> list[int] | None:
    """Numbers of the ``statistics`` that may be the largest (95 %); None where groups are too few.

    One is excluded when another is above it in a simultaneous comparison of all pairs (multiple
    comparisons with the best: Hsu 1984, Ann. Stat. 12:1136-1144).
    """
    if groups.kind == RANGE:
        return None
    pairs = list(combinations(range(len(statistics)), 2))
    if not pairs:
        return [0]
    influence = groups.influence(_without(statistics, groups))
    first, second = np.array(pairs).T
    apart = influence[:, first] - influence[:, second]
    values = np.array([statistic(groups.everyone)[0] for statistic in statistics])
    ahead = values[first] - values[second]
    half = critical(apart, groups.freedom) * np.linalg.norm(apart, axis=0)
    beaten = {*second[ahead > half].tolist(), *first[ahead < -half].tolist()}
    return [place for place in range(len(statistics)) if place not in beaten]


def _without(statistics: Sequence[Statistic], groups: Groups) -> np.ndarray:
    return np.stack([statistic(groups.without) for statistic in statistics], axis=1)
