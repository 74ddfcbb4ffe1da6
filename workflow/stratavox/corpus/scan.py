"""Which clips there are: the dataset's table, or its annotations, and the files named, hashed.

This runs whenever the Snakefile is parsed, so it imports little, decodes nothing, and hashes a
file only when its size or times changed.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stratavox import fingerprint, tables
from stratavox.corpus import files, join, recorder, user_table
from stratavox.corpus.annotations import table as annotated
from stratavox.corpus.identity import clip_name, digest, good, shard_of
from stratavox.errors import StratavoxError

SCHEMA = pa.schema(
    {
        "row": pa.int32(),
        "clip_id": pa.string(),
        "file": pa.string(),
        "start_s": pa.float64(),
        "end_s": pa.float64(),
        "sha256": pa.string(),
        "size": pa.int64(),
        "mtime_ns": pa.int64(),
        "ctime_ns": pa.int64(),
        "recorded_at": pa.string(),
        "recorder": pa.string(),
        "shard": pa.int32(),
        "reason": pa.string(),
    }
)
REPEATS = "repeats row"


def scan(settings: dict, root: Path, out: Path) -> pa.Table:
    """Scan a dataset, write ``out`` when its content changed, and return it (schema `SCHEMA`).

    ``settings`` holds path (relative to ``root``), table, file, shards, for segments start and
    end, with annotation files also annotations and what `annotated.as_table` makes of them, and
    join where a further table gives labels. A row is one row of the user's table or one box; one
    that cannot be used has a ``reason`` and no shard. Raises `StratavoxError` when folder, table or
    column is missing, the table is empty, or a file lies outside the folder.
    """
    folder = _folder(settings, root)
    table = user_rows(settings, root)
    records = _records(settings, folder, table)
    earlier = _earlier(out)
    reader = fingerprint.code(recorder.__name__)
    same_reader = earlier is not None and tables.read_provenance(out).get("recorder") == reader
    _look_at_files(folder, records, earlier, same_reader)
    _settle_repeats(settings, table, records)
    for record in records:
        if record["reason"] is None:
            record["shard"] = shard_of(record["clip_id"], settings["shards"])
    found = pa.Table.from_pylist(records, schema=SCHEMA)
    provenance = {
        "path": settings["path"],
        "table": settings["table"],
        "table_sha256": table.sha256,
        "recorder": reader,
    }
    if "join" in settings:
        provenance["join_sha256"] = join.read(settings["join"], root).sha256
    if earlier is None or not earlier.equals(found) or tables.read_provenance(out) != provenance:
        tables.write_table(found, out, provenance)
    return found


def user_rows(settings: dict, root: Path) -> user_table.UserTable:
    """The user's table, or the boxes of the annotation files as one."""
    folder = _folder(settings, root)
    if "annotations" in settings:
        return annotated.read(settings["annotations"], folder)
    return user_table.read(folder / settings["table"])


def label_columns(settings: dict, root: Path) -> pa.Table:
    """The user's rows and what is joined to them: ``row`` int32, then all columns as strings."""
    table = user_rows(settings, root)
    cells_of = table.columns | join.columns(settings, table, root)
    columns = {name: pa.array(cells, pa.string()) for name, cells in cells_of.items()}
    return pa.table({"row": pa.array(table.rows, pa.int32())} | columns)


def with_recorders(labels: pa.Table, scanned: pa.Table) -> pa.Table:
    """``labels`` and what recorders wrote: recorded_at, recorded_on (its date) and recorder.

    A column that the user has already, or that no file tells anything of, is left out; a file
    that does not tell has "".
    """
    told = {name: _by_row(scanned, name, labels["row"].to_pylist()) for name in recorder.COLUMNS}
    told["recorded_on"] = [at[: len("2023-05-12")] for at in told["recorded_at"]]
    for name in ("recorded_at", "recorded_on", "recorder"):
        if name not in labels.column_names and any(told[name]):
            labels = labels.append_column(name, pa.array(told[name], pa.string()))
    return labels


def _by_row(scanned: pa.Table, name: str, rows: list[int]) -> list[str]:
    cells = dict(zip(scanned["row"].to_pylist(), scanned[name].to_pylist(), strict=True))
    return [cells.get(row) or "" for row in rows]


