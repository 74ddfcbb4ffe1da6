"""Coverage of the intervals and bands of scores, and of tests of two equal scores."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.calibration import worlds
from benchmarks.calibration.simulation import COVERAGE, Record, Row, Simulation, column, each
from stratavox.inference.groups import RANGE, Groups, interval, share_bounds
from stratavox.inference.multiplicity import Joint

SCORE = Row("interval of a score holds it", COVERAGE, column("held"))
BAND = Row("band holds a whole curve of 8 readouts", COVERAGE, column("band held"))
SPREAD = 1.0  # of the logits of groups


def simulations() -> Iterator[Simulation]:
    for nested in (False, True):
        for groups in (6, 10, 15, 20, 30):
            design = "each group one of 3 classes" if nested else "each group all 3 classes"
            once = partial(curve, groups=groups, nested=nested)
            yield Simulation(f"{groups} groups, {design}", (SCORE, BAND), each(once), 5)
    for truth, spread in ((0.99, 0.5), (0.99, 1.5), (0.95, 1.5)):
        for groups in (6, 12, 20):
            counts = np.full((groups, 4), 5)
            yield _alone(
                f"truth {truth}, {groups} groups of 20 clips, sd of logits {spread}",
                lambda _, counts=counts: counts,
                worlds.middle_of(truth, spread),
                spread,
            )
    for sizes in ((2, 15), (2, 2, 20), (2, 2, 2, 2, 2, 20), (5, 5, 5, 5), (2, 3, 4, 20)):
        name = ", ".join(map(str, sizes))
        yield _alone(f"nested, {name} groups of a class", worlds.nested_in(sizes))
        if sizes[0] == 2:
            name = f"the same, one stray clip, {name}"
            yield _alone(name, worlds.nested_in(sizes, stray=True))
    for groups, having in ((12, 2), (20, 2), (40, 2), (20, 5), (40, 5), (20, 20)):
        name = f"one of 4 classes in {having} of {groups} groups"
        yield _alone(name, worlds.with_rare_class(groups, having), by_class=True)


def _alone(
    setting: str,
    counts: worlds.Sizes,
    middle: float = 0.6,
    spread: float = SPREAD,
    by_class: bool = False,
) -> Simulation:
    once = partial(score, counts=counts, middle=middle, spread=spread, by_class=by_class)
    return Simulation(setting, (SCORE,), each(once), 5)


def score(
    generator: np.random.Generator,
    counts: worlds.Sizes,
    middle: float,
    spread: float,
    by_class: bool,
) -> Record:
    """One score; a group's logit is the same in all classes, or one of its own ``by_class``."""
    drawn = counts(generator)
    shape = drawn.shape if by_class else (len(drawn), 1)
    logits = middle + spread * generator.standard_normal(shape)
    measure = worlds.drawn_right(generator, drawn, logits)
    truth = worlds.logistic_normal_mean(middle, spread)
    return {"held": held(measure, Groups.of(measure.clips), truth)}


def held(measure, groups: Groups, truth: float) -> float:
    """Whether the interval holds the truth; NaN where there is only a range."""
    estimate = interval(measure, groups, share_bounds)
    return np.nan if estimate.kind == RANGE else float(estimate.low <= truth <= estimate.high)


def curve(generator: np.random.Generator, groups: int, nested: bool, readouts: int = 8) -> Record:
    """One readout, and the band of a curve, where readouts share a part of each group's ease."""
    own = generator.standard_normal((readouts, groups))
    easy = np.sqrt(0.7) * generator.standard_normal(groups) + np.sqrt(0.3) * own
    counts = np.full((groups, 3), 12)
    if nested:
        counts = 12 * (np.arange(groups)[:, None] % 3 == np.arange(3))
    logits = 0.6 + SPREAD * easy
    measures = [worlds.drawn_right(generator, counts, row[:, None]) for row in logits]
    shared, truth = Groups.of(counts), worlds.logistic_normal_mean(0.6, SPREAD)
    bands = Joint.of(measures, shared).bands()
    within = np.nan
    if bands is not None:
        within = float(all(low <= truth <= high for low, high in bands))
    return {"held": held(measures[0], shared, truth), "band held": within}
