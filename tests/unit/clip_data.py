"""Clips in memory, and parts of stored clips, made by code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from stratavox import tables
from stratavox.audio import encode
from stratavox.corpus.clips import SCHEMA

RATE = 16000


def noise(*lengths: int) -> list[np.ndarray]:
    """Clips of white noise, of these numbers of samples."""
    generator = np.random.default_rng(0)
    return [0.1 * generator.standard_normal(n).astype(np.float32) for n in lengths]


def put_clips(path: Path, waves: dict[str, np.ndarray], group: int = 2, rate: int = RATE) -> Path:
    """Write a part of stored clips, sorted by name, ``group`` clips a row group."""
    rows = [
        {
            "clip_id": name,
            "n_samples": len(wave),
            "audio": {"bytes": encode(wave, rate), "path": f"{name}.wav"},
        }
        for name, wave in sorted(waves.items())
    ]
    with tables.table_writer(path, SCHEMA, {}) as writer:
        for start in range(0, max(len(rows), 1), group):
            batch = rows[start : start + group]
            writer.write_table(pa.Table.from_pylist(batch, schema=writer.schema))
    return path