def label_digest(scan_table: pa.Table, labels_table: pa.Table, columns: list[str]) -> str:
    """SHA-256 over the usable clips and their values in ``columns`` of `label_columns`'s table."""
    missing = [name for name in columns if name not in labels_table.column_names]
    if missing:
        raise StratavoxError(
            f"the dataset's table has no column {', '.join(map(repr, missing))}; "
            f"its columns are: {', '.join(labels_table.column_names[1:])}"
        )
    cells = zip(*(labels_table[name].to_pylist() for name in columns), strict=True)
    values = dict(zip(labels_table["row"].to_pylist(), cells, strict=True))
    clips = good(scan_table)
    named = zip(clips["clip_id"].to_pylist(), clips["row"].to_pylist(), strict=True)
    return digest([columns, sorted((clip, *values[row]) for clip, row in named)])


def _folder(settings: dict, root: Path) -> Path:
    folder = root / settings["path"]
    if not folder.is_dir():
        raise StratavoxError(
            f"{folder}: no such folder of recordings; the config's key 'path' is "
            f"{settings['path']!r}, relative to {root.resolve()}"
        )
    return folder


def _records(settings: dict, folder: Path, table: user_table.UserTable) -> list[dict]:
    """One record a row, with what the table alone tells."""
    cells = table.column(settings["file"], "file")
    starts = ends = [None] * len(cells)
    if "start" in settings:
        starts = table.column(settings["start"], "start")
        ends = table.column(settings["end"], "end")
    records = []
    for row, cell, start, end in zip(table.rows, cells, starts, ends, strict=True):
        record = dict.fromkeys(SCHEMA.names) | {"row": row, "file": cell}
        record["reason"] = table.ragged.get(row)
        if record["reason"] is None and not cell.strip():
            record["reason"] = f"no file is named in column {settings['file']!r}"
        if record["reason"] is None:
            record["file"] = _inside(folder, cell, f"{table.path}: row {table.place(row)}")
            if start is not None:
                _bound(record, start, end)
        if record["reason"] is None:
            record["clip_id"] = clip_name(record["file"], record["start_s"], record["end_s"])
        records.append(record)
    return records


def _inside(folder: Path, cell: str, where: str) -> str:
    """The file as a POSIX path relative to ``folder``; links are not followed."""
    if os.path.normpath(cell) == cell and not cell.startswith((os.sep, os.pardir)):
        return cell  # nearly all; the rest takes long enough to be felt at 100,000 rows
    base = os.path.abspath(folder)
    relative = os.path.relpath(os.path.join(base, cell), base)
    if relative.split(os.sep)[0] == os.pardir:
        raise StratavoxError(
            f"{where}: the file {cell!r} lies outside the dataset's folder {folder}; "
            "move it inside, or set the config's key 'path' to a folder that holds all files"
        )
    return Path(relative).as_posix()


def _bound(record: dict, start: str, end: str) -> None:
    """Set start_s and end_s in whole microseconds, or the reason why that cannot be."""
    bounds = []
    for what, text in (("start", start), ("end", end)):
        try:
            seconds = round(float(text), 6)
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds):
            record["reason"] = f"{what} {text!r} is not a number of seconds"
            return
        bounds.append(seconds)
    record["start_s"], record["end_s"] = bounds
    if bounds[0] < 0:
        record["reason"] = f"start {start} is negative"
    elif bounds[0] >= bounds[1]:
        record["reason"] = f"start {start} is not before end {end}"


def _earlier(out: Path) -> pa.Table | None:
    """What an earlier scan left; a broken file is as good as none."""
    try:
        table = tables.read_table(out)
    except StratavoxError:
        return None
    return table if table.schema.equals(SCHEMA) else None


def _look_at_files(
    folder: Path, records: list[dict], earlier: pa.Table | None, same_reader: bool
) -> None:
    """Fill in size, times, hash and recorder of each file, or the reason why it cannot be read.

    Nothing is hashed twice; recorders are asked again when the code that understands them changed.
    """
    known = {}
    if earlier is not None:
        names = ("sha256", *(recorder.COLUMNS if same_reader else ()))
        hashed = earlier.filter(pc.is_valid(earlier["sha256"]))
        for row in hashed.select(["file", *files.STATUS, *names]).to_pylist():
            key = (row["file"], *(row[name] for name in files.STATUS))
            known[key] = {name: row[name] for name in names}
    usable = [record for record in records if record["reason"] is None]
    found = files.look(folder, sorted({record["file"] for record in usable}), known)
    for record in usable:
        record.update(found[record["file"]])


def _settle_repeats(settings: dict, table: user_table.UserTable, records: list[dict]) -> None:
    """Keep one of equal rows; reject all rows that give one clip different labels."""
    not_labels = {settings.get(key) for key in ("file", "start", "end")}
    if "annotations" in settings:
        not_labels |= annotated.NO_LABELS
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
