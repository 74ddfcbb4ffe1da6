"""Acoustic descriptors of clips as a regression takes them: transformed, none undefined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import norm, rankdata

from stratavox import tables
from stratavox.corpus.targets import TARGETS
from stratavox.probe.readouts import places


def read(parts: list[Path], clip_ids: list[str]) -> pd.DataFrame:
    """Every descriptor (columns of `TARGETS`) of ``clip_ids`` (rows), NaN where undefined.

    Raises `StratavoxError` where a clip has none, or has them twice.
    """
    frame = pa.concat_tables([tables.read_table(part) for part in parts]).to_pandas()
    rows = places(frame["clip_id"].tolist(), clip_ids, ", ".join(map(str, parts)))
    return frame.iloc[rows].set_index("clip_id")[list(TARGETS)]


def transformed(values: np.ndarray, train: np.ndarray, kind: str) -> np.ndarray:
    """``values`` (clips,) transformed, with mean 0 and variance 1 on ``train`` (clips,).

    NaN stays NaN. ``kind`` is "log" (of values above zero), "none", or "rank": each value's place
    among the training clips on a normal distribution (Blom 1958, (rank - 3/8) / (n + 1/4), ties
    sharing their mean rank), a value between two of them by interpolation, beyond them as the
    outermost.
    """
    train = train & np.isfinite(values)
    if kind == "log":
        values = np.log(values)
    elif kind == "rank":
        known, first = np.unique(values[train], return_index=True)
        score = norm.ppf((rankdata(values[train]) - 3 / 8) / (train.sum() + 1 / 4))
        values = np.interp(values, known, score[first])
    return (values - values[train].mean()) / values[train].std()


def complete(described: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    """Descriptors (clips, columns), transformed, and whether each of them is undefined.

    ``described`` (clips, descriptors) holds columns of `TARGETS`. A descriptor without variance
    on the clips of ``train`` (a mask) is left out. Where one is undefined it is 0, the mean of the
    training clips. A column of 0 and 1 is added for each descriptor that is undefined in some
    training clips; of columns that are equal there, the first is kept.
    """
    values = [
        transformed(described[name].to_numpy(np.float64), train, TARGETS[name].transform)
        for name in described
        if described[name][train].nunique() > 1
    ]
    known = [np.where(np.isnan(column), 0.0, column) for column in values]
    undefined = described.isna().to_numpy()
    _, first = np.unique(undefined[train], axis=1, return_index=True)
    kept = [place for place in sorted(first) if 0 < undefined[train, place].mean() < 1]
    return np.column_stack([*known, undefined[:, kept]])
