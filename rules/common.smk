"""Every helper function of the rules.

A rule's provenance param holds the key that makes its jobs stale: see workflow/stratavox/plan.py.
A rule reads only what its key covers. (Were inputs marked ancient() throughout, Snakemake would not
look at the params of jobs behind one that runs: DAG.update_needrun skips them.)
"""

import inspect
import json
import math
import os
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, f"{workflow.basedir}/workflow")

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from stratavox.errors import StratavoxError
from stratavox.locks import hold, refuse_unwritable
from stratavox.encoders.catalogue import BASELINE_RATE
from stratavox.inference import ANSWERS
from stratavox.plan import (
    DATASET_FIGURES,
    FORMATS,
    NUISANCE_FIGURES,
    TASK_FIGURES,
    Plan,
    canonical,
)
from stratavox.remake import remake

if set("{}") & set(str(workflow.basedir)):
    raise WorkflowError(
        f"{workflow.basedir}: Snakemake takes braces in the path of a workflow for its own; "
        "move or rename the folder"
    )

# A job on a cluster parses this file too; only the first process looks at the recordings.
try:
    if workflow.is_main_process:
        refuse_unwritable(Path(".snakemake"), Path("results"))
        hold(Path(".snakemake"))
    PLAN = Plan(config, Path("."), look=workflow.is_main_process)
    if workflow.is_main_process:
        remake(PLAN, Path("."))
except StratavoxError as error:
    raise WorkflowError(str(error)) from None

# envs/stratavox.yaml names the lock file by this: Snakemake copies it away from its folder
os.environ.update(STRATAVOX_ENVS=f"{workflow.basedir}/envs")
# No param: where archives stay makes no result stale.
os.environ.update(STRATAVOX_DOWNLOADS=canonical(PLAN.config["downloads"]))
# This interpreter and this package, wherever they stand; in a conda environment, its interpreter.
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PATH = "" if CONDA else f"PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH "
shell.prefix(
    f"set -euo pipefail; export {PATH}PYTHONPATH={shlex.quote(sys.path[0])} PYTHONUNBUFFERED=1; "
)


onstart:
    # Each job that ends under Snakemake 9's limit of jobs a second leaves a timer, which looks at
    # all ready jobs every second from then on: after 300 jobs the better part of a core, after
    # thousands no thread is left. --cores and --jobs are limit enough.
    workflow.scheduler.job_rate_limiter = None


wildcard_constraints:
    dataset="[A-Za-z][A-Za-z0-9_]*",
    encoder="[A-Za-z][A-Za-z0-9_]*",
    task="[A-Za-z][A-Za-z0-9_]*",
    shard=r"\d{3}",
    rate=r"\d+",


