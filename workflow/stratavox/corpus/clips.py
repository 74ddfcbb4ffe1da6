"""Stage: the audio of one shard at one rate, mono, unchanged, in a Parquet table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from stratavox import audio, tables
from stratavox.corpus import sound
from stratavox.corpus.identity import channel_to_use, check_unchanged, usable
from stratavox.errors import StratavoxError
from stratavox.progress import Progress
from stratavox.stage import Job

SCHEMA = pa.schema(
    {
        "clip_id": pa.string(),
        "n_samples": pa.int64(),
        "audio": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
    }
)
# Largest row group; 600 s are 38 MB of float32 at 16 kHz.
GROUP_CLIPS, GROUP_S = 512, 600.0


def store(settings: dict, inspected: Path, rate: int, out: Path, provenance: dict) -> None:
    """Write an inspected shard's clips at ``rate`` Hz to ``out`` (`SCHEMA`, sorted by clip_id).

    ``settings`` holds path, channel and trim_zeros. A row group has at most 512 clips and is closed
    when it reaches 600 s, and no more than one is in memory. Raises `StratavoxError` when a file
    is not the one that was scanned, or can no longer be decoded.
    """
    rows = usable(tables.read_table(inspected)).sort_by("clip_id").to_pylist()
    progress = Progress("clips", len(rows))
    group, group_s = [], 0.0
    with tables.table_writer(out, SCHEMA, provenance) as writer:
        for record in _records(settings, rows, rate):
            duration_s = record["n_samples"] / rate
            if len(group) == GROUP_CLIPS or group_s >= GROUP_S:
                writer.write_table(pa.Table.from_pylist(group, schema=writer.schema))
                group, group_s = [], 0.0
            group.append(record)
            group_s += duration_s
            progress.add(audio_s=duration_s)
        writer.write_table(pa.Table.from_pylist(group, schema=writer.schema))
    progress.close()


def _records(settings: dict, rows: list[dict], rate: int) -> Iterator[dict]:
    """Each clip's record."""
    # Sorted by clip_id, the segments of a file are adjacent: each file is hashed once.
    for file, segments in groupby(rows, key=lambda row: row["file"]):
        path = Path(settings["path"], file)
        for clip in segments:
            try:
                bounds = clip["start_s"], clip["end_s"]
                whole = sound.read(path, *bounds, trim_zeros=settings["trim_zeros"])
                signal = audio.mono(whole.samples, channel_to_use(settings, clip["channel"]))
            except audio.AudioError as error:
                check_unchanged(path, clip["sha256"])
                raise StratavoxError(f"{path}: {error}") from None
            samples = audio.resample(signal, whole.rate, rate)
            yield {
                "clip_id": clip["clip_id"],
                "n_samples": len(samples),
                "audio": {"bytes": audio.encode(samples, rate), "path": file},
            }
        # after reading, so that a file that was replaced meanwhile is detected
        check_unchanged(path, clip["sha256"])


def run(job: Job) -> None:
    rate = int(job.wildcards.rate)
    store(job.settings, job.input.inspect, rate, job.output.clips, job.provenance)
