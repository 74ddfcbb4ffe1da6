"""Stage: the dataset's clips, their labels, and faults of the data.

Stops when a larger share of rows than max_bad cannot be used.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stratavox import tables
from stratavox.corpus import join, lost
from stratavox.corpus.identity import usable
from stratavox.corpus.labels import inspected, labels_of, scanned_rows
from stratavox.corpus.reasons import REPEATS, TOO_SHORT, UNANNOTATED
from stratavox.stage import Job

SHOWN = 10


def make(
    settings: dict, scan: Path, parts: list[Path], root: Path
) -> tuple[pa.Table, pa.Table, dict]:
    """The dataset's clips, their labels in the same order, and the hygiene report.

    ``settings`` holds path, table, file, channel, trim_zeros, max_bad and perhaps annotations and
    join. Raises `StratavoxError` when the share of rows rejected by the scan or by inspection
    exceeds max_bad, when no clip is left, or when a table of the user's changed since the scan.
    Rows left out for one of `NO_FAULT` do not count as rejected, and a recording without
    annotation does not count as a row.
    """
    scanned = tables.read_table(scan)
    measured = inspected(scanned, parts)
    rejected = lost.rejected(scanned, scanned_rows(settings, scan, root), _reasons(measured))
    clips = usable(measured)
    bare = scanned["reason"].to_pylist().count(UNANNOTATED)
    where = f"{settings['path']}/{settings['table']}"
    rows = len(scanned) - bare
    lost.refuse_too_many(where, rows, rejected, len(clips), settings["max_bad"])
    labels = labels_of(settings, scan, clips, root)
    hygiene = _hygiene(settings, scanned, clips, rejected)
    hygiene["join"] = _joined(settings, labels, root)
    if "annotations" in settings:
        hygiene |= {"rows": len(scanned) - bare} | _annotation_hygiene(scanned, labels)
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
    return joined | {"clips_not_mentioned": join.unmentioned(settings["join"], labels, root)}


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
