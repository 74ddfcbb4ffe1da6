"""Whether the tables in results/ are what the config, the code and the data would give now.

Each table holds its key, so neither Snakemake's records (.snakemake/) nor the times of files are
needed.
"""

from __future__ import annotations

from pathlib import Path

from stratavox import tables
from stratavox.errors import BrokenFile, StratavoxError
from stratavox.jobs import Jobs
from stratavox.plan import PROJECT
from stratavox.snakemake_internals import load, mark_incomplete

FRESH, STALE, BROKEN, OTHER = "fresh", "stale", "broken", "of no run of this config"


def verify(config: Path, root: Path) -> None:
    """Print how many tables below ``root``/results are fresh, and the path of each other one.

    Every page is read; the next run makes again what is broken. Raises `StratavoxError` where a
    table is stale or broken.
    """
    if not config.is_file():
        raise StratavoxError(f"{config}: no such file; give the run's config (--configfile)")
    jobs = load(PROJECT / "Snakefile", config, root)["JOBS"]
    states = compare(jobs, root)
    for state in (FRESH, STALE, BROKEN, OTHER):
        paths = sorted(path for path, of_path in states.items() if of_path == state)
        print(f"{len(paths)} of {len(states)} tables {state}")
        if state != FRESH:
            print("".join(f"  {path}\n" for path in paths), end="")
    for path in (path for path, state in states.items() if state == BROKEN):
        mark_incomplete(root, jobs.output_of(f"results/{path}"))
    if {STALE, BROKEN} & set(states.values()):
        raise StratavoxError(
            f"{root / 'results'}: holds stale or broken tables, listed above; run the workflow "
            "again with the same config, and it makes them again"
        )


def compare(jobs: Jobs, root: Path) -> dict[str, str]:
    """State of every table below ``root``/results except the scans, which every run makes again."""
    results = root / "results"
    paths = [path for path in results.rglob("*.parquet") if not path.name.startswith(".")]
    paths = [p.relative_to(results).as_posix() for p in paths if p.name != "scan.parquet"]
    return {path: _state(jobs, root, f"results/{path}") for path in paths}


def _state(jobs: Jobs, root: Path, path: str) -> str:
    output = jobs.output_of(path)
    if output is None:
        return OTHER
    try:
        key = tables.read_provenance(root / path).get("key")
        tables.check_pages(root / path)
    except BrokenFile:
        return BROKEN
    return FRESH if key == jobs.keys.of_file(output) else STALE
