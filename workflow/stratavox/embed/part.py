"""Stage: one shard of clips to the pooled readouts of one encoder, all in one pass."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
import pyarrow as pa

from stratavox import columns, tables
from stratavox.audio import AudioError, decode
from stratavox.embed.overlap import ahead, behind
from stratavox.embed.pooling import Pooled, Window, pool
from stratavox.encoders import catalogue
from stratavox.encoders.encoder import Encoder
from stratavox.errors import StratavoxError
from stratavox.progress import Progress
from stratavox.stage import Job

# The file's metadata, beside its provenance: how long the stage took.
SECONDS = b"stratavox_seconds"
# The table also has a column for each readout.
CLIP_COLUMNS = columns.schema("parts/{encoder}/{dataset}/part-{shard}.parquet")


def load(settings: dict, threads: int = 1) -> Encoder:
    """The encoder of ``settings``, on ``threads`` threads of a CPU or on a GPU.

    With the key speed, one for clips that are fed at this speed.
    """
    catalogue.check(settings)
    family = importlib.import_module(f"stratavox.encoders.{settings['family']}.load")
    encoder = family.load(settings, threads)
    return encoder.at_speed(settings["speed"]) if "speed" in settings else encoder


def embed(encoder: Encoder, clips: Path, out: Path, provenance: dict, threads: int = 1) -> None:
    """Write ``out``: clip_id, n_samples, n_windows, n_tokens, padded, a column a readout.

    ``clips`` is a part of clips/{dataset}/{rate}, of which two row groups are in memory at most:
    the next is decoded, on ``threads`` threads, while one is embedded, and the one before written.
    Provenance gains ``encoder``. Raises `StratavoxError` for a readout that is not finite.
    """
    started = time.monotonic()
    readouts = [
        pa.field(name, pa.list_(pa.float32(), width)) for name, width in encoder.widths.items()
    ]
    schema = pa.schema([*CLIP_COLUMNS, *readouts])
    provenance = provenance | {"encoder": encoder.provenance}
    with tables.open_table(clips) as file, tables.table_writer(out, schema, provenance) as writer:
        progress = Progress("embed", file.metadata.num_rows)

        def done(batch: list[Window]) -> None:
            clips_begun = sum(window.start == 0 for window in batch)
            progress.add(clips_begun, sum(window.length for window in batch) / encoder.rate)

        with behind(writer.write_table) as write:
            for ids, waves in ahead(clip_groups(file, clips, encoder.rate, threads)):
                pooled = pool(encoder, waves, done)
                _refuse_not_finite(pooled, ids, clips)
                arrays = [
                    pa.array(ids),
                    pa.array([len(wave) for wave in waves], pa.int64()),
                    pa.array(pooled.n_windows),
                    pa.array(pooled.n_tokens),
                    pa.array(pooled.padded),
                    *(tables.embedding_column(pooled.means[name]) for name in encoder.widths),
                ]
                write(pa.Table.from_arrays(arrays, schema=writer.schema))
        progress.close()
        seconds = time.monotonic() - started
        writer.add_key_value_metadata({SECONDS: json.dumps(round(seconds, 3)).encode()})


def clip_groups(
    file, path: Path, rate: int, threads: int
) -> Iterator[tuple[list[str], list[np.ndarray]]]:
    """Clip ids and decoded clips, a row group at a time."""
    with ThreadPoolExecutor(threads) as decoders:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, ["clip_id", "n_samples", "audio"])
            if not table.num_rows:
                continue
            ids, lengths = table["clip_id"].to_pylist(), table["n_samples"].to_pylist()
            encoded = table["audio"].combine_chunks().field("bytes").to_pylist()
            which = [f"{path}: clip {clip!r}" for clip in ids]
            yield ids, list(decoders.map(_decoded, encoded, repeat(rate), lengths, which))


def _decoded(data: bytes, rate: int, length: int, which: str) -> np.ndarray:
    try:
        samples, decoded_rate = decode(data)
    except AudioError as error:
        raise StratavoxError(
            f"{which} is {error}; delete the part and run the workflow again"
        ) from None
    if decoded_rate != rate:
        raise StratavoxError(
            f"{which} is at {decoded_rate} Hz; this encoder takes clips at {rate} Hz"
        )
    if len(samples) != length or not length:
        raise StratavoxError(
            f"{which} has {len(samples)} samples where its row says {length} (at least 1); "
            "delete the part and run the workflow again"
        )
    return samples


def _refuse_not_finite(pooled: Pooled, ids: list[str], path: Path) -> None:
    for name, values in pooled.means.items():
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            raise StratavoxError(
                f"{path}: clip {ids[bad[0]]!r} (and {len(bad) - 1} more): readout {name} is not "
                "finite; with precision bf16 try fp32, otherwise leave the clip out of the table"
            )


def run(job: Job) -> None:
    encoder = load(job.settings, job.threads)
    embed(encoder, job.input.clips, job.output.part, job.provenance, job.threads)
