"""Speed and memory of embedding, one thread, official BEATs geometry with random weights.

Prints audio-seconds per second for (a) a notebook's way, (b) avex's own forward passes on the same
batches in memory, the limit of any reading and writing around it, and (c) all of our stages, taken
in turns so that a busy machine touches each alike; then the peak memory of our stage at two sizes.
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
from pathlib import Path
from statistics import median

import soundfile as sf

from benchmarks import data
from stratavox import tables

SETTINGS = {"family": "beats", "model": "esp_aves2_sl_beats_all", "weights": "random", "seed": 0}
COPIES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/catmeows"))
    parser.add_argument("--clips", type=int, default=110, help="how many; a shard of catmeows")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        paths, what = data.files(options.data, options.clips, work / "noise")
        audio_s = sum(sf.info(path).duration for path in paths)
        print(f"{len(paths)} clips, {audio_s:.0f} s of audio: {what}")
        print(f"1 thread of {os.cpu_count()}; load average {os.getloadavg()[0]:.1f}", flush=True)
        # First, while this process is small: a child's peak counts what its parent had at the fork.
        memory(paths, work)
        speed(paths, audio_s, work, options.repeats)


def speed(paths: list[Path], audio_s: float, work: Path, repeats: int) -> None:
    """Time the three ways in turns and print their rates and ratios."""
    from benchmarks import ways
    from stratavox.embed import part

    encoder, model = part.load(SETTINGS, threads=1), ways.bare_model(SETTINGS)
    ready = ways.in_memory(encoder, paths)
    tables.write_table(data.manifest(paths), work / "manifest.parquet", {})
    ways.limit(model, ready[:1])
    seconds: dict[str, list[float]] = {"a notebook": [], "b limit": [], "c ours": []}
    for turn in range(repeats):
        out = work / f"turn{turn}"
        out.mkdir()
        seconds["a notebook"].append(timed(lambda: ways.notebook(model, paths, out / "npy")))  # noqa: B023
        seconds["b limit"].append(timed(lambda: ways.limit(model, ready)))
        seconds["c ours"].append(
            timed(lambda: ways.ours(encoder, paths[0].parent, work / "manifest.parquet", out))  # noqa: B023
        )
    print("audio-seconds per second        best   median")
    for name, taken in seconds.items():
        print(f"  {name:<28}{audio_s / min(taken):>6.2f}{audio_s / median(taken):>9.2f}")
    for other, target in (("b limit", 0.85), ("a notebook", 1.3)):
        best = min(seconds[other]) / min(seconds["c ours"])
        turns = [b / c for b, c in zip(seconds[other], seconds["c ours"], strict=True)]
        print(f"  ours / {other:<21}{best:>6.2f}{median(turns):>9.2f}   target {target} or more")
    last = work / f"turn{repeats - 1}"
    same, stored = ways.farthest(encoder, paths, last / "npy", last / "embeddings")
    print(
        f"largest difference to a, any block: {same:.1e} on the same samples, {stored:.1e} through"
    )
    print("  the 24-bit clip store, whose last bit shows in bands that a recording leaves empty")


def memory(paths: list[Path], work: Path) -> None:
    """Run the stage as the workflow does, on the clips and on three times as many."""
    peaks = []
    for copies in (1, COPIES):
        tables.write_table(data.manifest(paths, copies), work / "m.parquet", {})
        data.store(paths[0].parent, work / "m.parquet", work / "clips.parquet")
        peaks.append(peak_gb(work / "clips.parquet", work / "part.parquet"))
        print(f"peak memory at {copies * len(paths)} clips: {peaks[-1]:.2f} GB", flush=True)
    print(f"  larger / smaller {peaks[1] / peaks[0]:.2f}; one row group, 600 s at most, is held")
    print("  target: below 2.5 GB at both")


def peak_gb(clips: Path, out: Path) -> float:
    """Largest resident size in GB of one run of `stratavox.embed.part`."""
    command = [sys.executable, "-m", "stratavox.embed.part", "--settings", json.dumps(SETTINGS)]
    process = subprocess.Popen([*command, "--clips", clips, "--out", out, "--threads", "1"])
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
