"""Snakemake's own process under the project's rules."""

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


def test_no_thread_stays_behind_a_job_that_ended(tmp_path):
    study = bare(tmp_path)
    make_dataset(study.here / "data", seed=0)
    wood = {"source": "folder", "path": "data", "table": "calls.csv", "file": "name"}
    wood["tasks"] = {"kind": {"target": "kind", "kind": "classification", "group": "bird"}}
    study.config = {
        "run": {"datasets": ["wood"], "encoders": ["logmel"]},
        "datasets": {"wood": wood},
    }
    (study.project / "Snakefile").write_text(MANY)
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
