"""Snakemake's own process under the project's rules."""

import contextlib
import time

import psutil

from tiny_study import bare, make_dataset

MANY = """
configfile: f"{workflow.basedir}/config.yaml"

include: "rules/common.smk"

rule many:
    input:
        expand("{number}.done", number=range(60)),

rule one:
    output:
        "{number}.done",
    shell:
        "sleep .2; touch {output}"
"""
# A signal comes while the scheduler has its lock.
ENDED = """
import signal
from snakemake.scheduling.job_scheduler import JobScheduler

select, selected = JobScheduler.job_selector, []

def select_and_be_ended(self, jobs):
    selected.append(jobs)
    if len(selected) == 3:
        with self._lock:
            os.kill(os.getpid(), signal.SIGTERM)
    return select(self, jobs)

JobScheduler.job_selector = select_and_be_ended
"""


def of_many_jobs(folder, snakefile):
    """A study whose Snakefile has a rule of 60 short jobs."""
    study = bare(folder)
    make_dataset(study.here / "data", seed=0)
    wood = {"source": "folder", "path": "data", "table": "calls.csv", "file": "name"}
    wood["tasks"] = {"kind": {"target": "kind", "kind": "classification", "group": "bird"}}
    study.config = {
        "run": {"datasets": ["wood"], "encoders": ["logmel"]},
        "datasets": {"wood": wood},
    }
    (study.project / "Snakefile").write_text(snakefile)
    return study


def test_a_run_ends_when_it_is_told_to_whatever_it_does(tmp_path):
    study = of_many_jobs(tmp_path, MANY + ENDED)
    process = psutil.Process(study.start("many").pid)
    try:
        assert process.wait(timeout=60) == 1
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert 0 < len(list(study.here.glob("*.done"))) < 10


def test_no_thread_stays_behind_a_job_that_ended(tmp_path):
    study = of_many_jobs(tmp_path, MANY)
    process = psutil.Process(study.start("many").pid)
    most = 0
    while process.status() != psutil.STATUS_ZOMBIE:
        most = max(most, process.num_threads())
        time.sleep(0.1)
    assert len(list(study.here.glob("*.done"))) == 60
    assert most < 20


def test_a_checkout_with_braces_in_its_path_is_refused_with_the_reason(tmp_path):
    folder = tmp_path / "my {calls}"
    folder.mkdir()
    study = bare(folder)
    study.config = {}
    printed = study.snakemake("--dry-run", ok=False)
    assert "my {calls}" in printed and "move or rename the folder" in printed
