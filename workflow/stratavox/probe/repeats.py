"""One repeat of the folds of a task at a time, and its table of predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox.probe.once import once
from stratavox.probe.regimes import APART
from stratavox.probe.schemas import PREDICTIONS


@dataclass(frozen=True)
class Repeat:
    """One repeat of one regime: fold, target, group, recording and audio of each of its clips.

    ``rows`` (clips,) are the places of its clips among those of the task; a clip with the fold -1
    trains and is not tested. Group and recording are None where they are unknown, and audio where
    no two clips are the same. ``table`` are the rows of the folds, indexed by clip_id; None where
    labels are all that is needed.
    """

    regime: str
    number: int
    rows: np.ndarray
    fold: np.ndarray
    target: np.ndarray
    group: np.ndarray | None
    recording: np.ndarray | None
    audio: np.ndarray | None
    table: pd.DataFrame | None

    @property
    def apart(self) -> np.ndarray | None:
        """The unit that this regime keeps on one side of a split; None where it is the clip."""
        return getattr(self, APART[self.regime] or "audio")

    @property
    def tested(self) -> np.ndarray:
        """Whether a clip is tested (clips,)."""
        return self.fold >= 0

    @property
    def trained(self) -> np.ndarray:
        """Whether a clip is in any training set (clips,): for transfer those that only train."""
        return ~self.tested if self.fold.min() < 0 else self.tested

    def predictions(
        self, named: dict, clip_ids: list[str], labels: np.ndarray, log_probability: np.ndarray
    ) -> pa.Table:
        """The table (`PREDICTIONS`) of predicted ``labels`` (clips,), of the tested clips alone.

        ``named`` gives readout, probe and control; ``clip_ids`` are all of the task;
        ``log_probability`` (clips,) is of the target.
        """
        own = {"predicted": labels, "log_probability": log_probability}
        return self.predicted(named, clip_ids, own)

    def predicted(self, named: dict, clip_ids: list[str], own: dict[str, np.ndarray]) -> pa.Table:
        """The same with the columns ``own`` (clips, ...); those that are not named are null."""
        tested = np.flatnonzero(self.tested)
        n = len(tested)
        columns = {name: [value] * n for name, value in named.items()} | {
            "regime": [self.regime] * n,
            "repeat": [self.number] * n,
            "fold": self.fold[tested],
            "clip_id": [clip_ids[row] for row in self.rows[tested]],
            "group": [None] * n if self.group is None else self.group[tested],
            "target": self.target[tested],
        }
        columns |= {name: values[tested].tolist() for name, values in own.items()}
        none = dict.fromkeys(PREDICTIONS.names, [None] * n)
        return pa.table(none | columns, schema=PREDICTIONS)


@once
def repeats(folds: pa.Table, clip_ids: list[str]) -> list[Repeat]:
    """Every repeat of every regime, its clips in the order of ``clip_ids``."""
    found = []
    for (regime, number), part in folds.to_pandas().groupby(["regime", "repeat"], sort=True):
        part = part.set_index("clip_id")
        place = part.index.get_indexer(clip_ids)
        rows = np.flatnonzero(place >= 0)
        part = part.iloc[place[rows]]
        known = {
            name: None if part[name].isna().any() else part[name].to_numpy(str)
            for name in ("group", "recording", "audio")
        }
        fold, target = part["fold"].to_numpy(), part["target"].to_numpy(str)
        found.append(Repeat(regime, int(number), rows, fold, target, **known, table=part))
    return found
