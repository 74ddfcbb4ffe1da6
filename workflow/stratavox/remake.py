"""Outputs that a run makes again although Snakemake takes them for complete.

Snakemake compares times and its own records. It does not notice that a table was cut short, and
without a record it takes any file of the right name for fresh. The end of a table shows whether it
is complete, and its key what it was made from.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from stratavox import tables
from stratavox.errors import BrokenFile
from stratavox.jobs import Jobs
from stratavox.snakemake_internals import counts_as_made_of, mark_incomplete


def remake(jobs: Jobs, root: Path) -> None:
    """Name the outputs below ``root`` that are broken or stale, and let Snakemake make them."""
    for output, why in unsound(jobs, root).items():
        print(f"{why}; it is made again", file=sys.stderr)
        mark_incomplete(root, output)


def unsound(jobs: Jobs, root: Path) -> dict[str, str]:
    """Outputs of rules, relative to ``root``, that must be made again, and why.

    Only the end of each table is read: a page that changed elsewhere is reported by the stage that
    reads it, or by `verify`.
    """
    reasons = dict(_missing_readouts(jobs, root))
    for path in _tables(jobs, root):
        output = jobs.output_of(path)
        try:
            key = tables.read_provenance(root / path).get("key")
        except BrokenFile as error:
            reasons[output] = f"{error.path}: {error.why}"
            continue
        now = jobs.keys.of_file(output)
        # the scan of a generated set has no key of its own
        if key not in (None, now) and counts_as_made_of(root, output, now):
            reasons[output] = f"{path}: stale, and Snakemake does not know it"
    return reasons


def _tables(jobs: Jobs, root: Path) -> Iterator[str]:
    """Path of each existing table of the run."""
    for output in sorted(jobs.outputs):
        if output.endswith(".parquet") and (root / output).exists():
            yield output
        elif output.endswith("/encoder.json"):
            for path in sorted((root / output).parent.glob("*.parquet")):
                yield path.relative_to(root).as_posix()


def _missing_readouts(jobs: Jobs, root: Path) -> Iterator[tuple[str, str]]:
    """Lists of readouts of which one is missing: Snakemake knows only the list."""
    for listed in sorted(jobs.outputs):
        if not listed.endswith("/encoder.json") or not (root / listed).exists():
            continue
        try:
            names = [*tables.read_json(root / listed)["readouts"], "windows"]
        except BrokenFile as error:
            yield listed, f"{error.path}: {error.why}"
            continue
        paths = [Path(listed).with_name(f"{name}.parquet") for name in names]
        if missing := [path for path in paths if not (root / path).exists()]:
            yield listed, f"{missing[0]}: no longer there"
