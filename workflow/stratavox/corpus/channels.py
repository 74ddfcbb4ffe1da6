"""The channel of a clip where a column of the user's table or annotations chooses it."""

from __future__ import annotations

import re

SIDES = {"l": 0, "left": 0, "r": 1, "right": 1}


def channel_of(cell: str, first: int) -> int:
    """The channel that a cell names, counted from 0, where the cell counts from ``first``.

    ``left`` (``L``) and ``right`` (``R``) are the first and the second. Raises `ValueError` with
    the reason for anything else.
    """
    text = cell.strip().lower()
    if text in SIDES:
        return SIDES[text]
    if not re.fullmatch(r"\d+(\.0*)?", text):
        raise ValueError(f"channel {cell!r} is not a number, left or right")
    number = int(text.partition(".")[0])
    if number < first:
        raise ValueError(f"channel {cell!r} is below the first, {first} (config key channel.first)")
    return number - first
