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
# Largest row group, up to `GROUP_RATE`: 600 s are 38 MB of float32 at 16 kHz, 115 MB at 48 kHz.
GROUP_CLIPS, GROUP_S, GROUP_RATE = 512, 600.0, 48000


def group_s(rate: int) -> float:
    """Seconds at which a row group at ``rate`` Hz is closed; fewer at high rates, to save memory.

    To write a row group takes five times its bytes.
    """
    return GROUP_S * min(1.0, GROUP_RATE / rate)


def store(settings: dict, inspected: Path, rate: int, out: Path, provenance: dict) -> None:
    """Write an inspected shard's clips at ``rate`` Hz to ``out`` (`SCHEMA`, sorted by clip_id).

    ``settings`` holds path, channel and trim_zeros. A row group has at most 512 clips and is closed
    when it reaches `group_s`, and no more than one is in memory. Raises `StratavoxError` when a
    file is not the one that was scanned, or can no longer be decoded.
    """
    rows = usable(tables.read_table(inspected)).sort_by("clip_id").to_pylist()
    progress = Progress("clips", len(rows))
    group, length_s = [], 0.0
    with tables.table_writer(out, SCHEMA, provenance) as writer:
        for record in _records(settings, rows, rate):
            duration_s = record["n_samples"] / rate
            if len(group) == GROUP_CLIPS or length_s >= group_s(rate):
                writer.write_table(_emptied(group, writer.schema))
                length_s = 0.0
            group.append(record)
            length_s += duration_s
            progress.add(audio_s=duration_s)
        writer.write_table(_emptied(group, writer.schema))
    progress.close()


def _emptied(group: list[dict], schema: pa.Schema) -> pa.Table:
    """The records of ``group``, which is emptied: its audio is not needed twice."""
    table = pa.Table.from_pylist(group, schema=schema)
    group.clear()
    return table


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
