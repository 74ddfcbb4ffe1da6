"""New recordings as segments: whole files, windows, boxes of annotation files, rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from stratavox import config
from stratavox.apply import stream
from stratavox.audio import AudioError
from stratavox.corpus import listing, locate, sound, user_table, values
from stratavox.corpus.annotations import table as annotated
from stratavox.corpus.annotations.formats import raven
from stratavox.corpus.annotations.recordings import Recordings
from stratavox.corpus.bounds import KEYS
from stratavox.corpus.clips import GROUP_S
from stratavox.corpus.match import SUFFIXES
from stratavox.corpus.reasons import REPEATS
from stratavox.corpus.user_table import UserTable
from stratavox.errors import StratavoxError


@dataclass(frozen=True)
class Segment:
    """A clip to predict: ``file`` relative to the folder, bounds in seconds.

    ``whole`` is true for a file without bounds of its own; ``label`` is the cell of the task's
    column, "" where there is none; ``low_hz`` and ``high_hz`` are cells of annotations, or "".
    ``channel`` is counted from 0, where a column chooses it; else None.
    """

    file: str
    start_s: float
    end_s: float
    whole: bool = False
    label: str = ""
    low_hz: str = ""
    high_hz: str = ""
    channel: int | None = None

    @property
    def bounds(self) -> stream.Bounds:
        """What the workflow would read: a file without bounds is read to its end."""
        return (None, None) if self.whole else (self.start_s, self.end_s)


@dataclass(frozen=True)
class LeftOut:
    """A file, or a segment of it, that gets no prediction, and why."""

    file: str
    start_s: float | None
    end_s: float | None
    reason: str


@dataclass(frozen=True)
class Request:
    """Which segments of the recordings in ``folder``: at most one of the three is given.

    ``windows`` in seconds; ``annotations`` a format; ``table`` a file of rows.
    """

    folder: Path
    windows: float | None = None
    annotations: str | None = None
    table: Path | None = None


def listed(
    request: Request, dataset: dict, target: str, longest_s: float
) -> tuple[list[Segment], list[LeftOut]]:
    """The segments in the order of files and starts, and what is left out.

    ``dataset`` is the entry of the labelled dataset: names of columns and keys of annotations are
    taken from it. ``target`` is the task's column; a segment longer than ``longest_s``, the
    longest training clip, and than `GROUP_S` is left out. Raises `StratavoxError` for a folder,
    table or annotations that cannot be used at all.
    """
    if not request.folder.is_dir():
        raise StratavoxError(
            f"{request.folder}: no such folder; give the folder that holds the new recordings"
        )
    rows, names = _rows(request, dataset)
    cells = {row: place for place, row in enumerate(rows.rows)}
    known = {name: rows.columns[name] for name in (target,) if name in rows.columns}
    labels = values.of_settings(known, dataset)[0].get(target)
    lows, highs = (rows.columns.get(name) for name in ("low_hz", "high_hz"))
    located = locate.rows(names, request.folder, rows)
    # no column is a label here: rows that differ in other columns are still one clip
    clips = listing.list_clips(names | {"shards": 1}, request.folder, rows, {}, {}, located)
    segments, left_out, headers = [], [], _Headers(request.folder)
    for clip in clips.to_pylist():
        if clip["reason"] is not None:
            if not clip["reason"].startswith(REPEATS):
                left_out.append(_left_out(clip, clip["reason"]))
            continue
        place = cells[clip["row"]]
        further = {
            key: column[place]
            for key, column in (("label", labels), ("low_hz", lows), ("high_hz", highs))
            if column is not None
        }
        try:
            of_clip = list(_segments(clip, request.windows, headers, longest_s))
            further["channel"] = _channel(clip, dataset.get("channel"), headers)
        except AudioError as error:
            left_out.append(_left_out(clip, str(error)))
            continue
        segments += [replace(segment, **further) for segment in of_clip]
    return sorted(segments, key=lambda s: (s.file, s.start_s, s.end_s)), left_out


def _left_out(clip: dict, reason: str) -> LeftOut:
    return LeftOut(clip["file"], clip["start_s"], clip["end_s"], reason)


def _rows(request: Request, dataset: dict) -> tuple[UserTable, dict]:
    """The segments as a table, and what `locate.rows` and `listing.list_clips` take of it."""
    rows, names = _listed(request, dataset)
    channel = dataset.get("channel")
    if isinstance(channel, dict) and channel["column"] in rows.columns:
        names |= {"channel": channel}
    return rows, names


def _listed(request: Request, dataset: dict) -> tuple[UserTable, dict]:
    if request.annotations is not None:
        settings = _annotations(request.annotations, dataset.get("annotations", {}))
        names = annotated.BOUNDS | {"annotations": settings}
        return annotated.read(settings, request.folder), names
    if request.table is None:
        files = Recordings(request.folder).files
        if not files:
            raise StratavoxError(
                f"{request.folder}: no recordings below it; read are {', '.join(sorted(SUFFIXES))} "
                "files; give the folder that holds the new recordings"
            )
        rows = list(range(1, len(files) + 1))
        return UserTable(request.folder, "", rows, {"file": files}, {}), {"file": "file"}
    if not request.table.is_file():
        raise StratavoxError(f"--table: {request.table}: no such file; give a table")
    table = user_table.read(request.table, "--table", dataset.get("text"))
    names = {"file": dataset.get("file", "file")}
    bounds = {key: dataset[key] for key in KEYS if key in dataset}
    bounds = bounds or {"start": "start_s", "end": "end_s"}
    units = {"units": dataset["units"]} if "units" in dataset else {}
    if names["file"] not in table.columns:
        raise StratavoxError(
            f"--table: {request.table}: no column {names['file']!r}, which names the files (as in "
            f"the labelled dataset); its columns are: {', '.join(table.columns)}; rename one"
        )
    there = [name for name in bounds.values() if name in table.columns]
    if len(there) == 1:
        raise StratavoxError(
            f"--table: {request.table}: column {there[0]!r} without the other of "
            f"{' and '.join(bounds.values())}; give both bounds of each clip, or neither"
        )
    return table, names | (bounds | units if there else {})


def _annotations(form: str, own: dict) -> dict:
    """The settings of annotations in this format: those of the labelled dataset, where it has some.

    No column of labels is needed, so that of Raven's starts is enough.
    """
    formats = config.schema()["$defs"]["annotations"]["properties"]["format"]["enum"]
    if form not in formats:
        raise StratavoxError(f"--annotations: found {form!r}; allowed: {', '.join(formats)}")
    entry = {key: value for key, value in own.items() if key != "list"}
    if own.get("format") != form:
        if form == "csv":
            raise StratavoxError(
                "--annotations: csv needs the names of the columns start and end, and the labelled "
                "dataset has no annotations of this format; give one table with --table instead"
            )
        entry = {"format": form, "min_s": config.default("annotations", "min_s"), "label": "label"}
    if form == "raven":
        entry["label"] = raven.BEGIN
    if form == "csv":
        entry["label"] = entry["start"]
    return entry


class _Headers:
    """The headers of files, each read once."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._known: dict[str, sound.Header] = {}

    def of(self, file: str) -> sound.Header:
        if file not in self._known:
            self._known[file] = sound.header(self._folder / file)
        return self._known[file]


