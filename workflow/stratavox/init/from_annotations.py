"""Clips of long recordings, from annotation files of Raven, Audacity or Praat."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from stratavox.corpus.annotations.formats import audacity, raven, textgrid
from stratavox.corpus.annotations.recordings import Recordings
from stratavox.corpus.annotations.table import matching
from stratavox.corpus.match import NoRecording
from stratavox.errors import StratavoxError
from stratavox.init import channels, encoding, guess, sniff
from stratavox.init.columns import Column
from stratavox.init.look import Contents, first
from stratavox.init.recognise import recognise, recorded
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
    recordings = Recordings(contents.folder)
    homes = {name: _home(recordings, name) for name in names}
    cells, notices = _read(kind, contents.folder, homes, recordings, text)
    paired = sum(home is not None for home in homes.values())
    pattern = _pattern(names)
    messages = [f"{len(names)} {sniff.NAMES[kind]} ({pattern}), {paired} named as a recording is"]
    messages += doubts + notices
    matched = len(matching(contents.folder, pattern))
    if matched > len(names):
        others = matched - len(names)
        messages.append(f"  check: {pattern} also matches {others} files of other content")
    for other in contents.annotations.keys() - {kind}:
        messages.append(f"  {sniff.NAMES[other]} are not used: there are fewer of them")
    columns, further, recognised = _columns(contents, cells)
    try:
        label = guess.tasks(columns)[0][0].target.name
    except StratavoxError as error:
        raise StratavoxError(f"{contents.folder}: {sniff.NAMES[kind]}: {error}") from None
    annotations = {"format": kind, "files": pattern, "label": label}
    annotations |= {"text": text} if text else {}
    if kind == "textgrid":
        annotations |= {"tier": label, "label": LABEL}
        cells, _ = _read(kind, contents.folder, homes, recordings, text, label)
        columns, further, recognised = _columns(contents, cells)
    entry = {"path": contents.folder.as_posix(), "annotations": annotations} | further
    if raven.CHANNEL in cells and channels.several(contents):
        chosen, lines = channels.choose(raven.CHANNEL, cells[raven.CHANNEL], contents, (1,))
        entry |= chosen
        messages += lines
    return Source(entry, {}, columns, messages + recognised, len(columns[0].cells))


def unnamed(contents: Contents) -> list[str]:
    """That tables are named as recordings are: annotations in one table for each recording."""
    recordings = Recordings(contents.folder)
    named = [name for name in contents.tables if _home(recordings, name)]
    if not named:
        return []
    more = f" and {len(named) - 1} more are" if named[1:] else " is"
    return [
        f"look: {named[0]}{more} named as recordings are, and not read: for one table of times for "
        "each recording, write annotations: {format: csv, start: ..., end: ..., label: ...}, with "
        "the names of its columns (docs/annotations.md)"
    ]


def _columns(contents: Contents, cells: dict[str, list[str]]) -> tuple[list[Column], dict, list]:
    """As `recognise`, with what the recordings' own metadata give."""
    columns = [Column(name, values) for name, values in cells.items() if name != raven.CHANNEL]
    columns += recorded(contents.folder, cells.get(RECORDING, []))
    return recognise(columns, {RECORDING})


def _home(recordings: Recordings, name: str) -> str | None:
    """The recording that an annotation file is named after."""
    try:
        return recordings.of(name)
    except NoRecording:
        return None


def _read(
    kind: str,
    folder: Path,
    homes: dict[str, str | None],
    recordings: Recordings,
    text: dict,
    tier: str | None = None,
) -> tuple[dict[str, list[str]], list[str]]:
    """Columns that can be label or group, one cell for each clip, and messages on recordings.

    The column ``file`` is the clip's recording, by the file's name or by what the file says.
    """
    rows: list[dict[str, str]] = []
    named, clips, unnamed = 0, 0, []
    for name, home in homes.items():
        labels = _labels(kind, folder / name, (folder / name).read_bytes(), text, tier)
        sounds = {row[RECORDING] for row in labels if RECORDING in row}
        matches, refused = recordings.named(sounds, name)
        unnamed += [f"{name}: {reason}" for reason in refused.values()]
        for row in labels:
            sound = row.get(RECORDING)
            if sound is None:
                file = home or ""
            else:
                file = matches[sound].file if sound in matches else sound
            named, clips = named + (sound in matches), clips + (sound is not None)
            rows.append(row | {RECORDING: file})
    columns = dict.fromkeys(column for row in rows for column in row)
    cells = {column: [row.get(column) or "" for row in rows] for column in columns}
    messages = [f"  {named} of {clips} clips name a recording that is there"] if clips else []
    if unnamed:
        messages += [f"  look: {len(unnamed)} names fit no single recording:"]
        messages += first([f"    {reason}" for reason in unnamed], "    and")
    return cells, messages


def _labels(
    kind: str, path: Path, data: bytes, text: dict, tier: str | None
) -> list[dict[str, str]]:
    """One row for each clip of a file: its labels, and its recording where the file names it.

    Of a TextGrid the clips are those of ``tier``, or of all its interval tiers, each a column.
    """
    if tier is not None:
        settings = {"label": LABEL, "tier": tier, "text": text}
        return [box.further for box in textgrid.boxes(path, data, settings)]
    if kind == "textgrid":
        tiers = textgrid.tiers(path, data, text.get("encoding"))
        return [{t.name: word} for t in tiers for *_, word in t.intervals or [] if word.strip()]
    if kind == "audacity":
        return [box.further for box in audacity.boxes(path, data, {"label": LABEL, "text": text})]
    return [
        {
            name: cell
            for name, cell in box.further.items()
            if name == raven.CHANNEL or not RAVEN_OWN.match(name)
        }
        | ({RECORDING: box.sound} if box.sound else {})
        # any column serves as label here: all are read
        for box in raven.boxes(path, data, {"label": raven.BEGIN, "text": text})
    ]


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
