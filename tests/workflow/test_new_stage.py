"""A new stage is its module and its rule block, and nothing else."""

import re

from stratavox import tables
from tiny_study import jobs

MODULE = '''
"""Counts the clips of each class."""

import collections

import pyarrow as pa

from stratavox import tables
from stratavox.stage import Job


def run(job: Job) -> None:
    targets = tables.read_table(job.input.folds)["target"].to_pylist()
    rows = [{"label": k, "n": n * job.settings["repeats"]} for k, n in count(targets).items()]
    tables.write_table(pa.Table.from_pylist(rows), job.output.counts, job.provenance)


def count(targets):
    return collections.Counter(targets)
'''
RULE = """

rule toy:
    input:
        folds=rules.folds.output.folds,
    output:
        counts="results/toy/{dataset}/{task}.parquet",
    params:
        **stage("probe.toy", of_probes("repeats")),
    shell:
        COMMAND
"""
COUNTS = "results/toy/wood/kind.parquet"


def test_a_new_stage_is_a_module_and_a_rule(study):
    module = study.project / "workflow/stratavox/probe/toy.py"
    module.write_text(MODULE)
    rules = study.project / "rules/probe.smk"
    rules.write_text(rules.read_text() + RULE)
    assert study.stale() == set()  # nothing of the run changed
    assert jobs(study.snakemake(COUNTS)) == {"toy wood kind"}
    rows = tables.read_table(study.here / COUNTS).to_pylist()
    assert sorted((row["label"], row["n"]) for row in rows) == [(f"kind {k}", 24) for k in range(3)]
    assert re.fullmatch("[0-9a-f]{64}", tables.read_provenance(study.here / COUNTS)["key"])
    assert (study.here / "results/logs/toy/wood.kind.log").exists()
    # its code and its settings decide what reruns
    assert jobs(study.snakemake("--dry-run", COUNTS)) == set()
    module.write_text(MODULE.replace("Counter(targets)", "Counter(sorted(targets))"))
    assert jobs(study.snakemake("--dry-run", COUNTS)) == {"toy wood kind"}
    module.write_text(MODULE)
    config = study.config
    config["probes"]["permutations"] = 3
    study.config = config
    assert jobs(study.snakemake("--dry-run", COUNTS)) == set()
    config["probes"]["repeats"] = 2
    study.config = config
    assert jobs(study.snakemake("--dry-run", COUNTS)) == {"folds wood kind", "toy wood kind"}
