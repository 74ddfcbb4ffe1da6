"""The user's table of clips, every cell a string."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import importlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stratavox.corpus import text_table
from stratavox.errors import StratavoxError

TEXTS = (".csv", ".tsv", ".tab", ".txt")
# Loaded by name, so that their code is in the keys of only those datasets that need it.
READERS = {
    ".jsonl": "corpus.table_formats.jsonl",
    ".ndjson": "corpus.table_formats.jsonl",
    ".parquet": "corpus.table_formats.parquet",
}
RESERVED = {"row", "clip_id"}
# The column that names the file of a row where several tables are read together.
TABLE = "table"
# The number of the row after the header.
FIRST_ROW = 2


@dataclass(frozen=True)
class UserTable:
    """``columns`` maps names to cells, all of one length; ``rows`` are their numbers in the file.

    The header is row 1, as in a spreadsheet. ``ragged`` maps rows with too few or too many cells,
    which cannot be used, to a reason.
    """

    path: Path
    sha256: str
    rows: list[int]
    columns: dict[str, list[str]]
    ragged: dict[int, str]
    # columns, beside file, start and end, that say where a clip is
    no_labels = frozenset()
    # recordings that somebody looked through, with or without finding anything
    annotated = ()

    @property
    def homes(self) -> list[Path]:
        """For each row the folder of the file that it stands in."""
        return [self.path.parent] * len(self.rows)

    def locating(self, settings: dict) -> set[str]:
        """The columns that say where a clip is: its values are no labels and are not changed."""
        named = {settings.get(key) for key in ("file", "start", "end", "duration")}
        if isinstance(settings.get("channel"), dict):
            named.add(settings["channel"]["column"])
        return {*self.no_labels, *named} & set(self.columns)

    def place(self, row: int) -> int | str:
        """How a message names the row."""
        return row

    def records(self) -> list[dict[str, str]]:
        """The cells of each row by column."""
        rows = zip(*self.columns.values(), strict=True)
        return [dict(zip(self.columns, cells, strict=True)) for cells in rows]

    def column(self, name: str, key: str) -> list[str]:
        """The cells of a column that the config names under ``key``."""
        if name not in self.columns:
            raise StratavoxError(
                f"{self.path}: there is no column {name!r} (config key {key!r}); "
                f"its columns are: {', '.join(self.columns)}; "
                f"give {key!r} one of these names, or add the column"
            )
        return self.columns[name]


def read(path: Path, key: str = "table", text: dict | None = None) -> UserTable:
    """Read a table: text (.csv, .tsv, .tab, .txt), JSON lines or Parquet.

    ``key`` is the config's key that names it, ``text`` what the config says of text tables. Empty
    lines are skipped, columns without a name dropped. Raises `StratavoxError` when the file is
    missing, cannot be read, has no rows, or a name twice.
    """
    reader = reader_of(path.name)
    if not is_table(path.name):
        raise StratavoxError(
            f"{path}: a table must be text ({', '.join(TEXTS)}), JSON lines or Parquet "
            f"({', '.join(READERS)}); save it as CSV"
        )
    try:
        # before all bytes are read: a file that holds recordings can be large
        records = importlib.import_module(f"stratavox.{reader}").records(path) if reader else None
        data = text_table.content(path)
    except FileNotFoundError:
        raise StratavoxError(f"{path}: no such table; correct the config's key {key!r}") from None
    except OSError as error:
        raise StratavoxError(
            f"{path}: cannot be read ({error.strerror}); correct the config's key {key!r}"
        ) from None
    table = _arrange(path, data, records) if reader else parse(path, data, text=text)
    if not table.rows:
        raise StratavoxError(f"{path}: an empty table: it needs a header and a row for each clip")
    return table


@dataclass(frozen=True)
class SeveralTables(UserTable):
    """The rows of several tables; ``origins`` are the file of each row and its number there.

    The column `TABLE` names the file, without its ending.
    """

    origins: list[tuple[Path, int]]
    no_labels = frozenset({TABLE})

    @property
    def homes(self) -> list[Path]:
        return [path.parent for path, _ in self.origins]

    def place(self, row: int) -> str:
        path, number = self.origins[row - FIRST_ROW]
        return f"{number} of {path.name}"


def read_all(folder: Path, names: str | list[str], text: dict | None = None) -> UserTable:
    """The table ``names`` below ``folder``, or the rows of several with the same columns.

    Raises `StratavoxError` as `read` does, and where their columns differ.
    """
    if isinstance(names, str):
        return read(folder / names, text=text)
    tables = {name: read(folder / name, text=text) for name in names}
    first, *others = tables.values()
    for table in others:
        differ = sorted(set(first.columns) ^ set(table.columns))
        if differ:
            has, lacks = (first, table) if differ[0] in first.columns else (table, first)
            raise StratavoxError(
                f"{lacks.path}: there is no column {differ[0]!r}, which {has.path} has; tables "
                "that are read together need the same columns: add it, or correct the config's "
                "key 'table'"
            )
    if TABLE in first.columns:
        raise StratavoxError(
            f"{first.path}: the column name {TABLE!r} is taken, as several tables are read "
            "together; rename the column"
        )
    origins = [(table.path, row) for table in tables.values() for row in table.rows]
    columns = {
        name: [cell for table in tables.values() for cell in table.columns[name]]
        for name in first.columns
    }
    columns[TABLE] = [
        PurePosixPath(name).with_suffix("").as_posix()
        for name, table in tables.items()
        for _ in table.rows
    ]
    rows = list(range(FIRST_ROW, FIRST_ROW + len(origins)))
    places = {origin: row for row, origin in zip(rows, origins, strict=True)}
    ragged = {
        places[table.path, row]: why
        for table in tables.values()
        for row, why in table.ragged.items()
    }
    digests = "\0".join(f"{name}\0{table.sha256}" for name, table in tables.items())
    sha256 = hashlib.sha256(digests.encode("utf-8", "surrogateescape")).hexdigest()
    return SeveralTables(folder / label_of(names), sha256, rows, columns, ragged, origins)


def inside(folder: Path, cell: str) -> str | None:
    """The path as a POSIX path relative to ``folder``; None outside it. Links are not followed."""
    if os.path.normpath(cell) == cell and not cell.startswith((os.sep, os.pardir)):
        return cell  # nearly every cell; what follows is slow for 100,000 rows
    base = os.path.abspath(folder)
    relative = os.path.relpath(os.path.join(base, cell), base)
    return None if relative.split(os.sep)[0] == os.pardir else Path(relative).as_posix()


def label_of(names: str | list[str]) -> str:
    """How a message names the config's ``table``."""
    return names if isinstance(names, str) else " and ".join(names)


