"""The recommended readout of several encoders that are noise: its score must not be optimistic.

Folds, probes, the choice in training and inference are as in a run; labels are not permuted. The
best of the encoders' scores stands beside it, which is what picking by the scores would report.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

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
    COVERAGE,
    NO_DIFFERENCE,
    Bound,
    Record,
    Row,
    Simulation,
    at_most,
    column,
    each,
)
from stratavox.inference.answers import rows_of
from stratavox.inference.choice import Choice
from stratavox.inference.study import Encoder, Study
from stratavox.probe.crossvalidate import cross_validate
from stratavox.probe.fusion import Source

READOUT, ENCODERS, GROUPS = "features", 5, 12
NOISE = World("crossed", signal=0.0, own=1.0)
FOR_COMPARISON = Bound("", lambda value, error: True, "for comparison")


def simulations() -> Iterator[Simulation]:
    rows = (
        Row("score of the choice in training less chance", NO_DIFFERENCE, column("above")),
        Row("interval of the choice in training holds chance", COVERAGE, column("held")),
        Row("a readout of noise is recommended", at_most(0.05), column("recommended")),
        Row("the best encoder's score less chance", FOR_COMPARISON, column("best above")),
    )
    once = partial(without_signal, groups=GROUPS)
    yield Simulation(f"{ENCODERS} encoders of noise, {GROUPS} groups", rows, each(once))


def without_signal(generator: np.random.Generator, groups: int) -> Record:
    """Encoders with one readout each: noise, and signatures of the groups."""
    _, y, number = NOISE.drawn(generator, groups, class_means(CLASSES))
    clips = clips_of(y, number)
    table = folds_of(generator, clips)
    settings = SETTINGS | {"permutations": 0, "control_tasks": 0}
    about = {"blocks": [], "readouts": [READOUT], "weights": "none", "family": "toy"}
    names = [f"encoder {place}" for place in range(ENCODERS)]
    task = {"regimes": ["grouped"], "chance": 1 / CLASSES, "clips": len(y), "group": "group"}
    study = Study(task, [Encoder(name, about, [name]) for name in names], studies.SETTINGS)
    scores = []
    for name in names:
        x, _, _ = NOISE.drawn(generator, groups, class_means(CLASSES))
        probed, predictions, _ = cross_validate(
            Source(x), READOUT, [], list(clips["clip_id"]), table, settings
        )
        scores.append(probed.to_pandas().assign(encoder=name))
        study.add(name, predictions.to_pandas())
    study.scores = pd.concat(scores)
    choice = study.score(Choice.of(study, study.encoders).measure)
    best = max(measure.value for measure in study.correct.values())
    return {
        "above": choice.value - study.chance,
        "held": float(choice.low <= study.chance <= choice.high),
        "recommended": float(any(row["recommended"] for row in rows_of(study, "recommendation"))),
        "best above": best - study.chance,
    }
