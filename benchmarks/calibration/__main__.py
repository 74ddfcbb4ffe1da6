"""Measured error rates, coverage and power of every kind of claim, beside the nominal ones.

Each row is a claim in a world whose truth is known. Prints one table in Markdown. The exit status
is 1 if a row is NOT OK: an error rate above the nominal one by more than two standard errors, or
coverage below .93 where an interval is given. "claimed" is the share of runs in which the groups
sufficed for a claim or an interval. The same runs give the same table.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import re
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context

from benchmarks.calibration.simulation import Measured, Record, Row, Simulation
from benchmarks.calibration.table import SIMULATIONS

PROCESSES, TOGETHER = 2, 50
# A line of a table in Markdown, padded so that it can be read as it is printed.
LINE = "| {:<47} | {:<66} | {:>8} | {:<15} | {:>5} | {:>7} | {:<17} | {:>5} |"
HEADS = ("claim", "setting", "nominal", "measured", "runs", "claimed", "verdict", "CPU s")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=300, help="of each row (default 300)")
    parser.add_argument("--only", default="", metavar="PATTERN", help="rows that match it")
    options = parser.parse_args()
    chosen = [
        place
        for place, simulation in enumerate(SIMULATIONS)
        if any(wanted(simulation, row, options.only) for row in simulation.rows)
    ]
    print(LINE.format(*HEADS), LINE.format(*["---"] * len(HEADS)), sep="\n", flush=True)
    failed = 0
    for place, records, seconds in finished(chosen, options.runs):
        simulation = SIMULATIONS[place]
        for row in simulation.rows:
            if wanted(simulation, row, options.only):
                measured = Measured.of(row, records)
                failed += not measured.ok
                print(line(simulation, measured, seconds), flush=True)
                seconds = None  # all rows of a simulation have the same runs
    print(f"\n{failed} rows are NOT OK" if failed else "\nevery row is ok")
    sys.exit(1 if failed else 0)


def wanted(simulation: Simulation, row: Row, pattern: str) -> bool:
    return re.search(pattern, f"{row.claim} {simulation.setting}", re.IGNORECASE) is not None


def finished(chosen: list[int], runs: int) -> Iterator[tuple[int, list[Record], float]]:
    """Number, records and CPU-seconds of each chosen simulation, in order."""
    jobs = []
    for place in chosen:
        count = runs * SIMULATIONS[place].times
        jobs += [
            (place, first, min(first + TOGETHER, count)) for first in range(0, count, TOGETHER)
        ]
    records: list[Record] = []
    seconds = 0.0
    with get_context("fork").Pool(PROCESSES) as pool:
        for (place, _, last), (part, spent) in zip(jobs, pool.imap(work, jobs), strict=True):
            records += part
            seconds += spent
            if last == runs * SIMULATIONS[place].times:
                yield place, records, seconds
                records, seconds = [], 0.0


def work(job: tuple[int, int, int]) -> tuple[list[Record], float]:
    place, first, last = job
    started = time.process_time()
    return SIMULATIONS[place].records(range(first, last)), time.process_time() - started


def line(simulation: Simulation, measured: Measured, seconds: float | None) -> str:
    row = measured.row
    value = f"{measured.value:.3f} +- {measured.error:.3f}" if measured.runs else "-"
    return LINE.format(
        row.claim,
        simulation.setting,
        row.bound.nominal,
        value,
        measured.runs,
        f"{measured.runs / measured.all_runs:.2f}",
        measured.verdict,
        "" if seconds is None else f"{seconds:.0f}",
    )


if __name__ == "__main__":
    main()
