"""Every helper function of the rules.

A rule's provenance param holds the key that makes its jobs stale: see workflow/stratavox/plan.py.
A rule reads only what its key covers. (Were inputs marked ancient() throughout, Snakemake would not
look at the params of jobs behind one that runs: DAG.update_needrun skips them.)
"""

import json
import os
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, f"{workflow.basedir}/workflow")

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from stratavox.errors import StratavoxError
from stratavox.locks import hold
from stratavox.plan import FORMATS, Plan, canonical

# A job on a cluster parses this file too; only the first process looks at the recordings.
try:
    if workflow.is_main_process:
        hold(Path(".snakemake"))
    PLAN = Plan(config, Path("."), look=workflow.is_main_process)
except StratavoxError as error:
    raise WorkflowError(str(error)) from None

# envs/stratavox.yaml names the lock file by this: Snakemake copies it away from its folder
os.environ.update(STRATAVOX_ENVS=f"{workflow.basedir}/envs")
# This interpreter and this package, wherever they stand; in a conda environment, its interpreter.
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PATH = "" if CONDA else f"PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH "
shell.prefix(
    f"set -euo pipefail; export {PATH}PYTHONPATH={shlex.quote(sys.path[0])} PYTHONUNBUFFERED=1; "
)


wildcard_constraints:
    dataset="[A-Za-z][A-Za-z0-9_]*",
    encoder="[A-Za-z][A-Za-z0-9_]*",
    task="[A-Za-z][A-Za-z0-9_]*",
    shard=r"\d{3}",
    rate=r"\d+",


def settings(stage):
    """A params function: what the stage is told, as JSON."""
    return lambda wildcards: canonical(getattr(PLAN, stage)(**wildcards)["settings"])


def index(wildcards):
    """A params function: what the report puts together, as JSON, in the order of the run."""
    return json.dumps(PLAN.index())


def provenance(stage):
    """A params function: what the stage's result depends on, as JSON; a change makes it stale."""
    return lambda wildcards: canonical(getattr(PLAN, stage)(**wildcards)["provenance"])


def generated_datasets():
    """A pattern for the datasets that a rule makes; a folder's scan is there before any rule."""
    made = [
        name for name, entry in PLAN.datasets.items() if entry["source"] == "chorus"
    ]
    return "|".join(made) or "(?!)"


def scanned(wildcards):
    """The scan: another rule's output, or made before any rule from a folder, content in the keys."""
    scan = "results/corpus/{dataset}/scan.parquet".format(**wildcards)
    return (
        scan if re.fullmatch(generated_datasets(), wildcards.dataset) else ancient(scan)
    )


def inspected(wildcards):
    return expand(
        "results/corpus/{dataset}/inspect/part-{shard}.parquet",
        dataset=wildcards.dataset,
        shard=PLAN.shards(wildcards.dataset),
    )


def clips_part(wildcards):
    """The shard of clips at the rate that the encoder is fed with."""
    rate = PLAN.rate(wildcards.encoder)
    return f"results/clips/{wildcards.dataset}/{rate}/part-{wildcards.shard}.parquet"


def parts(wildcards):
    return expand(
        "results/parts/{encoder}/{dataset}/part-{shard}.parquet",
        encoder=wildcards.encoder,
        dataset=wildcards.dataset,
        shard=PLAN.shards(wildcards.dataset),
    )


def of_each_encoder(pattern):
    """An input function: the pattern's files for every encoder of the run, in the config's order."""
    return lambda wildcards: expand(pattern, encoder=PLAN.encoders, **wildcards)


def embedding_folders(wildcards):
    """A params function: each encoder's folder of readouts as JSON, in the order of the run."""
    folder = "results/embeddings/{}/{}"
    return json.dumps(
        {name: folder.format(name, wildcards.dataset) for name in PLAN.encoders}
    )


def drawn(stem, figure):
    """Output files of a figure in every format; the SVG goes into Snakemake's own report."""
    files = {form: f"results/figures/{stem}.{form}" for form in FORMATS}
    files["svg"] = report(
        files["svg"],
        caption=f"../workflow/report/{figure}.rst",
        category="{dataset}",
        subcategory="{task}",
        labels={
            "figure": figure,
            "encoder": "{encoder}" if "{encoder}" in stem else "all",
        },
    )
    return files


def figures():
    """Every figure of the run."""
    stems = []
    for dataset in PLAN.datasets:
        for task in PLAN.tasks(dataset):
            stems += [f"{dataset}/{task}/layers", f"{dataset}/{task}/comparison"]
            stems += [f"{dataset}/{encoder}/umap_{task}" for encoder in PLAN.mapped()]
    return expand("results/figures/{stem}.{form}", stem=stems, form=FORMATS)


def tables_of_tasks(pattern):
    """The pattern's files for every task of every dataset."""
    return [
        pattern.format(dataset=dataset, task=task)
        for dataset in PLAN.datasets
        for task in PLAN.tasks(dataset)
    ]


def report_tables():
    """What the report reads beside the figures."""
    return (
        expand("results/corpus/{dataset}/hygiene.json", dataset=PLAN.datasets)
        + expand(
            "results/embeddings/{encoder}/{dataset}/encoder.json",
            encoder=PLAN.encoders,
            dataset=PLAN.datasets,
        )
        + tables_of_tasks("results/estimates/{dataset}/{task}.parquet")
        + tables_of_tasks("results/folds/{dataset}/{task}.json")
    )
