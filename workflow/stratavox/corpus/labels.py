"""The clips that can be used, and their labels from the user's tables."""

from __future__ import annotations

import importlib
from pathlib import Path

import pyarrow as pa

from stratavox import tables
from stratavox.corpus import join, user_table, values
from stratavox.corpus.identity import check_unchanged, digest, good
from stratavox.errors import StratavoxError

# Loaded by name, so that its code is in the keys of only those datasets that need it.
ANNOTATIONS = "corpus.annotations.table"
NAMES = "corpus.names"
WINDOWS = "corpus.windows"


def reader_code(settings: dict) -> list[str]:
    """The modules below stratavox that read annotations, names of files, and tables of no text."""
    modules = user_table.reader_code(
        [settings.get("table"), settings.get("join", {}).get("table"), _list_of(settings)]
    )
    modules += [NAMES] if "name" in settings else []
    modules += [WINDOWS] if "windows" in settings else []
    if "annotations" in settings:
        form = settings["annotations"]["format"]
        modules += [ANNOTATIONS, f"corpus.annotations.formats.{form}"]
    return modules


def _list_of(settings: dict) -> str | None:
    return settings.get("annotations", {}).get("list")


def user_rows(settings: dict, root: Path) -> user_table.UserTable:
    """The user's table, annotation files as one, or windows, with what names hold."""
    folder = root / settings["path"]
    if not folder.is_dir():
        raise StratavoxError(
            f"{folder}: no such folder of recordings; the config's key 'path' is "
            f"{settings['path']!r}, relative to {root.resolve()}"
        )
    if "annotations" in settings:
        reader = importlib.import_module(f"stratavox.{ANNOTATIONS}")
        table = reader.read(settings["annotations"], folder)
    elif settings.get("name") == settings["table"]:
        return importlib.import_module(f"stratavox.{NAMES}").read(settings["name"], folder)
    else:
        table = user_table.read_all(folder, settings["table"], settings.get("text"))
    if "windows" in settings:
        table = importlib.import_module(f"stratavox.{WINDOWS}").cut(settings, table, folder)
    if "name" in settings:
        names = importlib.import_module(f"stratavox.{NAMES}")
        return names.added(settings["name"], table, settings["file"])
    return table


def label_columns(settings: dict, root: Path) -> pa.Table:
    """The first of `label_columns_as_written`: the columns alone."""
    return label_columns_as_written(settings, root)[0]


def label_columns_as_written(settings: dict, root: Path) -> tuple[pa.Table, values.Spellings]:
    """The user's table with the joined columns, and how their values were written.

    ``row`` int32, then all columns as strings, `values.levelled` apart from files and bounds.
    ``settings`` as `values.of_settings` takes them.
    """
    table = user_rows(settings, root)
    cells_of = table.columns
    if "join" in settings:
        cells_of = cells_of | join.columns(settings["join"], table, root)
    cells_of, spellings = values.of_settings(cells_of, settings, table.locating(settings))
    columns = {name: pa.array(cells, pa.string()) for name, cells in cells_of.items()}
    return pa.table({"row": pa.array(table.rows, pa.int32())} | columns), spellings


def with_recorders(labels: pa.Table, scanned: pa.Table) -> pa.Table:
    """``labels`` with the recorders' metadata: recorded_at, recorded_on (its date) and recorder.

    A column that the table already has, or that is empty for all files, is left out. A file
    without the information has "".
    """
    rows = labels["row"].to_pylist()
    recorded_at, recorder = (_by_row(scanned, name, rows) for name in ("recorded_at", "recorder"))
    columns = {
        "recorded_at": recorded_at,
        "recorded_on": [time[: len("2023-05-12")] for time in recorded_at],
        "recorder": recorder,
    }
    for name, cells in columns.items():
        if name not in labels.column_names and any(cells):
            labels = labels.append_column(name, pa.array(cells, pa.string()))
    return labels


def _by_row(scanned: pa.Table, name: str, rows: list[int]) -> list[str]:
    cells = dict(zip(scanned["row"].to_pylist(), scanned[name].to_pylist(), strict=True))
    return [cells.get(row) or "" for row in rows]


