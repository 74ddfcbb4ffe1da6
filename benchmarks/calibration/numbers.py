"""Regression: coverage of the interval of variance explained, and claims about noise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.calibration import studies
from benchmarks.calibration.simulation import (
    COVERAGE,
    Record,
    Row,
    Simulation,
    at_most,
    column,
    each,
)
from stratavox.inference.groups import RANGE, Groups, explained_bounds, interval
from stratavox.inference.measures import Predicted
from stratavox.probe import folds, regression
from stratavox.probe.fusion import Source
from stratavox.probe.readouts import strictest

READOUT, WIDTH, CLIPS = "features", 16, 16
SETTINGS = {"inner_folds": 3, "permutations": 10, "seed": 0}
SPLIT = {
    **{"dataset": "made", "task": "task", "group": "group", "recording": [], "kind": "regression"},
    **{"folds": 4, "inner_folds": 3, "repeats": 1},
}


def simulations() -> Iterator[Simulation]:
    covered = Row("interval of R2 holds it", COVERAGE, column("held"))
    for unlike in (0.0, 0.25):
        for of_group in (0.3, 0.9):
            for groups in (6, 12, 30):
                setting = f"{groups} groups, {of_group:.0%} of the target of groups, "
                setting += f"log errors of groups with sd {unlike}"
                once = partial(score, groups=groups, of_group=of_group, unlike=unlike)
                yield Simulation(setting, (covered,), each(once), 3)
    above = Row("a number is decodable from noise", at_most(0.05), column("above"))
    for of_group in (0.3, 1.0):
        setting = f"no signal, 12 groups with signatures, {of_group:.0%} of the target of groups"
        yield Simulation(setting, (above,), each(partial(without_signal, of_group=of_group)))


def drawn(
    generator: np.random.Generator, sizes: np.ndarray, of_group: float
) -> tuple[np.ndarray, np.ndarray]:
    """Targets of variance 1 (clips,) and groups (clips,); ``of_group`` is the groups' share."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    own = generator.standard_normal(len(sizes))[group]
    rest = generator.standard_normal(len(group))
    return np.sqrt(of_group) * own + np.sqrt(1 - of_group) * rest, group


def score(
    generator: np.random.Generator, groups: int, of_group: float, unlike: float, truth: float = 0.6
) -> Record:
    """R2 of given fits. A group's errors share an offset, and are large or small together."""
    target, group = drawn(generator, generator.integers(5, 61, groups), of_group)
    error, _ = drawn(generator, np.bincount(group), 0.3)
    scale = np.exp(unlike * generator.standard_normal(groups) - unlike**2)
    error *= np.sqrt(1 - truth) * scale[group]
    sums = (np.bincount(group, quantity, groups) for quantity in (error**2, target**2))
    measure = Predicted(*sums, np.bincount(group).astype(float)[:, None])
    estimate = interval(measure, Groups.of(measure.clips), explained_bounds)
    inside = float(estimate.low <= truth <= estimate.high)
    return {"held": np.nan if estimate.kind == RANGE else inside}


def without_signal(generator: np.random.Generator, of_group: float, groups: int = 12) -> Record:
    """Folds, probe and inference on readouts that know the groups, and nothing of the target."""
    target, group = drawn(generator, np.full(groups, CLIPS), of_group)
    x = 2 * generator.standard_normal((groups, WIDTH))[group]
    x += generator.standard_normal(x.shape)
    clips = pd.DataFrame({"clip_id": [f"{number:05d}" for number in range(len(target))]})
    clips = clips.assign(target="", value=target, recording=None)
    clips["group"] = [f"group {number:03d}" for number in group]
    table, _, _ = folds.assign(clips, SPLIT | {"seed": int(generator.integers(1_000_000))})
    scores, predictions, _ = regression.cross_validate(
        Source(x), READOUT, [], list(clips["clip_id"]), strictest(table), SETTINGS
    )
    task = {"chance": 0.0, "clips": len(target), "kind": "regression"}
    row = studies.above_chance(scores, predictions, READOUT, task)
    return {"above": float(bool(row["resolved"]) and row["difference"] > 0)}
