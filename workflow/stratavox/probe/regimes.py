"""What folds keep apart, by their regime and by the columns of the group."""

from __future__ import annotations

# Regimes, strictest first -> the column of the folds whose values stay on one side of a split.
# None: each clip by itself, unless several are the same audio.
APART = {"grouped": "group", "within": "group", "recording": "recording", "random": None}


def columns_of(named: str | list[str] | None) -> list[str]:
    """The columns that a task's key ``group`` or ``target`` names."""
    return [] if named is None else [named] if isinstance(named, str) else named
