"""Which columns of which tables name the recordings, and which tables are read together."""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from stratavox.corpus import match, user_table
from stratavox.errors import StratavoxError
from stratavox.init import encoding
from stratavox.init.look import Contents

# A column names the clips' files where at least this share of its cells names a recording.
MIN_SHARE = 0.5
# A shorter part of a name is in many names by chance.
MIN_PART = 3
# Runs of letters or digits, and of both, in which names may hold such a part.
RUNS = (re.compile(r"[^\W_]+"), re.compile(r"[A-Za-z]+|\d+"))
# What stands before or after a part in at least this share of the names is how they are called.
USUAL_SHARE = 0.9


@dataclass(frozen=True)
class Named:
    """A column of a table that names recordings.

    ``files`` has for each row its recording, relative to the folder, or None; ``base`` is the
    folder that ``exact`` of the cells are relative to. ``template`` as in `match.of_template`.
    """

    names: list[str]
    table: user_table.UserTable
    column: str
    base: str
    files: list[str | None]
    exact: int
    template: str | None = None

    @cached_property
    def hits(self) -> int:
        return len(self.files) - self.files.count(None)

    @property
    def name(self) -> str:
        return user_table.label_of(self.names)

    @property
    def rows(self) -> int:
        return len(self.files)

    def __str__(self) -> str:
        return f"{self.hits} of {self.rows} rows ({self.hits / self.rows:.0%}) name a recording"


