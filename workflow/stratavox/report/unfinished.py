"""The report of what is finished, after jobs failed: what is missing stands at its top."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from stratavox.errors import StratavoxError
from stratavox.plan import PROJECT
from stratavox.report import figures
from stratavox.stage import canonical
from stratavox.tables import write_json

# keys of an index: of one table that a report can do without, of tables by name, of figures by name
SINGLE = ("similarity", "clips", "confounds")
TABLES = ("shape", "notebook", "neighbours")
DRAWN = ("stems", "umap")
ALL, SOME = "everything", "some of the figures and tables"


def write(
    index: dict, left: set[str], failed: list[tuple[str, dict, list[str]]], folder: Path
) -> Path | None:
    """Make the report below ``folder`` by the stages that make the whole one; its page.

    ``index`` and ``left`` as in `finished`, ``failed`` as in `snakemake_internals.failed`. None
    where no target task has its answers. Raises `StratavoxError` where a stage fails.
    """
    from stratavox.console import job_name, reason  # not needed by a run that ends well

    part, missing = finished(index, left)
    tasks = [task for entry in part["datasets"].values() for task in entry["tasks"].values()]
    answers = [task["answers"] for task in tasks if task["role"] == "target"]
    if not answers:
        return None
    why = [
        (job_name(rule, wildcards), "; ".join(filter(None, map(reason, logs))) or "no message")
        for rule, wildcards, logs in failed
    ]
    part |= {"verdicts": f"{folder}/verdicts.parquet"}
    part |= {"unfinished": {"missing": missing, "failed": why}}
    write_json(part, folder / "index.json")
    kinds = ("trends", "depths")
    _stage(
        "inference.verdicts",
        {kind: [f"{each}/{kind}.parquet" for each in answers] for kind in kinds},
        {"verdicts": part["verdicts"]},
    )
    files = {"page": "summary.html", "json": "summary.json", "config": "config.yaml"}
    written = {name: f"{folder}/{file}" for name, file in {**files, "tables": "tables"}.items()}
    _stage("report.summary", {"index": f"{folder}/index.json"}, written)
    return Path(written["page"])


def _stage(name: str, read: dict, written: dict) -> None:
    """Run a stage in a process of its own, as its rule does."""
    provenance = {"stage": name, "key": "of an unfinished run"}
    job = {"input": read, "output": written, "provenance": provenance}
    done = subprocess.run(
        [sys.executable, "-m", "stratavox", "stage", name, "--job", canonical(job)],
        env=os.environ | {"PYTHONPATH": f"{PROJECT}/workflow"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StratavoxError(f"{name}: {done.stderr.strip() or 'it was killed'}")


def finished(index: dict, left: set[str]) -> tuple[dict, list[str]]:
    """The part of ``index`` (see `report.summary`) that is finished, and what is missing.

    ``left`` are the outputs of the jobs that are not done. A task is kept where its answers and
    their figure are there, a dataset where a task of it is kept.
    """
    missing, datasets = [], {}
    for name, entry in index["datasets"].items():
        tasks = {}
        for task, paths in entry["tasks"].items():
            if {entry["hygiene"], *_needed(paths)} & left:
                missing.append(f"{name}, {task}: {ALL}")
                continue
            tasks[task] = _without(paths, left)
            if tasks[task] != paths:
                missing.append(f"{name}, {task}: {SOME}")
        if tasks:
            kept = _without(entry, left)
            datasets[name] = kept | {"tasks": tasks}
            if kept != entry:
                missing.append(f"{name}, all clips: {SOME}")
    encoders = {
        name: {"dirs": {key: entry["dirs"][key] for key in datasets}}
        for name, entry in index["encoders"].items()
    }
    return index | {"datasets": datasets, "encoders": encoders}, missing


def _needed(task: dict) -> list[str]:
    """The files without which nothing can be said of a task."""
    facts = figures.facts()
    card = [stem for name, stem in task["stems"].items() if facts[name].topic == "answer"]
    stems = [f"{stem}.svg" for stem in card]
    return [task["folds_json"], f"{task['answers']}/summary.json", *stems]


def _without(entry: dict, left: set[str]) -> dict:
    """``entry`` without what is in ``left``: a single table is None, others are left out."""
    kept = dict(entry)
    for key in entry.keys() & {*SINGLE}:
        kept[key] = None if entry[key] in left else entry[key]
    for keys, ending in ((TABLES, ""), (DRAWN, ".svg")):
        for key in entry.keys() & {*keys}:
            own = entry[key].items()
            kept[key] = {name: path for name, path in own if f"{path}{ending}" not in left}
    return kept
