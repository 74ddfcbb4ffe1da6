"""Annotation files of long recordings, read as one table of clips.

This runs whenever the Snakefile is parsed, so it imports little and reads no audio.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from stratavox.corpus import text_table, user_table
from stratavox.corpus.annotations import formats
from stratavox.corpus.annotations.box import Box
from stratavox.corpus.annotations.recordings import Recordings
from stratavox.corpus.match import Match, NoRecording, below, is_recording
from stratavox.corpus.reasons import TOO_SHORT, UNANNOTATED
from stratavox.corpus.walk import links_below
from stratavox.errors import StratavoxError

BOUNDS = {"file": "file", "start": "start_s", "end": "end_s"}
PLACE = ("annotation", "annotation_row")
OWN = (*BOUNDS.values(), "low_hz", "high_hz", *PLACE, "overlaps")


@dataclass(frozen=True)
class BoxTable(user_table.UserTable):
    """A row for each box, numbered from 1 through all files, and for each recording without any.

    Its columns are `OWN` and then those of the files. ``overlaps`` is yes where a box shares time
    with another one of its recording, and empty where the box is left out. ``annotated`` are the
    recordings with an annotation file, also one without any box.
    """

    no_labels = frozenset({*OWN, "Selection", "View", "Channel"})
    annotated: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        annotation, number = (self.columns[name][row - 1] for name in PLACE)
        return f"{number} of {annotation}"


def as_table(annotations: dict) -> dict:
    """The keys of a dataset with a table that are equivalent to the config's ``annotations``."""
    return BOUNDS | {"table": annotations.get("list") or _pattern(annotations)}


def read(annotations: dict, folder: Path) -> BoxTable:
    """Read all annotation files below ``folder`` that ``annotations`` of the config names.

    Raises `StratavoxError` where there are none, none belongs to a recording, none holds a box,
    or one cannot be read. An annotation file without a recording becomes a row with a reason.
    """
    recordings = Recordings(folder)
    digest = hashlib.sha256("\0".join(recordings.files).encode("utf-8", "surrogateescape"))
    rows: list[tuple[str, str, Box]] = []
    annotated: dict[str, str] = {}
    for annotation, listed in _annotation_files(annotations, folder):
        try:
            data = text_table.content(folder / annotation)
        except OSError as error:
            reason = f"its annotation file cannot be read ({error.strerror})"
            rows.append((listed or "", annotation, _unread(reason)))
            continue
        name = f"\0{annotation}\0{listed}\0{len(data)}\0"
        digest.update(name.encode("utf-8", "surrogateescape") + data)
        home, why = _home(recordings, annotation, listed)
        if home is not None:
            _refuse_two_folders(annotated, home, annotation, listed)
            annotated.setdefault(home, annotation)
        boxes = _boxes(annotations, folder / annotation, data, home is not None, listed)
        sounds = {box.sound for box in boxes if box.sound and listed is None}
        matches, refused = recordings.named(sounds, annotation)
        for box in boxes:
            file, reason = home, why
            if box.sound in sounds:
                file, reason = _of_sound(box, matches, refused)
            if file is None:
                box = replace(_unread(reason, box.row), sound=box.sound)
            else:
                annotated.setdefault(file, annotation)
                if box.in_seconds and not box.reason:
                    box = box.in_seconds(box, folder / file)
            rows.append((file or "", annotation, box))
    _refuse_nothing(annotations, folder, rows, annotated)
    for file in recordings.files:
        if file not in annotated:
            rows.append((file, "", _unread(UNANNOTATED)))
    path = folder / as_table(annotations)["table"]
    table = _arrange(path, digest.hexdigest(), rows, annotations["min_s"])
    return replace(table, annotated=tuple(sorted(annotated)))


def _of_sound(
    box: Box, matches: dict[str, Match], refused: dict[str, NoRecording]
) -> tuple[str | None, str | None]:
    """The recording of a box whose annotation file names it, or the reason for none."""
    path = "add the measurement 'Begin Path' in Raven and save the table again"
    if box.sound in refused:
        several = refused[box.sound].similar and not {"/", "\\"} & set(box.sound)
        return None, f"{refused[box.sound]}" + (f"; {path}" if several else "")
    match = matches[box.sound]
    if match.beside and box.reopened:
        return None, (
            f"several files called {box.sound!r} were open together, and several recordings are "
            f"called so; {path}"
        )
    return match.file, None


