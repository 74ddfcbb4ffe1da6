"""Studies made of measures, without the files of a run."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from stratavox.inference.answers import rows_of
from stratavox.inference.answers.contrasts import ABOVE_CHANCE
from stratavox.inference.groups import Groups
from stratavox.inference.measures import Balanced, Explained
from stratavox.inference.study import Encoder, Key, Place, Study

NAME, TASK, MARGIN = "encoder", "task", 0.02
SETTINGS = {"task": TASK, "margin": MARGIN, "folds": 4}
# Columns of the tables of scores that answers read.
SCORES = ["encoder", "readout", "probe", "control", "regime", "repeat", "fold", "metric", "value"]


def encoder(curve: list[str], name: str = NAME, members: list[str] | None = None) -> Encoder:
    """An encoder with these readouts; with several ``members``, random draws of one."""
    description = {
        **{"family": "toy", "kind": "toy", "rate": 16000},
        "weights": "file" if members is None else "random",
        "blocks": [readout for readout in curve if readout != "input"],
        "readouts": curve,
        "widths": dict.fromkeys(curve, 8),
    }
    return Encoder(name, description, members or [name])


def study(encoders: Iterable[Encoder], correct: dict[Key, Balanced], settings=SETTINGS) -> Study:
    """A study of scores by group; no labels were permuted, so its null is chance."""
    clips = next(iter(correct.values())).clips
    task = {"regimes": ["grouped"], "chance": 1 / clips.shape[1], "clips": int(clips.sum())}
    made = Study(task, list(encoders), settings, correct=correct)
    made.scores = pd.DataFrame(columns=[*SCORES, "chosen"])
    made.groups = Groups.of(clips)
    return made


def above_chance(scores: pa.Table, predictions: pa.Table, readout: str, task: dict) -> dict:
    """The contrast of one readout, probed as a baseline of a run is, with its permuted labels."""
    about = {"blocks": [], "readouts": [readout], "weights": "none"}
    made = Study({"regimes": ["grouped"]} | task, [Encoder(NAME, about, [NAME])], SETTINGS)
    made.scores = scores.to_pandas().assign(encoder=NAME)
    made.add(NAME, predictions.to_pandas())
    (row,) = [row for row in rows_of(made, "contrasts") if row["question"] == ABOVE_CHANCE]
    return row


def names(depths: int) -> list[str]:
    """The readouts of a curve: the input and blocks."""
    return ["input", *(f"block_{number:02d}" for number in range(depths - 1))]


def of_curves(task: list[Balanced], acoustics: dict[str, list[Explained]]) -> Study:
    """A study of one encoder: the task and acoustic targets along its curve."""
    curve = names(len(task))
    correct = {Key(NAME, readout): measure for readout, measure in zip(curve, task, strict=True)}
    made = study([encoder(curve)], correct)
    for target, measures in acoustics.items():
        for readout, measure in zip(curve, measures, strict=True):
            made.explained[Place(NAME, target, readout)] = measure
        # all blocks together explain what the best explains
        best = min(measures, key=lambda measure: measure.error.sum())
        made.explained[Place(NAME, target, "concat")] = best
    return made
