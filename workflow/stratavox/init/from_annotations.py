"""Clips inside long recordings, from Raven, Audacity or Praat files beside them."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path, PurePosixPath

from stratavox.errors import StratavoxError
from stratavox.init import guess, sniff
from stratavox.init.columns import Column
from stratavox.init.look import Found
from stratavox.init.source import Source

# Raven's own columns, which say where and not what.
RAVEN_OWN = re.compile(r"Selection|View|Channel|(Begin|End|Delta|File) |(Low|High|Peak) Freq")
# What the columns are called that hold a clip's recording and, where its file has none, its label.
RECORDING, LABEL = "file", "label"
INTERVAL = re.compile(r'^\s*(?:text|mark) = "(.*)"\s*$', re.MULTILINE)
TIER = re.compile(r'^\s*name = "(.*)"\s*$', re.MULTILINE)


def of_annotations(found: Found) -> Source | None:
    """The clips of the commonest kind of annotation file; None where there is none.

    Raises `StratavoxError` where their labels cannot serve.
    """
    if not found.annotations:
        return None
    kind, names = max(found.annotations.items(), key=lambda item: len(item[1]))
    cells = _read(kind, found.folder, names)
    recorded = {_stem(name) for name in found.recordings}
    paired = sum(_stem(name) in recorded for name in names)
    pattern = _pattern(names)
    said = [f"{len(names)} {sniff.NAMES[kind]} ({pattern}), {paired} named as a recording is"]
    matched = len(list(found.folder.glob(pattern)))
    if matched > len(names):
        said.append(f"  look: {pattern} also matches {matched - len(names)} files of other content")
    for other in found.annotations.keys() - {kind}:
        said.append(f"  {sniff.NAMES[other]} are left aside: there are fewer of them")
    columns = [Column(name, values) for name, values in cells.items()]
    labels = [column for column in columns if column.useless is None and guess.is_target(column)]
    if not labels:
        raise StratavoxError(
            f"{found.folder}: {sniff.NAMES[kind]}, but no labels in them that can serve: a probe "
            f"needs two with {guess.MIN_CLIPS} clips each; there is:\n  "
            + "\n  ".join(f"{column.name}: {guess.against(column)}" for column in columns)
        )
    label = guess.tasks(columns)[0][0].target.name
    asked = {"format": kind, "files": pattern, "label": label}
    if kind == "textgrid":
        asked |= {"tier": label, "label": LABEL}
        columns = [Column(LABEL if c.name == label else c.name, c.cells) for c in columns]
        columns = [c for c in columns if c.name in (LABEL, RECORDING)]
    entry = {"path": found.folder.as_posix(), "annotations": asked}
    return Source(entry, {}, columns, said, len(columns[0].cells))


def _read(kind: str, folder: Path, names: list[str]) -> dict[str, list[str]]:
    """What can be label or group: one cell a clip in each column, ``file`` being its file."""
    rows: list[dict[str, str]] = []
    for name in names:
        text = sniff.text_of((folder / name).read_bytes())
        rows += [{RECORDING: _stem(name)} | row for row in READERS[kind](text)]
    columns = dict.fromkeys(column for row in rows for column in row)
    return {column: [row.get(column) or "" for row in rows] for column in columns}


def _raven(text: str) -> list[dict[str, str]]:
    """One row a selection, however many views show it."""
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    selections = {
        tuple(row.get(name) for name in ("Selection", "Begin Time (s)", "End Time (s)")): row
        for row in rows
    }
    return [
        {k: v for k, v in row.items() if k and not RAVEN_OWN.match(k)}
        | ({RECORDING: row["Begin File"]} if row.get("Begin File") else {})
        for row in selections.values()
    ]


def _audacity(text: str) -> list[dict[str, str]]:
    lines = [line.split("\t") for line in text.splitlines() if line.strip()]
    return [{LABEL: (cells + ["", ""])[2]} for cells in lines if not cells[0].startswith("\\")]


def _textgrid(text: str) -> list[dict[str, str]]:
    """Named intervals of each tier of a TextGrid in Praat's long format."""
    rows, (_, *parts) = [], TIER.split(text)
    for tier, body in zip(parts[::2], parts[1::2], strict=True):
        rows += [{tier: label} for label in INTERVAL.findall(body) if label.strip()]
    return rows


READERS = {"raven": _raven, "audacity": _audacity, "textgrid": _textgrid}


def _stem(name: str) -> str:
    """A recording's or an annotation file's name less all that ends it: a.Table.1.selections.txt"""
    path = PurePosixPath(name)
    return (path.parent / path.name.partition(".")[0]).as_posix()


def _pattern(names: list[str]) -> str:
    """What matches them all: their common ending from its first dot, in all folders if need be."""
    backwards = os.path.commonprefix([PurePosixPath(name).name[::-1] for name in names])
    ending = backwards[::-1]
    dot = ending.find(".")
    ending = ending[dot:] if dot >= 0 else ""
    if len(names) == 1:
        ending = PurePosixPath(names[0]).suffix
    deep = any("/" in name for name in names)
    return f"{'**/' if deep else ''}*{ending}"
