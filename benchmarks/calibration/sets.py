"""Multilabel tasks: coverage of the interval of mean average precision, and claims about noise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from benchmarks.calibration import studies
from benchmarks.calibration.simulation import (
    COVERAGE,
    NO_DIFFERENCE,
    Record,
    Row,
    Simulation,
    at_most,
    column,
    each,
)
from stratavox.errors import StratavoxError
from stratavox.inference.groups import RANGE, Groups, interval, share_bounds
from stratavox.inference.measures import Ranked
from stratavox.probe import folds, multilabel, sets
from stratavox.probe.fusion import Source
from stratavox.probe.readouts import strictest

READOUT, WIDTH, CLIPS, MANY = "features", 16, 30, 3000
SHARES = np.array([0.4, 0.3, 0.2, 0.15, 0.1])
# A class of many soundscapes: a few windows in a hundred have it, and some sites none.
RARE, PATCHY = np.array([0.2, 0.1, 0.06, 0.05, 0.04]), 1.0
SETTINGS = {"inner_folds": 3, "c_grid": [1e-3, 1e-2, 0.1, 1.0], "permutations": 4, "seed": 0}
SPLIT = {
    **{"dataset": "made", "task": "task", "group": "group", "recording": [], "kind": "multilabel"},
    **{"folds": 4, "inner_folds": 3, "repeats": 1},
}


def simulations() -> Iterator[Simulation]:
    covered = Row("interval of mAP holds it", COVERAGE, column("held"))
    for apart in (1.0, 2.0):
        for spread in (0.3, 1.0):
            for groups in (6, 12, 30):
                setting = f"{groups} groups, classes {apart} apart, sd {spread} of groups"
                once = partial(score, groups=groups, apart=apart, spread=spread)
                yield Simulation(setting, (covered,), each(once), 2)
    for groups in (6, 12, 30):
        setting = f"{groups} uneven groups, rare classes, sd {PATCHY} of groups"
        once = partial(score, groups=groups, apart=2.0, spread=PATCHY, rare=True)
        yield Simulation(setting, (covered,), each(once), 2)
    rows = (
        Row("label sets are decodable from noise", at_most(0.05), column("above")),
        Row("mean null mAP less permuted labels", NO_DIFFERENCE, column("difference")),
    )
    for groups in (12, 20):
        setting = f"no signal, {groups} sites with signatures and shares of classes of their own"
        yield Simulation(setting, rows, each(partial(without_signal, groups=groups)))


def drawn(
    generator: np.random.Generator, groups: int, rare: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Which classes each clip has (clips, classes), and its group, which has shares of its own.

    With ``rare`` classes groups have 5 to 60 clips, and shares that differ by factors.
    """
    sizes = generator.integers(5, 61, groups) if rare else np.full(groups, CLIPS)
    group, shape = np.repeat(np.arange(groups), sizes), (groups, len(SHARES))
    if rare:
        factor = np.exp(PATCHY * generator.standard_normal(shape) - PATCHY**2 / 2)
    else:
        factor = generator.uniform(0.5, 1.5, shape)
    share = (RARE if rare else SHARES) * factor
    return generator.random((len(group), len(SHARES))) < share[group], group


def ranked(
    generator: np.random.Generator, groups: int, apart: float, spread: float, rare: bool = False
) -> Ranked:
    """Scores of given fits: groups differ in how high they score, and how well each class does."""
    present, group = drawn(generator, groups, rare)
    present = present[:, present.any(axis=0)]
    better = apart + spread * generator.standard_normal((groups, present.shape[1]))
    score = present * better[group] + generator.standard_normal(present.shape)
    score += spread * generator.standard_normal((groups, 1))[group]
    return Ranked.of([score], present, group)


@cache
def truth(apart: float, spread: float, rare: bool) -> float:
    """The same of very many groups, as scikit-learn computes it."""
    of_many = ranked(np.random.default_rng(0), MANY, apart, spread, rare)
    return float(average_precision_score(of_many.present, of_many.scores[0], average="macro"))


def score(
    generator: np.random.Generator, groups: int, apart: float, spread: float, rare: bool = False
) -> Record:
    """Whether the interval holds the value of very many groups."""
    measure = ranked(generator, groups, apart, spread, rare)
    estimate = interval(measure, Groups.of(measure.clips), share_bounds)
    inside = float(estimate.low <= truth(apart, spread, rare) <= estimate.high)
    return {"held": np.nan if estimate.kind == RANGE else inside}


def without_signal(generator: np.random.Generator, groups: int) -> Record:
    """Folds, probe and inference on readouts that know the sites, and nothing of the classes."""
    present, group = drawn(generator, groups)
    x = 2 * generator.standard_normal((groups, WIDTH))[group]
    x += generator.standard_normal(x.shape)
    clips = pd.DataFrame({"clip_id": [f"{number:05d}" for number in range(len(group))]})
    clips = clips.assign(target="", present=present.tolist(), recording=None)
    clips["group"] = [f"group {number:03d}" for number in group]
    try:
        split = SPLIT | {"seed": int(generator.integers(1_000_000))}
        table, _, _ = folds.assign(clips, split)
    except StratavoxError:
        return dict.fromkeys(("above", "difference"), np.nan)
    scores, predictions, _ = multilabel.cross_validate(
        Source(x), READOUT, [], list(clips["clip_id"]), strictest(table), SETTINGS
    )
    guessing = [sets.of_guessing(int(n), len(present)) for n in present.sum(axis=0)]
    task = {"chance": float(np.mean(guessing)), "clips": len(group), "kind": "multilabel"}
    row = studies.above_chance(scores, predictions, READOUT, task)
    return {
        "above": float(bool(row["resolved"]) and row["difference"] > 0),
        "difference": row["difference"],
    }
