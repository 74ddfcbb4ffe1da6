"""What all rules share. Each rule block has only what is its own (files, stage, settings, needs).

Every rule runs `python -m stratavox stage MODULE` (COMMAND) with its named inputs and outputs; its
log (results/logs/{rule}/) and conda environment are added by `connect_rules`. `stage` makes the two
params: `provenance` holds the key that makes a job stale (workflow/stratavox/keys.py), `job` what
the command is given. An input marked ancient() is left out of the key: its content is in the
settings. (Were all inputs marked so, Snakemake would not look at the params of jobs behind one that
runs: DAG.update_needrun skips them.)
"""

import functools
import math
import os
import shlex
import shutil
import sys
from pathlib import Path

PROJECT = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parent
sys.path.insert(0, f"{PROJECT}/workflow")

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from stratavox import forks
from stratavox import snakemake_internals as internals
from stratavox.corpus.identity import sha256_of
from stratavox.errors import StratavoxError
from stratavox.inference import ANSWERS
from stratavox.jobs import Jobs
from stratavox.keys import Stage, digest
from stratavox.locks import hold, refuse_unwritable
from stratavox.plan import Plan, over_default
from stratavox.probe.kinds import KINDS
from stratavox.report import figures as figure_facts
from stratavox.remake import remake
from stratavox.settings import Settings
from stratavox.stage import canonical
from stratavox.tables import write_text

FORMATS = figure_facts.FORMATS
FIGURES = figure_facts.facts()
# what the report reads beside the jobs' tables, written before any job runs
INDEX = "results/report/index.json"
CAPTIONS = "results/report/captions"
# the report of what is finished, after an error (rules/ending.smk)
UNFINISHED = "results/report/unfinished"

if set("{}") & set(str(PROJECT)):
    raise WorkflowError(
        f"{PROJECT}: Snakemake gives braces in the path of a workflow a meaning of its own; "
        "move or rename the folder"
    )

# Whether bars are shown, which the jobs' own lines would tear: these go to the logs alone.
BARS = workflow.is_main_process and internals.show_own_view(
    workflow, lambda: answer_lines("nothing had to run")  # rules/ending.smk
)

# A job on a cluster parses this file too; only the first process looks at the recordings.
try:
    if workflow.is_main_process:
        refuse_unwritable(Path(".snakemake"), Path("results"))
        hold(Path(".snakemake"))
    if internals.imported(workflow):
        config = over_default(config)
    PLAN = Plan(config, Path("."), look=workflow.is_main_process)
    SETTINGS = Settings(PLAN)
    if workflow.is_main_process:
        for key, place in PLAN.instead.items():
            logger.info(f"{key}: {place}")
except StratavoxError as error:
    raise WorkflowError(str(error)) from None

# envs/stratavox.yaml names the lock file by this: Snakemake copies it away from its folder
os.environ.update(STRATAVOX_ENVS=f"{PROJECT}/envs")
# This interpreter and this package, wherever they are; in a conda environment, its interpreter.
PATH = f"PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH "
PREFIX = (
    f"set -euo pipefail; export {'' if internals.in_conda(workflow) else PATH}"
    f"PYTHONPATH={shlex.quote(sys.path[0])} PYTHONUNBUFFERED=1; "
    + ('tee() {{ command tee "$@" > /dev/null; }}; ' if BARS else "")
)
shell.prefix(PREFIX)
COMMAND = (
    "python -m stratavox stage {params.job[stage]} --job {params.job[json]:q}"
    " --threads {threads} 2>&1 | tee {log:q}"
)


onstart:
    internals.mend_scheduler(workflow)
    shutil.rmtree(UNFINISHED, ignore_errors=True)
    start_forks()


wildcard_constraints:
    dataset="[A-Za-z][A-Za-z0-9_]*",
    encoder="[A-Za-z][A-Za-z0-9_]*",
    task="[A-Za-z][A-Za-z0-9_]*",
    shard=r"\d{3}",
    rate=r"\d+",
    width=r"\d+",


