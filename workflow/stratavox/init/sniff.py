"""Annotation files told by their content: Raven, Audacity, Praat."""

from __future__ import annotations

import codecs
from pathlib import Path

SUFFIXES = (".txt", ".textgrid")
NAMES = {
    "raven": "Raven selection tables",
    "audacity": "Audacity label tracks",
    "textgrid": "Praat TextGrids",
}
HEAD_BYTES = 4096
RAVEN_COLUMNS = {"Begin Time (s)", "End Time (s)"}


def kind_of(path: Path) -> str | None:
    """``raven``, ``audacity``, ``textgrid`` or None, by the first 4 KB."""
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    lines = text_of(head).splitlines()
    if len(head) == HEAD_BYTES:
        lines = lines[:-1]  # it may be cut
    lines = [line for line in lines if line.strip()]
    if not lines:
        return None
    if "ooTextFile" in lines[0] and any("TextGrid" in line for line in lines[:3]):
        return "textgrid"
    if set(lines[0].split("\t")) >= RAVEN_COLUMNS:
        return "raven"
    # a line that starts with a backslash holds the frequencies of the label before
    if all(_is_label(line) for line in lines if not line.startswith("\\")):
        return "audacity"
    return None


def text_of(data: bytes) -> str:
    """``data`` decoded: UTF-16 where its first bytes say so (as Praat writes), else UTF-8."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def _is_label(line: str) -> bool:
    cells = line.split("\t")
    try:
        return len(cells) in (2, 3) and 0 <= float(cells[0]) <= float(cells[1])
    except ValueError:
        return False
