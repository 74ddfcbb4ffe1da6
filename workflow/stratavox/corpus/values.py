"""The cells of label and group columns: what means "no value", and which spellings are one value.

This runs whenever the Snakefile is parsed, so it imports little.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Spellings:
    """What `levelled` changed in the columns of a table.

    ``missing`` maps a column to its marks of no value, as written, with their numbers of rows;
    ``joined`` maps a column to its values that are written in several ways, with these ways.
    """

    missing: dict[str, dict[str, int]] = field(default_factory=dict)
    joined: dict[str, dict[str, list[str]]] = field(default_factory=dict)


def of_settings(
    columns: dict[str, list[str]], settings: dict, asis: Iterable[str] = ()
) -> tuple[dict[str, list[str]], Spellings]:
    """`levelled` by the dataset's keys missing and sets; without them no cell means no value."""
    return levelled(columns, settings.get("missing", ()), settings.get("sets", {}), asis)


def levelled(
    columns: dict[str, list[str]],
    marks: Iterable[str],
    sets: dict[str, str],
    asis: Iterable[str] = (),
) -> tuple[dict[str, list[str]], Spellings]:
    """``columns`` with one spelling for each value and "" for no value, and what that changed.

    A cell is brought to Unicode's form NFC and loses its outer white space. A cell that then equals
    one of ``marks``, whatever its case, is empty.
    ``sets`` maps columns whose cells hold several labels to the character between these: they are
    sorted, each once. The columns ``asis`` (files, bounds) are kept as they are.
    """
    none = {_plain(mark).casefold() for mark in marks}
    kept, level, spellings = set(asis), {}, Spellings()
    for name, cells in columns.items():
        if name in kept:
            level[name] = cells
            continue
        rows = Counter(cells)
        value = {cell: _value(cell, none, sets.get(name)) for cell in rows}
        level[name] = [value[cell] for cell in cells]
        if empty := {cell.strip(): 0 for cell in rows if cell.strip() and not value[cell]}:
            for cell in rows:
                if cell.strip() in empty:
                    empty[cell.strip()] += rows[cell]
            spellings.missing[name] = dict(sorted(empty.items()))
        ways = defaultdict(list)
        for cell in rows:
            ways[value[cell]].append(cell)
        if several := {v: sorted(cells) for v, cells in ways.items() if v and len(cells) > 1}:
            spellings.joined[name] = several
    return level, spellings


def _plain(cell: str) -> str:
    return unicodedata.normalize("NFC", cell).strip()


def _value(cell: str, none: set[str], separator: str | None) -> str:
    parts = [cell] if separator is None else cell.split(separator)
    plain = [_plain(part) for part in parts]
    kept = {part for part in plain if part and part.casefold() not in none}
    return plain[0] if kept and separator is None else (separator or "").join(sorted(kept))
