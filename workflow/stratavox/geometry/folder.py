"""What the geometry stages share: reading a folder of readouts, and writing their table.

A folder of readouts is what `stratavox.embed.collect` writes for one encoder and dataset:
``encoder.json`` and ``{readout}.parquet``, rows sorted by clip_id.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from stratavox import tables
from stratavox.stage import Job


def clip_ids(folder: Path, readout: str) -> np.ndarray:
    """The clips (clips,) of a readout, in the order of its rows."""
    table = tables.read_table(folder / f"{readout}.parquet", ["clip_id"])
    return table["clip_id"].to_numpy().astype(str)


def matrix(folder: Path, readout: str, rows: np.ndarray | None = None) -> np.ndarray:
    """The embeddings (clips, width) of a readout, or those of ``rows``; float32."""
    return tables.read_embeddings(folder / f"{readout}.parquet", rows)


def write(table: pa.Table, facts: dict, name: str, job: Job) -> None:
    """Write a stage's table to the output ``name``, with its settings and ``facts`` as metadata.

    The facts' ``statements`` are printed.
    """
    for statement in facts["statements"]:
        print(statement, file=sys.stderr, flush=True)
    provenance = job.provenance | {"settings": job.settings, name: facts}
    tables.write_table(table, getattr(job.output, name), provenance)
