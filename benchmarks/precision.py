"""What bf16 changes in the scores of linear probes, readout by readout, with trained encoders.

The same clips are embedded in fp32 and in bf16, and every readout is probed on the same folds: the
ten spoken digits with speakers held out, balanced accuracy, mean of three repeats. 1,200 clips, so
that one tells .0008. Beside the difference stand the tests, of all repeats, that bf16 made right
and made wrong. Where the CPU emulates bf16, half an hour of one core.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import data, machine
from benchmarks.probing import SETTINGS
from stratavox import tables
from stratavox.embed import collect, part
from stratavox.probe import folds
from stratavox.probe.linear import probe_readout
from stratavox.probe.readouts import strictest

TARGET = 0.005
FOLDS = {"dataset": "spoken_digits", "task": "digit", "group": "individual", "recording": []}
FOLDS |= {"folds": 5, "inner_folds": SETTINGS["inner_folds"], "repeats": 3, "seed": 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--clips", type=int, default=1200)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(machine.told(options.threads), flush=True)
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
        changes = [
            compare(name, settings, split, work, options.threads)
            for name, settings in encoders.items()
        ]
    print(f"largest change of a score: {max(changes):.4f}   target: below {TARGET}")


def by_speaker(rows: list[dict], manifest: pa.Table) -> pa.Table:
    """Folds of the digits that hold speakers out, as the workflow makes them."""
    clip_of = {row["path"].rpartition("/")[2]: row for row in rows}
    found = [clip_of[file] for file in manifest["file"].to_pylist()]
    clips = {
        "clip_id": np.array(manifest["clip_id"].to_pylist(), dtype=object),
        "target": np.array([row["label"] for row in found], dtype=object),
        "group": np.array([row["individual"] for row in found], dtype=object),
        "recording": np.full(len(found), None, dtype=object),
    }
    return strictest(folds.assign(clips, FOLDS)[0])


def compare(name: str, settings: dict, split: pa.Table, work: Path, threads: int) -> float:
    """Embed in both precisions, print a line a readout, and return the largest change."""
    for precision in ("fp32", "bf16"):
        encoder = part.load(settings | {"precision": precision}, threads)
        shard = work / f"{name}.{precision}.parquet"
        part.embed(encoder, work / "clips.parquet", shard, {})
        collect.collect(name, [shard], work / name / precision, {})
    print(f"{name:<16}fp32    bf16  difference  made right  made wrong", flush=True)
    changes = []
    for readout in encoder.readouts:
        fp32, told = probed(work / name / "fp32", readout, split)
        bf16, retold = probed(work / name / "bf16", readout, split)
        changes.append(abs(bf16 - fp32))
        print(
            f"  {readout:<12}{fp32:>6.4f}  {bf16:>6.4f}{bf16 - fp32:>+12.4f}"
            f"{np.sum(retold & ~told):>12}{np.sum(told & ~retold):>12}",
            flush=True,
        )
    return max(changes)


def probed(folder: Path, readout: str, split: pa.Table) -> tuple[float, np.ndarray]:
    """Balanced accuracy, mean of the repeats, and whether each test of a clip was right."""
    asked = SETTINGS | {"permutations": 1, "control_tasks": 0}
    scores, predictions, _ = probe_readout(folder, [], readout, split, asked)
    rows = scores.to_pandas().query(
        "control == 'none' and fold.isna() and metric == 'balanced_accuracy'"
    )
    right = np.equal(predictions["target"].to_numpy(), predictions["predicted"].to_numpy())
    return float(rows["value"].mean()), right


if __name__ == "__main__":
    main()
