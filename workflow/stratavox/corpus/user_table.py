"""The user's table of clips, every cell a string."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path

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
    # columns in which two rows of one clip may differ
    no_labels = frozenset()

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
        data = path.read_bytes()
    except FileNotFoundError:
        raise StratavoxError(f"{path}: no such table; correct the config's key {key!r}") from None
    table = _arrange(path, data, records) if reader else parse(path, data, text=text)
    if not table.rows:
        raise StratavoxError(f"{path}: an empty table: it needs a header and a row for each clip")
    return table


def is_table(name: str) -> bool:
    """Whether a file of this name is read as a table."""
    suffix = Path(name).suffix.lower()
    return suffix in TEXTS or suffix in READERS


def reader_of(name: str) -> str | None:
    """The module below stratavox that reads a table that is no text; None for text."""
    return READERS.get(Path(name).suffix.lower())


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
