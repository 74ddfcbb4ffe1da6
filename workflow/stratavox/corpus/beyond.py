"""Clips whose bounds do not lie in their recordings: windows that were cut, and wrong units."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from stratavox.corpus import sound
from stratavox.corpus.bounds import Headers, Span, units_that_fit
from stratavox.corpus.user_table import UserTable, label_of
from stratavox.errors import StratavoxError

# Recordings whose headers are read for the advice.
MOST_READ = 200


def cut(scanned: pa.Table, clips: pa.Table) -> list[dict]:
    """The windows that go on after their recording and end with it, in the order of ``clips``.

    Each has clip_id, the window's end_s, and file_end_s.
    """
    ends = dict(zip(scanned["clip_id"].to_pylist(), scanned["end_s"].to_pylist(), strict=True))
    rows = clips.select(["clip_id", "end_s"]).to_pylist()
    return [
        {"clip_id": row["clip_id"], "end_s": ends[row["clip_id"]], "file_end_s": row["end_s"]}
        for row in rows
        if row["end_s"] != ends[row["clip_id"]]
    ]


def refuse_most(
    settings: dict, scanned: pa.Table, measured: pa.Table, table: UserTable, root: Path
) -> None:
    """Raise `StratavoxError` where most clips do not lie in their recordings.

    The unit of their bounds is then another, or the files are not the annotated recordings. Windows
    of one length that go on after the end are no fault. ``settings`` holds path (relative to
    ``root``), table, and perhaps units, also those of annotations.
    """
    decoded = measured.select(["clip_id", "reason", "end_s"]).to_pylist()
    reasons = {row["clip_id"]: row["reason"] for row in decoded}
    ends = {row["clip_id"]: row["end_s"] for row in decoded}
    columns = ["row", "file", "clip_id", "start_s", "end_s", "reason"]
    rows = [
        row
        for row in scanned.select(columns).to_pylist()
        if row["reason"] is None and row["start_s"] is not None
    ]
    beyond = [row for row in rows if sound.PAST_END in (reasons[row["clip_id"]] or "")]
    windows = [row for row in rows if ends[row["clip_id"]] != row["end_s"]]
    if len({round(row["end_s"] - row["start_s"], 2) for row in windows}) > 1:
        beyond += windows
    if 2 * len(beyond) <= len(rows):
        return
    first = beyond[0]
    headers = Headers(root / settings["path"])
    raise StratavoxError(
        f"{settings['path']}/{label_of(settings['table'])}: {len(beyond)} of {len(rows)} clips go "
        f"on after the ends of their recordings, such as row {table.place(first['row'])}: "
        f"{first['start_s']:g} to {first['end_s']:g} s of {first['file']!r}, which lasts "
        f"{headers.length(first['file']):g} s. {_advice(settings, beyond, headers)}"
    )


def _advice(settings: dict, beyond: list[dict], headers: Headers) -> str:
    prefix = "annotations." if "annotations" in settings else ""
    units = settings.get("annotations", settings).get("units", "s")
    fitting = _fitting(beyond, headers) if units == "s" else []
    if fitting:
        others = f", or units: {fitting[1]}" if fitting[1:] else ""
        return (
            f"Read as {fitting[0]} they lie in them: if that is their unit, write "
            f"{prefix}units: {fitting[0]}{others}"
        )
    return (
        f"Correct {prefix}units ({units}) or the columns of the bounds. Times of day, and times in "
        "a longer recording that the files were cut from, are no bounds: leave them out then"
    )


def _fitting(beyond: list[dict], headers: Headers) -> list[str]:
    spans = []
    files = set(sorted({row["file"] for row in beyond})[:MOST_READ])
    for row in beyond:
        if row["file"] in files:
            rate, length = headers.rate(row["file"]), headers.length(row["file"])
            spans.append(Span(row["start_s"], row["end_s"], rate, length))
    return units_that_fit(spans)