def spare_cores(wildcards):
    """Threads of a probing job: several only where there are fewer such jobs than cores."""
    jobs = len(PLAN.encoders) * sum(len(PLAN.tasks(name)) for name in PLAN.datasets)
    return max(1, min(4, (workflow.resource_settings.cores or 1) // jobs))


# Memory in MB and time in minutes of a job: what it starts with, and what each clip adds. Measured
# on the runs of config/real_calls.yaml and config/paper.yaml on one slow core, and rounded up twice.
NEEDS = {
    "generate": (1000, 0, 10, 0),
    "arrange": (1000, 0, 20, 0.01),
    "inspect": (1000, 0, 10, 0.01),
    "clips": (1000, 0, 10, 0.01),
    "manifest": (1000, 0.005, 10, 0),
    "acoustics": (1500, 0, 10, 0.02),
    "part": (3500, 0, 20, 0.05),
    "tokens": (3500, 0.8, 20, 0.05),
    "collect": (2500, 0.001, 10, 0.002),
    "folds": (1000, 0.005, 10, 0.001),
    "confounds": (1000, 0.005, 10, 0.001),
    "linear": (2000, 0.25, 30, 0.1),
    "notebook": (1500, 0.05, 10, 0.02),
    "atlas": (2000, 0.25, 20, 0.05),
    "conditional": (2000, 0.25, 20, 0.05),
    "attention": (3000, 0.8, 60, 0.5),
    "infer": (1500, 0.05, 20, 0.01),
    "umap": (2000, 0.1, 20, 0.01),
    "shape": (2000, 0.001, 10, 0.005),
    "neighbours": (1500, 0.1, 10, 0.02),
    "similarity": (2000, 0.2, 10, 0.01),
    "figures": (1500, 0.01, 15, 0),
    "summary": (1500, 0.01, 15, 0),
}
PROBES = ("linear", "notebook", "atlas", "conditional", "attention", "infer")
A_SHARDS = ("inspect", "clips", "acoustics", "part", "tokens")


def most_clips(kind, wildcards):
    """How many clips such a job works on at most. Some take a sample (docs/scale.md)."""
    if kind in ("similarity", "neighbours"):
        return PLAN.config["geometry"]["max_clips"]
    if kind == "umap":
        return PLAN.config["figures"]["umap"]["max_clips"]
    if kind in PROBES:
        return PLAN.datasets[wildcards.dataset]["probes"]["max_clips"] or math.inf
    return math.inf


def needs(rule):
    """What a cluster must give a job of the rule: more for more clips, and at each new attempt."""
    base_mb, each_mb, base_min, each_min = NEEDS[rule]

    def clips(wildcards):
        names = [wildcards.dataset] if "dataset" in wildcards.keys() else PLAN.datasets
        share = len(PLAN.shards(wildcards.dataset)) if rule in A_SHARDS else 1
        return (
            min(sum(map(PLAN.clip_count, names)), most_clips(rule, wildcards)) / share
        )

    return {
        "mem_mb": lambda wildcards, attempt: round(
            (base_mb + each_mb * clips(wildcards)) * attempt
        ),
        "runtime": lambda wildcards, attempt: round(
            (base_min + each_min * clips(wildcards)) * attempt
        ),
    }


def node(stage, wildcards):
    """A stage's settings and provenance, asked for by place as the plan itself does: made once."""
    made = getattr(PLAN, stage)
    return made(*(wildcards[name] for name in inspect.signature(made).parameters))


def settings(stage):
    """A params function: what the stage is told, as JSON."""
    return lambda wildcards: canonical(node(stage, wildcards)["settings"])


def index(wildcards):
    """A params function: what the report puts together, as JSON, in the order of the run."""
    return json.dumps(PLAN.index())


def provenance(stage):
    """A params function: what the stage's result depends on, as JSON; a change makes it stale."""
    return lambda wildcards: canonical(node(stage, wildcards)["provenance"])


def datasets_of(source):
    """A pattern for the run's datasets of a source."""
    named = [name for name in PLAN.datasets if PLAN.datasets[name]["source"] == source]
    return "|".join(named) or "(?!)"


def scanned(wildcards):
    """The scan: another rule's output, or made before any rule from a folder, content in the keys."""
    scan = "results/corpus/{dataset}/scan.parquet".format(**wildcards)
    of_folder = re.fullmatch(datasets_of("folder"), wildcards.dataset)
    return ancient(scan) if of_folder else scan


def of_each_shard(pattern):
    """An input function: the pattern's files for every shard of the dataset."""
    return lambda wildcards: expand(
        pattern, shard=PLAN.shards(wildcards.dataset), **wildcards
    )


def fed(wildcards):
    """The shard of clips at the encoder's rate, and the receipt of weights that are fetched."""
    rate = PLAN.rate(wildcards.encoder)
    clips = f"results/clips/{wildcards.dataset}/{rate}/part-{wildcards.shard}.parquet"
    receipt = PLAN.receipt(wildcards.encoder)
    return {"clips": clips} | ({"receipt": receipt} if receipt else {})


def of_each_encoder(pattern):
    """An input function: the pattern's files for every encoder of the run, in the config's order."""
    return lambda wildcards: expand(pattern, encoder=PLAN.encoders, **wildcards)


def further_probes():
    """Input functions: what beside linear probes there is for a task, by the option it goes to."""

    def of(table, encoders):
        pattern = f"results/{table}/{{encoder}}/{{dataset}}/{{task}}.parquet"
        return lambda wildcards: expand(
            pattern,
            encoder=encoders(wildcards.dataset, wildcards.task),
            dataset=wildcards.dataset,
            task=wildcards.task,
        )

    def asked(names):
        return lambda dataset, task: names if task in PLAN.targets(dataset) else []

    return {
        "atlas": of("atlas", asked(list(PLAN.encoders))),
        "conditional": of("conditional", asked(PLAN.deep())),
        "token_scores": of("token_scores", PLAN.attended),
        "token_predictions": of("token_predictions", PLAN.attended),
    }


def answers():
    """The tables of answers to a task, and what is to be said of them."""
    folder = "results/answers/{dataset}/{task}"
    return {name: f"{folder}/{name}.parquet" for name in ANSWERS} | {
        "summary": f"{folder}/summary.json"
    }


def embedding_folders(wildcards):
    """A params function: each encoder's folder of readouts as JSON, in the order of the run."""
    folder = "results/embeddings/{}/{}"
    return json.dumps(
        {name: folder.format(name, wildcards.dataset) for name in PLAN.encoders}
    )


def paths_by_encoder(key):
    """A params function: encoder to path as JSON, from the entry ``key`` of the report's index."""

    def paths(wildcards):
        entry = PLAN.index()["datasets"][wildcards.dataset]
        if "task" in wildcards.keys():
            entry = entry["tasks"][wildcards.task]
        return json.dumps(entry[key])

    return paths


def drawn(folder, figures):
    """Output files of figures in every format; the SVG go into Snakemake's own report."""
    files = {}
    for figure in figures:
        kind = figure.partition("_")[0]
        files[kind] = report(
            f"results/figures/{folder}/{figure}.svg",
            caption=f"../workflow/report/{kind}.rst",
            category="{dataset}",
            subcategory="{task}" if "{task}" in folder + figure else "all clips",
            labels={
                "figure": kind,
                "encoder": "{encoder}" if "{encoder}" in folder else "all",
            },
        )
        for form in FORMATS[1:]:
            files[f"{kind}_{form}"] = f"results/figures/{folder}/{figure}.{form}"
    return files


def figures():
    """Every figure of the run."""
    stems = []
    for dataset in PLAN.index()["datasets"].values():
        stems += dataset["stems"].values()
        for task in dataset["tasks"].values():
            stems += [*task["stems"].values(), *task["umap"].values()]
    return expand("{stem}.{form}", stem=stems, form=FORMATS)


def report_tables():
    """What the report reads beside the figures."""
    entries = PLAN.index()["datasets"].values()
    files = expand(
        "results/embeddings/{encoder}/{dataset}/encoder.json",
        encoder=PLAN.encoders,
        dataset=PLAN.datasets,
    )
    for entry in entries:
        files += [entry["hygiene"], entry["similarity"], *entry["shape"].values()]
        files += [entry["archive"]["account"]] if entry["archive"] else []
        for task in entry["tasks"].values():
            files += [task["folds_json"], f"{task['answers']}/summary.json"]
            files += [*task["notebook"].values(), *task["neighbours"].values()]
            files += [task["confounds"]] if task["confounds"] else []
    return files
