"""Tables of boxes, text with a header, one for each recording."""

from __future__ import annotations

from pathlib import Path

from stratavox.corpus import user_table
from stratavox.corpus.annotations.box import Box

PATTERN = "**/*.csv"
LOW, HIGH = "low_hz", "high_hz"


def boxes(path: Path, data: bytes, settings: dict) -> list[Box]:
    """One box for each row; ``settings`` names the columns start, end and label.

    Columns that are called low_hz and high_hz hold the frequencies. Raises `StratavoxError` for a
    table that cannot be read or lacks a column.
    """
    table = user_table.parse(path, data, text=settings.get("text"))
    starts, ends, _ = (
        table.column(settings[key], f"annotations.{key}") for key in ("start", "end", "label")
    )
    used = {settings["start"], settings["end"], LOW, HIGH}
    return [
        Box(
            row=row,
            start=start,
            end=end,
            further={name: cell for name, cell in cells.items() if name not in used},
            low=cells.get(LOW, ""),
            high=cells.get(HIGH, ""),
            reason=table.ragged.get(row),
        )
        for row, start, end, cells in zip(table.rows, starts, ends, table.records(), strict=True)
    ]
