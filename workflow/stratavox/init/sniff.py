"""The format of annotation files, recognised by their content: Raven, Audacity, Praat."""

from __future__ import annotations

import codecs
from pathlib import Path

from stratavox.corpus.annotations.formats import audacity, raven

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
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    lines = head.decode("utf-16" if wide else "utf-8-sig", errors="replace").splitlines()
    if len(head) == HEAD_BYTES:
        lines = lines[:-1]  # the last one may be incomplete
    lines = [line for line in lines if line.strip()]
    if not lines:
        return None
    if "ooTextFile" in lines[0] and any("TextGrid" in line for line in lines[:3]):
        return "textgrid"
    if set(lines[0].split("\t")) >= {raven.BEGIN, raven.END}:
        return "raven"
    if all(_is_label(line) for line in lines if not line.startswith(audacity.FREQUENCIES)):
        return "audacity"
    return None


def _is_label(line: str) -> bool:
    cells = line.split("\t")
    try:
        return len(cells) in (2, 3) and 0 <= float(cells[0]) <= float(cells[1])
    except ValueError:
        return False
