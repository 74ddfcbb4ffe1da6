"""The clips of the benchmarks: real ones where they are at hand."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile as sf

from stratavox.corpus import clips

RATE = 8000  # of catmeows, and of the noise of its lengths that stands in for it


def files(data: Path, wanted: int, folder: Path) -> tuple[list[Path], str]:
    """``wanted`` recordings of mixed lengths, evenly spread over the set, and what they are."""
    if (data / "metadata.csv").is_file():
        return [data / row["path"] for row in rows(data, wanted)], f"real recordings of {data}"
    return _noise(wanted, folder), f"SYNTHETIC noise, since there is no {data / 'metadata.csv'}"


def rows(data: Path, wanted: int) -> list[dict[str, str]]:
    """``wanted`` rows of the set's table, evenly spread over it."""
    with (data / "metadata.csv").open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    chosen = np.linspace(0, len(listed) - 1, min(wanted, len(listed))).round().astype(int)
    return [listed[place] for place in chosen]


def _noise(wanted: int, folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    paths = []
    for place, seconds in enumerate(rng.uniform(1.0, 4.0, wanted)):
        paths.append(folder / f"{place:04d}.wav")
        sf.write(paths[-1], 0.1 * rng.standard_normal(round(seconds * RATE)), RATE)
    return paths


def manifest(paths: list[Path], copies: int = 1) -> pa.Table:
    """An inspected shard, as the clips stage reads it; ``copies`` of each under different names."""
    listed = [
        {
            "clip_id": f"{path.stem}.{copy}",
            "file": path.name,
            "start_s": None,
            "end_s": None,
            "channel": None,
            "reason": None,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in paths
        for copy in range(copies)
    ]
    fields = dict.fromkeys(("clip_id", "file", "sha256", "reason"), pa.string())
    numbers = {"start_s": pa.float64(), "end_s": pa.float64(), "channel": pa.int32()}
    schema = pa.schema(fields | numbers)
    return pa.Table.from_pylist(sorted(listed, key=lambda row: row["clip_id"]), schema=schema)


def store(recordings: Path, manifest: Path, out: Path, rate: int = 16000) -> None:
    """Store the clips of ``manifest`` at ``rate``, as the workflow does."""
    settings = {"path": str(recordings), "channel": "mean", "trim_zeros": False}
    clips.store(settings, manifest, rate, out, {})
