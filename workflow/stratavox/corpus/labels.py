"""The clips that can be used, and what the user's table says of each."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from stratavox import tables
from stratavox.corpus.identity import check_unchanged, good
from stratavox.corpus.scan import label_columns, label_digest, user_rows, with_recorders
from stratavox.corpus.user_table import UserTable
from stratavox.errors import StratavoxError


def inspected(scanned: pa.Table, parts: list[Path]) -> pa.Table:
    """All inspected clips, good and bad, by clip_id; raises where they are not the scan's."""
    clips = pa.concat_tables([tables.read_table(part) for part in parts]).sort_by("clip_id")
    if clips["clip_id"].to_pylist() != sorted(good(scanned)["clip_id"].to_pylist()):
        raise StratavoxError(
            f"{parts[0].parent}: its parts do not belong to the last scan; "
            "delete this folder and run the workflow again"
        )
    return clips


def check_columns(asked: list[tuple[str, str | None]], columns: list[str], settings: dict) -> None:
    """Raise `StratavoxError` where there is no column that the config asks for under some key.

    ``asked`` are keys and columns, None for a key left empty; ``settings`` as in `scanned_rows`.
    """
    for key, column in asked:
        if column is not None and column not in columns:
            joined = f" with {settings['join']['table']}" if "join" in settings else ""
            made = f" (made of {settings['archive']})" if "archive" in settings else ""
            table = f"{settings['path']}/{settings['table']}{made}{joined}"
            raise StratavoxError(
                f"{key}: no column {column!r} in {table}; columns: {', '.join(columns)}"
            )


def scanned_rows(settings: dict, scan: Path, root: Path) -> UserTable:
    """The user's table or annotations; raises `StratavoxError` where they changed since the scan.

    ``settings`` holds path and table, annotations where there are some, and join where a further
    table is joined, which must not have changed either.
    """
    scanned_with = tables.read_provenance(scan)
    table = user_rows(settings, root)
    if table.sha256 != scanned_with["table_sha256"]:
        raise StratavoxError(f"{table.path}: changed since it was scanned; run the workflow again")
    if "join" in settings:
        # a set that a rule makes is scanned without its join, whose hash is told beside it
        sha256 = settings["join"].get("sha256") or scanned_with["join_sha256"]
        check_unchanged(root / settings["join"]["table"], sha256)
    return table


def labels_of(settings: dict, scan: Path, clips: pa.Table, root: Path) -> pa.Table:
    """clip_id, every column of the user's and what recorders tell, for ``clips`` in their order.

    ``settings`` and errors are those of `scanned_rows`; cells, where given, are columns and their
    digest when the run began, which must still hold.
    """
    scanned_rows(settings, scan, root)
    scanned = tables.read_table(scan)
    cells = with_recorders(label_columns(settings, root), scanned)
    begun = settings.get("cells")
    if begun and label_digest(scanned, cells, begun["columns"]) != begun["sha256"]:
        raise StratavoxError(f"{scan}: its labels changed since the run began; run it again")
    kept = good(scanned)
    rows = dict(zip(kept["clip_id"].to_pylist(), kept["row"].to_pylist(), strict=True))
    places = {row: place for place, row in enumerate(cells["row"].to_pylist())}
    taken = [places[rows[clip_id]] for clip_id in clips["clip_id"].to_pylist()]
    return cells.take(taken).drop_columns("row").add_column(0, "clip_id", clips["clip_id"])