def _segments(
    clip: dict, windows: float | None, headers: _Headers, longest_s: float
) -> Iterator[Segment]:
    """The segments of one listed clip; raises `AudioError` for one that is too long."""
    file, start_s, end_s = clip["file"], clip["start_s"], clip["end_s"]
    if start_s is not None:
        yield _not_too_long(Segment(file, start_s, end_s), longest_s)
        return
    length_s = headers.of(file).duration
    if windows is None:
        yield _not_too_long(Segment(file, 0.0, round(length_s, 6), whole=True), longest_s)
        return
    # a rest of less than half a window belongs to the window before it
    count = max(1, int(length_s / windows + 0.5))
    edges = [round(place * windows, 6) for place in range(count)] + [round(length_s, 6)]
    for start, end in zip(edges, edges[1:], strict=False):
        yield Segment(file, start, end)


def _channel(clip: dict, policy: str | int | dict, headers: _Headers) -> int | None:
    """The clip's own channel, or the only one of its file where labelled clips have their own."""
    if clip["channel"] is not None or not isinstance(policy, dict):
        return clip["channel"]
    channels = headers.of(clip["file"]).channels
    if channels > 1:
        raise AudioError(
            f"it has {channels} channels, and no column {policy['column']!r} chooses one, as for "
            "the labelled clips; give a table with it (--table), or files of one channel"
        )
    return 0


def _not_too_long(segment: Segment, longest_s: float) -> Segment:
    most = max(longest_s, GROUP_S)
    if segment.end_s - segment.start_s > most:
        raise AudioError(
            f"lasts {segment.end_s - segment.start_s:.0f} s, and one clip at most {most:.0f} s; "
            "cut it with --windows SECONDS"
        )
    return segment
