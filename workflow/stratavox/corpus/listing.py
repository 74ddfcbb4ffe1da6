"""The clips of a dataset, one record for each row of its table, with each file's hash.

Decodes nothing and imports little: it also runs whenever the Snakefile is parsed.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from stratavox import columns, tables
from stratavox.corpus import files, user_table
from stratavox.corpus.identity import clip_name, shard_of
from stratavox.corpus.reasons import REPEATS
from stratavox.errors import StratavoxError

SCHEMA = columns.schema("corpus/{dataset}/scan.parquet")
# The table that a rule writes with the recordings that it generates or unpacks.
GENERATED = {"table": "metadata.csv", "file": "file"}


def write_generated(raw: Path, shards: int, root: Path, out: Path) -> None:
    """List the clips that a rule put into ``raw`` (relative to ``root``), and write the list."""
    settings = GENERATED | {"path": raw.as_posix(), "shards": shards}
    table = user_table.read(root / raw / settings["table"])
    clips = list_clips(settings, root / raw, table, {})
    tables.write_table(clips, out, provenance(settings, table))


def provenance(settings: dict, table: user_table.UserTable) -> dict:
    """Where the list of clips comes from."""
    return {key: settings[key] for key in ("path", "table")} | {"table_sha256": table.sha256}


def list_clips(
    settings: dict, folder: Path, table: user_table.UserTable, known: dict[tuple, dict]
) -> pa.Table:
    """A record (`SCHEMA`) for each row of ``table``, whose files are below ``folder``.

    ``settings`` holds file, shards, and for segments what `bounds.of_settings` takes; ``known`` is
    what `files.look` takes. A row that cannot be used has a ``reason`` and no shard. Raises
    `StratavoxError` for a missing column, and a file outside the folder.
    """
    records = _records(settings, folder, table)
    usable = [record for record in records if record["reason"] is None]
    contents = files.look(folder, sorted({record["file"] for record in usable}), known)
    for record in usable:
        record.update(contents[record["file"]])
    _settle_repeats(settings, table, records)
    for record in records:
        if record["reason"] is None:
            record["shard"] = shard_of(record["clip_id"], settings["shards"])
    return pa.Table.from_pylist(records, schema=SCHEMA)


def _records(settings: dict, folder: Path, table: user_table.UserTable) -> list[dict]:
    """One record for each row, with what the table alone gives."""
    cells = table.column(settings["file"], "file")
    starts = lasts = [None] * len(cells)
    of_clips = None
    if "start" in settings:
        # loaded by name, so that sets that a rule generates do not depend on it
        bounds = importlib.import_module("stratavox.corpus.bounds")
        of_clips, headers = bounds.of_settings(settings, table), bounds.Headers(folder)
        starts, lasts = table.columns[of_clips.start], table.columns[of_clips.last]
    records = []
    for row, cell, start, last in zip(table.rows, cells, starts, lasts, strict=True):
        record = dict.fromkeys(SCHEMA.names) | {"row": row, "file": cell}
        record["reason"] = table.ragged.get(row)
        if record["reason"] is None and not cell.strip():
            record["reason"] = f"no file is named in column {settings['file']!r}"
        if record["reason"] is None:
            record["file"] = _inside(folder, cell, f"{table.path}: row {table.place(row)}")
            if start is not None:
                _bound(record, of_clips, start, last, headers.rate)
        if record["reason"] is None:
            record["clip_id"] = clip_name(record["file"], record["start_s"], record["end_s"])
        records.append(record)
    return records


def _inside(folder: Path, cell: str, where: str) -> str:
    """The file as a POSIX path relative to ``folder``; links are not followed."""
    if os.path.normpath(cell) == cell and not cell.startswith((os.sep, os.pardir)):
        return cell  # nearly every cell; what follows is slow for 100,000 rows
    base = os.path.abspath(folder)
    relative = os.path.relpath(os.path.join(base, cell), base)
    if relative.split(os.sep)[0] == os.pardir:
        raise StratavoxError(
            f"{where}: the file {cell!r} lies outside the dataset's folder {folder}; "
            "move it inside, or set the config's key 'path' to a folder that holds all files"
        )
    return Path(relative).as_posix()


def _bound(record: dict, of_clips, start: str, last: str, rate: Callable[[str], int]) -> None:
    """Set start_s and end_s in whole microseconds, or the reason why that cannot be."""
    try:
        span = of_clips.seconds(start, last, lambda: rate(record["file"]))
    except ValueError as error:
        record["reason"] = str(error)
        return
    record["start_s"], record["end_s"] = span


def _settle_repeats(settings: dict, table: user_table.UserTable, records: list[dict]) -> None:
    """Keep one of equal rows; reject all rows that give one clip different labels."""
    not_labels = {settings.get(key) for key in ("file", "start", "end", "duration")}
    not_labels |= table.no_labels
    labels = {name: cells for name, cells in table.columns.items() if name not in not_labels}
    places: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        if record["reason"] is None:
            places.setdefault(record["clip_id"], []).append(place)
    for same in (group for group in places.values() if len(group) > 1):
        differ = [n for n, cells in labels.items() if len({cells[place] for place in same}) > 1]
        rows = [str(table.place(records[place]["row"])) for place in same]
        if differ:
            reason = f"rows {', '.join(rows)} give one clip different values of {', '.join(differ)}"
            for place in same:
                records[place]["reason"] = reason
        else:
            for place in same[1:]:
                records[place]["reason"] = f"{REPEATS} {rows[0]}"
