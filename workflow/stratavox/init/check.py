"""Checks the new config as a run does, and draws the folds of the run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa

from stratavox import tables
from stratavox.corpus import lost
from stratavox.corpus.identity import good
from stratavox.corpus.labels import labels_of, scanned_rows
from stratavox.corpus.reasons import NO_FAULT
from stratavox.corpus.user_table import label_of
from stratavox.errors import StratavoxError
from stratavox.init.look import counts, first
from stratavox.init.write import DEFAULT_DESIGN
from stratavox.plan import Plan
from stratavox.probe import folds
from stratavox.settings import Settings
from stratavox.words import count

# Numbers of outer and inner folds: the defaults, then those for few groups.
DESIGNS = (DEFAULT_DESIGN, (4, 3), (3, 2))


def design(plan: Plan, dataset: str, task: str) -> tuple[tuple[int, int], list[str]]:
    """The first of `DESIGNS` that the task's groups allow, and lines about the clips of the run.

    Raises `StratavoxError` where none does.
    """
    scan = plan.root / f"results/corpus/{dataset}/scan.parquet"
    scanned = tables.read_table(scan)
    clips = good(scanned)
    _refuse_nothing(plan, dataset, scan, scanned)
    of = Settings(plan)
    settings = of.tables(dataset) | of.folds(dataset, task)
    labels = labels_of(settings, scan, clips, plan.root)
    for outer, inner in DESIGNS:
        settings |= {"folds": outer, "inner_folds": inner}
        try:
            chosen, summary = folds.choose_clips(labels, settings, clips)
            folds.assign(chosen, settings)
        except StratavoxError as error:
            refused = error
            continue
        return (outer, inner), _describe(summary)
    raise refused


def _refuse_nothing(plan: Plan, dataset: str, scan: Path, scanned: pa.Table) -> None:
    """Raise what the run would raise where no row can be used."""
    if len(good(scanned)):
        return
    settings = Settings(plan).tables(dataset)
    bad = lost.rejected(scanned, scanned_rows(settings, scan, plan.root), {})
    where = f"{settings['path']}/{label_of(settings['table'])}"
    lost.refuse_too_many(where, len(bad), bad, 0, plan.datasets[dataset]["max_bad"])


def rejected(plan: Plan, dataset: str) -> list[str]:
    """How many rows can be used, and why others cannot."""
    scanned = tables.read_table(plan.root / f"results/corpus/{dataset}/scan.parquet")
    rows = scanned.select(["row", "file", "reason"]).to_pylist()
    bad = [row for row in rows if row["reason"]]
    reasons = [f"    row {row['row']}: {row['file']!r}: {row['reason']}" for row in bad]
    messages = [f"  {len(rows) - len(bad)} of {len(rows)} rows can be used"]
    messages += first(reasons, "    and")
    lost = sum(not row["reason"].startswith(NO_FAULT) for row in bad)
    allowed = plan.datasets[dataset]["max_bad"]
    if lost > allowed * len(rows):
        messages.append(
            f"    check: the run would stop, as more than {allowed:.0%} of the rows are lost: "
            "correct them, or raise max_bad"
        )
    return messages


def _describe(summary: dict) -> list[str]:
    classes = Counter({name: n["clips"] for name, n in summary["classes"].items()})
    of = f" in {summary['groups']} groups" if summary["group"] else ", group unknown"
    each = f" of {len(classes)} classes{of}: {counts(classes)}" if classes else of
    messages = [f"  {summary['clips']} clips{each}"]
    if summary["drawn_from"]:
        whole = summary["drawn_from"]["clips"]
        messages.append(f"    drawn by class from {whole} clips (probes.max_clips)")
    left_out = [
        f"    {'' if row['clips'] else 'look: '}left out: {row['label']!r}: {row['clips']} clips, "
        f"{row['why']}"
        for row in summary["left_out"]
    ]
    messages += first(left_out, "    and")
    for key, what in (("empty_labels", "label"), ("empty_groups", "group")):
        if summary[key]:
            messages.append(f"    left out: {summary[key]} clips without a {what}")
    for key, what in (("near_duplicates", "labels"), ("near_duplicate_groups", "groups")):
        if summary[key]:
            messages.append(
                f"    look: {what} that differ in case, white space or order alone are kept apart: "
                f"{summary[key]}"
            )
    for what in ("labels", "groups"):
        if identical := summary[f"identical_across_{what}"]:
            messages.append(
                f"    look: {count(len(identical), 'set')} of clips with one sound have different "
                f"{what}, such as {' and '.join(identical[0][:2])}. No split parts them. But one "
                f"of their {what} is wrong, or each needs the time of its own call in the recording"
            )
    return messages
