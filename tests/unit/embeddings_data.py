"""Folders of embeddings made by code, and a stage of geometry run on them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa

import stage_jobs
from stratavox.tables import embedding_column, write_json, write_table


def names(clips: int) -> list[str]:
    return [f"c{number:05d}" for number in range(clips)]


def folder(where: Path, readouts: dict[str, np.ndarray], encoder: str = "enc", ids=None) -> Path:
    """A folder of ``readouts`` (name: (clips, width)) at ``where``, of clips ``ids`` or `names`."""
    description = {
        "encoder": encoder,
        "readouts": list(readouts),
        "blocks": [name for name in readouts if name.startswith("block_")],
        "widths": {name: x.shape[1] for name, x in readouts.items()},
    }
    write_json(description, where / "encoder.json")
    for name, x in readouts.items():
        columns = {
            "clip_id": names(len(x)) if ids is None else ids,
            "n_tokens": pa.array([8] * len(x), pa.int32()),
            "embedding": embedding_column(x),
        }
        write_table(pa.table(columns), where / f"{name}.parquet", {})
    return where


def command(stage: str, settings: dict, read: dict, out: Path) -> subprocess.CompletedProcess:
    """Run the stage geometry.{stage} with a provenance that is to be kept."""
    kept = {"key": "kept"}
    return stage_jobs.run(f"geometry.{stage}", read, {stage: out}, settings, provenance=kept)
