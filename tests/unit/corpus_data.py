"""Small datasets for the corpus tests, written by code."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile as sf

from stratavox import tables
from stratavox.corpus import inspect, manifest
from stratavox.corpus.scan import scan


def tone(hz: float = 1000, seconds: float = 0.5, rate: int = 16000, level: float = 0.3):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def put(folder: Path, name: str, samples=None, rate: int = 16000, **format_) -> Path:
    """Write an audio file (a tone unless samples are given), its folders too."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, tone() if samples is None else samples, rate, **format_)
    return path


def put_table(folder: Path, rows: list[list], name: str = "metadata.csv") -> Path:
    """Write a table; the first row is its header."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t" if name.endswith("tsv") else ",").writerows(rows)
    return folder / name


def settings(**more) -> dict:
    """Settings of the dataset in the folder `data`, one shard unless said otherwise."""
    base = {"path": "data", "table": "metadata.csv", "file": "file", "shards": 1}
    return base | {"channel": "mean", "trim_zeros": False, "max_bad": 1.0} | more


def to_manifest(root: Path, wanted: dict):
    """Scan, inspect and merge the dataset under ``root``: clips, labels, hygiene.

    ``root`` must be the working directory.
    """
    scan(wanted, root, root / "scan.parquet")
    parts = []
    for shard in range(wanted["shards"]):
        parts.append(root / f"inspect/part-{shard:03d}.parquet")
        inspect.inspect_shard(wanted, root / "scan.parquet", shard, parts[-1], {})
    clips, labels, hygiene = manifest.make(wanted, root / "scan.parquet", parts, root)
    tables.write_table(clips, root / "clips.parquet", {})
    return clips, labels, hygiene
