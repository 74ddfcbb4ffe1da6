"""Coverage of the intervals, by simulation: how often they hold the truth that made the data.

Clips of a group share a chance of being decoded, which varies from group to group; the truth is its
mean over all the groups there could be. Prints coverage for 6, 10 and 20 groups, the groups crossed
with classes (individuals that give every call type) or nested in them (days of an individual).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from stratavox.inference.groups import Groups, interval
from stratavox.inference.measures import Balanced
from stratavox.inference.multiplicity import bands

CLASSES, CLIPS, SPREAD, MIDDLE = 3, 12, 1.0, 0.6
READOUTS = 8


def truth() -> float:
    """Mean over all groups of the chance that a clip is decoded."""
    z, weights = np.polynomial.hermite_e.hermegauss(60)
    return float(weights @ expit(MIDDLE + SPREAD * z) / weights.sum())


def drawn(groups: int, nested: bool, readouts: int, seed: int) -> list[Balanced]:
    """Measures of ``readouts`` readouts on the same groups, each group's ease shared in part."""
    generator = np.random.default_rng(seed)
    own = generator.standard_normal((readouts, groups))
    ease = np.sqrt(0.7) * generator.standard_normal(groups) + np.sqrt(0.3) * own
    clips = np.full((groups, CLASSES), CLIPS)
    if nested:
        clips = CLIPS * (np.arange(groups)[:, None] % CLASSES == np.arange(CLASSES))
    chance = expit(MIDDLE + SPREAD * ease)
    return [
        Balanced(generator.binomial(clips, p[:, None]).astype(float), clips.astype(float))
        for p in chance
    ]


def coverage(groups: int, nested: bool, seeds: int) -> tuple[float, float, str]:
    """Share of runs whose interval, and whose whole simultaneous band, hold the truth."""
    right, whole, kind, true = 0, 0, "", truth()
    for seed in range(seeds):
        measures = drawn(groups, nested, READOUTS, seed)
        shared = Groups.of(measures[0].clips)
        estimate = interval(measures[0], shared, share=True)
        right += estimate.low <= true <= estimate.high
        kind = estimate.kind
        whole += all(low <= true <= high for low, high in bands(measures, shared))
    return right / seeds, whole / seeds, kind


def table(seeds: int) -> Iterator[str]:
    """Lines of the printed table."""
    yield f"coverage of nominal .95, {seeds} runs (two standard errors: {2 * error(seeds):.3f})"
    yield "groups  design   interval         one readout   whole band of 8"
    for nested in (False, True):
        for groups in (6, 10, 20):
            one, whole, kind = coverage(groups, nested, seeds)
            design = "nested" if nested else "crossed"
            yield f"{groups:>6}  {design:<8} {kind:<16} {one:>11.3f} {whole:>17.3f}"


def error(seeds: int) -> float:
    """Standard error of a coverage of .95 from ``seeds`` runs."""
    return float(np.sqrt(0.95 * 0.05 / seeds))


def main() -> None:
    for line in table(2000):
        print(line, flush=True)


if __name__ == "__main__":
    main()