class Finder:
    """Columns of tables in ``contents`` that name its recordings."""

    def __init__(self, contents: Contents):
        self._contents = contents
        self._folder = os.path.abspath(contents.folder)
        self._recordings = {os.path.join(self._folder, name) for name in contents.recordings}
        self._index = match.Index(contents.recordings)
        # columns whose cells fit several recordings, each with the first reason
        self.unclear: dict[tuple[str, str], str] = {}

    def of_table(self, name: str, table: user_table.UserTable) -> list[Named]:
        """The table's columns that name recordings."""
        named = [self._of_column(name, table, column) for column in table.columns]
        return [column for column in named if column.hits >= MIN_SHARE * column.rows]

    def of_parts(self, name: str, table: user_table.UserTable) -> list[Named]:
        """The columns whose cells are a part of the recordings' names, such as Xeno-canto's id."""
        named = [self._of_parts(name, table, column) for column in table.columns]
        return [column for column in named if column and column.hits >= MIN_SHARE * column.rows]

    def _of_column(self, name: str, table: user_table.UserTable, column: str) -> Named:
        cells = table.columns[column]
        hits = {base: self._exact(base, cells) for base in self._bases(name)}
        base = max(hits, key=lambda base: sum(file is not None for file in hits[base]))
        files = hits[base]
        exact = len(files) - files.count(None)
        if exact < len(cells):
            levelled = self._levelled(name, column, cells, hits[self._folder])
            if len(levelled) - levelled.count(None) > exact:
                base, files = self._folder, levelled
                exact = sum(file is not None for file in hits[self._folder])
        return Named([name], table, column, base, files, exact)

    def _exact(self, base: str, cells: list[str]) -> list[str | None]:
        places: dict[str, str | None] = {}
        for cell in set(cells):
            path = os.path.normpath(os.path.join(base, cell)) if cell.strip() else ""
            inside = path in self._recordings
            places[cell] = Path(path).relative_to(self._folder).as_posix() if inside else None
        return [places[cell] for cell in cells]

    def _levelled(
        self, name: str, column: str, cells: list[str], exact: list[str | None]
    ) -> list[str | None]:
        """The recordings as the run matches them below the folder."""
        files = {cell: file for cell, file in zip(cells, exact, strict=True) if file}
        others = [cell for cell in cells if cell.strip() and cell not in files]
        known = {file: match.Match(file, len(match.names(file))) for file in files.values()}
        matches, refused = self._index.matches(others, _home(name), known)
        files |= {cell: matches[cell].file for cell in others if cell in matches}
        similar = {cell: str(error) for cell, error in refused.items() if error.similar}
        if sum(cell in similar for cell in cells) >= MIN_SHARE * len(cells):
            self.unclear[name, column] = next(iter(similar.values()))
        return [files.get(cell) for cell in cells]

    def _of_parts(self, name: str, table: user_table.UserTable, column: str) -> Named | None:
        cells = table.columns[column]
        parts = {c for c in map(str.strip, cells) if c.isalnum() and len(c) >= MIN_PART}
        if len(parts) < MIN_SHARE * len(cells):
            return None
        befores: Counter[str] = Counter()
        afters: Counter[str] = Counter()
        for file in self._contents.recordings:
            called = PurePosixPath(file).name
            hits = [hit for form in RUNS for hit in form.finditer(called) if hit[0] in parts]
            befores.update({called[: hit.start()] for hit in hits})
            afters.update({called[hit.end() :] for hit in hits})
        if not befores:
            return None
        template = "{}".join(map(_usual, (befores, afters)))
        named = match.of_template(template, self._contents.recordings)
        single = {part: files[0] for part, files in named.items() if len(files) == 1}
        files = [single.get(cell.strip()) for cell in cells]
        return Named([name], table, column, self._folder, files, 0, template)

    def _bases(self, name: str) -> list[str]:
        """Folders that a table's cells may be relative to, the likeliest first."""
        common = os.path.commonpath([os.path.dirname(path) for path in self._recordings])
        bases = [self._folder, os.path.dirname(os.path.join(self._folder, name))]
        while len(common) > len(self._folder):
            bases.append(common)
            common = os.path.dirname(common)
        return list(dict.fromkeys([*bases, os.path.dirname(self._folder)]))

    def together(self, best: Named, others: list[Named]) -> tuple[Named, list[str]]:
        """``best`` with the tables that name further recordings, and messages on all ``others``."""
        parts, messages = [best], []
        for other in others:
            covered = {file for part in parts for file in part.files}
            new = set(other.files) - covered - {None}
            rows = sum(file in new for file in other.files)
            differ = sorted(set(other.table.columns) ^ set(best.table.columns))
            if not new:
                messages.append(
                    f"  table {other.name} is not used: {best.name} names its recordings too"
                )
            elif differ or other.column != best.column or user_table.TABLE in best.table.columns:
                why = f"not both have the column {differ[0]!r}" if differ else "other columns name"
                messages.append(
                    f"  look: table {other.name} is left out, with {rows} rows of {len(new)} "
                    f"recordings that {best.name} does not name: {why}"
                )
            elif (joined := self._joined([*parts, other])) is None:
                messages.append(
                    f"  look: table {other.name} is left out, with {rows} rows of {len(new)} "
                    "recordings: read together, its cells would fit other recordings"
                )
            else:
                parts.append(other)
        if len(parts) == 1:
            return best, messages
        joined = self._joined(parts)
        messages.append(
            f"  {len(parts)} tables with the same columns are read together; the column "
            f"{user_table.TABLE!r} names the table of a row"
        )
        return joined, messages

    def _joined(self, parts: list[Named]) -> Named | None:
        """The rows of several tables; None where the run would match other recordings."""
        base = parts[0].base
        if any(part.base != base for part in parts):
            base = self._folder
            for part in parts:
                cells = part.table.columns[part.column]
                levelled = self._levelled(part.name, part.column, cells, self._exact(base, cells))
                if levelled != part.files:
                    return None
        names = [part.names[0] for part in parts]
        paths = [self._contents.folder / name for name in names]
        table = user_table.read_all(self._contents.folder, names, encoding.text_of(paths)[0])
        files = [file for part in parts for file in part.files]
        exact = sum(part.exact for part in parts)
        return Named(names, table, parts[0].column, base, files, exact)


def _usual(texts: Counter[str]) -> str:
    """The text that nearly all have, or * for any."""
    text, count = texts.most_common(1)[0]
    return text if count >= USUAL_SHARE * sum(texts.values()) and "{" not in text else "*"


def _home(name: str) -> str:
    folder = PurePosixPath(name).parent
    return "" if folder == PurePosixPath() else folder.as_posix()


def refuse_unclear(finder: Finder) -> None:
    """Raise where a column would name recordings, but its cells fit several of them."""
    for (name, column), reason in finder.unclear.items():
        raise StratavoxError(
            f"{name}: column {column!r} names recordings, but half of its cells or more fit "
            f"several: {reason}; write paths that tell them apart into this column"
        )
