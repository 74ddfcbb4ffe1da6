"""Tables of boxes, text with a header, one for each recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stratavox.corpus import bounds, user_table
from stratavox.corpus.annotations.box import Box

PATTERN = "**/*.csv"
LOW, HIGH = "low_hz", "high_hz"


def boxes(path: Path, data: bytes, settings: dict) -> list[Box]:
    """One box for each row; ``settings`` has label and what `bounds.of_settings` takes.

    Columns that are called low_hz and high_hz hold the frequencies. Raises `StratavoxError` for a
    table that cannot be read or lacks a column.
    """
    table = user_table.parse(path, data, text=settings.get("text"))
    of_boxes = bounds.of_settings(settings, table, "annotations.")
    table.column(settings["label"], "annotations.label")
    starts, lasts = table.columns[of_boxes.start], table.columns[of_boxes.last]
    headers = bounds.Headers(Path())

    def in_seconds(box: Box, recording: Path) -> Box:
        file = recording.as_posix()
        try:
            span = of_boxes.unordered(box.start, box.end, lambda: headers.rate(file))
        except ValueError as error:
            return replace(box, reason=str(error))
        start, end = (f"{second:.6f}" for second in span)
        return replace(box, start=start, end=end)

    used = {of_boxes.start, of_boxes.last, LOW, HIGH}
    return [
        Box(
            row=row,
            start=start,
            end=last,
            further={name: cell for name, cell in cells.items() if name not in used},
            low=cells.get(LOW, ""),
            high=cells.get(HIGH, ""),
            reason=table.ragged.get(row),
            in_seconds=in_seconds,
        )
        for row, start, last, cells in zip(table.rows, starts, lasts, table.records(), strict=True)
    ]
