"""Speed and memory of embedding, one thread, official BEATs geometry with random weights.

Prints audio-seconds per second, in fp32 and in bf16, for (a) a notebook's way, which is fp32, (b)
avex's own forward passes on the same batches in memory, the limit of any reading and writing around
it, (c) all of our stages, and on a GPU (d) of these the one it is for. They take turns, so that
a busy machine touches each alike. Before them the peak memory of our stage at two sizes. On a slow
core a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import soundfile as sf

from benchmarks import data, machine
from stratavox import tables
from stratavox.encoders.encoder import Encoder

SETTINGS = {"family": "beats", "model": "esp_aves2_sl_beats_all", "weights": "random", "seed": 0}
MEMORY_CLIPS, COPIES = 110, 3
# What the notebook's rate and the limit's are to be multiplied by, at least.
TARGETS = {"fp32": {"a notebook": 1.3, "b limit": 0.9}, "bf16": {"a notebook": 4, "b limit": 0.9}}
GPU_TARGET = 0.8
# A GPU is through with one shard before it is warm; the notebook is timed on one copy all the same.
GPU_COPIES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/catmeows"))
    parser.add_argument("--clips", type=int, default=440, help="how many; all of catmeows")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        paths, what = data.files(options.data, options.clips, work / "noise")
        print(f"{len(paths)} clips of {what}")
        print(machine.summary(threads=1), flush=True)
        # First, while this process is small: a child's peak counts what its parent had at the fork.
        memory(paths[:MEMORY_CLIPS], work)
        speed("fp32", paths, work / "fp32", options.repeats)
        if machine.emulates_bf16():
            print("bf16 is emulated here, many times slower: fewer clips, once")
            speed("bf16", paths[::40], work / "bf16", 1)
        else:
            speed("bf16", paths, work / "bf16", options.repeats)


def speed(precision: str, paths: list[Path], work: Path, repeats: int) -> None:
    """Time the ways in turns and print their rates and ratios."""
    from benchmarks import ways
    from stratavox.embed import part

    work.mkdir()
    settings = SETTINGS | {"precision": precision}
    encoder, model = part.load(settings, threads=1), ways.bare_model(settings)
    plain = model if precision == "fp32" else ways.bare_model(SETTINGS | {"precision": "fp32"})
    manifest, clips = work / "manifest.parquet", work / "clips.parquet"
    copies = GPU_COPIES if ways.DEVICE == "cuda" else 1
    tables.write_table(data.manifest(paths, copies), manifest, {})
    data.store(paths[0].parent, manifest, clips)
    ready = ways.in_memory(encoder, clips)
    ways.limit(model, ready[:1], precision)
    ways.notebook(plain, paths[:1], work / "first")
    audio_s = sum(sf.info(path).duration for path in paths)
    rates: dict[str, list[float]] = {}
    for turn in range(repeats):
        out = work / f"turn{turn}"
        out.mkdir()
        timings = [
            ("a notebook", partial(ways.notebook, plain, paths, out / "npy"), 1),
            ("b limit", partial(ways.limit, model, ready, precision), copies),
            ("c ours", partial(ways.ours, encoder, paths[0].parent, manifest, out), copies),
        ]
        if ways.DEVICE == "cuda":
            timings.append(("d ours, the stage", partial(ways.stage, encoder, out), copies))
        for name, call, copied in timings:
            rates.setdefault(name, []).append(copied * audio_s / timed(call))
    print(f"{precision} on {machine.device()}, {len(paths)} clips, {audio_s:.0f} s of audio")
    print("audio-seconds per second        best   median")
    for name, speeds in rates.items():
        print(f"  {name:<26}{max(speeds):>8.2f}{median(speeds):>9.2f}")
    for other, target in TARGETS[precision].items():
        compare(rates, "c ours", other, target)
    if ways.DEVICE == "cuda":
        compare(rates, "d ours, the stage", "b limit", GPU_TARGET)
    if precision == "fp32":
        exactness(encoder, paths, work / f"turn{repeats - 1}")


def compare(rates: dict[str, list[float]], own: str, other: str, target: float) -> None:
    """Print how many times as fast as ``other`` we are: the best of each, and turn by turn."""
    turns = [ours / theirs for ours, theirs in zip(rates[own], rates[other], strict=True)]
    best = max(rates[own]) / max(rates[other])
    print(f"  {own + ' / ' + other:<26}{best:>8.2f}{median(turns):>9.2f}   target {target} or more")


def exactness(encoder: Encoder, paths: list[Path], last: Path) -> None:
    """Print how far our numbers are from the notebook's."""
    from benchmarks import ways

    same, stored = ways.farthest(encoder, paths, last / "npy", last / "embeddings")
    print(
        f"largest difference to a, any block: {same:.1e} on the same samples, {stored:.1e} through"
    )
    print("  the clip store, which holds the resampled clips exactly")


def memory(paths: list[Path], work: Path) -> None:
    """Run the stage as the workflow does, on the clips and on three times as many."""
    peaks = []
    for copies in (1, COPIES):
        tables.write_table(data.manifest(paths, copies), work / "m.parquet", {})
        data.store(paths[0].parent, work / "m.parquet", work / "clips.parquet")
        peaks.append(peak_gb(work / "clips.parquet", work / "part.parquet"))
        print(f"peak memory at {copies * len(paths)} clips: {peaks[-1]:.2f} GB", flush=True)
    print(f"  larger / smaller {peaks[1] / peaks[0]:.2f}; two row groups of 600 s are held at most")
    print("  target: below 2.5 GB at both")


def peak_gb(clips: Path, out: Path) -> float:
    """Largest resident size in GB of one run of the stage embed.part."""
    job = {"input": {"clips": str(clips)}, "output": {"part": str(out)}, "settings": SETTINGS}
    command = [sys.executable, "-m", "stratavox", "stage", "embed.part"]
    process = subprocess.Popen([*command, "--job", json.dumps(job)])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"the stage failed with status {status}")
    return usage.ru_maxrss * 1024 / 1e9


def timed(call: Callable[[], None]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
