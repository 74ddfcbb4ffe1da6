"""Clips from a table in the folder: the table, the column of files and the columns of bounds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stratavox.corpus import user_table
from stratavox.corpus.bounds import KEYS
from stratavox.errors import StratavoxError
from stratavox.init import bounds
from stratavox.init.columns import Column
from stratavox.init.look import Contents
from stratavox.init.source import Source

# A column names the clips' files where at least this share of its cells names a recording.
MIN_SHARE = 0.5
WRONG_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}


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
    messages += [f"  table not used: {message}" for message in refused.values()]
    path = Path(os.path.normpath(contents.folder / os.path.relpath(best.base, folder)))
    table = Path(os.path.relpath(contents.folder / best.name, path)).as_posix()
    entry = {"path": path.as_posix(), "table": table, "file": best.column}
    notes = {"table": f"{best.rows} rows, one for each clip; relative to path"}
    notes["file"] = "; ".join(
        [f"names the files: {best}", *(f"{m.column} does so too" for m in also)]
    )
    files = [_inside(contents, best, cell) for cell in best.table.columns[best.column]]
    headers = [contents.headers.get(file) for file in files]
    chosen = bounds.choose(bounds.Rows(best.table.columns, files, headers))
    entry |= chosen.entry
    notes |= chosen.notes
    messages += [*chosen.messages, *_repeats(files, chosen.entry)]
    used = {best.column, *(m.column for m in also)}
    used |= {chosen.entry[key] for key in KEYS if key in chosen.entry}
    columns = [Column(n, cells) for n, cells in best.table.columns.items() if n not in used]
    columns = [c for c in columns if c.useless or c.name not in chosen.aside]
    return Source(entry, notes, columns, messages, best.rows)


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
    table = user_table.read(path)
    if len(table.columns) == 1:
        header = next(iter(table.columns))
        for sign, called in WRONG_DELIMITERS.items():
            if sign in header:
                kind = "commas" if path.suffix.lower() == ".csv" else "tabs"
                raise StratavoxError(
                    f"{path}: its cells seem to be separated by {called} (header {header!r}); "
                    f"a {path.suffix.lower()} table is read with {kind}: save it with these"
                )
    return table


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


def _repeats(files: list[str], entry: dict) -> list[str]:
    repeats = len(files) - len(set(files))
    if "start" in entry or not repeats:
        return []
    return [
        f"  check: {repeats} rows name a file that another row also names, and no columns bound "
        "the clips: rows with one file and different labels are rejected"
    ]


def _inside(contents: Contents, match: _Match, file: str) -> str:
    """The file of a row, relative to the folder."""
    path = os.path.relpath(os.path.join(match.base, file), os.path.abspath(contents.folder))
    return Path(path).as_posix()
