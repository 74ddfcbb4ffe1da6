"""What the probes of one task measured, by encoder, readout, probe, control and regime."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from stratavox.inference.groups import Groups
from stratavox.inference.measures import Balanced


class Key(NamedTuple):
    """Where a measure was taken; ``encoder`` may stand for several random draws together."""

    encoder: str
    readout: str
    probe: str = "linear"
    control: str = "none"
    regime: str = "grouped"


@dataclass
class Encoder:
    """An encoder of the run, or the random draws of one taken together.

    ``made`` is the encoder.json (of the first draw); ``members`` the encoders it stands for.
    """

    name: str
    made: dict
    members: list[str]

    @property
    def blocks(self) -> list[str]:
        return self.made["blocks"]

    @property
    def random(self) -> bool:
        return self.made["weights"] == "random"

    @property
    def curve(self) -> list[str]:
        """The readouts that have a depth, in its order."""
        return [name for name in ("input", *self.blocks) if name in self.made["readouts"]]

    def same_architecture(self, other: Encoder) -> bool:
        """Whether family, kind of model, rate and the blocks' widths are the same.

        ``model`` is not compared, as it may name weights; nor are readouts inside blocks.
        """
        return self._architecture == other._architecture

    @property
    def _architecture(self) -> tuple:
        widths = {block: self.made["widths"][block] for block in self.blocks}
        return self.made["family"], self.made["kind"], self.made["rate"], widths


@dataclass
class Study:
    """All measures of one task. ``task`` is the JSON of its folds, ``groups`` None if unknown."""

    task: dict
    encoders: list[Encoder]
    correct: dict[Key, Balanced] = field(default_factory=dict)
    bits: dict[Key, Balanced] = field(default_factory=dict)
    scores: pd.DataFrame | None = None
    groups: Groups | None = None
    group_names: list[str] = field(default_factory=list)

    @property
    def regime(self) -> str:
        """The strictest regime, which the answers are about."""
        return self.task["regimes"][0]

    @property
    def chance(self) -> float:
        return self.task["chance"]

    def add(self, encoder: str, predictions: pd.DataFrame) -> None:
        """Count one encoder's out-of-fold predictions; a clip's repeats are averaged."""
        known = predictions["group"].notna().all()
        told = predictions.assign(
            correct=(predictions["predicted"] == predictions["target"]).astype(float),
            bits=predictions["log_probability"] / np.log(2),
            group=predictions["group"] if known else predictions["clip_id"],
        )
        parts = ["readout", "probe", "control", "regime"]
        clips = told.groupby([*parts, "clip_id"], sort=True, observed=True).agg(
            {"correct": "mean", "bits": "mean", "target": "first", "group": "first"}
        )
        for where, part in clips.groupby(level=parts, sort=False):
            key = Key(encoder, *where)
            target, group = part["target"].to_numpy(str), part["group"].to_numpy(str)
            self.correct[key] = Balanced.of(part["correct"].to_numpy(), target, group)
            self.bits[key] = Balanced.of(part["bits"].to_numpy(), target, group)
            if known and self.groups is None:
                self.groups = Groups.of(self.correct[key].clips)
                self.group_names = sorted(set(group))

    def pool_draws(self) -> None:
        """Add the mean over the random draws of each encoder that has several."""
        for encoder in self.encoders:
            if len(encoder.members) < 2:
                continue
            for measures in (self.correct, self.bits):
                of_first = [key for key in measures if key.encoder == encoder.members[0]]
                for key in of_first:
                    several = [measures[key._replace(encoder=name)] for name in encoder.members]
                    measures[key._replace(encoder=encoder.name)] = Balanced.mean(several)

    def permuted(self, encoder: Encoder) -> float:
        """Mean balanced accuracy under permuted labels, over the readouts and draws."""
        rows = self.scores
        rows = rows[
            rows["encoder"].isin(encoder.members)
            & (rows["control"] == "permutation")
            & (rows["metric"] == "balanced_accuracy")
        ]
        return float(rows["value"].mean())

    def fold_differences(self, a: Key, b: Key) -> np.ndarray:
        """Balanced accuracy of ``a`` less that of ``b`` (repeats x folds,), draws averaged."""
        found = []
        for key in (a, b):
            members = next(e.members for e in self.encoders if e.name == key.encoder)
            rows = self.scores
            rows = rows[
                rows["encoder"].isin(members)
                & (rows["readout"] == key.readout)
                & (rows["probe"] == key.probe)
                & (rows["control"] == key.control)
                & (rows["regime"] == key.regime)
                & (rows["metric"] == "balanced_accuracy")
                & rows["fold"].notna()
            ]
            found.append(rows.groupby(["repeat", "fold"])["value"].mean())
        return (found[0] - found[1]).dropna().to_numpy()
