"""Readouts of the clips of a task, in the order of its folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stratavox import tables
from stratavox.errors import StratavoxError


def clips_of(folds: pa.Table) -> tuple[list[str], np.ndarray]:
    """Clip ids and targets (clips,) of a task, each clip once, in the order of its folds."""
    first = folds.filter(pc.equal(folds["repeat"], 0))
    first = first.filter(pc.equal(first["regime"], first["regime"][0]))
    return first["clip_id"].to_pylist(), np.array(first["target"].to_pylist(), dtype=str)


def matrix(folder: Path, readout: str, clip_ids: list[str]) -> np.ndarray:
    """The readout (clips, width), float32, of ``clip_ids`` in their order.

    Raises `StratavoxError` where a clip is not in the table.
    """
    path = folder / f"{readout}.parquet"
    table = tables.read_table(path, ["clip_id", "embedding"])
    found = places(table["clip_id"].to_pylist(), clip_ids, path)
    return tables.embedding_matrix(table["embedding"])[found]


def places(ids: list[str], clip_ids: list[str], where: Path) -> list[int]:
    """The place in ``ids`` of each of ``clip_ids``; raises, naming ``where``, if one has none."""
    row = {clip_id: number for number, clip_id in enumerate(ids)}
    absent = [clip_id for clip_id in clip_ids if clip_id not in row]
    if absent:
        raise StratavoxError(
            f"{where}: {len(absent)} of {len(clip_ids)} clips of the folds are not in it, first "
            f"{absent[0]!r}; delete the folder and run the workflow again"
        )
    return [row[clip_id] for clip_id in clip_ids]
