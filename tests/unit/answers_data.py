"""Made-up predictions of a task, of known strength, as the probes write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from stratavox.inference.study import Encoder, Study

BLOCKS = ["block_00", "block_01", "block_02", "block_03"]
READOUTS = ["input", *BLOCKS]
SETTINGS = {"folds": 5, "margin": 0.02, "task": "call"}


def encoder(name: str, weights: str = "file", members: list[str] | None = None) -> Encoder:
    """An encoder with four blocks, or a baseline where ``weights`` is none."""
    deep = weights != "none"
    readouts = READOUTS if deep else ["features"]
    description = {
        **{"encoder": name, "weights": weights, "family": "toy" if deep else "logmel"},
        "kind": "toy",
        **{"blocks": BLOCKS if deep else [], "readouts": readouts, "rate": 16000},
        "widths": dict.fromkeys(readouts, 8),
    }
    return Encoder(name, description, members or [name])


def clips(groups: int = 12, classes: int = 3, each: int = 4) -> pd.DataFrame:
    """Clips of every class in every group; the group's fold."""
    rows = [
        (f"g{g:02d}c{c}n{n}", f"class {c}", f"group {g:02d}", g % 5)
        for g in range(groups)
        for c in range(classes)
        for n in range(each)
    ]
    return pd.DataFrame(rows, columns=["clip_id", "target", "group", "fold"])


def predicted(
    table: pd.DataFrame, readout: str, strength: float, generator: np.random.Generator, **where
) -> pd.DataFrame:
    """Predictions right with probability ``strength``, which varies a little by group."""
    groups = table["group"].unique()
    ease = dict(zip(groups, 0.05 * generator.standard_normal(len(groups)), strict=True))
    chance = np.clip(strength + table["group"].map(ease).to_numpy(), 0.01, 0.99)
    classes = np.array(sorted(table["target"].unique()))
    right = generator.random(len(table)) < chance
    number = np.searchsorted(classes, table["target"])
    wrong = classes[(number + generator.integers(1, len(classes), len(table))) % len(classes)]
    place = {"probe": "linear", "control": "none", "regime": "grouped", "repeat": 0} | where
    return table.assign(
        readout=readout,
        predicted=np.where(right, table["target"], wrong),
        log_probability=np.log(np.where(right, chance, (1 - chance) / (len(classes) - 1))),
        **place,
    )


def scored(predictions: pd.DataFrame) -> pd.DataFrame:
    """The scores table that goes with predictions, by fold and pooled; as if all trained alike."""
    parts = ["readout", "probe", "control", "regime", "repeat"]
    rows = []
    for where, part in predictions.groupby(parts, sort=False):
        for fold, own in [*part.groupby("fold"), (None, part)]:
            value = balanced_accuracy_score(own["target"], own["predicted"])
            rows.append([*where, fold, "balanced_accuracy", value, len(own)])
    scores = pd.DataFrame(rows, columns=[*parts, "fold", "metric", "value", "n_test"])
    return scores.assign(inner_log_loss=1.0)


def study(strengths: dict[str, dict[str, float]], seed: int, encoders=None, groups=12) -> Study:
    """A study whose encoders' readouts are right as often as ``strengths`` says.

    A readout "nested" follows block_02. Permuted labels score chance.
    """
    generator = np.random.default_rng(seed)
    table = clips(groups)
    if encoders is None:
        encoders = [
            encoder(n, "none" if list(s) == ["features"] else "file") for n, s in strengths.items()
        ]
    task = {"chance": 1 / 3, "regimes": ["grouped", "random"], "clips": len(table)}
    task |= {"group": "bird"}
    study = Study(task, encoders, SETTINGS)
    scores = []
    for name, readouts in strengths.items():
        rows = [predicted(table, readout, p, generator) for readout, p in readouts.items()]
        predictions = pd.concat(rows)
        study.add(name, predictions)
        own = scored(predictions)
        null = own[own["fold"].isna()].assign(control="permutation", value=1 / 3)
        scores.append(pd.concat([own, null]).assign(encoder=name))
    study.scores = pd.concat(scores).assign(chosen=False)
    study.pool_draws()
    return study
