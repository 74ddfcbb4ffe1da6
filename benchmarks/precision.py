"""What bf16 changes in the scores of linear probes, readout by readout, with trained encoders.

The same clips are embedded in fp32 and in bf16, and every readout is probed on the same folds: the
ten spoken digits with speakers held out, balanced accuracy, mean of three repeats. 1,200 clips, so
that one tells .0008. Beside the difference stand the tests, of all repeats, that bf16 made right
and made wrong, and by what factor C changed at most in an outer fold.
Where the CPU emulates bf16, half an hour of one core.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks import data, machine
from benchmarks.probing import SETTINGS
from stratavox import tables
from stratavox.embed import collect, part
from stratavox.probe import folds
from stratavox.probe.linear import probe_readout
from stratavox.probe.readouts import strictest

TARGET = 0.005
PRECISIONS = ("fp32", "bf16")
FOLDS = {"dataset": "spoken_digits", "task": "digit", "group": "individual", "recording": []}
FOLDS |= {"folds": 5, "inner_folds": SETTINGS["inner_folds"], "repeats": 3, "seed": 0}


class Probed(NamedTuple):
    """Balanced accuracy, mean of the repeats; whether each test was right; each outer fold's C."""

    score: float
    right: np.ndarray
    c: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--clips", type=int, default=1200)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(machine.summary(options.threads), flush=True)
    weights = options.shared / "weights/whisper-base-encoder"
    encoders = {
        "beats_small": {"family": "beats", "weights": "bundled"},
        "whisper_base": {"family": "transformers", "path": str(weights), "context_s": 2.0},
    }
    recordings = options.shared / "data/spoken_digits"
    rows = data.rows(recordings, options.clips)
    paths = [recordings / row["path"] for row in rows]
    split = by_speaker(rows, data.manifest(paths))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        tables.write_table(data.manifest(paths), work / "manifest.parquet", {})
        data.store(paths[0].parent, work / "manifest.parquet", work / "clips.parquet")
        changes: dict[str, float] = {}
        for name, settings in encoders.items():
            changes |= compare(name, settings, split, work, options.threads)
    worst = max(changes, key=lambda readout: changes[readout])
    print(f"largest change: {changes[worst]:.4f}, {worst}   target: below {TARGET}")


def by_speaker(rows: list[dict], manifest: pa.Table) -> pa.Table:
    """Folds of the digits that hold speakers out, as the workflow makes them."""
    clip_of = {row["path"].rpartition("/")[2]: row for row in rows}
    ordered = [clip_of[file] for file in manifest["file"].to_pylist()]
    clips = pd.DataFrame(
        {
            "clip_id": manifest["clip_id"].to_pylist(),
            "target": [row["label"] for row in ordered],
            "group": [row["individual"] for row in ordered],
            "recording": None,
        },
        dtype=object,
    )
    return strictest(folds.assign(clips, FOLDS)[0])


def compare(
    name: str, settings: dict, split: pa.Table, work: Path, threads: int
) -> dict[str, float]:
    """Embed in both precisions, print a line a readout, return how much each score changed."""
    for precision in PRECISIONS:
        encoder = part.load(settings | {"precision": precision}, threads)
        shard = work / f"{name}.{precision}.parquet"
        part.embed(encoder, work / "clips.parquet", shard, {})
        collect.collect(name, [shard], work / name / precision, {})
    print(f"{name:<16}fp32    bf16  difference  made right  made wrong  C changed by")
    changes = {}
    for readout in encoder.readouts:
        fp32, bf16 = (probed(work / name / precision, readout, split) for precision in PRECISIONS)
        gain, factor = bf16.score - fp32.score, np.exp(np.abs(np.log(bf16.c / fp32.c)).max())
        changes[f"{name} {readout}"] = abs(gain)
        print(
            f"  {readout:<12}{fp32.score:>6.4f}  {bf16.score:>6.4f}{gain:>+12.4f}"
            f"{np.sum(bf16.right & ~fp32.right):>12}{np.sum(fp32.right & ~bf16.right):>12}"
            f"{'x ' + format(factor, '.3f'):>14}",
            flush=True,
        )
    return changes


def probed(folder: Path, readout: str, split: pa.Table) -> Probed:
    """One readout by the product's linear probe."""
    settings = SETTINGS | {"permutations": 1, "control_tasks": 0}
    scores, predictions, _ = probe_readout(folder, [], readout, split, settings)
    rows = scores.to_pandas().query("control == 'none' and metric == 'balanced_accuracy'")
    right = np.equal(predictions["target"].to_numpy(), predictions["predicted"].to_numpy())
    whole = rows["fold"].isna()
    return Probed(float(rows["value"][whole].mean()), right, rows["c"][~whole].to_numpy())


if __name__ == "__main__":
    main()
