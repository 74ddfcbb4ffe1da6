"""What a run makes again that Snakemake would take for made.

Snakemake looks at times and at its own records, and at the content of inputs only: a table that was
cut short is whole to it, and where it lost a record, whatever has the right name is fresh. Every
table can tell by itself: by its end, and by the key that it carries.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from stratavox import records, tables
from stratavox.errors import BrokenFile
from stratavox.plan import Plan
from stratavox.verify import PATHS, asked, output_of, place_of, wanted


def remake(plan: Plan, root: Path) -> None:
    """Name what is `wrong` below ``root``, and let Snakemake make it again."""
    for output, why in wrong(plan, root).items():
        print(f"{why}; it is made again", file=sys.stderr)
        records.unfinish(root, output)


def wrong(plan: Plan, root: Path) -> dict[str, str]:
    """Outputs of rules, relative to ``root``, that must be made again, and why.

    Of each table of the run the end of the file is read, no more: a page that changed further up
    is found by the stage that reads it, or by `verify`.
    """
    found = dict(_readouts_gone(plan, root))
    for path, place in _tables(plan, root):
        output = output_of(path, place)
        try:
            key = tables.read_provenance(root / path).get("key")
        except BrokenFile as error:
            found[output] = f"{error.path}: {error.why}"
            continue
        if place and key != (now := wanted(plan, *place)) and records.believes(root, output, now):
            found[output] = f"{path}: stale, and Snakemake does not know it"
    return found


def _tables(plan: Plan, root: Path) -> Iterator[tuple[str, tuple | None]]:
    """Path and place of each table of the run; the scan of a generated set has no key, no place."""
    for pattern in (pattern for several in PATHS.values() for pattern in several):
        for path in root.glob("results/" + re.sub(r"{\w+}", "*", pattern) + ".parquet"):
            place = place_of(path.relative_to(root / "results").as_posix())
            if place and asked(plan, *place):
                yield path.relative_to(root).as_posix(), place
    for dataset in filter(plan.generated, plan.datasets):
        scan = f"results/corpus/{dataset}/scan.parquet"
        if (root / scan).exists():
            yield scan, None


def _readouts_gone(plan: Plan, root: Path) -> Iterator[tuple[str, str]]:
    """What was collected and is no longer all there: Snakemake knows the list of it alone."""
    for encoder in plan.encoders:
        for dataset in plan.datasets:
            folder = Path(f"results/embeddings/{encoder}/{dataset}")
            listed = (folder / "encoder.json").as_posix()
            if not (root / listed).exists():
                continue
            try:
                names = [*tables.read_json(root / listed)["readouts"], "windows"]
            except BrokenFile as error:
                yield listed, f"{error.path}: {error.why}"
                continue
            paths = [folder / f"{name}.parquet" for name in names]
            if gone := [path for path in paths if not (root / path).exists()]:
                yield listed, f"{gone[0]}: no longer there"