def label_digest(scanned: pa.Table, labels: pa.Table, columns: list[str]) -> str:
    """SHA-256 over the usable clips and their values in ``columns`` of `label_columns`'s table."""
    missing = [name for name in columns if name not in labels.column_names]
    if missing:
        raise StratavoxError(
            f"the dataset's table has no column {', '.join(map(repr, missing))}; "
            f"its columns are: {', '.join(labels.column_names[1:])}"
        )
    cells = zip(*(labels[name].to_pylist() for name in columns), strict=True)
    values = dict(zip(labels["row"].to_pylist(), cells, strict=True))
    clips = good(scanned)
    named = zip(clips["clip_id"].to_pylist(), clips["row"].to_pylist(), strict=True)
    return digest([columns, sorted((clip, *values[row]) for clip, row in named)])


def inspected(scanned: pa.Table, parts: list[Path]) -> pa.Table:
    """All inspected clips, good and bad, by clip_id; raises where they are not the scan's."""
    clips = pa.concat_tables([tables.read_table(part) for part in parts]).sort_by("clip_id")
    if clips["clip_id"].to_pylist() != sorted(good(scanned)["clip_id"].to_pylist()):
        raise StratavoxError(
            f"{parts[0].parent}: its parts do not belong to the last scan; "
            "delete this folder and run the workflow again"
        )
    return clips


def check_columns(
    requested: list[tuple[str, str | None]], columns: list[str], settings: dict
) -> None:
    """Raise `StratavoxError` where a column that a key of the config names does not exist.

    ``requested`` are keys with their columns, None for an empty key; ``settings`` as in
    `scanned_rows`.
    """
    for key, column in requested:
        if column is not None and column not in columns:
            joined = f" with {settings['join']['table']}" if "join" in settings else ""
            archive = f" (from {settings['archive']})" if "archive" in settings else ""
            named = user_table.label_of(settings["table"])
            table = f"{settings['path']}/{named}{archive}{joined}"
            windows = (
                "; of a recording's boxes, windows have only the labels of multilabel tasks, and "
                "columns with one value in each recording"
            )
            raise StratavoxError(
                f"{key}: no column {column!r} in {table}; columns: {', '.join(columns)}"
                + (windows if "windows" in settings else "")
            )


def scanned_rows(settings: dict, scan: Path, root: Path) -> user_table.UserTable:
    """The user's table or annotations; raises `StratavoxError` where they changed since the scan.

    ``settings`` holds path and table, annotations where there are some, and join where a further
    table is joined, which must not have changed either.
    """
    provenance = tables.read_provenance(scan)
    table = user_rows(settings, root)
    if table.sha256 != provenance["table_sha256"]:
        raise StratavoxError(f"{table.path}: changed since it was scanned; run the workflow again")
    if "join" in settings:
        # a set that a rule generates is scanned without its join; settings hold its hash
        sha256 = settings["join"].get("sha256") or provenance["join_sha256"]
        check_unchanged(root / settings["join"]["table"], sha256)
    return table


def labels_of(settings: dict, scan: Path, clips: pa.Table, root: Path) -> pa.Table:
    """clip_id, every column of the user's and of recorders, for ``clips`` in their order.

    ``settings`` and errors are those of `scanned_rows`; ``settings["cells"]``, where given, are
    columns and their digest at the start of the run, which must not have changed.
    """
    scanned_rows(settings, scan, root)
    scanned = tables.read_table(scan)
    labels = with_recorders(label_columns(settings, root), scanned)
    begun = settings.get("cells")
    if begun and label_digest(scanned, labels, begun["columns"]) != begun["sha256"]:
        raise StratavoxError(f"{scan}: its labels changed since the run began; run it again")
    kept = good(scanned)
    rows = dict(zip(kept["clip_id"].to_pylist(), kept["row"].to_pylist(), strict=True))
    places = {row: place for place, row in enumerate(labels["row"].to_pylist())}
    taken = [places[rows[clip_id]] for clip_id in clips["clip_id"].to_pylist()]
    return labels.take(taken).drop_columns("row").add_column(0, "clip_id", clips["clip_id"])
