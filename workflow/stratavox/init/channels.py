"""A column that says in which channel of its recording a clip is."""

from __future__ import annotations

from stratavox.corpus.channels import channel_of
from stratavox.init.columns import Column, words
from stratavox.init.look import Contents, counts

NAMES = {"channel", "chan", "ch", "chn"}


def several(contents: Contents) -> int:
    """The largest number of channels of a recording where it is more than one, else 0."""
    most = max((header.channels for header in contents.headers.values()), default=1)
    return most if most > 1 else 0


def column_of(names: list[str], contents: Contents) -> str | None:
    """The column named after channels, where recordings have several."""
    named = [name for name in names if NAMES & set(words(name)[:1])]
    return named[0] if named and several(contents) else None


def choose(
    name: str, cells: list[str], contents: Contents, firsts: tuple[int, ...] = (1, 0)
) -> tuple[dict, list[str]]:
    """The config's ``channel`` for a column and its ``cells``, and messages.

    The first of ``firsts``, numbers of the first channel, that all cells allow is taken.
    """
    most, values = several(contents), Column(name, cells).values
    possible = [first for first in firsts if all(_fits(cell, first, most) for cell in values)]
    if not possible:
        return {}, [
            f"  look: column {name!r} is not used, so each clip is the mean of the channels: its "
            f"values are {counts(values)}, but the recordings have at most {most} channels"
        ]
    first = possible[0]
    line = f"  column {name!r} chooses the channel of each clip, counted from {first}"
    if len(possible) > 1 and any(cell.strip().isdigit() for cell in values):
        line = (
            f"  look: column {name!r} chooses the channel of each clip; its values "
            f"({counts(values)}) do not show whether the first channel is 1 or 0: 1 is taken"
        )
    return {"channel": {"column": name, "first": first}}, [line]


def _fits(cell: str, first: int, channels: int) -> bool:
    try:
        return channel_of(cell, first) < channels
    except ValueError:
        return False