def connect_rules():
    """When all rules are read: their logs, what follows from them, and what is to be made again."""
    global JOBS
    internals.add_log_and_environment(workflow, PROJECT / "envs/stratavox.yaml")
    JOBS = Jobs(internals.Rules(workflow), [rules.summary.output.page, *figures()])
    try:
        if workflow.is_main_process:
            write_report_inputs()
            remake(JOBS, Path("."))
    except StratavoxError as error:
        raise WorkflowError(str(error)) from None


def stage(*module_and_settings, **further):
    """Params of a rule that runs a stage, described as in `keys.Stage`."""
    entry = Stage(*module_and_settings, **further)

    def provenance(wildcards):
        return canonical(JOBS.keys.of_stage(entry, wildcards))

    def job(wildcards, input, output):
        settings = entry.given("settings", wildcards)
        values = {
            "input": {name: input[name] for name in input.keys()},
            "output": {name: output[name] for name in output.keys()},
            "settings": settings | entry.given("places", wildcards),
            "wildcards": dict(wildcards.items()),
            "provenance": JOBS.keys.of_stage(entry, wildcards),
        }
        return {
            "stage": entry.module,
            "json": as_argument(canonical(values), output[0]),
        }

    provenance.stage = entry
    return {"provenance": provenance, "job": job}


def as_argument(job, output):
    """A job for the command; one that names many files as @ and the path of a file with it.

    Linux allows 131,071 bytes in an argument, and bash gets a whole command as one.
    """
    if len(job) < 15_000:
        return job
    _, *parts = Path(output).parts  # results is the first
    path = f"results/jobs/{'.'.join(parts)}.json"
    write_text(job, path)
    return f"@{path}"


def of_probes(*keys):
    """A settings function: some of the dataset's probe settings."""
    return lambda dataset: SETTINGS.probes(dataset, *keys)


def of_geometry(*keys):
    """A settings function: some of the run's geometry settings."""
    return lambda: {key: PLAN.config["geometry"][key] for key in keys}


def stored_tokens(section):
    """Params of a rule that stores the tokens for the probes of a section of ``probes``."""
    return stage(
        "embed.tokens",
        lambda encoder, dataset: SETTINGS.tokens(section, encoder, dataset),
        places=lambda encoder, dataset: {"encoder": SETTINGS.encoder(encoder, dataset)},
        code=SETTINGS.family_code,
        content=SETTINGS.weights,
    )


# ---- local jobs as forks of one process (forks.py) ----

FORKS = None


def start_forks():
    """Where jobs are plain processes of this machine."""
    global FORKS
    if internals.in_plain_processes(workflow):
        FORKS = forks.start(internals.modules_to_run(workflow))
    if FORKS:
        shell.prefix(
            f'{PREFIX}python() {{{{ command {forks.client(FORKS)} "$@"; }}}}; '
        )


def stop_forks():
    """Before the CPU time of this process's children is told."""
    if FORKS:
        forks.stop(FORKS)


# ---- what a job needs ----


