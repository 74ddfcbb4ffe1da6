"""The default run's clips, readouts and descriptors, with call types shuffled within individuals.

No claim on such labels is true. The readouts are those of the bundled BEATs, the probes are real;
only their penalty is the same for all labels, so that all can be fitted together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from benchmarks.calibration import studies
from benchmarks.calibration.simulation import Record, Row, Simulation, at_most, column
from benchmarks.calibration.verdicts import judged
from benchmarks.calibration.worlds import DEPTHS
from stratavox.corpus import chorus
from stratavox.corpus.acoustics import describe
from stratavox.embed import part
from stratavox.embed.pooling import pool
from stratavox.inference.answers import rows_of
from stratavox.inference.answers.contrasts import ABOVE_CHANCE
from stratavox.inference.answers.trends import FALLS, LEVEL, RISES, UNDECODABLE
from stratavox.inference.measures import Balanced, Explained
from stratavox.inference.study import Key, Place, Study
from stratavox.inference.verdicts import REFUTED, SUPPORTED
from stratavox.probe import atlas, logistic
from stratavox.probe.nested_cv import ROUGH
from stratavox.probe.rotation import Rotation

SIZES = {"seed": 0, "species": 3, "individuals": 4, "call_types": 4, "renditions": 6, "sessions": 6}
BEATS = {"family": "beats", "weights": "bundled", "precision": "fp32"}
RATE, FOLDS, PENALTY, PERMUTATIONS = 16000, 4, 0.01, 10


@dataclass(frozen=True)
class Run:
    """What stays the same for all labels: readouts (clips, width), folds, acoustic targets."""

    x: dict[str, np.ndarray]
    y: np.ndarray
    group: np.ndarray
    fold: np.ndarray
    explained: dict[Place, Explained]

    @property
    def curve(self) -> list[str]:
        return studies.names(len(self.x))


@cache
def run() -> Run:
    calls = list(chorus.calls(**SIZES, confounded=False, rate=RATE))
    y = np.unique([call.order for call in calls], return_inverse=True)[1]
    group = np.array([f"{call.species}.{call.individual}" for call in calls])
    # every individual has the same number of each call type, so any groups make stratified folds
    fold = np.unique(group, return_inverse=True)[1] % FOLDS
    waves = [call.samples.astype(np.float32) for call in calls]
    means = pool(part.load(BEATS), waves).means
    x = {name: means[name] for name in studies.names(DEPTHS)}
    described = pd.DataFrame([describe(call.samples, RATE) for call in calls]).astype(float)
    clips = pd.DataFrame({"fold": fold, "group": group, "apart": group})
    clips.attrs["regime"] = "grouped"
    explained = {}
    everything = np.hstack([x[name] for name in x if name != "input"])
    for readout, values in {**x, "concat": everything}.items():
        rows, _ = atlas.regress(values, described, clips, {"inner_folds": 3, "seed": 0})
        for target, own in rows.groupby("target"):
            sums = own.groupby("group")[["sse", "sst"]].sum()
            sums = sums.reindex(np.unique(group), fill_value=0.0)
            place = Place(studies.NAME, target, readout)
            explained[place] = Explained(sums["sse"].to_numpy(), sums["sst"].to_numpy())
    return Run(x, y, group, fold, explained)


def simulations() -> Iterator[Simulation]:
    rows = (
        Row("verdict early/late is given", at_most(0.05), column("verdict")),
        Row("task rises, falls or is level", at_most(0.05), column("direction")),
        Row("task is decodable at some depth", at_most(0.05), column("decodable")),
        Row("task is decodable from the chosen block", at_most(0.05), column("above")),
        Row("blocks differ", at_most(0.05), column("differ")),
    )
    setting = "default run, call types shuffled within individuals"
    yield Simulation(setting, rows, shuffled)


def shuffled(generators: list[np.random.Generator]) -> Iterator[Record]:
    """One run for each generator; others of the draws are each one's permuted labels."""
    data = run()
    drawn = np.stack([within_groups(data.y, data.group, one) for one in generators])
    right = np.stack([correct(x, drawn, data.fold) for x in data.x.values()], axis=1)
    for number, generator in enumerate(generators):
        measures = [
            Balanced.of(one, drawn[number].astype(str), data.group) for one in right[number]
        ]
        others = (number + 1 + np.arange(PERMUTATIONS)) % len(drawn)
        nulls = [
            Balanced.of(right[other].mean(axis=0), drawn[other].astype(str), data.group).value
            for other in others
        ]
        yield claims(study(data, measures, nulls, generator))


def within_groups(y: np.ndarray, group: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    moved = y.copy()
    for name in np.unique(group):
        moved[group == name] = generator.permutation(y[group == name])
    return moved


def correct(x: np.ndarray, drawn: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Whether each clip is right (draws, clips) for labels ``drawn`` (draws, clips)."""
    right = np.zeros(drawn.shape)
    for k in range(FOLDS):
        test = fold == k
        rotation = Rotation.of(x, ~test)
        y = drawn[:, ~test]
        fits = logistic.fit(rotation.train, y, y.max() + 1, PENALTY, tolerance=ROUGH)
        predicted = fits.log_probabilities(rotation.apply(x[test])).argmax(axis=1)
        right[:, test] = predicted == drawn[:, test]
    return right


def study(
    data: Run, measures: list[Balanced], nulls: list[float], generator: np.random.Generator
) -> Study:
    """The block chosen in training is any, as the labels tell nothing of the blocks."""
    keys = [Key(studies.NAME, name) for name in data.curve]
    known = dict(zip(keys, measures, strict=True))
    chosen = generator.integers(1, len(measures), FOLDS)
    fold_of_group = np.arange(len(measures[0].clips)) % FOLDS
    total = [measures[chosen[k]].total[row] for row, k in enumerate(fold_of_group)]
    known[Key(studies.NAME, "nested")] = Balanced(np.stack(total), measures[0].clips)
    made = studies.study([studies.encoder(data.curve)], known)
    made.explained = data.explained
    permuted = {"encoder": studies.NAME, "control": "permutation", "metric": "balanced_accuracy"}
    rows = [permuted | {"repeat": place, "value": value} for place, value in enumerate(nulls)]
    made.scores = pd.DataFrame(rows).reindex(columns=made.scores.columns)
    return made


def claims(made: Study) -> Record:
    row, contrasts = judged(made), rows_of(made, "contrasts")
    (chosen,) = [one for one in contrasts if one["question"] == ABOVE_CHANCE]
    others = [bool(one["resolved"]) for one in contrasts if one is not chosen]
    return {
        "verdict": float(row["verdict"] in (SUPPORTED, REFUTED)),
        "direction": float(row["task_direction"] in (RISES, FALLS, LEVEL)),
        "decodable": float(row["task_direction"] != UNDECODABLE),
        "above": float(chosen["resolved"] and chosen["difference"] > 0),
        "differ": float(any(others)),
    }
