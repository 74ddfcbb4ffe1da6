"""A folder of Parquet files that hold recordings: the config, from their labels.

The recordings are written by the run, so that they are neither opened nor checked here.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from stratavox.corpus import shards
from stratavox.corpus.table_formats.parquet import is_audio
from stratavox.corpus.walk import files_below
from stratavox.corpus.window_keys import PRESETS, SEPARATOR
from stratavox.errors import StratavoxError
from stratavox.init.columns import Column
from stratavox.init.look import first
from stratavox.init.recognise import recognise
from stratavox.init.source import Source

FILE = shards.EXTRACTED["file"]


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
            "  look: all splits are read (key splits names some); folds are made anew. For the "
            f"score on the published split beside them, write split: {shards.SPLIT} into the task"
        )
    lists = [name for name in shards.label_columns(read[0], audio) if _is_list(columns, name)]
    columns, further, recognised = recognise(columns, set(lists))
    entry = {"source": "parquet", "path": folder.as_posix()} | further
    notes = {"path": "folder of the Parquet files, relative to where you run"}
    if boxes := _boxes(read):
        columns += _labels_of_boxes(read, boxes)
        preset = folder.resolve().name
        entry["windows"] = preset if preset in PRESETS else "birdset"
        notes["windows"] = "5 s; or a preset of BEANS, or {length_s: ..., hop_s: ...}"
        messages.append(
            f"  look: column {boxes.column!r} holds boxes: windows of the recordings get their "
            f"labels (windows: {entry['windows']}). Is their length the one that you want?"
        )
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
            cell = shards.cells_of(shard, column)
            cells[name] += [cell(value) for value in table[column].to_pylist()]
    return cells


def _boxes(read: list[shards.Shard]) -> shards.Boxes | None:
    """The column of boxes with labels; None where there is none, or several."""
    try:
        boxes = shards.boxes_column(read[0])
    except StratavoxError:
        return None
    return boxes if boxes.labels else None


def _labels_of_boxes(read: list[shards.Shard], boxes: shards.Boxes) -> list[Column]:
    """The labels of the boxes of each recording, as columns of sets; and the recordings."""
    cells: dict[str, list[str]] = {name: [] for name in boxes.labels}
    for shard in read:
        for value in pq.read_table(shard.path, columns=[boxes.column])[boxes.column].to_pylist():
            for name in boxes.labels:
                own = {box[name] for box in value or []} - {None, ""}
                cells[name].append(SEPARATOR.join(sorted(own)))
    count = len(next(iter(cells.values())))
    files = Column(FILE, [str(number) for number in range(count)], "file")
    return [files, *(Column(name, own, "label") for name, own in cells.items())]


def _is_list(columns: list[Column], name: str) -> bool:
    column = next(column for column in columns if column.name == name)
    return bool(column.values) and all(v.startswith("[") for v in column.values)
