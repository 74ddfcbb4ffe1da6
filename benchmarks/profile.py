"""Where the time of a run went, by stage: forward passes and probes, and all the rest.

Reads the logs that Snakemake leaves of every run (``.snakemake/log``; without a path the newest one
here). Given several, as of a run that was interrupted, a job counts as it was done last. Seconds
are those of jobs, of which several run at once. Also told: the share of drawing, and how many bytes
the figures and the page have.

Jobs of a local run are forks of a process that has imported the libraries. Where they were
processes of their own, give ``--processes``: start-up, the import of libraries, is then timed here,
stage by stage, and counts with the rest, also where a job then computes a probe.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from stratavox import tables
from stratavox.snakemake_internals import load

PROJECT = Path(__file__).resolve().parents[1]
FORWARD = ("part", "tokens", "all_tokens")
PROBES = (
    "linear",
    "notebook",
    "atlas",
    "conditional",
    "erasure",
    "samples",
    "attention",
    "all_blocks",
)
DRAWING = "stratavox.report.draw"
TARGET = 0.1
# bytes of results/figures and of the page
MOST = {"figures": 15e6, "page": 8e6}
STAMP = "%a %b %d %H:%M:%S %Y"
STARTED = re.compile(r"^(?:local)?rule (\w+):.*?^    jobid: (\d+)$(.*?)(?=^\S|\Z)", re.S | re.M)
ENDED = re.compile(r"^Finished jobid: (\d+) ", re.M)
WILDCARDS = re.compile(r"^    wildcards: (.*)", re.M)


@dataclass
class Job:
    """A finished job: its rule, its wildcards as they were printed, and its wall seconds."""

    rule: str
    wildcards: str
    seconds: float

    @property
    def encoder(self) -> str | None:
        match = re.search(r"\bencoder=(\w+)", self.wildcards)
        return match[1] if match else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path, nargs="*", help="files in .snakemake/log")
    parser.add_argument("--processes", action="store_true", help="jobs were processes, not forks")
    given = parser.parse_args()
    logs = given.logs or [newest(Path(".snakemake/log"))]
    texts = [log.read_text() for log in logs]
    last = {(job.rule, job.wildcards): job for text in texts for job in jobs(text)}
    ended = list(last.values())
    if not ended:
        sys.exit(f"{logs[-1]}: no job ended in this run; give the log of one that did something")
    here, modules = logs[-1].absolute().parents[2], stage_modules()
    for log, text in zip(logs, texts, strict=True):
        print(f"{log}: {wall(text):.0f} s{cores(text)}")
    print(f"{'stage':<18}{'jobs':>6}{'seconds':>9}{'share':>8}{'start-up':>10}")
    total = sum(job.seconds for job in ended)
    core = 0.0
    for rule in sorted({job.rule for job in ended}, key=lambda name: -seconds_of(ended, name)):
        own = [job for job in ended if job.rule == rule]
        begun = 0.0
        if given.processes:
            begun = sum(start_up(imports(modules[rule], job, here)) for job in own)
        core += max(seconds_of(ended, rule) - begun, 0) if rule in FORWARD + PROBES else 0
        share = seconds_of(ended, rule) / total
        print(f"{rule:<18}{len(own):>6}{seconds_of(ended, rule):>9.0f}{share:>8.1%}{begun:>10.0f}")
    print(f"{'all':<18}{len(ended):>6}{total:>9.0f}")
    drawing = sum(job.seconds for job in ended if modules[job.rule] == DRAWING) / total
    print(f"drawing: {drawing:.1%} of the seconds\n  target: at most {TARGET:.0%}")
    print_sizes(here / "results")
    print(f"neither forward pass nor probe, start-up counted: {1 - core / total:.1%}")
    print(f"  target: below {TARGET:.0%}")


def print_sizes(results: Path) -> None:
    """Bytes of the figures by kind, and of the page."""
    sizes: Counter[str] = Counter()
    for path in (results / "figures").rglob("*.*"):
        sizes[path.suffix.removeprefix(".")] += path.stat().st_size
    listed = ", ".join(f"{kind} {size / 1e6:.1f}" for kind, size in sizes.most_common())
    print(f"figures: {sizes.total() / 1e6:.1f} MB ({listed})")
    print(f"  target: at most {MOST['figures'] / 1e6:.0f}")
    page = results / "report/summary.html"
    size = page.stat().st_size / 1e6 if page.exists() else float("nan")
    print(f"page: {size:.1f} MB\n  target: at most {MOST['page'] / 1e6:.0f}")


def newest(folder: Path) -> Path:
    """The latest log of a run in ``folder``."""
    logs = sorted(folder.glob("*.snakemake.log"))
    if not logs:
        sys.exit(f"{folder.absolute()}: no log of a run there; run the workflow, or name a log")
    return logs[-1]


def jobs(text: str) -> Iterator[Job]:
    """The jobs that ended in a run, less the target, from its log."""
    begun: dict[str, tuple[datetime, str, str]] = {}
    for stamp, block in stamped(text):
        for rule, job, rest in STARTED.findall(block):
            named = WILDCARDS.search(rest)
            begun[job] = (stamp, rule, named[1] if named else "")
        for job in ENDED.findall(block):
            if job in begun and begun[job][1] != "all":
                since, rule, wildcards = begun[job]
                yield Job(rule, wildcards, (stamp - since).total_seconds())


def stamped(text: str) -> Iterator[tuple[datetime, str]]:
    """The log's blocks, each with the time that stands before it."""
    parts = re.split(r"^\[(\w{3} \w{3} +\d+ [\d:]{8} \d{4})\]\n", text, flags=re.M)
    for stamp, block in zip(parts[1::2], parts[2::2], strict=True):
        yield datetime.strptime(stamp, STAMP), block


def wall(text: str) -> float:
    """Seconds from the first to the last time in a log."""
    times = [stamp for stamp, _ in stamped(text)]
    return (times[-1] - times[0]).total_seconds()


def cores(text: str) -> str:
    match = re.search(r"^Provided cores: (\d+)", text, re.M)
    return f" on {match[1]} cores" if match else ""


def seconds_of(ended: list[Job], rule: str) -> float:
    return sum(job.seconds for job in ended if job.rule == rule)


def stage_modules() -> dict[str, str]:
    """The module that each rule runs."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        names = load(PROJECT / "Snakefile", PROJECT / "config.yaml", Path(folder))
    rules = {rule.name: rule.params.get("provenance") for rule in names["workflow"].rules}
    return {name: f"stratavox.{run.stage.module}" for name, run in rules.items() if run}


def imports(module: str, job: Job, here: Path) -> tuple[str, ...]:
    """The modules that a job imports; an encoder's libraries come with its family."""
    if job.rule not in FORWARD:
        return (module,)
    description = next(here.glob(f"results/embeddings/{job.encoder}/*/encoder.json"), None)
    if description is None:
        sys.exit(f"{here}: no embeddings of {job.encoder} there; profile a run that has ended")
    return module, f"stratavox.encoders.{tables.read_json(description)['family']}.load"


@cache
def start_up(modules: tuple[str, ...]) -> float:
    """Seconds that a new process takes to import ``modules``, the best of three."""

    def once() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True)
        return time.perf_counter() - started

    return min(once() for _ in range(3))


if __name__ == "__main__":
    main()
