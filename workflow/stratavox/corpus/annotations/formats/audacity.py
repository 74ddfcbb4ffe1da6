"""Audacity's label tracks: start, end and label between tabs, perhaps a line of frequencies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stratavox.corpus import text_table
from stratavox.corpus.annotations.box import Box
from stratavox.errors import StratavoxError

PATTERN = "**/*.txt"
# The first cell of the line that holds the frequencies of the label above it.
FREQUENCIES = "\\"


def boxes(path: Path, data: bytes, settings: dict) -> list[Box]:
    """One box for each label; a tab inside a label is part of it, and -1 is no frequency.

    Audacity writes no commas between thousands, so a comma in a number is a decimal mark.
    """
    encoding = settings.get("text", {}).get("encoding")
    text = text_table.decode(path, data, encoding).replace("\r\n", "\n").replace("\r", "\n")
    labels: list[Box] = []
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.split("\t")
        if not line.strip():
            continue
        if cells[0] == FREQUENCIES:
            if not labels:
                raise StratavoxError(
                    f"{path}: line {number}: frequencies without a label above them; "
                    "export the labels from Audacity again"
                )
            low, high = (_frequency(cell) for cell in [*cells[1:3], "", ""][:2])
            labels[-1] = replace(labels[-1], low=low, high=high)
            continue
        start, end, *label = [*cells, ""] if len(cells) == 1 else cells
        start, end = map(text_table.pointed, (start, end))
        labels.append(Box(number, start, end, {settings["label"]: "\t".join(label)}))
    return labels


def _frequency(cell: str) -> str:
    return "" if cell.strip().startswith("-") else text_table.pointed(cell.strip())
