"""How the workflow grows with the clips: time, memory and bytes of every stage, and the dry run.

For each size a dataset of very short clips is made, and the real workflow runs on it, with an
encoder of 13 readouts of width 768 that costs next to nothing, so that what is left is everything
around the forward pass. Probes take a stated subset. What is made is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from benchmarks import many_clips
from stratavox import forks

PROJECT = Path(__file__).resolve().parents[1]
STAGE = re.compile(r"-m stratavox stage ([\w.]+)")
SNAKEMAKE = "(snakemake)"
EVERY_S = 0.2
DRY_RUN_S, MEMORY_GB = 20, 4.0  # the targets


@dataclass
class Stage:
    """What the jobs of a stage took: wall and CPU seconds of each, and the largest peak memory."""

    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peak_gb: float = 0.0


@dataclass
class Measured:
    """One size: wall and CPU seconds of dry runs, the stages, and bytes by folder of results."""

    clips: int
    dry_runs: dict[str, list[float]]
    stages: dict[str, Stage]
    folders: dict[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--folder", type=Path, help="where to work: 110 KB a clip; default: /tmp")
    parser.add_argument("--cores", default=str(os.cpu_count()))
    options = parser.parse_args()
    measured = []
    for clips in sorted(options.clips):
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="scale-") as folder:
            measured.append(measure(Path(folder), clips, options.cores))
        show(measured[-1])
    summary(measured)


def measure(here: Path, clips: int, cores: str) -> Measured:
    """Make the data, time the dry runs, run everything and take the measures."""
    took, _, _ = timed(lambda: many_clips.make(here, clips))
    shards = many_clips.run(clips)["datasets"]["many"]["shards"]
    print(f"{clips:,} clips in {shards} shards, written in {took:.0f} s", flush=True)
    dry_runs = {}
    for kind in ("cold scan", "warm scan"):
        *dry_runs[kind], _ = timed(lambda: snakemake(here, cores, "--dry-run", "--quiet"))
    with Sampler() as sampler:
        took, _, _ = timed(lambda: snakemake(here, cores))
    print(f"the run took {took:.0f} s on {cores} cores", flush=True)
    *dry_runs["nothing to do"], printed = timed(lambda: snakemake(here, cores, "--dry-run"))
    if "Nothing to be done" not in printed:
        sys.exit(f"a second run would not be idle:\n{printed}")
    stages = sampler.stages()
    for stage, seconds in jobs(here):
        stages[stage].seconds.append(seconds)
    results = sorted(path for path in (here / "results").iterdir() if path.is_dir())
    folders = {path.name: size_of(path) for path in results}
    return Measured(clips, dry_runs, dict(stages), folders)


def snakemake(here: Path, cores: str, *options: str, forked: bool = False) -> str:
    """Run Snakemake on ``here`` as a user does; return what it printed.

    Unless ``forked``, each job is a process, to be measured by itself.
    """
    done = subprocess.run(
        command(here, cores, *options),
        env=os.environ if forked else os.environ | {forks.SWITCH: "no"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout[-5000:]}\nSnakemake failed with status {done.returncode}")
    return done.stdout


def command(here: Path, cores: str, *options: str) -> list:
    """The command for Snakemake on ``here``."""
    return [
        *(sys.executable, "-m", "snakemake", "-s", PROJECT / "Snakefile", "--directory", here),
        *("--configfile", here / "mine.yaml", "--cores", cores, *options),
    ]


class Sampler:
    """While it is entered, watches the stages that run below this process."""

    def __init__(self):
        self.seen: dict[int, tuple[str, float, float]] = {}  # pid -> stage, CPU seconds, peak GB
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Sampler:
        self.thread.start()
        return self

    def __exit__(self, *error) -> None:
        self.done.set()
        self.thread.join()

    def stages(self) -> dict[str, Stage]:
        """CPU seconds and peak memory of every stage seen."""
        stages: dict[str, Stage] = defaultdict(Stage)
        for stage, cpu_s, peak_gb in self.seen.values():
            stages[stage].cpu_s.append(cpu_s)
            stages[stage].peak_gb = max(stages[stage].peak_gb, peak_gb)
        return stages

    def _watch(self) -> None:
        while not self.done.wait(EVERY_S):
            for process in psutil.Process().children(recursive=True):
                try:
                    stage = stage_of(process.cmdline())
                    if stage:
                        self.seen[process.pid] = (stage, *_taken(process, stage))
                except (psutil.Error, OSError):
                    pass  # it has just ended, and what was last seen of it stands


def stage_of(words: list[str]) -> str | None:
    """The stage that a process was started as; Snakemake counts as one."""
    if words[1:3] == ["-m", "snakemake"]:
        return SNAKEMAKE
    # as an argument of its own: not the shell that starts it
    match = STAGE.fullmatch(" ".join(words[1:5]))
    return match[1] if match else None


def _taken(process: psutil.Process, stage: str) -> tuple[float, float]:
    """CPU seconds so far, and the kernel's own high-water mark of memory, workers included."""
    own = [process]
    if stage != SNAKEMAKE:
        own += process.children(recursive=True)
    cpu_s = sum(sum(one.cpu_times()[:2]) for one in own)
    marks = [re.search(r"VmHWM:\s+(\d+) kB", _status(one.pid)) for one in own]
    return cpu_s, sum(int(mark[1]) for mark in marks if mark) * 1024 / 1e9


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def jobs(here: Path) -> list[tuple[str, float]]:
    """Stage and wall seconds of every job, from Snakemake's own records of what it made."""
    seen = {}
    for path in (here / ".snakemake" / "metadata").rglob("*"):
        if path.is_file():
            record = json.loads(path.read_text(encoding="utf-8"))
            stage = STAGE.search(record["shellcmd"] or "")
            if stage:  # a job has a record for each of its files
                seen[record["shellcmd"]] = (stage[1], record["endtime"] - record["starttime"])
    return list(seen.values())