def _home(
    recordings: Recordings, annotation: str, listed: str | None
) -> tuple[str | None, str | None]:
    """The recording of an annotation file by its name, or a reason for none.

    A recording that annotations.list names (``listed``) is not checked.
    """
    if listed is not None:
        return listed, None
    try:
        return recordings.of(annotation), None
    except NoRecording as error:
        return None, str(error)


def _boxes(
    annotations: dict, path: Path, data: bytes, has_home: bool, listed: str | None
) -> list[Box]:
    """The file's boxes; a file without a recording is not read and gives one box."""
    reader = _reader(annotations)
    names_sounds = getattr(reader, "names_sounds", None)
    if not has_home and not (names_sounds and names_sounds(path, data, annotations)):
        return [_unread("")]
    boxes = reader.boxes(path, data, annotations)
    sounds = sorted({box.sound for box in boxes} - {""})
    if listed is not None and len(sounds) > 1:
        raise StratavoxError(
            f"{path}: the list gives it one recording, but its selections are in {len(sounds)} "
            f"({sounds[0]}, {sounds[1]}, ...); use annotations.files, which follows these names"
        )
    return boxes


def _reader(annotations: dict) -> ModuleType:
    return importlib.import_module(f"{formats.__name__}.{annotations['format']}")


def _pattern(annotations: dict) -> str:
    return annotations.get("files", _reader(annotations).PATTERN)


def _annotation_files(annotations: dict, folder: Path) -> Iterator[tuple[str, str | None]]:
    """Each annotation file, relative to ``folder``, and the recording that the list gives it."""
    if "list" in annotations:
        pairs = user_table.read(folder / annotations["list"], text=annotations.get("text"))
        columns = [
            _files_of(folder, pairs, name, wanted)
            for name, wanted in (("annotation", _no_recording), ("recording", is_recording))
        ]
        yield from zip(*columns, strict=True)
        return
    pattern = _pattern(annotations)
    try:
        paths = sorted(path.relative_to(folder) for path in matching(folder, pattern))
    except (ValueError, NotImplementedError) as error:
        raise StratavoxError(
            f"annotations.files: {pattern!r} is no pattern below the dataset's folder ({error}); "
            "write one such as '**/*.txt'"
        ) from None
    shown = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    if not shown:
        raise StratavoxError(
            f"{folder}: no annotation file below it matches {pattern!r}; "
            "correct the config's key 'annotations.files' or 'path'"
        )
    for path in shown:
        yield path.as_posix(), None


def _files_of(
    folder: Path, pairs: user_table.UserTable, name: str, wanted: Callable[[str], bool]
) -> list[str]:
    """The files that a column of the list names; a missing one as it is written."""
    cells = pairs.column(name, "annotations.list")
    matches, refused = below(folder, filter(str.strip, cells), wanted=wanted)
    for row, cell in zip(pairs.rows, cells, strict=True):
        if cell in refused and refused[cell].similar:
            raise StratavoxError(f"{pairs.path}: row {row}: {refused[cell]}; write the whole path")
    return [matches.get(cell, _plain(cell)) for cell in cells]


def _no_recording(name: str) -> bool:
    return not is_recording(name)


def matching(folder: Path, pattern: str) -> list[Path]:
    """The paths below ``folder`` that match ``pattern``, also through links to folders."""
    paths = set(folder.glob(pattern))
    if pattern.startswith("**/"):
        for link in links_below(folder):
            paths.update((folder / link).glob(pattern))
    return sorted(paths)


def _plain(cell: str) -> str:
    return posixpath.normpath(cell) if cell.strip() else ""


def _unread(reason: str, row: int = 1) -> Box:
    return Box(row, "", "", {}, reason=reason)


def _refuse_two_folders(
    annotated: dict[str, str], recording: str, annotation: str, listed: str | None
) -> None:
    other = annotated.get(recording, annotation)
    if listed is None and posixpath.dirname(other) != posixpath.dirname(annotation):
        raise StratavoxError(
            f"{other} and {annotation} are in two folders and both are named after {recording}; "
            "name the pairs in a table with the columns recording and annotation "
            "(config key 'annotations.list')"
        )


