"""Stage: the dataset's clips, their labels, and faults of the data.

Stops when a larger share of rows than max_bad cannot be used.
"""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stratavox import tables
from stratavox.corpus import headers, join, lost
from stratavox.corpus.identity import same_audio, usable
from stratavox.corpus.labels import (
    inspected,
    label_columns_as_written,
    labels_of,
    scanned_rows,
)
from stratavox.corpus.reasons import REPEATS, TOO_SHORT, UNANNOTATED
from stratavox.corpus.user_table import label_of
from stratavox.stage import Job

SHOWN = 10
HEADER = ("file", "header_s", "file_s", "time_expansion")
# Loaded by name, so that its code is in the keys of only those datasets whose clips have bounds.
BEYOND = "corpus.beyond"


def make(
    settings: dict, scan: Path, parts: list[Path], root: Path
) -> tuple[pa.Table, pa.Table, dict]:
    """The dataset's clips, their labels in the same order, and the hygiene report.

    ``settings`` holds path, table, file, channel, trim_zeros, max_bad, what `values.of_settings`
    takes, and perhaps annotations and join. Raises `StratavoxError` when the share of rows rejected
    by the scan or by inspection
    exceeds max_bad, when no clip is left, or when a table of the user's changed since the scan.
    Rows left out for one of `NO_FAULT` do not count as rejected, and a recording without
    annotation does not count as a row.
    """
    scanned = tables.read_table(scan)
    measured = inspected(scanned, parts)
    table = scanned_rows(settings, scan, root)
    has_bounds = len(scanned) > scanned["start_s"].null_count
    if has_bounds:
        beyond = importlib.import_module(f"stratavox.{BEYOND}")
        beyond.refuse_most(settings, scanned, measured, table, root)
    rejected = lost.rejected(scanned, table, _reasons(measured))
    clips = usable(measured)
    bare = scanned["reason"].to_pylist().count(UNANNOTATED)
    where = f"{settings['path']}/{label_of(settings['table'])}"
    rows = len(scanned) - bare
    lost.refuse_too_many(where, rows, rejected, len(clips), settings["max_bad"])
    labels = labels_of(settings, scan, clips, root)
    hygiene = _hygiene(settings, scanned, clips, rejected)
    hygiene["join"] = _joined(settings, labels, root)
    spellings = label_columns_as_written(settings, root)[1]
    hygiene["identical_audio"] = _identical(clips, labels, table.locating(settings))
    hygiene |= {"missing": spellings.missing, "spellings": spellings.joined}
    hygiene["cut_at_file_end"] = beyond.cut(scanned, clips) if has_bounds else []
    if "annotations" in settings:
        hygiene |= {"rows": len(scanned) - bare} | _annotation_hygiene(scanned, labels)
    if "windows" in settings:
        boxes = labels["boxes"].to_pylist()
        hygiene["windows"] = {"with_box": len(boxes) - boxes.count("0"), "clips": len(boxes)}
    return clips, labels, hygiene


def _reasons(measured: pa.Table) -> dict[str, str | None]:
    return dict(zip(measured["clip_id"].to_pylist(), measured["reason"].to_pylist(), strict=True))


def _hygiene(settings: dict, scanned: pa.Table, clips: pa.Table, rejected: list[dict]) -> dict:
    reasons = scanned["reason"].to_pylist()
    named = Counter(file for file in scanned["file"].to_pylist() if file)
    return {
        "rows": len(scanned),
        "clips": len(clips),
        "rejected": rejected,
        "duplicate_rows": sum(bool(r) and r.startswith(REPEATS) for r in reasons),
        "shared_files": sorted(file for file, rows in named.items() if rows > 1),
        "silent": clips.filter(clips["silent"])["clip_id"].to_pylist(),
        "clipped": pc.sum(clips["clipped"]).as_py(),
        **headers.summary(zip(*(clips[name].to_pylist() for name in HEADER), strict=True)),
        "sample_rates": _counts(clips["sample_rate"]),
        "channels": _counts(clips["channels"]),
        "duration_s": {
            "min": pc.min(clips["duration_s"]).as_py(),
            "median": _median(clips["duration_s"]),
            "max": pc.max(clips["duration_s"]).as_py(),
            "total": pc.sum(clips["duration_s"]).as_py(),
        },
        "share_above_8khz": _share(clips["share_above_8khz"]),
        "channel_policy": settings["channel"],
        "channels_differ": pc.sum(clips["channels_differ"]).as_py(),
        "trimmed": _trimmed(clips["trimmed_s"]) if settings["trim_zeros"] else None,
    }


def _identical(clips: pa.Table, labels: pa.Table, locating: set[str]) -> dict:
    """Sets of clips with the same audio, and in how many of them a column has several values."""
    sets, columns = same_audio(clips), set(labels.column_names) - {"clip_id", *locating}
    places = {clip_id: place for place, clip_id in enumerate(labels["clip_id"].to_pylist())}
    differing = {}
    for name in sorted(columns) if sets else ():
        cells = labels[name].to_pylist()
        count = sum(len({cells[places[clip_id]] for clip_id in same}) > 1 for same in sets)
        differing |= {name: count} if count else {}
    return {
        "sets": len(sets),
        "clips": sum(map(len, sets)),
        "differing": differing,
        "first": sets[:SHOWN],
    }


def _annotation_hygiene(scanned: pa.Table, labels: pa.Table) -> dict:
    """Boxes left out as too short, clips that overlap others, recordings without annotation."""
    reasons, files = scanned["reason"].to_pylist(), scanned["file"].to_pylist()
    bare = [f for f, why in zip(files, reasons, strict=True) if why == UNANNOTATED]
    return {
        "too_short": sum(bool(why) and why.startswith(TOO_SHORT) for why in reasons),
        "overlapping": labels["overlaps"].to_pylist().count("yes"),
        "unannotated": len(bare),
        "unannotated_first": bare[:SHOWN],
    }


def _trimmed(seconds: pa.ChunkedArray) -> dict:
    return {"clips": pc.sum(pc.greater(seconds, 0)).as_py(), "seconds": pc.sum(seconds).as_py()}


def _joined(settings: dict, labels: pa.Table, root: Path) -> dict | None:
    """The joined table, and how many clips it does not mention; None without one."""
    if "join" not in settings:
        return None
    joined = {key: settings["join"][key] for key in ("table", "by")}
    missed = join.unmentioned(settings | settings["join"], labels, root)
    return joined | {"clips_not_mentioned": missed}


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(column.to_pylist()).items())}


def _median(column: pa.ChunkedArray) -> float:
    return pc.quantile(column, 0.5)[0].as_py()


def _share(column: pa.ChunkedArray) -> dict[str, float] | None:
    """None where no clip's rate reaches beyond 8 kHz."""
    if column.null_count == len(column):
        return None
    return {"median": _median(column), "max": pc.max(column).as_py()}


def run(job: Job) -> None:
    clips, labels, hygiene = make(job.settings, job.input.scan, job.input.inspect, Path())
    tables.write_table(clips, job.output.clips, job.provenance)
    tables.write_table(labels, job.output.labels, job.provenance)
    tables.write_json(hygiene, job.output.hygiene)
    for line in headers.statements(hygiene):
        print(f"{job.wildcards.dataset}: {line}")
    if cut := hygiene["cut_at_file_end"]:
        print(
            f"{job.wildcards.dataset}: {len(cut)} clips go on after the ends of their recordings "
            f"and end there, such as {cut[0]['clip_id']} at {cut[0]['file_end_s']} s"
        )
