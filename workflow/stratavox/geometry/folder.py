"""What the geometry stages share: reading a folder of readouts, their settings, seeded subsamples.

A folder of readouts is what `stratavox.embed.collect` writes for one encoder and dataset:
``encoder.json`` and ``{readout}.parquet``, rows sorted by clip_id.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stratavox import stage, tables
from stratavox.errors import StratavoxError


def clip_ids(folder: Path, readout: str) -> np.ndarray:
    """The clips (clips,) of a readout, in the order of its rows."""
    table = tables.read_table(folder / f"{readout}.parquet", ["clip_id"])
    return table["clip_id"].to_numpy().astype(str)


def matrix(folder: Path, readout: str, rows: np.ndarray | None = None) -> np.ndarray:
    """The embeddings (clips, width) of a readout, or those of ``rows``; float32."""
    return tables.read_embeddings(folder / f"{readout}.parquet", rows)


def some(clips: int, most: int, seed: int) -> np.ndarray:
    """Row numbers, ascending: all ``clips``, or ``most`` of them drawn without replacement."""
    if clips <= most:
        return np.arange(clips)
    return np.sort(np.random.default_rng(seed).choice(clips, most, replace=False))


def checked(of: str, settings: dict, least: dict[str, int]) -> dict:
    """``settings``, if its keys are exactly those of ``least`` and each an integer of at least so.

    Raises `StratavoxError` naming the key, what was found and what is allowed.
    """
    stage.only(least, settings, of)
    for key, smallest in least.items():
        value = settings[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise StratavoxError(
                f"--settings of {of}: {key} is {value!r}; give an integer of {smallest} or more"
            )
    return settings