def _refuse_nothing(annotations: dict, folder: Path, rows: list, annotated: dict) -> None:
    if not annotated:
        hint = ""
        reasons = dict.fromkeys(f"{name}: {box.reason}" for _, name, box in rows)
        first = "; ".join([*reasons][:3])
        if any(box.sound for _, _, box in rows):
            raise StratavoxError(
                f"{folder}: no selection belongs to a recording ({first}); the tables' columns "
                "'Begin Path' or 'Begin File' must end as the paths of the recordings do"
            )
        if annotations["format"] == "csv":
            hint = (
                "; one table for all recordings is read with the keys table, file, start and end "
                "instead of annotations"
            )
        raise StratavoxError(
            f"{folder}: no annotation file belongs to a recording ({first}); give "
            "both the same name, or name the pairs in a table (config key 'annotations.list')"
            + hint
        )
    if not rows:
        raise StratavoxError(f"{folder}: its annotation files are all empty: there is no clip")


def _arrange(path: Path, sha256: str, rows: list[tuple[str, str, Box]], min_s: float) -> BoxTable:
    rows = [_as_text(*row) for row in rows]
    further = dict.fromkeys(name for _, _, box in rows for name in box.further)
    for name in further:
        if name in OWN or name in user_table.RESERVED:
            places = sorted({annotation for _, annotation, box in rows if name in box.further})
            raise StratavoxError(
                f"{path.parent}: {places[0]}: the column name {name!r} is taken by Stratavox; "
                "rename the column"
            )
    reasons = {
        number: box.reason or _too_short(box, min_s)
        for number, (_, _, box) in enumerate(rows, start=1)
    }
    ragged = {number: reason for number, reason in reasons.items() if reason}
    overlaps = _overlaps(
        {n: (file, *_bounds(box)) for n, (file, _, box) in enumerate(rows, 1) if _bounds(box)},
        ragged,
    )
    cells = [
        (file, box.start, box.end, box.low, box.high, name, str(box.row), overlaps.get(number, ""))
        for number, (file, name, box) in enumerate(rows, start=1)
    ]
    columns = dict(zip(OWN, map(list, zip(*cells, strict=True)), strict=True))
    columns |= {name: [box.further.get(name, "") for _, _, box in rows] for name in further}
    return BoxTable(path, sha256, list(reasons), columns, ragged)


def _as_text(file: str, annotation: str, box: Box) -> tuple[str, str, Box]:
    """A row that a table can hold; one whose recording's name is no text has a reason."""
    text, name = text_table.printable(file), text_table.printable(annotation)
    return text, name, box if text == file else _unread(text_table.NO_TEXT, box.row)


def _bounds(box: Box) -> tuple[float, float] | None:
    """Start and end in whole microseconds; None if they are not numbers (reported by the scan)."""
    try:
        return round(float(box.start), 6), round(float(box.end), 6)
    except ValueError:
        return None


def _too_short(box: Box, min_s: float) -> str | None:
    bounds = _bounds(box)
    if bounds is None or not 0 <= round(bounds[1] - bounds[0], 6) < min_s:
        return None
    return (
        f"{TOO_SHORT}: lasts {bounds[1] - bounds[0]:.6f} s, and annotations.min_s is {min_s:g} s: "
        "lower it to keep such boxes"
    )


def _overlaps(bounds: dict[int, tuple[str, float, float]], left_out: dict) -> dict[int, str]:
    """yes or no for each kept row: whether a box of other bounds shares time with it.

    Boxes of equal bounds are one clip, whose rows the scan merges or rejects.
    """
    kept = {
        row: box
        for row, box in bounds.items()
        if row not in left_out and 0 <= box[1] < box[2] < math.inf
    }
    shared: set[tuple[str, float, float]] = set()
    last = None
    for box in sorted(set(kept.values())):
        if last is not None and last[0] == box[0] and box[1] < last[2]:
            shared |= {last, box}
        if last is None or last[0] != box[0] or box[2] > last[2]:
            last = box
    return {row: "yes" if box in shared else "no" for row, box in kept.items()}
