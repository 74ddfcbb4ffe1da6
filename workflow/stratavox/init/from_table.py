"""Clips from a table in the folder: which one, which column names the files, which the bounds."""

from __future__ import annotations

import os
from pathlib import Path

from stratavox.corpus import user_table
from stratavox.errors import StratavoxError
from stratavox.init.columns import Column, number, words
from stratavox.init.look import Found
from stratavox.init.source import Source

# Most rows must name a recording, or the column is another thing that holds some file names.
MIN_SHARE = 0.5
# Bounds must fit their files almost always; a few slips of the pen are reported by the run.
FIT_SHARE = 0.95
STARTS = {"start", "begin", "onset", "from"}
ENDS = {"end", "stop", "offset", "to"}
WRONG_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}


def of_table(found: Found) -> Source | None:
    """The clips of the table that names most recordings; None where none names them.

    Raises `StratavoxError` where that is so, and a table could not be read.
    """
    recordings = {os.path.abspath(found.folder / name) for name in found.recordings}
    matches, refused = [], {}
    for name in found.tables:
        try:
            table = _read(found.folder / name)
        except StratavoxError as error:
            refused[name] = str(error)
            continue
        matches += _matches(name, table, found, recordings)
    matches.sort(key=lambda match: (-match.hits, match.name.count("/"), match.name))
    if not matches and refused:
        raise StratavoxError("; ".join(refused.values()))
    if not matches:
        return None
    best = matches[0]
    aside = sorted({name for name in found.tables if name not in refused and name != best.name})
    said = [f"table {best.name}: {best.rows} rows; column {best.column!r} names the files: {best}"]
    also = [m for m in matches[1:] if m.name == best.name and m.hits >= MIN_SHARE * m.rows]
    if also:
        said += [f"  {m.column!r} names files too: {m}" for m in also]
    said += [f"  table {name} is left aside: it names fewer recordings" for name in aside]
    said += [f"  table left aside: {message}" for message in refused.values()]
    entry, notes = _entry(found, best)
    notes["file"] = f"names the files: {best}"
    if also:
        notes["file"] += "; " + ", ".join(f"{m.column} does so too" for m in also)
    bounds, told = _bounds(found, best)
    columns = [
        Column(name, cells)
        for name, cells in best.table.columns.items()
        if name not in {best.column, *bounds, *(m.column for m in also)}
    ]
    if bounds:
        entry |= dict(zip(("start", "end"), bounds, strict=True))
        notes |= {"start": "where a clip begins in its file, in seconds", "end": "where it ends"}
    return Source(entry, notes, columns, [*said, *told], best.rows)


class _Match:
    """A column of a table, and how many of its cells name recordings relative to ``base``."""

    def __init__(self, name: str, table: user_table.UserTable, column: str, base: str, hits: int):
        self.name, self.table, self.column, self.base, self.hits = name, table, column, base, hits
        self.rows = len(table.rows)

    def __str__(self) -> str:
        return f"{self.hits} of {self.rows} rows ({self.hits / self.rows:.0%}) name a recording"


def _read(path: Path) -> user_table.UserTable:
    table = user_table.read(path)
    if len(table.columns) == 1:
        header = next(iter(table.columns))
        for sign, called in WRONG_DELIMITERS.items():
            if sign in header:
                kind = "commas" if path.suffix.lower() == ".csv" else "tabs"
                raise StratavoxError(
                    f"{path}: its cells seem to be parted by {called} (header {header!r}); a "
                    f"{path.suffix.lower()} table is read with {kind}: save it so"
                )
    return table


def _matches(
    name: str, table: user_table.UserTable, found: Found, recordings: set[str]
) -> list[_Match]:
    """The table's columns that name recordings, each with the folder that fits it best."""
    endings = {os.path.basename(path) for path in recordings}
    matches = []
    for column, cells in table.columns.items():
        if not any(os.path.basename(cell) in endings for cell in cells):
            continue
        hits = {
            base: sum(os.path.normpath(os.path.join(base, c)) in recordings for c in cells if c)
            for base in _bases(name, found, recordings)
        }
        base = max(hits, key=hits.get)
        if hits[base] >= MIN_SHARE * len(cells):
            matches.append(_Match(name, table, column, base, hits[base]))
    return matches


def _bases(name: str, found: Found, recordings: set[str]) -> list[str]:
    """Folders that a table's cells may be relative to, the likeliest first."""
    folder = os.path.abspath(found.folder)
    common = os.path.commonpath([os.path.dirname(path) for path in recordings])
    bases = [folder, os.path.dirname(os.path.join(folder, name))]
    while len(common) > len(folder):
        bases.append(common)
        common = os.path.dirname(common)
    return list(dict.fromkeys([*bases, os.path.dirname(folder)]))


def _entry(found: Found, match: _Match) -> tuple[dict, dict]:
    base = os.path.relpath(match.base, os.path.abspath(found.folder))
    path = Path(os.path.normpath(found.folder / base))
    table = os.path.relpath(found.folder / match.name, path)
    entry = {"path": path.as_posix(), "table": Path(table).as_posix(), "file": match.column}
    return entry, {"table": f"{match.rows} rows, one a clip; relative to path"}


def _bounds(found: Found, match: _Match) -> tuple[tuple[str, ...], list[str]]:
    """The columns that bound a clip in its file, in seconds, and what is to be said of them."""
    names = list(match.table.columns)
    starts = [name for name in names if STARTS & set(words(name))]
    ends = [name for name in names if ENDS & set(words(name))]
    files = match.table.columns[match.column]
    said = []
    for start, end in ((start, end) for start in starts for end in ends):
        rows = [
            (match, file, number(a), number(b))
            for file, a, b in zip(
                files, match.table.columns[start], match.table.columns[end], strict=True
            )
        ]
        ordered = [row for row in rows if None not in row[2:] and 0 <= row[2] < row[3]]
        if len(ordered) < FIT_SHARE * len(rows):
            continue
        fitting = sum(_fits(found, *row) for row in ordered)
        if fitting >= FIT_SHARE * len(rows):
            return (start, end), [f"  columns {start!r} and {end!r} bound the clips, in seconds"]
        said.append(
            f"  columns {start!r} and {end!r} are no bounds in these files: {len(rows) - fitting} "
            f"of {len(rows)} clips would end after their file (the files hold the cut clips, or "
            "the unit is not seconds)"
        )
    if len(set(files)) < len(files):
        said.append(
            f"  look: {len(files) - len(set(files))} rows name a file that another row names too, "
            "and no columns bound the clips: rows with one file and different labels are rejected"
        )
    return (), said


def _fits(found: Found, match: _Match, file: str, start: float, end: float) -> bool:
    """Whether a clip lies in its file, where its header was read."""
    path = os.path.normpath(os.path.join(match.base, file))
    header = found.headers.get(
        Path(os.path.relpath(path, os.path.abspath(found.folder))).as_posix()
    )
    return header is None or end <= header.duration_s + 0.01
