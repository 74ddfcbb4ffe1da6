"""Clips of long recordings, from annotation files of Raven, Audacity or Praat."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from stratavox.corpus.annotations.formats import audacity, raven, textgrid
from stratavox.errors import StratavoxError
from stratavox.init import encoding, guess, sniff
from stratavox.init.columns import Column
from stratavox.init.look import Contents
from stratavox.init.source import Source

# Raven's own columns, which locate a selection and do not label it.
RAVEN_OWN = re.compile(r"Selection|View|Channel|(Begin|End|Delta|File) |(Low|High|Peak) Freq")
# The column of a clip's recording, and of its label where the file has no column names.
RECORDING, LABEL = "file", "label"


def of_annotations(contents: Contents) -> Source | None:
    """The clips of the most frequent kind of annotation file; None where there is none.

    Raises `StratavoxError` where no column can be the label, or a file cannot be read.
    """
    if not contents.annotations:
        return None
    kind, names = max(contents.annotations.items(), key=lambda item: len(item[1]))
    text, doubts = encoding.text_of([contents.folder / name for name in names])
    cells = _read(kind, contents.folder, names, text)
    recorded = {_stem(name) for name in contents.recordings}
    paired = sum(_stem(name) in recorded for name in names)
    pattern = _pattern(names)
    messages = [f"{len(names)} {sniff.NAMES[kind]} ({pattern}), {paired} named as a recording is"]
    messages += doubts
    matched = len(list(contents.folder.glob(pattern)))
    if matched > len(names):
        others = matched - len(names)
        messages.append(f"  check: {pattern} also matches {others} files of other content")
    for other in contents.annotations.keys() - {kind}:
        messages.append(f"  {sniff.NAMES[other]} are not used: there are fewer of them")
    columns = [Column(name, values) for name, values in cells.items()]
    try:
        label = guess.tasks(columns)[0][0].target.name
    except StratavoxError as error:
        raise StratavoxError(f"{contents.folder}: {sniff.NAMES[kind]}: {error}") from None
    annotations = {"format": kind, "files": pattern, "label": label}
    annotations |= {"text": text} if text else {}
    if kind == "textgrid":
        annotations |= {"tier": label, "label": LABEL}
        columns = [Column(LABEL if c.name == label else c.name, c.cells) for c in columns]
        columns = [c for c in columns if c.name in (LABEL, RECORDING)]
    entry = {"path": contents.folder.as_posix(), "annotations": annotations}
    return Source(entry, {}, columns, messages, len(columns[0].cells))


def _read(kind: str, folder: Path, names: list[str], text: dict) -> dict[str, list[str]]:
    """Columns that can be label or group, one cell for each clip; ``file`` is its recording."""
    rows: list[dict[str, str]] = []
    for name in names:
        labels = _labels(kind, folder / name, (folder / name).read_bytes(), text)
        rows += [{RECORDING: _stem(name)} | row for row in labels]
    columns = dict.fromkeys(column for row in rows for column in row)
    return {column: [row.get(column) or "" for row in rows] for column in columns}


def _labels(kind: str, path: Path, data: bytes, text: dict) -> list[dict[str, str]]:
    """One row for each clip of a file: its labels, and its recording where the file names it.

    Of a TextGrid all interval tiers are read, each as a column.
    """
    if kind == "textgrid":
        tiers = textgrid.tiers(path, data, text.get("encoding"))
        return [{t.name: text} for t in tiers for *_, text in t.intervals or [] if text.strip()]
    if kind == "audacity":
        return [box.further for box in audacity.boxes(path, data, {"label": LABEL, "text": text})]
    return [
        {name: cell for name, cell in box.further.items() if not RAVEN_OWN.match(name)}
        | ({RECORDING: box.sound} if box.sound else {})
        # any column serves as label here: all are read
        for box in raven.boxes(path, data, {"label": raven.BEGIN, "text": text})
    ]


def _stem(name: str) -> str:
    """The name of a recording or annotation file up to its first dot, with its folders."""
    path = PurePosixPath(name)
    return (path.parent / path.name.partition(".")[0]).as_posix()


def _pattern(names: list[str]) -> str:
    """A pattern of their common ending from its first dot, in sub-folders where some are there."""
    backwards = os.path.commonprefix([PurePosixPath(name).name[::-1] for name in names])
    ending = backwards[::-1]
    dot = ending.find(".")
    ending = ending[dot:] if dot >= 0 else ""
    if len(names) == 1:
        ending = PurePosixPath(names[0]).suffix
    deep = any("/" in name for name in names)
    return f"{'**/' if deep else ''}*{ending}"