def is_table(name: str) -> bool:
    """Whether a file of this name is read as a table."""
    suffix = Path(name).suffix.lower()
    return suffix in TEXTS or suffix in READERS


def reader_of(name: str) -> str | None:
    """The module below stratavox that reads a table that is no text; None for text."""
    return READERS.get(Path(name).suffix.lower())


def reader_code(named: list[str | list[str] | None]) -> list[str]:
    """The modules below stratavox that read those of the tables ``named`` that are no text."""
    names = [name for one in named if one for name in ([one] if isinstance(one, str) else one)]
    return list(dict.fromkeys(filter(None, map(reader_of, names))))


def parse(
    path: Path,
    data: bytes,
    separator: str | None = None,
    quoting: int = csv.QUOTE_MINIMAL,
    text: dict | None = None,
) -> UserTable:
    """The text table in ``data``, the content of ``path``; it may consist of a header alone.

    ``text`` holds what the config says: encoding, separator, decimal.
    """
    stated = text or {}
    content = text_table.decode(path, data, stated.get("encoding"))
    separator = stated.get("separator", separator)
    separator, records = text_table.cells(path, content, separator, quoting)
    if not records:
        raise StratavoxError(f"{path}: an empty table: it needs a header and a row for each clip")
    table = _arrange(path, data, records)
    points = text_table.with_points(table.columns, separator, stated.get("decimal"))
    return dataclasses.replace(table, columns=points)


def _arrange(path: Path, data: bytes, records: list[tuple[int, list[str]]]) -> UserTable:
    """The table of ``records``, the numbers and cells of the rows, the first of them the header."""
    header, rows = [name.strip() for name in records[0][1]], records[1:]
    named = [name for name in header if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise StratavoxError(f"{path}: two columns are called {twice[0]!r}; rename one of them")
    for name in sorted(RESERVED.intersection(named)):
        raise StratavoxError(
            f"{path}: the column name {name!r} is taken by Stratavox's tables; rename the column"
        )
    # programs write one separator more at the end of the header or of each row
    least = max((place for place, name in enumerate(header, start=1) if name), default=0)
    ragged = {
        number: f"{len(cells)} cells, but the header has {len(header)}"
        for number, cells in rows
        if len(cells) < least or any(cell.strip() for cell in cells[len(header) :])
    }
    padded = [cells + [""] * len(header) for _, cells in rows]
    columns = {
        name: [cells[place] for cells in padded] for place, name in enumerate(header) if name
    }
    sha256 = hashlib.sha256(data).hexdigest()
    return UserTable(path, sha256, [number for number, _ in rows], columns, ragged)
