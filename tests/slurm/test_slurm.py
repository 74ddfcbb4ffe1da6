"""The workflow on a real single-node SLURM that is started for it: `make test-slurm`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/workflow"), str(ROOT / "tests/unit")]
from damage import same_tables  # noqa: E402
from tiny_study import Study, set_up  # noqa: E402

pytestmark = pytest.mark.slurm
SITE = """
default-resources: {slurm_partition: main, slurm_account: test}
latency-wait: 5
slurm-init-seconds-before-status-checks: 3
"""
SCORES = "results/scores/tiny/wood/kind.parquet"
PART = "results/parts/tiny/wood/part-000.parquet"


@dataclass
class OnSlurm(Study):
    """A study whose jobs are SLURM's; ``tools`` has start-slurm.sh and a patient-less poll."""

    tools: Path

    def command(self, *options: str) -> list[str]:
        return [
            *(sys.executable, str(self.tools / "fastpoll.py")),
            *("-s", str(self.project / "Snakefile"), "--directory", str(self.here)),
            *("--configfile", str(self.here / "mine.yaml")),
            *("--profile", str(self.folder / "site")),
            *("--workflow-profile", str(self.project / "profiles/slurm"), *options),
        ]

    def ended(self, command: list[str], environment: dict[str, str]) -> tuple[int, str]:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, timeout=1200, check=False, **streams
        )
        return done.returncode, done.stdout


@pytest.fixture(scope="session")
def tools(shared):
    """A cluster of this machine alone, for as long as the tests take."""
    script = shared / "slurm/start-slurm.sh"
    settings = os.environ | {"SLURM_TEST_CPUS": "4"}
    subprocess.run([script, "restart"], check=True, env=settings)
    yield script.parent
    subprocess.run([script, "stop"], check=True, env=settings)


@pytest.fixture(scope="session")
def clips(tools, tmp_path_factory):
    """A study whose clips are there, so that the tests begin where it gets interesting."""
    study = set_up(tmp_path_factory.mktemp("clips"))
    study.snakemake("--until", "clips")
    return study


@pytest.fixture
def study(clips, tools, tmp_path) -> OnSlurm:
    subprocess.run(["cp", "-a", clips.folder, tmp_path / "study"], check=True)
    (tmp_path / "study/site").mkdir()
    (tmp_path / "study/site/config.yaml").write_text(SITE)
    return OnSlurm(tmp_path / "study", tools)


def seen(wanted, running: subprocess.Popen, seconds: float = 120) -> str:
    """The first of squeue's lines (id, state, comment) of which ``wanted`` is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and running.poll() is None:
        listed = ["squeue", "--noheader", "--format=%i|%T|%k"]
        printed = subprocess.run(listed, check=True, text=True, capture_output=True).stdout
        for line in printed.splitlines():
            if wanted(line):
                return line
        time.sleep(0.2)
    raise AssertionError(f"no such job; Snakemake ended with {running.poll()}")


def begun(study: OnSlurm, *options: str) -> subprocess.Popen:
    return subprocess.Popen(
        study.command(*options),
        cwd=study.folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_tables_are_those_of_a_local_run(study, clips, tmp_path):
    subprocess.run(["cp", "-a", clips.folder, tmp_path / "local"], check=True)
    local = Study(tmp_path / "local")
    local.snakemake(SCORES)
    study.snakemake(SCORES)
    assert same_tables(study.here, local.here) > 10
    logs = [path for path in (study.here / "results/logs/slurm").rglob("*") if path.is_file()]
    assert any("rule_linear" in str(path) for path in logs), logs
    assert (study.here / "results/logs/linear/tiny.wood.kind.log").read_text()


def test_a_job_killed_for_its_memory_comes_back_larger(study):
    """A model does not fit into the first try's 450 MB, but into what the second is given."""
    needs = "part:mem_mb=450 if attempt == 1 else 4000"
    printed = study.snakemake(PART, "--set-resources", needs)
    assert "Trying to restart job" in printed
    assert (study.here / PART).exists()


def test_a_cancelled_job_is_run_again(study):
    running = begun(study, PART)
    line = seen(lambda line: "rule_part" in line and "RUNNING" in line, running)
    subprocess.run(["scancel", line.split("|")[0]], check=True)
    printed, _ = running.communicate(timeout=300)
    assert running.returncode == 0, printed
    assert "Trying to restart job" in printed and (study.here / PART).exists()


def test_a_gpu_is_requested_where_the_site_configures_it(study):
    (study.folder / "site/config.yaml").write_text(SITE + "set-resources:\n  part: {gpu: 1}\n")
    running = begun(study, PART)
    line = seen(lambda line: "rule_part" in line, running)
    job = ["scontrol", "show", "job", line.split("|")[0]]
    description = subprocess.run(job, check=True, text=True, capture_output=True).stdout
    printed, _ = running.communicate(timeout=300)
    assert running.returncode == 0, printed
    assert "gres:gpu:1" in description or "gpu=1" in description, description