def spare_cores(wildcards):
    """Threads of a probing job: several only where there are fewer such jobs than cores."""
    return max(1, min(4, internals.cores(workflow) // PLAN.probing_jobs()))


def needs(mb, minutes, at_most=lambda wildcards: math.inf):
    """Resources of a job: memory and time as (what it starts with, what each clip adds).

    More at each new attempt; a job of one shard has its share of the clips, one that takes a sample
    ``at_most`` so many. Measured on runs of real calls and of config/paper.yaml on one slow core,
    and rounded up twice.
    """

    def clips(wildcards):
        here = "dataset" in wildcards.keys()
        names = [wildcards.dataset] if here else PLAN.datasets
        share = (
            len(PLAN.shards(wildcards.dataset)) if "shard" in wildcards.keys() else 1
        )
        return min(sum(map(PLAN.clip_count, names)), at_most(wildcards)) / share

    def resource(start, each):
        return lambda wildcards, attempt: round(
            (start + each * clips(wildcards)) * attempt
        )

    return {"mem_mb": resource(*mb), "runtime": resource(*minutes)}


def probed_clips(wildcards):
    """Clips that a task's probes take at most."""
    return PLAN.datasets[wildcards.dataset]["probes"]["max_clips"] or math.inf


def compared_clips(wildcards):
    """Clips that readouts are compared on at most."""
    return PLAN.config["geometry"]["max_clips"]


def mapped_clips(wildcards):
    """Clips that a map shows at most."""
    return PLAN.config["figures"]["umap"]["max_clips"]


# ---- which files ----


def datasets_of(source):
    """A pattern for the run's datasets of a source."""
    named = [name for name in PLAN.datasets if PLAN.datasets[name]["source"] == source]
    return "|".join(named) or "(?!)"


def scanned(wildcards):
    """The scan: another rule's output, or made before any rule from a folder, content in the keys."""
    scan = f"results/corpus/{wildcards.dataset}/scan.parquet"
    return scan if PLAN.generated(wildcards.dataset) else ancient(scan)


def of_each_shard(pattern):
    """An input function: the pattern's files for every shard of the dataset."""
    return lambda wildcards: expand(
        pattern, shard=PLAN.shards(wildcards.dataset), **wildcards
    )


def of_each_encoder(pattern):
    """An input function: the pattern's files for every encoder of the dataset, or of the task."""

    def files(wildcards):
        if "task" in wildcards.keys():
            names = PLAN.probed(wildcards.dataset, wildcards.task)
        else:
            names = PLAN.embedded(wildcards.dataset)
        return expand(pattern, encoder=names, **wildcards)

    return files


def of_each_target(pattern):
    """An input function: the pattern's file for every task of the run that is a target."""
    return lambda wildcards: [
        pattern.format(dataset=dataset, task=task)
        for dataset in PLAN.datasets
        for task in PLAN.targets(dataset)
    ]


def of_own_targets(pattern):
    """An input function: the pattern's files for every target task of the dataset."""
    return lambda wildcards: expand(
        pattern, task=PLAN.targets(wildcards.dataset), **wildcards
    )


def of_encoders(pattern, encoders):
    """An input function: the pattern's files for the encoders that a function of the task names."""
    return lambda wildcards: expand(
        pattern, encoder=encoders(wildcards.dataset, wildcards.task), **wildcards
    )


def clips_at_rate(wildcards):
    """The shard of clips at the rate that the encoder is fed."""
    rate = PLAN.rate(wildcards.encoder, wildcards.dataset)
    return rules.clips.output.clips.format(rate=rate, **wildcards)


def clips_described(wildcards):
    """The shard of clips at the rate at which they are described, seen and heard."""
    rate = PLAN.described_rate(wildcards.dataset)
    return rules.clips.output.clips.format(rate=rate, **wildcards)


def all_clips_described(wildcards):
    """Every shard of these clips."""
    rate = PLAN.described_rate(wildcards.dataset)
    return of_each_shard(rules.clips.output.clips.replace("{rate}", str(rate)))(
        wildcards
    )


def receipt_of_weights(wildcards):
    """The receipt of the encoder's weights, where they are fetched."""
    return PLAN.receipt(wildcards.encoder) or []


def drawn(stem, scope):
    """Output files of the figures of a scope in every format; the SVG are in Snakemake's report.

    ``stem`` is a path below results/figures without its ending, with {figure} for the name.
    """
    files = {}
    for name in figures_of(scope):
        path = f"results/figures/{stem}".replace("{figure}", name)
        files[name] = report(
            f"{path}.svg",
            caption=os.path.abspath(f"{CAPTIONS}/{name}.rst"),
            category="{dataset}",
            subcategory="{task}" if "{task}" in stem else "all clips",
            labels={
                "figure": FIGURES[name].title,
                "encoder": "{encoder}" if "{encoder}" in stem else "all",
            },
        )
        for form in FORMATS[1:]:
            files[f"{name}_{form}"] = f"{path}.{form}"
    return files


def drawn_for_paper(stem, scope):
    """Output files of the figures of a scope in a journal's width; ``stem`` as in `drawn`."""
    forms = {"": "svg", "_pdf": "pdf", "_txt": "txt"}
    return {
        f"{name}{ending}": f"results/paper/{{width}}mm/{stem}.{form}".replace(
            "{figure}", name
        )
        for name in figures_of(scope)
        for ending, form in forms.items()
    }


def figures_of(scope):
    """The figures of a scope, less those of probes that no dataset of the run has.

    Those that need the notebook's scores are a scope of their own.

    A kind of task other than classification is a scope too: its targets' figures, of any kind and
    of its own.
    """
    if scope in KINDS:
        has = KINDS[scope].has
        of_any = figure_facts.of("target")
        kept = [name for name in of_any if all(map(has, (name, *FIGURES[name].needs)))]
        names = [*kept, *figure_facts.of(scope)]
    else:
        names = [
            name
            for name in figure_facts.of("target" if scope == "protocol" else scope)
            if ("notebook" in FIGURES[name].needs) == (scope == "protocol")
        ]
    probes = [entry["probes"] for entry in PLAN.datasets.values()]
    return [
        name
        for name in names
        if not (key := FIGURES[name].probes) or any(one[key] for one in probes)
    ]


def drawing(scope, by="report.draw", **further):
    """Params of a rule whose stage `by` draws a scope; ``further`` as in `keys.Stage`."""
    names = figures_of(scope)
    # colours are by place in the run, of which a task may have a part; a map is of one encoder
    run = {"draws": PLAN.draws, "encoders": PLAN.config["run"]["encoders"]}
    return stage(
        by,
        lambda dataset: {
            "scope": scope,
            "figures": names,
            "source": PLAN.datasets[dataset]["source"],
            **({} if scope == "map" else run),
        },
        code=lambda: [f"report.figures.{name}" for name in names],
        **further,
    )


def in_report(scope):
    """Params of a rule that draws the figures of a scope in every format."""
    return drawing(
        scope,
        places=lambda: {"plotlyjs": rules.plotlyjs.output.script},
        content=lambda: [
            *templates("interactive.html.j2"),
            *templates("figure.js"),
        ],
    )


# ---- the report ----


@functools.cache
def index():
    """What belongs together, for the report: paths relative to the working directory."""
    readouts = rules.collect.output.encoder
    return {
        "datasets": {dataset: index_of_dataset(dataset) for dataset in PLAN.datasets},
        "encoders": {
            encoder: {
                "dirs": {
                    dataset: os.path.dirname(
                        readouts.format(encoder=encoder, dataset=dataset)
                    )
                    for dataset in PLAN.datasets
                    if encoder in PLAN.embedded(dataset)
                }
            }
            for encoder in PLAN.encoders
        },
        "verdicts": rules.verdicts.output.verdicts,
        "unfinished": None,
        # less the place of the cache, which is this machine's business
        "config": PLAN.config
        | {"downloads": {"archives": PLAN.config["downloads"]["archives"]}},
    }


def index_of_dataset(dataset):
    """A dataset's tables, figures and tasks."""
    entry = PLAN.datasets[dataset]

    def of(pattern):
        return pattern.format(dataset=dataset)

    return {
        "source": entry["source"],
        "instead": PLAN.instead.get(f"datasets.{dataset}"),
        "chorus": entry.get("chorus"),
        "archive": (
            PLAN.archive_about(dataset) | {"account": of(rules.arrange.output.account)}
            if entry["source"] == "archive"
            else None
        ),
        "hygiene": of(rules.manifest.output.hygiene),
        "similarity": of(rules.similarity.output.similarity),
        "shape": {
            encoder: rules.shape.output.shape.format(encoder=encoder, dataset=dataset)
            for encoder in PLAN.embedded(dataset)
        },
        "clips": of(rules.listen.output.table) if SETTINGS.listening(dataset) else None,
        "stems": stems(rules.dataset_figures, dataset=dataset),
        "tasks": {task: index_of_task(dataset, task) for task in PLAN.tasks(dataset)},
    }


def index_of_task(dataset, task):
    """A task's tables and figures."""
    names = {"dataset": dataset, "task": task}

    def by_encoder(pattern, encoders):
        return {name: pattern.format(encoder=name, **names) for name in encoders}

    target = task in PLAN.targets(dataset)
    scope = PLAN.kind(dataset, task).name if target else "nuisance"
    figures = stems(getattr(rules, f"{scope}_figures"), **names)
    if PLAN.as_notebook(dataset, task):
        figures |= stems(rules.protocol_figure, **names)
    return {
        "role": PLAN.datasets[dataset]["tasks"][task]["role"],
        "encoders": PLAN.probed(dataset, task),
        "answers": os.path.dirname(rules.infer.output.summary.format(**names)),
        "folds_json": rules.folds.output.summary.format(**names),
        "confounds": (
            rules.confounds.output.confounds.format(**names)
            if PLAN.confound_columns(dataset, task)
            else None
        ),
        "notebook": by_encoder(
            rules.notebook.output.scores, PLAN.as_notebook(dataset, task)
        ),
        "neighbours": by_encoder(
            rules.neighbours.output.neighbours, PLAN.neighboured(dataset, task)
        ),
        "stems": figures,
        "umap": {
            encoder: stems(rules.panels, encoder=encoder, **names)["umap"]
            for encoder in PLAN.mapped(dataset, task)
        },
    }


def stems(rule, **wildcards):
    """The figures of a rule, name -> path without its ending."""
    paths = {name: path.format(**wildcards) for name, path in rule.output.items()}
    return {
        name: path.removesuffix(".svg")
        for name, path in paths.items()
        if path.endswith(".svg")
    }


def figures():
    """Every figure of the run, and what the interactive ones load."""
    files = expand("{stem}.{form}", stem=figure_stems(), form=FORMATS)
    return [rules.plotlyjs.output.script, *files]


def figure_stems():
    """The path without its ending of every figure of the run."""
    drawn = []
    for dataset in index()["datasets"].values():
        drawn += dataset["stems"].values()
        for task in dataset["tasks"].values():
            drawn += [*task["stems"].values(), *task["umap"].values()]
    return drawn


def report_tables():
    """What the report reads beside the figures."""
    entries = index()["datasets"].values()
    files = [
        rules.collect.output.encoder.format(encoder=encoder, dataset=dataset)
        for dataset in PLAN.datasets
        for encoder in PLAN.embedded(dataset)
    ]
    files.append(index()["verdicts"])
    for entry in entries:
        files += [entry["hygiene"], entry["similarity"], *entry["shape"].values()]
        files += [entry["archive"]["account"]] if entry["archive"] else []
        files += [entry["clips"]] if entry["clips"] else []
        for task in entry["tasks"].values():
            files += [task["folds_json"], f"{task['answers']}/summary.json"]
            files += [*task["notebook"].values(), *task["neighbours"].values()]
            files += [task["confounds"]] if task["confounds"] else []
    return files


def write_report_inputs():
    """The index, and the captions of figures in Snakemake's report, where they changed."""
    texts = {INDEX: canonical(index())}
    for name, facts in FIGURES.items():
        fields = ("task", "dataset", "encoder")
        values = {field: f"{{{{ snakemake.wildcards.{field} }}}}" for field in fields}
        values["metric"] = figure_facts.SCORE
        texts[f"{CAPTIONS}/{name}.rst"] = facts.caption.format(**values)
    for path, text in texts.items():
        if not os.path.exists(path) or Path(path).read_text(encoding="utf-8") != text:
            write_text(text, path)


@functools.cache
def templates(name):
    """Digests of the templates whose names fit a pattern; what editors leave there is none."""
    folder = PROJECT / "workflow/stratavox/report/templates"
    kinds = (".j2", ".css", ".js")
    paths = [path for path in folder.glob(name) if path.suffix in kinds]
    return [
        sha256_of(path)
        for path in sorted(paths)
        if path.is_file() and not path.name.startswith(".")
    ]
