"""What a run makes again that Snakemake would take for made.

Snakemake looks at times and at its own records, and at the content of inputs only: a table that was
cut short is whole to it, and where it lost a record, whatever has the right name is fresh. Every
table can tell by itself: by its end, and by the key that it carries.
"""

from __future__ import annotations

import json
import os
import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

from stratavox import tables
from stratavox.errors import BrokenFile, StratavoxError
from stratavox.plan import Plan
from stratavox.verify import PATHS, asked, place_of, wanted


def unfinish(plan: Plan, root: Path) -> None:
    """Name what is `wrong`, and mark it for Snakemake as a job's that did not finish.

    As after a killed run, Snakemake then makes it again (rerun-incomplete, profiles/default).
    """
    for output, why in wrong(plan, root).items():
        print(f"{why}; it is made again", file=sys.stderr)
        mark = _record(root, "incomplete", output)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text('{"external_jobid": null}')


def wrong(plan: Plan, root: Path) -> dict[str, str]:
    """Outputs of rules, relative to ``root``, that must be made again, and why.

    Of each table of the run the end of the file is read, no more: a page that changed further up
    is found by the stage that reads it, or by `verify`.
    """
    found = dict(_readouts_gone(plan, root))
    for name, stage, values in _tables(plan, root / "results"):
        output = f"results/{name}.parquet"
        if stage == "collect":
            output = _receipt(values)
        try:
            key = tables.read_provenance(root / f"results/{name}.parquet").get("key")
        except BrokenFile as error:
            found[output] = f"{error.path}: {error.why}"
            continue
        if stage and key != (now := wanted(plan, stage, values)) and _unseen(root, output, now):
            found[output] = f"results/{name}.parquet: stale, and Snakemake has no record of it"
    return found


def _tables(plan: Plan, results: Path) -> Iterator[tuple[str, str | None, dict]]:
    """Name, stage and wildcards of each table of the run; of a generated scan no stage."""
    patterns = [pattern for several in PATHS.values() for pattern in several]
    for pattern in patterns:
        for path in results.glob(re.sub(r"{\w+}", "*", pattern) + ".parquet"):
            name = path.relative_to(results).as_posix()
            place = place_of(name)
            if place and asked(plan, *place):
                yield name.removesuffix(".parquet"), *place
    for dataset in filter(plan.generated, plan.datasets):
        if (results / f"corpus/{dataset}/scan.parquet").exists():
            yield f"corpus/{dataset}/scan", None, {"dataset": dataset}


def _readouts_gone(plan: Plan, root: Path) -> Iterator[tuple[str, str]]:
    """What was collected and is no longer all there: Snakemake knows the list of it alone."""
    for encoder in plan.encoders:
        for dataset in plan.datasets:
            receipt = _receipt({"encoder": encoder, "dataset": dataset})
            if not (root / receipt).exists():
                continue
            try:
                names = [*tables.read_json(root / receipt)["readouts"], "windows"]
            except BrokenFile as error:
                yield receipt, f"{error.path}: {error.why}"
                continue
            folder = (root / receipt).parent
            if gone := [name for name in names if not (folder / f"{name}.parquet").exists()]:
                yield receipt, f"{folder / gone[0]}.parquet: no longer there"


def _receipt(values: dict[str, str]) -> str:
    """What the rule that collects readouts has for its output."""
    return "results/embeddings/{encoder}/{dataset}/encoder.json".format(**values)


def _unseen(root: Path, output: str, key: str) -> bool:
    """Whether Snakemake would take a stale ``output`` for fresh: no record, or one of ``key``."""
    try:
        return key in json.dumps(tables.read_json(_record(root, "metadata", output)))
    except StratavoxError:  # lost, or cut short
        return True


def _record(root: Path, kind: str, output: str) -> Path:
    """Where Snakemake keeps a record (``kind``: metadata or incomplete) of an output."""
    name = urlsafe_b64encode(output.encode()).decode()
    longest = os.pathconf(root, "PC_NAME_MAX") - 1
    pieces = [name[i : i + longest] for i in range(0, len(name), longest)]
    return root.joinpath(".snakemake", kind, *(f"@{piece}" for piece in pieces[:-1]), pieces[-1])
