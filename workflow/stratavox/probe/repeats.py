"""One repeat of the folds of a task at a time, and its table of predictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stratavox.probe.readouts import APART
from stratavox.probe.schemas import PREDICTIONS


@dataclass(frozen=True)
class Repeat:
    """One repeat of one regime: fold, target, group and recording of each clip.

    Group and recording are None where they are unknown.
    """

    regime: str
    number: int
    fold: np.ndarray
    target: np.ndarray
    group: np.ndarray | None
    recording: np.ndarray | None

    @property
    def apart(self) -> np.ndarray | None:
        """The unit that this regime keeps on one side of a split; None where it is the clip."""
        column = APART[self.regime]
        return None if column is None else getattr(self, column)

    def predictions(
        self, named: dict, clip_ids: list[str], labels: np.ndarray, log_probability: np.ndarray
    ) -> pa.Table:
        """The table (`PREDICTIONS`) of predicted ``labels`` (clips,).

        ``named`` gives readout, probe and control; ``log_probability`` (clips,) is of the target.
        """
        n = len(labels)
        columns = {name: [value] * n for name, value in named.items()} | {
            "regime": [self.regime] * n,
            "repeat": [self.number] * n,
            "fold": self.fold,
            "clip_id": clip_ids,
            "group": [None] * n if self.group is None else self.group,
            "target": self.target,
            "predicted": labels,
            "log_probability": log_probability,
        }
        return pa.table(columns, schema=PREDICTIONS)


def repeats(folds: pa.Table, clip_ids: list[str]) -> Iterator[Repeat]:
    """Every repeat of every regime, its clips in the order of ``clip_ids``."""
    for (regime, number), part in folds.to_pandas().groupby(["regime", "repeat"], sort=True):
        part = part.set_index("clip_id").loc[clip_ids]
        known = {
            name: None if part[name].isna().any() else part[name].to_numpy(str)
            for name in ("group", "recording")
        }
        fold, target = part["fold"].to_numpy(), part["target"].to_numpy(str)
        yield Repeat(regime, int(number), fold, target, **known)
