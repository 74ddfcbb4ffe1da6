"""Jobs of stages, in this process or by the command that rules run; configs, keys, copied code."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from stratavox import snakemake_internals
from stratavox.__main__ import run_stage
from stratavox.errors import run_command
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


def default_config() -> dict:
    """The config of the default run, as it is written."""
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))


def copied_package(folder: Path) -> Path:
    """A copy of the package, without bundled weights, that a test may add modules to."""
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors")
    return Path(shutil.copytree(ROOT / "workflow", folder / "workflow", ignore=ignored))


def python(package: Path, *line: str) -> str:
    """What Python prints in a process of its own that imports ``package``; it must succeed."""
    environment = os.environ | {"PYTHONPATH": str(package)}
    done = subprocess.run([sys.executable, *line], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stage(name: str, *options: str, **process) -> subprocess.CompletedProcess:
    """Run ``python -m stratavox stage NAME``; ``process`` are options of `subprocess.run`."""
    environment = process.pop("env", os.environ)
    paths = [str(ROOT / "workflow"), environment.get("PYTHONPATH", "")]
    environment = environment | {"PYTHONPATH": os.pathsep.join(paths)}
    line = [sys.executable, "-m", "stratavox", "stage", name, *options]
    return subprocess.run(line, env=environment, capture_output=True, text=True, **process)


def run(name: str, *described: dict, process: dict | None = None, **further: dict):
    """Run a stage on the job that `as_json` describes: in this process, as the command does it.

    With options of `subprocess.run` in ``process`` it is a process of its own.
    """
    line = [name, "--job", as_json(*described, **further)]
    if process:
        return stage(*line, **process)
    output, code = (io.StringIO(), io.StringIO()), 0
    with contextlib.redirect_stdout(output[0]), contextlib.redirect_stderr(output[1]):
        try:
            run_command(lambda: run_stage(name, line[-1], threads=1))
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(line, code, *(text.getvalue() for text in output))


def rules(config: dict, folder: Path) -> dict:
    """The names in the Snakefile in a run of ``config`` in ``folder``, which is the current one."""
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return snakemake_internals.load(ROOT / "Snakefile", path, folder)


def keys(config: dict, folder: Path, files: dict[str, str]) -> dict[str, str]:
    """The keys of ``files``, name -> path in ``folder``, in a run of ``config`` there."""
    with contextlib.chdir(folder):
        jobs = rules(config, folder)["JOBS"]
        return {name: jobs.keys.of_file(file) for name, file in files.items()}
