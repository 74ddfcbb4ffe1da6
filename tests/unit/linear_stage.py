"""The stage of linear probes, run on readouts made by code, and a study of its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

import embeddings_data
import stage_jobs
from stratavox import tables
from stratavox.inference.study import Encoder, Study
from stratavox.probe import linear


def probed(
    folder: Path, folds: pa.Table, readouts: dict[str, np.ndarray], ids: list[str], settings: dict
) -> list[pd.DataFrame]:
    """Scores, predictions and layer weights of ``readouts``, whose rows are the clips ``ids``."""
    tables.write_table(folds, folder / "folds.parquet", {})
    embeddings_data.folder(folder, readouts, ids=ids)
    read = {"encoder": folder / "encoder.json", "folds": folder / "folds.parquet"}
    names = ("scores", "predictions", "layer_weights")
    out = {name: folder / f"{name}.parquet" for name in names}
    linear.run(stage_jobs.job(read, out, settings))
    return [tables.read_table(path).to_pandas() for path in out.values()]


def answered(folder: Path, summary: dict, scores, predictions, settings: dict) -> Study:
    """The study of one trained encoder, enc; ``summary`` is that of the folds."""
    about = {"weights": "file", "family": "toy", "kind": "toy", "rate": 16000}
    encoder = tables.read_json(folder / "encoder.json") | about
    study = Study(summary, [Encoder("enc", encoder, ["enc"])], settings)
    study.scores = scores.assign(encoder="enc")
    study.add("enc", predictions)
    return study


def pooled(
    scores: pd.DataFrame, readout: str, metric: str, regime: str = "grouped", control: str = "none"
) -> float:
    """The score of all tested clips together, the mean over repeats."""
    rows = scores[scores["fold"].isna() & (scores["readout"] == readout)]
    where = (rows["metric"] == metric) & (rows["regime"] == regime) & (rows["control"] == control)
    return rows.loc[where, "value"].mean()
