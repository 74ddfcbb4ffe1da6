"""The clips of a folder and their columns, for the config and for the printed summary."""

from __future__ import annotations

from dataclasses import dataclass

from stratavox.init.columns import Column


@dataclass(frozen=True)
class Source:
    """``entry`` holds the dataset's keys in the config, ``notes`` a comment for some of them.

    ``columns`` can be label or group; ``messages`` explain where they come from; ``clips`` counts
    rows. ``table`` is the text of a table that has to be written, None where there is one.
    """

    entry: dict
    notes: dict[str, str]
    columns: list[Column]
    messages: list[str]
    clips: int
    table: str | None = None
