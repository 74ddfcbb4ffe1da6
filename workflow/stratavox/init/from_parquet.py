"""A folder of Parquet files that hold recordings: the config, from their labels.

The recordings are written by the run, so that they are neither opened nor checked here.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from stratavox.corpus import shards
from stratavox.corpus.table_formats.parquet import is_audio
from stratavox.corpus.walk import files_below
from stratavox.init.columns import Column
from stratavox.init.look import first
from stratavox.init.recognise import recognise
from stratavox.init.source import Source


def of_parquet(folder: Path) -> Source | None:
    """The clips of the Parquet files in ``folder``; None where there are none with recordings.

    Raises `StratavoxError` as `shards.shards` does.
    """
    names = [name for name in files_below(folder) if name.endswith(".parquet")]
    if not names or not _holds_recordings(folder / names[0]):
        return None
    read = shards.shards(folder)
    audio = shards.audio_column(read[0], None)
    columns = [Column(name, cells) for name, cells in _cells(read, audio).items()]
    rows = sum(shard.rows for shard in read)
    splits = {shard.split: 0 for shard in read}
    for shard in read:
        splits[shard.split] += shard.rows
    named = ", ".join(f"{name or 'no split by its name'} ({n})" for name, n in splits.items())
    messages = [f"{len(read)} Parquet files with {rows} recordings in column {audio!r}: {named}"]
    if missing := shards.lacking([shard.name for shard in read]):
        messages.append(
            f"  look: {len(missing)} files that the others' names count are not there: "
            f"{', '.join(first(missing))}"
        )
    if len(splits) > 1:
        messages.append(
            "  look: all splits are read (key splits names some); folds are made anew. For "
            f"the published split, add a task with transfer: {{column: {shards.SPLIT}, train: ..., "
            "test: ...}"
        )
    lists = [name for name in shards.label_columns(read[0], audio) if _is_list(columns, name)]
    columns, further, recognised = recognise(columns, set(lists))
    entry = {"source": "parquet", "path": folder.as_posix()} | further
    notes = {"path": "folder of the Parquet files, relative to where you run"}
    return Source(entry, notes, columns, messages + recognised, rows)


def _holds_recordings(path: Path) -> bool:
    try:
        return any(map(is_audio, pq.read_schema(path)))
    except (OSError, ValueError):
        return True  # `shards.shards` says what is wrong with it


def _cells(read: list[shards.Shard], audio: str) -> dict[str, list[str]]:
    """The cells of each column that can hold labels, as the run reads them."""
    columns = shards.label_columns(read[0], audio)
    cells: dict[str, list[str]] = {name: [] for name in columns}
    own = [column for column in columns.values() if column]
    for shard in read:
        table = pq.read_table(shard.path, columns=own)
        for name, column in columns.items():
            if not column:
                cells[name] += [shard.split] * shard.rows
                continue
            where = f"{shard.path}: column {column!r}"
            cell = shards.cells_of(where, shards.of_feature(shard, column))
            cells[name] += [cell(value) for value in table[column].to_pylist()]
    return cells


def _is_list(columns: list[Column], name: str) -> bool:
    column = next(column for column in columns if column.name == name)
    return bool(column.values) and all(v.startswith("[") for v in column.values)
