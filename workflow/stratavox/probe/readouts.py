"""The clips of a task as its folds list them, and their readouts in that order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.probe.regimes import APART


def strictest(folds: pa.Table) -> pa.Table:
    """The rows of the strictest regime that the folds of a task have."""
    there = set(folds["regime"].to_pylist())
    return folds.filter(pc.equal(folds["regime"], next(name for name in APART if name in there)))


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
    ids = tables.read_table(path, ["clip_id"])["clip_id"].to_pylist()
    return tables.read_embeddings(path, places(ids, clip_ids, path))


def places(ids: list[str], clip_ids: list[str], where: Path | str) -> list[int]:
    """The place in ``ids`` of each of ``clip_ids``.

    Raises `StratavoxError`, naming ``where``, if one has no place or some id has two.
    """
    row = {clip_id: number for number, clip_id in enumerate(ids)}
    absent = [clip_id for clip_id in clip_ids if clip_id not in row]
    if not absent and len(row) == len(ids):
        return [row[clip_id] for clip_id in clip_ids]
    if absent:
        problem = f"{len(absent)} of {len(clip_ids)} clips of the folds are not in it, first "
        problem += repr(absent[0])
    else:
        twice = next(clip_id for number, clip_id in enumerate(ids) if row[clip_id] != number)
        problem = f"clip {twice!r} occurs twice"
    raise StratavoxError(f"{where}: {problem}; delete it and run the workflow again")


def refuse_straddling(
    group: np.ndarray | None, test: np.ndarray, kind: str = "group", fold: str = "a fold"
) -> None:
    """Raise where a value of ``group`` (clips,) is among the clips of ``test`` and the others."""
    if group is None:
        return
    both = set(group[~test]) & set(group[test])
    if both:
        raise StratavoxError(
            f"{kind}s on both sides of {fold}: {', '.join(sorted(map(str, both))[:5])}; the folds "
            "table does not fit the labels: delete it and run again"
        )
