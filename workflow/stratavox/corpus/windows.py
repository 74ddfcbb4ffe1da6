"""Windows of long recordings, each with the labels of the boxes that it shares time with.

The geometry depends on the recordings alone, so that a box that is moved or renamed changes labels
but no clip. This runs whenever the Snakefile is parsed: only headers of recordings are read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from stratavox.corpus import bounds, locate, user_table, values
from stratavox.corpus.window_keys import NO_BOX, SEPARATOR
from stratavox.errors import StratavoxError

BOUNDS = {"file": "file", "start": "start_s", "end": "end_s"}
OWN = (*BOUNDS.values(), "boxes", "overlaps")
# The keys that say where a box is; as keys of the clips, `BOUNDS` take their place.
BOX_KEYS = ("file", "file_name", "start", "end", "duration", "units")
US = 1_000_000


@dataclass(frozen=True)
class WindowTable(user_table.UserTable):
    """A row for each window, numbered from 1 through all recordings, then the rows left out.

    Its columns are `OWN`, those with labels, and those with one value for each recording. ``boxes``
    counts the boxes of a window; ``overlaps`` is yes where windows share time.
    """

    places: list[str]
    no_labels = frozenset(OWN)

    def place(self, row: int) -> str:
        return self.places[row - 1]


@dataclass
class Recording:
    """Its length in microseconds, its boxes, and the cells of all its rows."""

    length: int
    boxes: list[tuple[int, int, int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


def as_table(settings: dict) -> dict:
    """The settings of a dataset whose clips are windows; those of its boxes are kept within."""
    boxes = {key: settings[key] for key in BOX_KEYS if key in settings}
    others = {key: value for key, value in settings.items() if key not in BOX_KEYS}
    return others | BOUNDS | {"windows": settings["windows"] | {"boxes": boxes}}


def cut(settings: dict, table: user_table.UserTable, folder: Path) -> WindowTable:
    """The windows of the recordings that ``table`` has boxes of, and of those without any.

    ``settings`` is what `as_table` returns. A recording counts as looked through where it has a
    box, or an annotation file, or a row of the table with neither start nor end. A row that cannot
    be used is kept with its reason. Raises `StratavoxError` where most boxes lie outside their
    recordings, and for a label that cannot be told from others.
    """
    keys = settings["windows"]
    recordings, refused = _recordings(settings, table, folder)
    cells = _labels(keys["labels"], settings, table)
    shared = _shared(table, recordings, {*keys["labels"], *keys["boxes"].values()})
    columns: dict[str, list[str]] = {name: [] for name in (*OWN, *keys["labels"], *shared)}
    places, ragged = [], {}
    for file in sorted(recordings):
        recording = recordings[file]
        spans = spans_of(recording.length, keys)
        if not spans:
            why = f"lasts {recording.length / US:g} s, less than a window of {keys['length_s']:g} s"
            refused.append((None, file, f"{why} (windows.partial: keep keeps it)"))
        common = tuple(_one(table.columns[name], recording.rows) for name in shared)
        held = boxes_of(spans, [box[:2] for box in recording.boxes], keys)
        for number, ((start, end), inside) in enumerate(zip(spans, held, strict=True), start=1):
            rows = [recording.boxes[box][2] for box in inside]
            row = (file, f"{start / US:.6f}", f"{end / US:.6f}", str(len(rows)))
            row += ("yes" if len(spans) > 1 and keys["hop_s"] < keys["length_s"] else "no",)
            row += tuple(_joined([cells[name][r] for r in rows]) for name in keys["labels"])
            row += common
            for name, cell in zip(columns, row, strict=True):
                columns[name].append(cell)
            places.append(f"(window {number} of {file})")
    for place, file, reason in refused:
        ragged[len(places) + 1] = reason
        for name in columns:
            own = table.columns[name][place] if place is not None and name in cells else ""
            columns[name].append(file if name == BOUNDS["file"] else own)
        places.append(str(table.place(table.rows[place])) if place is not None else file)
    if not places:
        raise StratavoxError(f"{table.path}: no box, and no recording that was looked through")
    lengths = {file: recording.length for file, recording in recordings.items()}
    content = json.dumps([table.sha256, keys, lengths], sort_keys=True)
    sha256 = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    rows = list(range(1, len(places) + 1))
    return WindowTable(table.path, sha256, rows, columns, ragged, places)


def spans_of(length: int, keys: dict) -> list[tuple[int, int]]:
    """Start and end of each window of a recording, all in microseconds.

    With partial: keep, what the last whole window leaves is one shorter window, from its hop on.
    """
    long, hop = round(keys["length_s"] * US), round(keys["hop_s"] * US)
    whole = (length - long) // hop + 1 if length >= long else 0
    spans = [(number * hop, number * hop + long) for number in range(whole)]
    covered = spans[-1][1] if spans else 0
    if keys["partial"] == "keep" and covered < length and whole * hop < length:
        spans.append((whole * hop, length))
    return spans


def boxes_of(
    spans: list[tuple[int, int]], boxes: list[tuple[int, int]], keys: dict
) -> list[list[int]]:
    """The places in ``boxes`` of those that each window has; all bounds in microseconds.

    A window has a box if they share more than the part ``overlap`` of the box, of the window or of
    the shorter one, or all of it.
    """
    held: list[list[int]] = [[] for _ in spans]
    long, hop = round(keys["length_s"] * US), round(keys["hop_s"] * US)
    for place, (start, end) in enumerate(boxes):
        first = max(0, (start - long) // hop)
        for number in range(first, min(len(spans), end // hop + 1)):
            begin, stop = spans[number]
            common = min(end, stop) - max(start, begin)
            sizes = {"box": end - start, "window": stop - begin}
            size = sizes.get(keys["of"]) or min(sizes.values())
            if common > 0 and (common > keys["overlap"] * size or common == size):
                held[number].append(place)
    return held


def _recordings(
    settings: dict, table: user_table.UserTable, folder: Path
) -> tuple[dict[str, Recording], list[tuple[int | None, str, str]]]:
    """The recordings by file, and the rows that cannot be used: place, file and reason."""
    named = settings["windows"]["boxes"]
    annotated = {key: settings[key] for key in ("annotations",) if key in settings}
    located = locate.rows(named | annotated, folder, table)
    of_boxes = bounds.of_settings(named, table)
    starts, lasts = table.columns[of_boxes.start], table.columns[of_boxes.last]
    headers, recordings = bounds.Headers(folder), {}
    refused: list[tuple[int | None, str, str]] = []
    beyond: list[bounds.Span] = []
    boxes = 0
    for place, (row, where, start, last) in enumerate(
        zip(table.rows, located, starts, lasts, strict=True)
    ):
        file = where["file"]
        reason = table.ragged.get(row) or where.get("reason")
        if reason is None and not file.strip():
            reason = f"no file is named in column {named['file']!r}"
        if reason is None and user_table.inside(folder, file) is None:
            reason = "lies outside the dataset's folder"
        if reason is None:
            try:
                length = headers.length(file)
                recording = recordings.setdefault(file, Recording(round(length * US)))
                recording.rows.append(place)
                if not start.strip() and not last.strip():
                    continue
                boxes += 1
                span = of_boxes.seconds(start, last, lambda name=file: headers.rate(name))
                if span[0] >= length:
                    beyond.append(bounds.Span(*span, headers.rate(file), length))
                    raise ValueError(f"starts at {start}, past the file's end at {length:.6f} s")
                recording.boxes.append((round(span[0] * US), round(span[1] * US), place))
                continue
            except ValueError as error:
                reason = str(error)
        refused.append((place, file, reason))
    if 2 * len(beyond) > boxes:
        _refuse_beyond(settings, table, beyond, boxes)
    for file in table.annotated:
        try:
            recordings.setdefault(file, Recording(round(headers.length(file) * US)))
        except ValueError as error:
            refused.append((None, file, str(error)))
    return recordings, refused


def _refuse_beyond(
    settings: dict, table: user_table.UserTable, beyond: list[bounds.Span], boxes: int
) -> None:
    prefix = "annotations." if "annotations" in settings else ""
    fitting = bounds.units_that_fit(beyond)
    advice = f"correct {prefix}units or the columns of the bounds"
    if fitting:
        advice = f"read as {fitting[0]} they lie in them: write {prefix}units: {fitting[0]}"
    raise StratavoxError(
        f"{table.path}: {len(beyond)} of {boxes} boxes begin after the ends of their recordings, "
        f"such as {beyond[0].start:g} to {beyond[0].end:g} s of {beyond[0].length:g} s; {advice}"
    )


def _labels(names: list[str], settings: dict, table: user_table.UserTable) -> dict[str, list[str]]:
    """The labels of boxes by column, "" for no label; those that cannot be told apart raise."""
    cells = {name: table.column(name, "target") for name in names}
    level, _ = values.levelled(cells, settings["missing"], {})
    for name, column in level.items():
        for row, label in zip(table.rows, column, strict=True):
            if SEPARATOR in label or label == NO_BOX:
                raise StratavoxError(
                    f"{table.path}: row {table.place(row)}: found the label {label!r} in column "
                    f"{name!r}; with windows, {SEPARATOR!r} stands between labels and {NO_BOX!r} "
                    "for none: rename this label"
                )
    return level


def _joined(labels: list[str]) -> str:
    """The labels of a window's boxes; "" (unknown) where none of them has a label."""
    return SEPARATOR.join(sorted(set(labels) - {""})) if labels else NO_BOX


def _shared(
    table: user_table.UserTable, recordings: dict[str, Recording], without: set[str]
) -> list[str]:
    """The columns that have at most one value in each recording."""
    left = [name for name in table.columns if name not in {*without, *table.no_labels}]
    several = set()
    for recording in recordings.values():
        for name in left:
            cells = table.columns[name]
            if name not in several and len({cells[row] for row in recording.rows} - {""}) > 1:
                several.add(name)
    kept = [name for name in left if name not in several]
    if taken := {*OWN} & set(kept):
        raise StratavoxError(
            f"{table.path}: the column name {min(taken)!r} is taken by Stratavox where clips are "
            "windows; rename the column"
        )
    return kept


def _one(cells: list[str], rows: list[int]) -> str:
    return next((cells[row] for row in rows if cells[row]), "")
