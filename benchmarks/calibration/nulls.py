"""Scores of labels that have nothing to do with the sounds, and the nulls they are held against.

The labels go through folds, probes, permuted labels and tests as in a run. Groups have strong
signatures, so that labels which are nested in groups are hard to tell from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.calibration import studies
from benchmarks.calibration.crossvalidated import (
    CLASSES,
    SETTINGS,
    World,
    class_means,
    clips_of,
    folds_of,
)
from benchmarks.calibration.simulation import (
    NO_DIFFERENCE,
    Record,
    Row,
    Simulation,
    at_most,
    column,
    each,
)
from stratavox.inference.measures import Balanced
from stratavox.probe import permute
from stratavox.probe.crossvalidate import cross_validate
from stratavox.probe.fusion import Source

READOUT, PERMUTATIONS, GUESSED = "features", 4, 200
SIZES = {"least": 5, "most": 60}
WORLDS = {
    "crossed": (World("crossed", 0.0, 2.0), (8, 20)),
    "imbalanced": (World("imbalanced", 0.0, 2.0, **SIZES), (8, 20)),
    "nested": (World("nested", 0.0, 2.0, least=5, most=30), (12, 20, 40)),
    "nested, 3 classes": (World("nested", 0.0, 2.0, least=5, most=30, classes=3), (12,)),
}


def simulations() -> Iterator[Simulation]:
    rows = (
        Row("a null score is above permuted labels", at_most(0.05), column("above")),
        Row("a null score is below permuted labels", at_most(0.05), column("below")),
        Row("mean null score less permuted labels", NO_DIFFERENCE, column("difference")),
    )
    for name, (world, sizes) in WORLDS.items():
        for groups in sizes:
            once = partial(without_signal, world=world, groups=groups)
            yield Simulation(f"no signal, {name}, {groups} groups", rows, each(once))
    guess = Row("selectivity of a guessing probe", NO_DIFFERENCE, column("selectivity"))
    for recordings in (6, 8, 12):
        once = partial(selectivity, recordings=recordings)
        yield Simulation(f"{CLASSES} classes, {recordings} recordings", (guess,), each(once))


def without_signal(generator: np.random.Generator, world: World, groups: int) -> Record:
    """One readout, probed and tested against its permuted labels as a baseline of a run is."""
    x, y, number = world.drawn(generator, groups, class_means(world.classes))
    clips = clips_of(y, number)
    table = folds_of(generator, clips)
    if table is None:
        return dict.fromkeys(("above", "below", "difference"), np.nan)
    settings = SETTINGS | {"permutations": PERMUTATIONS, "control_tasks": 0}
    scores, predictions, _ = cross_validate(
        Source(x), READOUT, [], list(clips["clip_id"]), table, settings
    )
    task = {"chance": 1 / world.classes, "clips": len(y)}
    row = studies.above_chance(scores, predictions, READOUT, task)
    tested = row["resolved"] is not None
    return {
        "above": float(row["resolved"] and row["difference"] > 0) if tested else np.nan,
        "below": float(row["resolved"] and row["difference"] < 0) if tested else np.nan,
        "difference": row["difference"],
    }


def selectivity(generator: np.random.Generator, recordings: int) -> Record:
    """Chance less the score of labels that are guessed with the frequencies of a control task."""
    y = np.arange(GUESSED) % CLASSES
    recording = generator.integers(0, recordings, GUESSED)
    recording[:recordings] = np.arange(recordings)
    drawn = permute.control_task(y, recording, generator)
    right = generator.choice(drawn, GUESSED) == drawn
    score = Balanced.of(right.astype(float), drawn, recording).value
    return {"selectivity": 1 / CLASSES - score}
