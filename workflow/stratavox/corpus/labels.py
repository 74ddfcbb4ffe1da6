"""The clips that can be used, and what the user's table says of each."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from stratavox import tables
from stratavox.corpus.identity import check_unchanged
from stratavox.corpus.scan import good, label_columns
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


def labels_of(settings: dict, scan: Path, clips: pa.Table, root: Path) -> pa.Table:
    """clip_id and every column of the user's table, for ``clips`` and in their order.

    ``settings`` holds path and table. Raises `StratavoxError` when the table changed since the
    scan.
    """
    table = root / settings["path"] / settings["table"]
    check_unchanged(table, tables.read_provenance(scan)["table_sha256"])
    cells = label_columns(settings, root)
    scanned = good(tables.read_table(scan))
    rows = dict(zip(scanned["clip_id"].to_pylist(), scanned["row"].to_pylist(), strict=True))
    places = {row: place for place, row in enumerate(cells["row"].to_pylist())}
    taken = [places[rows[clip_id]] for clip_id in clips["clip_id"].to_pylist()]
    return cells.take(taken).drop_columns("row").add_column(0, "clip_id", clips["clip_id"])
