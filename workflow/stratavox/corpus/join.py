"""A further table of the user's, whose columns are added to the dataset's by a shared column."""

from __future__ import annotations

import difflib
from pathlib import Path

import pyarrow as pa

from stratavox.corpus import user_table
from stratavox.corpus.user_table import UserTable
from stratavox.errors import StratavoxError

SHOWN = 5


def read(settings: dict, root: Path) -> UserTable:
    """The table that ``settings`` name: table, relative to ``root``, and on, its key column.

    Raises `StratavoxError` when it cannot be read, lacks the column, or has a row with too few or
    too many cells, with an empty key, or with the key of another row.
    """
    table = user_table.read(root / settings["table"], "join.table")
    on, first = settings["on"], {}
    for row, cell in zip(table.rows, table.column(on, "join.on"), strict=True):
        where = f"{table.path}: row {row}"
        if row in table.ragged:
            raise StratavoxError(f"{where}: {table.ragged[row]}; mend the row")
        if not cell:
            raise StratavoxError(
                f"{where}: the cell of column {on!r} is empty; every row of a joined table needs "
                "a value there: fill it in or remove the row"
            )
        if cell in first:
            raise StratavoxError(
                f"{where}: {cell!r} in column {on!r} stands in row {first[cell]} too; a joined "
                "table has one row for each value: remove one of the two"
            )
        first[cell] = row
    return table


def columns(settings: dict, table: UserTable, root: Path) -> dict[str, list[str]]:
    """The joined table's further columns for the rows of ``table``; none without a join.

    A row that the joined table does not mention has empty cells. Raises `StratavoxError` when
    ``table`` lacks the key column, both have some other column, or a joined row belongs to no row.
    """
    if "join" not in settings:
        return {}
    on, further = settings["join"]["on"], read(settings["join"], root)
    keys = table.column(on, "join.on")
    both = [name for name in further.columns if name != on and name in table.columns]
    if both:
        raise StratavoxError(
            f"{further.path}: the column {', '.join(map(repr, both))} stands in {table.path} too; "
            f"only {on!r}, the config's join.on, may stand in both: rename or remove it in one"
        )
    _refuse_strangers(further, on, keys, table.path)
    places = {cell: place for place, cell in enumerate(further.columns[on])}
    taken = [places.get(cell) for cell in keys]
    return {
        name: ["" if place is None else cells[place] for place in taken]
        for name, cells in further.columns.items()
        if name != on
    }


def unmentioned(settings: dict, labels: pa.Table, root: Path) -> int:
    """How many rows of ``labels`` the joined table (``settings`` as of `read`) does not mention."""
    mentioned = set(read(settings, root).columns[settings["on"]])
    return sum(cell not in mentioned for cell in labels[settings["on"]].to_pylist())


def _refuse_strangers(further: UserTable, on: str, keys: list[str], joined_to: Path) -> None:
    known = set(keys)
    strangers = [
        (row, cell)
        for row, cell in zip(further.rows, further.columns[on], strict=True)
        if cell not in known
    ]
    if not strangers:
        return
    told = []
    for row, cell in strangers[:SHOWN]:
        near = difflib.get_close_matches(cell, sorted(known), n=1)
        told.append(f"row {row}: {cell!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    if len(strangers) > SHOWN:
        told.append(f"and {len(strangers) - SHOWN} more")
    raise StratavoxError(
        f"{further.path}: no row of {joined_to} has in column {on!r} what stands here in "
        f"{'; '.join(told)}; values must be equal to the letter: mend or remove these rows"
    )
