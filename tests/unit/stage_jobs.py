"""Run a stage on a job, in this process or by the command that rules run; keys of a run's files."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from stratavox import snakemake_internals
from stratavox.stage import Job

ROOT = Path(__file__).resolve().parents[2]


def as_json(input: dict, output: dict, settings: dict | None = None, **further: dict) -> str:
    """A job as a rule describes it: files are paths, or lists of them, by name.

    ``further``: provenance and wildcards.
    """
    values = {"input": input, "output": output, "settings": settings or {}, **further}
    return json.dumps(values, default=os.fspath)


def job(*described: dict, **further: dict) -> Job:
    """The job that `as_json` describes."""
    return Job.of(json.loads(as_json(*described, **further)))


def stage(name: str, *options: str, **process) -> subprocess.CompletedProcess:
    """Run ``python -m stratavox stage NAME`` in a process of its own; ``given`` is subprocess's."""
    environment = process.pop("env", os.environ) | {"PYTHONPATH": str(ROOT / "workflow")}
    line = [sys.executable, "-m", "stratavox", "stage", name, *options]
    return subprocess.run(line, env=environment, capture_output=True, text=True, **process)


def run(name: str, *described: dict, process: dict | None = None, **further: dict):
    """Run a stage on the job that `as_json` describes, in a process of its own."""
    return stage(name, "--job", as_json(*described, **further), **(process or {}))


def keys(config: dict, folder: Path, files: dict[str, str]) -> dict[str, str]:
    """The keys of ``files``, name -> path in ``folder``, in a run of ``config`` there."""
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with contextlib.chdir(folder):
        names = snakemake_internals.load(ROOT / "Snakefile", path, folder)
        return {name: names["JOBS"].keys.of_file(file) for name, file in files.items()}
