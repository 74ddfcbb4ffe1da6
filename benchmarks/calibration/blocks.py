"""Which block suffices, and which may be the best, where each block's expected score is known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.calibration import studies, worlds
from benchmarks.calibration.simulation import (
    COVERAGE,
    Record,
    Row,
    Simulation,
    at_most,
    column,
    each,
)
from stratavox.inference.answers import rows_of
from stratavox.inference.answers.depths import BEST, ONSET
from stratavox.inference.measures import Balanced
from stratavox.inference.study import Key

FOLDS = 4
# Expected scores of the input and twelve blocks.
CURVES = {
    "blocks rise .50 to .80": np.r_[0.45, np.linspace(0.5, 0.8, 12)],
    "blocks peak at .60 in the middle": 0.5
    + 0.1 * np.exp(-0.5 * ((np.arange(worlds.DEPTHS) - 7) / 3) ** 2),
}


def simulations() -> Iterator[Simulation]:
    rows = (
        Row("onset is .02 or more below the chosen block", at_most(0.05), column("onset")),
        Row("confidence set holds the best block", COVERAGE, column("best")),
    )
    for name, scores in CURVES.items():
        for groups in (6, 12, 20):
            once = partial(blocks, scores=scores, groups=groups)
            yield Simulation(f"{name}, {groups} groups", rows, each(once))


def blocks(generator: np.random.Generator, scores: np.ndarray, groups: int) -> Record:
    """In each fold training chooses a block whose expected score is near the best."""
    clips = worlds.even(generator, groups)
    measures = worlds.right(generator, clips, scores, worlds.ease(generator, clips), of_group=0.3)
    curve = studies.names(len(scores))
    noise = 0.02 * generator.standard_normal((FOLDS, len(scores) - 1))
    chosen = 1 + (scores[1:] + noise).argmax(axis=1)
    of_group = chosen[np.arange(groups) % FOLDS]
    total = np.stack([measures[block].total[group] for group, block in enumerate(of_group)])
    correct = {Key(studies.NAME, name): one for name, one in zip(curve, measures, strict=True)}
    correct[Key(studies.NAME, "nested")] = Balanced(total, measures[0].clips)
    study = studies.study([studies.encoder(curve)], correct)
    study.scores = pd.DataFrame(
        {"encoder": studies.NAME, "readout": curve[block], "regime": "grouped", "chosen": True}
        for block in chosen
    ).reindex(columns=study.scores.columns)
    answers = {row["measure"]: row["readouts"] for row in rows_of(study, "depths")}
    if not answers:
        return {"onset": np.nan, "best": np.nan}
    onset, best = answers[ONSET], answers[BEST]
    too_low = False
    if onset is not None:
        too_low = scores[of_group].mean() - scores[curve.index(onset)] >= studies.MARGIN
    return {"onset": float(too_low), "best": float(curve[scores.argmax()] in best.split(", "))}