def show(measured: Measured) -> None:
    """Print one size."""
    for kind, (seconds, cpu_s) in measured.dry_runs.items():
        print(f"snakemake -n, {kind:<14}{seconds:>8.1f} s{cpu_s:>8.1f} CPU-s")
    print(f"{'stage':<24}{'jobs':>6}{'sum s':>9}{'max s':>8}{'CPU-s':>9}{'peak GB':>9}")
    for name, stage in sorted(measured.stages.items(), key=lambda item: -sum(item[1].cpu_s)):
        count, total, most = len(stage.seconds), sum(stage.seconds), max(stage.seconds, default=0)
        row = f"{name:<24}{count:>6}{total:>9.1f}{most:>8.1f}"
        print(f"{row}{sum(stage.cpu_s):>9.1f}{stage.peak_gb:>9.2f}")
    print(f"{'folder of results':<24}{'MB':>10}{'bytes a clip':>16}")
    for name, size in sorted(measured.folders.items(), key=lambda item: -item[1]):
        print(f"{name:<24}{size / 1e6:>10.1f}{size / measured.clips:>16.0f}")
    print(flush=True)


def summary(measured: list[Measured]) -> None:
    """Print how each stage grows, and whether the targets hold."""
    clips = [one.clips for one in measured]
    if len(measured) > 1:
        print(
            "growth: exponents in the clips of CPU seconds (summed over jobs) and peak memory, over"
        )
        print(
            "all sizes, and of CPU seconds between the two largest; start-up makes small ones flat"
        )
        print(f"{'stage':<24}{'CPU-s':>9}{'largest':>9}{'memory':>9}")
        for name in sorted(set.intersection(*(set(one.stages) for one in measured))):
            cpu_s = [sum(one.stages[name].cpu_s) for one in measured]
            peaks = [one.stages[name].peak_gb for one in measured]
            growth = (
                exponent(clips, cpu_s),
                exponent(clips[-2:], cpu_s[-2:]),
                exponent(clips, peaks),
            )
            print(f"{name:<24}" + "".join(f"{value:>9.2f}" for value in growth))
    for one in measured:
        seconds, _ = one.dry_runs["warm scan"]
        name, most = max(one.stages.items(), key=lambda item: item[1].peak_gb)
        print(
            f"{one.clips:>9,} clips: dry run {seconds:.1f} s ({held(seconds < DRY_RUN_S)}: under "
            f"{DRY_RUN_S} s); peak memory {most.peak_gb:.2f} GB in {name} "
            f"({held(most.peak_gb < MEMORY_GB)}: under {MEMORY_GB:.0f} GB)"
        )


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of log ``values`` over log ``sizes``, by least squares: 1 is linear growth."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def held(target: bool) -> str:
    return "held" if target else "MISSED"


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def timed(call: Callable[[], str | None]) -> tuple[float, float, str | None]:
    """Wall seconds of a call, CPU seconds of the processes that it waited for, and what it gave."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    result = call()
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, result


if __name__ == "__main__":
    main()
