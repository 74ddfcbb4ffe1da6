"""Clips from a table in the folder: the table, the column of files and the columns of bounds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stratavox.corpus import text_table, user_table
from stratavox.errors import StratavoxError
from stratavox.init import encoding, foreign
from stratavox.init.columns import Column, number, words
from stratavox.init.look import Contents
from stratavox.init.source import Source

# A column names the clips' files where at least this share of its cells names a recording.
MIN_SHARE = 0.5
# Share of bounds that must lie in their files; the run reports a few wrong ones.
FIT_SHARE = 0.95
STARTS = {"start", "begin", "onset", "from"}
ENDS = {"end", "stop", "offset", "to"}


def of_table(contents: Contents) -> Source | None:
    """The clips of the table that names most recordings; None where none names them.

    Raises `StratavoxError` where none does and a table could not be read.
    """
    folder = os.path.abspath(contents.folder)
    recordings = {os.path.join(folder, name) for name in contents.recordings}
    matches, refused = [], {}
    for name in contents.tables:
        try:
            table = _read(contents.folder / name)
        except StratavoxError as error:
            refused[name] = str(error)
            continue
        matches += _matches(name, table, contents, recordings)
    matches.sort(key=lambda match: (-match.hits, match.name.count("/"), match.name))
    if not matches and refused:
        raise StratavoxError("; ".join(refused.values()))
    if not matches:
        return None
    best = matches[0]
    unused = sorted({name for name in contents.tables if name not in refused and name != best.name})
    messages = [
        f"table {best.name}: {best.rows} rows; column {best.column!r} names the files: {best}"
    ]
    also = [match for match in matches[1:] if match.name == best.name]
    messages += [f"  {match.column!r} also names files: {match}" for match in also]
    messages += [f"  table {name} is not used: it names fewer recordings" for name in unused]
    messages += [f"  look: table not used: {message}" for message in refused.values()]
    messages += _program(best)
    path = Path(os.path.normpath(contents.folder / os.path.relpath(best.base, folder)))
    table = Path(os.path.relpath(contents.folder / best.name, path)).as_posix()
    entry = {"path": path.as_posix(), "table": table, "file": best.column}
    notes = {"table": f"{best.rows} rows, one for each clip; relative to path"}
    notes["file"] = "; ".join(
        [f"names the files: {best}", *(f"{m.column} does so too" for m in also)]
    )
    stated, doubts = encoding.text_of([contents.folder / best.name])
    if stated:
        entry["text"] = stated
        messages += doubts
    bounds, notices = _bounds(contents, best)
    notices += _commas(best)
    columns = [
        Column(name, cells)
        for name, cells in best.table.columns.items()
        if name not in {best.column, *bounds, *(m.column for m in also)}
    ]
    if bounds:
        entry |= dict(zip(("start", "end"), bounds, strict=True))
        notes |= {"start": "start of a clip in its file, in seconds", "end": "its end"}
    return Source(entry, notes, columns, [*messages, *notices], best.rows)


def _commas(best: _Match) -> list[str]:
    """The columns of numbers whose commas may be decimal marks, or between thousands."""
    undecided = {n: c for n, c in best.table.columns.items() if text_table.undecided(c)}
    return [
        f"  look: column {name!r} holds {next(c for c in cells if ',' in c)}: if that is a decimal "
        'comma, add text: {decimal: ","} to the config, or save the table with decimal points'
        for name, cells in undecided.items()
    ]


def _program(best: _Match) -> list[str]:
    """That the table is a program's result, whose labels nobody checked."""
    program = foreign.program_of(list(best.table.columns))
    if program is None:
        return []
    line = f"  look: {best.name} is a result table of {program}"
    return [line + ("" if program == "BORIS" else ": its labels are the program's, not a person's")]


@dataclass(frozen=True)
class _Match:
    """A column of a table, and how many of its cells name recordings relative to ``base``."""

    name: str
    table: user_table.UserTable
    column: str
    base: str
    hits: int

    @property
    def rows(self) -> int:
        return len(self.table.rows)

    def __str__(self) -> str:
        return f"{self.hits} of {self.rows} rows ({self.hits / self.rows:.0%}) name a recording"


def _read(path: Path) -> user_table.UserTable:
    return user_table.read(path, text=encoding.text_of([path])[0])


def _matches(
    name: str, table: user_table.UserTable, contents: Contents, recordings: set[str]
) -> list[_Match]:
    """The table's columns that name recordings, each with the folder that fits it best."""
    endings = {os.path.basename(path) for path in recordings}
    matches = []
    for column, cells in table.columns.items():
        if not any(os.path.basename(cell) in endings for cell in cells):
            continue
        hits = {
            base: sum(os.path.normpath(os.path.join(base, c)) in recordings for c in cells if c)
            for base in _bases(name, contents, recordings)
        }
        base = max(hits, key=hits.get)
        if hits[base] >= MIN_SHARE * len(cells):
            matches.append(_Match(name, table, column, base, hits[base]))
    return matches


def _bases(name: str, contents: Contents, recordings: set[str]) -> list[str]:
    """Folders that a table's cells may be relative to, the likeliest first."""
    folder = os.path.abspath(contents.folder)
    common = os.path.commonpath([os.path.dirname(path) for path in recordings])
    bases = [folder, os.path.dirname(os.path.join(folder, name))]
    while len(common) > len(folder):
        bases.append(common)
        common = os.path.dirname(common)
    return list(dict.fromkeys([*bases, os.path.dirname(folder)]))


def _bounds(contents: Contents, match: _Match) -> tuple[tuple[str, ...], list[str]]:
    """The columns of a clip's start and end in its file, in seconds, and messages on them."""
    names = list(match.table.columns)
    starts = [name for name in names if STARTS & set(words(name))]
    ends = [name for name in names if ENDS & set(words(name))]
    files = match.table.columns[match.column]
    messages = []
    for start, end in ((start, end) for start in starts for end in ends):
        bounds = ([number(cell) for cell in match.table.columns[name]] for name in (start, end))
        rows = list(zip(files, *bounds, strict=True))
        ordered = [row for row in rows if None not in row and 0 <= row[1] < row[2]]
        if len(ordered) < FIT_SHARE * len(rows):
            continue
        fitting = sum(_fits(contents, match, *row) for row in ordered)
        if fitting >= FIT_SHARE * len(rows):
            return (start, end), [f"  columns {start!r} and {end!r} bound the clips, in seconds"]
        messages.append(
            f"  columns {start!r} and {end!r} are not used as bounds: {len(rows) - fitting} "
            f"of {len(rows)} clips would end after their file (the files hold the cut clips, or "
            "the unit is not seconds)"
        )
    if len(set(files)) < len(files):
        messages.append(
            f"  check: {len(files) - len(set(files))} rows name a file that another row also "
            "names, and no columns bound the clips: rows with one file and different labels are "
            "rejected"
        )
    return (), messages


def _fits(contents: Contents, match: _Match, file: str, start: float, end: float) -> bool:
    """Whether a clip lies in its file, where its header was read."""
    path = os.path.relpath(os.path.join(match.base, file), os.path.abspath(contents.folder))
    header = contents.headers.get(Path(path).as_posix())
    return header is None or end <= header.duration + 0.01
