"""Lists the clips of a folder of recordings, whenever the Snakefile is parsed.

A file is hashed again only when its size or times changed.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stratavox import fingerprint, tables
from stratavox.corpus import files, join, listing, locate, recorder, values
from stratavox.corpus.labels import user_rows
from stratavox.errors import StratavoxError


def scan(settings: dict, root: Path, out: Path) -> pa.Table:
    """List the clips of a dataset, write ``out`` when its content changed, and return it.

    ``settings`` holds path (relative to ``root``) and table, what `listing.list_clips` takes,
    with annotation files also annotations and what `annotations.table.as_table` returns for them,
    join where a further table gives labels, and perhaps used: the columns in which rows of one clip
    may not differ (default: all but those that say where a clip is). Raises `StratavoxError` when
    folder, table or column is missing, the table is empty, or a file lies outside the folder.
    """
    table = user_rows(settings, root)
    reader = fingerprint.code(recorder.__name__)
    earlier, earlier_provenance = _earlier(out)
    known = {}
    if earlier is not None:
        known = _known(earlier, earlier_provenance.get("recorder") == reader)
    used = set(settings.get("used", table.columns)) - table.locating(settings)
    cells = {name: cells for name, cells in table.columns.items() if name in used}
    label_cells, _ = values.of_settings(cells, settings)
    folder = root / settings["path"]
    located = locate.rows(settings, folder, table)
    clips = listing.list_clips(settings, folder, table, known, label_cells, located)
    provenance = listing.provenance(settings, table) | {"recorder": reader}
    if "join" in settings:
        provenance["join_sha256"] = join.read(settings["join"], root).sha256
    if earlier is None or not earlier.equals(clips) or earlier_provenance != provenance:
        tables.write_table(clips, out, provenance)
    return clips


def _earlier(out: Path) -> tuple[pa.Table | None, dict]:
    """The table and provenance of an earlier scan; a broken file counts as none."""
    try:
        table, provenance = tables.read_table(out), tables.read_provenance(out)
    except StratavoxError:
        return None, {}
    return (table, provenance) if table.schema.equals(listing.SCHEMA) else (None, {})


def _known(earlier: pa.Table, same_reader: bool) -> dict[tuple, dict]:
    """Hash and recorder by file, size and times; recorders only if the same code read them."""
    names = ("sha256", *(recorder.COLUMNS if same_reader else ()))
    hashed = earlier.filter(pc.is_valid(earlier["sha256"])).select(["file", *files.STATUS, *names])
    return {
        tuple(row[key] for key in ("file", *files.STATUS)): {name: row[name] for name in names}
        for row in hashed.to_pylist()
    }
