"""A further table of the user's, joined to the dataset's table by a shared column."""

from __future__ import annotations

import difflib
from pathlib import Path

import pyarrow as pa

from stratavox.corpus import user_table, values
from stratavox.corpus.user_table import UserTable
from stratavox.errors import StratavoxError

SHOWN = 5


def read(settings: dict, root: Path) -> UserTable:
    """The table that ``settings`` name: table, relative to ``root``, by, its key column, and text.

    Raises `StratavoxError` when it cannot be read, lacks the column, or has a row with too few or
    too many cells, with an empty key, or with the key of another row.
    """
    table = user_table.read(root / settings["table"], "join.table", settings.get("text"))
    by, first = settings["by"], {}
    for row, cell in zip(table.rows, table.column(by, "join.by"), strict=True):
        where = f"{table.path}: row {row}"
        if row in table.ragged:
            raise StratavoxError(f"{where}: {table.ragged[row]}; correct the row")
        if not cell:
            raise StratavoxError(
                f"{where}: the cell of column {by!r} is empty; every row of a joined table needs "
                "a value there: fill it in or remove the row"
            )
        if cell in first:
            raise StratavoxError(
                f"{where}: {cell!r} in column {by!r} is also in row {first[cell]}; a joined "
                "table has one row for each value: remove one of the two"
            )
        first[cell] = row
    return table


def columns(settings: dict, table: UserTable, root: Path) -> dict[str, list[str]]:
    """The joined table's further columns for the rows of ``table``; ``settings`` as of `read`.

    A row that the joined table does not mention has empty cells. Raises `StratavoxError` when
    ``table`` lacks the key column, both have some other column, or a joined row belongs to no row.
    """
    by, further = settings["by"], read(settings, root)
    keys = table.column(by, "join.by")
    both = [name for name in further.columns if name != by and name in table.columns]
    if both:
        raise StratavoxError(
            f"{further.path}: the column {', '.join(map(repr, both))} is also in {table.path}; "
            f"only {by!r}, the config's join.by, may be in both: rename or remove it in one"
        )
    _refuse_unmatched(further, by, keys, table.path)
    places = {cell: place for place, cell in enumerate(further.columns[by])}
    taken = [places.get(cell) for cell in keys]
    return {
        name: ["" if place is None else cells[place] for place in taken]
        for name, cells in further.columns.items()
        if name != by
    }


def unmentioned(settings: dict, labels: pa.Table, root: Path) -> int:
    """How many rows of ``labels`` the joined table does not mention.

    ``settings`` as of `read`, and of `values.of_settings`: the keys are levelled as labels are.
    """
    cells = {"by": read(settings, root).columns[settings["by"]]}
    mentioned = set(values.of_settings(cells, settings)[0]["by"])
    return sum(cell not in mentioned for cell in labels[settings["by"]].to_pylist())


def _refuse_unmatched(further: UserTable, by: str, keys: list[str], joined_to: Path) -> None:
    known = set(keys)
    unmatched = [
        (row, cell)
        for row, cell in zip(further.rows, further.columns[by], strict=True)
        if cell not in known
    ]
    if not unmatched:
        return
    shown = []
    for row, cell in unmatched[:SHOWN]:
        near = difflib.get_close_matches(cell, sorted(known), n=1)
        shown.append(f"row {row}: {cell!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    if len(unmatched) > SHOWN:
        shown.append(f"and {len(unmatched) - SHOWN} more")
    raise StratavoxError(
        f"{further.path}: no row of {joined_to} has in column {by!r} the value of "
        f"{'; '.join(shown)}; values must be exactly equal: correct or remove these rows"
    )
