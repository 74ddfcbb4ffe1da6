"""What a study of many datasets, encoders and tasks costs: planned whole, one dataset of it run.

All datasets are the same few very short clips, all encoders but log-mel a small stub, and the
probes a small design: what is left is what each job costs beside its computation, and Snakemake's
own time. That grows with the jobs that wait, so the whole is also begun, and then stopped. What is
made is removed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from benchmarks import many_clips, scale
from stratavox import snakemake_internals

CLIPS, SHARDS = 400, 4
BEGUN = 150  # jobs of the whole that are run
STUB = {"blocks": 3, "width": 16}


@dataclass
class Cost:
    """CPU seconds of Snakemake's own process and of all others, its peak memory, wall seconds."""

    own_s: float
    others_s: float
    peak_gb: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("datasets", 20), ("encoders", 10), ("tasks", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", type=Path, help="where to work; default: /tmp")
    parser.add_argument("--cores", default=str(os.cpu_count()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="large-") as folder:
        measure(Path(folder), options.datasets, options.encoders, options.tasks, options.cores)


def study(datasets: int, encoders: int, tasks: int) -> dict:
    """The config: the run of `many_clips` so many times over."""
    one = many_clips.run(CLIPS)
    dataset, stub = one["datasets"]["many"], one["encoders"]["stub"]
    (task,) = dataset["tasks"].values()
    dataset |= {"shards": SHARDS, "tasks": {f"task_{n}": task for n in range(tasks)}}
    names = [f"stub_{n}" for n in range(encoders - 1)]
    stubs = {name: stub | {"arguments": STUB, "seed": seed} for seed, name in enumerate(names)}
    sets = {f"set_{n:02d}": dataset for n in range(datasets)}
    return {
        "run": {"datasets": [*sets], "encoders": [*names, "logmel"]},
        "datasets": sets,
        "encoders": stubs | {"logmel": {"family": "logmel"}},
    }


def measure(here: Path, datasets: int, encoders: int, tasks: int, cores: str) -> None:
    """Plan the study, run all of its first dataset, and print both and what follows."""
    many_clips.make(here, CLIPS)
    config = study(datasets, encoders, tasks)
    (here / "mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    names = snakemake_internals.load(scale.PROJECT / "Snakefile", here / "mine.yaml", here)
    first = f"results/figures/{config['run']['datasets'][0]}/"
    targets = [path for path in names["figures"]() if path.startswith(first)]
    dry = ("--dry-run", "--quiet", "rules")
    whole, of_all = cost(lambda: planned(scale.snakemake(here, cores, *dry)))
    plan, of_one = cost(lambda: planned(scale.snakemake(here, cores, *dry, "--", *targets)))
    run, _ = cost(lambda: scale.snakemake(here, cores, "--", *targets, forked=True))
    few, many = (run.own_s - plan.own_s) / of_one, begun(here, cores)
    print(f"{datasets} datasets x {encoders} encoders x {tasks} tasks on {cores} cores")
    print(f"{'':<22}{'jobs':>7}{'s':>8}{'Snakemake, CPU-s':>18}{'jobs, CPU-s':>13}{'peak GB':>9}")
    rows = (
        ("plan", of_all, whole),
        ("plan of one dataset", of_one, plan),
        ("its run", of_one, run),
    )
    for name, jobs, own in rows:
        print(
            f"{name:<22}{jobs:>7,}{own.seconds:>8.0f}{own.own_s:>18.1f}{own.others_s:>13.1f}"
            f"{own.peak_gb:>9.2f}"
        )
    print(f"Snakemake's own CPU-ms a job: {1000 * few:.0f} in the run of one dataset, ", end="")
    print(f"{1000 * many:.0f} as the whole begins")
    jobs_s, own_s = run.others_s / of_one * of_all, whole.own_s + many * of_all
    print(
        f"the whole, by proportion: jobs {jobs_s / 3600:.1f} CPU-h, Snakemake at most "
        f"{own_s / 60:.0f} CPU-min"
    )


def cost(call: Callable[[], object]) -> tuple[Cost, object]:
    """What a call of Snakemake costs, and what it returned."""
    with scale.Sampler() as sampler:
        seconds, cpu_s, result = scale.timed(call)
    own = sampler.stages()[scale.SNAKEMAKE]
    return Cost(sum(own.cpu_s), cpu_s - sum(own.cpu_s), own.peak_gb, seconds), result


def begun(here: Path, cores: str) -> float:
    """CPU seconds of Snakemake's own process for each of the first jobs of the whole study."""
    logs = here / ".snakemake/log"
    before, seen = set(logs.iterdir()), {}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = psutil.Popen(scale.command(here, cores), **quiet)
    while not seen or max(seen) < min(seen) + BEGUN:
        time.sleep(0.5)
        if process.poll() is not None:
            sys.exit(f"Snakemake ended early, with status {process.returncode}: {logs}")
        text = "".join(path.read_text() for path in set(logs.iterdir()) - before)
        if ended := re.findall(r"^(\d+) of \d+ steps", text, re.M):
            seen.setdefault(int(ended[-1]), sum(process.cpu_times()[:2]))
    process.terminate()  # it waits for the jobs that run
    process.wait()
    first, last = min(seen), max(seen)
    return (seen[last] - seen[first]) / (last - first)


def planned(printed: str) -> int:
    """The number of jobs of a dry run."""
    return int(re.search(r"^total\s+(\d+)$", printed, re.M)[1])


if __name__ == "__main__":
    main()
