"""Stage: the parts of one encoder and dataset to a folder with one table for each readout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stratavox import columns, tables
from stratavox.errors import StratavoxError
from stratavox.stage import Job

# Bytes of a readout in memory at once. Clips in a row group of its table: reading one reads all.
BLOCK_BYTES, GROUP_CLIPS = 1 << 28, 8192
CLIP_COLUMNS = columns.schema("parts/{encoder}/{dataset}/part-{shard}.parquet").names


def collect(name: str, parts: list[Path], out: Path, provenance: dict) -> None:
    """Write the folder ``out``: {readout}.parquet, windows.parquet and encoder.json of ``name``.

    Rows are sorted by clip_id; at most `BLOCK_BYTES` of one readout are in memory. The folder
    appears only when it is complete.
    Raises `StratavoxError` for parts of different encoders and for a clip in two parts.
    """
    encoder = _one_encoder(parts)
    of_parts = [tables.read_table(part, CLIP_COLUMNS) for part in parts]
    starts = np.cumsum([0, *map(len, of_parts)])
    clips = pa.concat_tables(of_parts)
    order = pc.sort_indices(clips["clip_id"]).to_numpy().astype(np.int64)
    clips = clips.take(pa.array(order)).combine_chunks()
    ids = clips["clip_id"].to_pylist()
    for first, second in zip(ids, ids[1:], strict=False):
        if first == second:
            raise StratavoxError(
                f"clip {first!r} occurs twice in {', '.join(map(str, parts))}; delete them"
            )
    provenance = provenance | {"encoder": encoder}
    with tables.open_table(parts[0]) as file:
        types = {name: file.schema_arrow.field(name).type for name in encoder["readouts"]}
    with tables.atomic_path(out, folder=True) as folder:
        tables.write_table(clips, folder / "windows.parquet", provenance)
        for readout in encoder["readouts"]:
            schema = clips.select(["clip_id", "n_tokens"]).schema
            schema = schema.append(pa.field("embedding", types[readout]))
            size = max(1, BLOCK_BYTES // (4 * types[readout].list_size))
            with tables.table_writer(folder / f"{readout}.parquet", schema, provenance) as writer:
                for start in range(0, max(1, len(ids)), size):
                    block = order[start : start + size]
                    values = _rows(parts, starts, block, readout, types[readout].list_size)
                    column = tables.embedding_column(values)
                    table = clips.select(["clip_id", "n_tokens"]).slice(start, size)
                    table = table.append_column("embedding", column).cast(writer.schema)
                    writer.write_table(table, row_group_size=GROUP_CLIPS)
        summary = {
            "encoder": name,
            **encoder,
            "clips": len(ids),
            "padded": int(np.sum(clips["padded"].to_numpy())),
            "windowed": int(np.sum(clips["n_windows"].to_numpy() > 1)),
            "audio_s": float(np.sum(clips["n_samples"].to_numpy()) / encoder["rate"]),
            "seconds": sum(_seconds(part) for part in parts),
        }
        tables.write_json(summary, folder / "encoder.json")


def _rows(
    parts: list[Path], starts: np.ndarray, rows: np.ndarray, readout: str, width: int
) -> np.ndarray:
    """Embeddings (rows, width) of ``rows``, numbered through the parts that begin at ``starts``."""
    values = np.empty((len(rows), width), dtype=np.float32)
    for part, start, end in zip(parts, starts, starts[1:], strict=False):
        here = np.flatnonzero((rows >= start) & (rows < end))
        if len(here):
            values[here] = tables.read_embeddings(part, rows[here] - start, readout)
    return values


def _one_encoder(parts: list[Path]) -> dict:
    """The encoder of all the parts; only the device may differ between them."""
    encoders = [tables.read_provenance(part)["encoder"] for part in parts]
    devices = sorted({encoder["device"] for encoder in encoders})
    alike = [encoder | {"device": ", ".join(devices)} for encoder in encoders]
    for part, encoder in zip(parts, alike, strict=True):
        differ = sorted(key for key in alike[0] | encoder if alike[0].get(key) != encoder.get(key))
        if differ:
            raise StratavoxError(
                f"{part} is of another encoder than {parts[0]} ({', '.join(differ)} differ); "
                "delete the parts and run the workflow again"
            )
    return alike[0]


def _seconds(part: Path) -> float:
    with tables.open_table(part) as file:
        return json.loads(file.metadata.metadata[b"stratavox_seconds"])


def run(job: Job) -> None:
    collect(job.wildcards.encoder, job.input.parts, job.output.encoder.parent, job.provenance)
