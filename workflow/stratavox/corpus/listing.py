"""The clips of a dataset, one record for each row of its table, with each file's hash.

Decodes nothing and imports little: it also runs whenever the Snakefile is parsed.
"""

from __future__ import annotations

import importlib
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
# Rows, and values of a column, that a reason names.
SHOWN = 10


def write_generated(
    raw: Path, shards: int, root: Path, out: Path, bounds: dict[str, str] | None = None
) -> None:
    """List the clips that a rule put into ``raw`` (relative to ``root``), and write the list.

    ``bounds`` has the keys start and end of a table of clips within recordings.
    """
    settings = GENERATED | (bounds or {}) | {"path": raw.as_posix(), "shards": shards}
    table = user_table.read(root / raw / settings["table"])
    clips = list_clips(settings, root / raw, table, {}, {})
    tables.write_table(clips, out, provenance(settings, table))


def provenance(settings: dict, table: user_table.UserTable) -> dict:
    """Where the list of clips comes from."""
    return {key: settings[key] for key in ("path", "table")} | {"table_sha256": table.sha256}


def list_clips(
    settings: dict,
    folder: Path,
    table: user_table.UserTable,
    known: dict[tuple, dict],
    labels: dict[str, list[str]],
    located: list[dict] | None = None,
) -> pa.Table:
    """A record (`SCHEMA`) for each row of ``table``, whose files are below ``folder``.

    ``settings`` holds file, shards, and for segments what `bounds.of_settings` takes; ``known`` is
    what `files.look` takes, ``labels`` are the columns in which rows of one clip may not differ,
    and ``located`` is what `locate.rows` returns: by default a cell is a path relative to
    ``folder``. A row that cannot be used has a ``reason`` and no shard. Raises `StratavoxError` for
    a missing column, and a file outside the folder.
    """
    records = _records(settings, folder, table, located)
    usable = [record for record in records if record["reason"] is None]
    contents = files.look(folder, sorted({record["file"] for record in usable}), known)
    for record in usable:
        record.update(contents[record["file"]])
    _settle_repeats(table, records, labels)
    for record in records:
        if record["reason"] is None:
            record["shard"] = shard_of(record["clip_id"], settings["shards"])
    return pa.Table.from_pylist(records, schema=SCHEMA)


def _records(
    settings: dict, folder: Path, table: user_table.UserTable, located: list[dict] | None
) -> list[dict]:
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
    for place, (row, cell, start, last) in enumerate(
        zip(table.rows, cells, starts, lasts, strict=True)
    ):
        record = dict.fromkeys(SCHEMA.names) | {"row": row, "file": cell}
        record["reason"] = table.ragged.get(row)
        if record["reason"] is None and not cell.strip():
            record["reason"] = f"no file is named in column {settings['file']!r}"
        if record["reason"] is None:
            record |= located[place] if located else {}
        if record["reason"] is None:
            where = f"{table.path}: row {table.place(row)}"
            record["file"] = _inside(folder, record["file"], where)
            if start is not None:
                _bound(record, of_clips, start, last, headers.rate)
        if record["reason"] is None:
            names = ("file", "start_s", "end_s", "channel")
            record["clip_id"] = clip_name(*(record[name] for name in names))
        records.append(record)
    return records


def _inside(folder: Path, cell: str, where: str) -> str:
    """The file as a POSIX path relative to ``folder``; raises where it lies outside."""
    file = user_table.inside(folder, cell)
    if file is None:
        raise StratavoxError(
            f"{where}: the file {cell!r} lies outside the dataset's folder {folder}; "
            "move it inside, or set the config's key 'path' to a folder that holds all files"
        )
    return file


def _bound(record: dict, of_clips, start: str, last: str, rate: Callable[[str], int]) -> None:
    """Set start_s and end_s in whole microseconds, or the reason why that cannot be."""
    try:
        span = of_clips.seconds(start, last, lambda: rate(record["file"]))
    except ValueError as error:
        record["reason"] = str(error)
        return
    record["start_s"], record["end_s"] = span


def _settle_repeats(
    table: user_table.UserTable, records: list[dict], labels: dict[str, list[str]]
) -> None:
    """Keep the first of the rows of one clip; reject all where they differ in ``labels``."""
    places: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        if record["reason"] is None:
            places.setdefault(record["clip_id"], []).append(place)
    for same in (rows for rows in places.values() if len(rows) > 1):
        differ = {name: sorted({cells[place] for place in same}) for name, cells in labels.items()}
        shown = "; ".join(
            f"{name} ({_first(list(map(repr, cells)))})"
            for name, cells in differ.items()
            if cells[1:]
        )
        rows = [str(table.place(records[place]["row"])) for place in same]
        # one text for all: without bounds, each of a recording's thousands of rows has it
        reason = f"{REPEATS} {rows[0]}"
        if shown:
            reason = f"rows {_first(rows)} give one clip different values of {shown}"
        for place in same if shown else same[1:]:
            records[place]["reason"] = reason


def _first(texts: list[str]) -> str:
    """The first of ``texts``, and how many more there are."""
    more = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {more} more" if more > 0 else "")
