"""The format of annotation files, recognised by their content: Raven, Audacity, Praat."""

from __future__ import annotations

from pathlib import Path

from stratavox.corpus import text_table
from stratavox.corpus.annotations.formats import audacity, raven
from stratavox.errors import StratavoxError

SUFFIXES = (".txt", ".textgrid")
NAMES = {
    "raven": "Raven selection tables",
    "audacity": "Audacity label tracks",
    "textgrid": "Praat TextGrids",
}
HEAD_BYTES = 4096


def kind_of(path: Path) -> str | None:
    """``raven``, ``audacity``, ``textgrid`` or None, by the first 4 KB."""
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    lines = _lines(head)
    if not lines:
        return None
    if "ooTextFile" in lines[0] and any("TextGrid" in line for line in lines[:3]):
        return "textgrid"
    if {cell.strip() for cell in lines[0].split("\t")} >= {raven.BEGIN, raven.END}:
        return "raven"
    if all(_is_label(line) for line in lines if not line.startswith(audacity.FREQUENCIES)):
        return "audacity"
    return None


def is_table(path: Path) -> bool:
    """Whether a text file is a table with a header: most rows of the first 4 KB have its cells."""
    with open(path, "rb") as file:
        lines = _lines(file.read(HEAD_BYTES))
    try:
        _, rows = text_table.cells(path, "\n".join(lines))
    except StratavoxError:
        return False
    header, *others = (len(row) for _, row in rows)
    # programs write one separator more or less at the end of the header
    same = sum(abs(width - header) <= 1 and width > 1 for width in others)
    return bool(others) and header > 1 and 2 * same > len(others)


def _lines(head: bytes) -> list[str]:
    """The whole lines of a file's head that are not empty."""
    encoding = text_table.encoding_of(head) or "utf-8"
    lines = head.decode(encoding, errors="replace").splitlines()
    if len(head) == HEAD_BYTES:
        lines = lines[:-1]  # the last one may be incomplete
    return [line for line in lines if line.strip()]


def _is_label(line: str) -> bool:
    cells = line.split("\t")
    try:
        start, end = (float(text_table.pointed(cell)) for cell in cells[:2])
        return len(cells) in (2, 3) and 0 <= start <= end
    except ValueError:
        return False
