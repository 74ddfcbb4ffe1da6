"""All of Snakemake's undocumented parts that Stratavox uses.

Tested with the versions in `SEEN` (tests/workflow/test_internals.py). If a new major version breaks
them, only this file has to change.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import shutil
import threading
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stratavox import tables
from stratavox.errors import StratavoxError

if TYPE_CHECKING:
    from snakemake.rules import Rule
    from snakemake.workflow import Workflow

SEEN = ("9.27",)


# ---- the rules, as the Snakefile declares them ----


class Rules:
    """Which rule makes a file, and which files that rule reads.

    Rules whose module was renamed or that another workflow added are followed like any other.
    """

    def __init__(self, workflow: Workflow):
        self._outputs = defaultdict(list)
        self._with_stage: dict[int, Rule] = {}
        self._inputs: dict[tuple, list[str]] = {}
        for rule in workflow.rules:
            if stage := stage_of(rule):
                self._with_stage[id(stage)] = rule
            for pattern in rule.output:
                self._outputs[_folder(pattern)].append((rule, pattern))

    def producer(self, path: str) -> tuple[Rule, dict[str, str]] | None:
        """The rule that makes ``path``, and the values of its wildcards; None where none does."""
        for rule, pattern in self._outputs[_folder(path)]:
            if match := pattern.match(path):
                return rule, match.groupdict()
        return None

    def with_stage(self, stage: object) -> Rule:
        """The rule whose param ``provenance`` holds ``stage``."""
        return self._with_stage[id(stage)]

    def inputs(self, rule: Rule, wildcards: dict[str, str]) -> list[str]:
        """The files that a job of the rule reads, except those marked ancient()."""
        job = (rule.name, *sorted(wildcards.items()))
        if job not in self._inputs:
            files, *_ = rule.expand_input(wildcards)
            self._inputs[job] = [str(file) for file in files if not file.is_ancient]
        return self._inputs[job]

    def outputs(self, rule: Rule, wildcards: dict[str, str]) -> list[str]:
        """The files that a job of the rule writes."""
        return [str(file) for file in rule.expand_output(wildcards)[0]]


def _folder(path: object) -> tuple[str, ...]:
    """The first two folders of a path, where no rule's pattern has a wildcard."""
    return tuple(str(path).split("/")[:2])


def patterns(rule: Rule) -> list[str]:
    """The rule's outputs with plain wildcards, without the constraints that Snakemake adds."""
    from snakemake.io import strip_wildcard_constraints

    return [strip_wildcard_constraints(str(pattern)) for pattern in rule.output]


def stage_of(rule: Rule) -> object | None:
    """The stage in a rule's param ``provenance``; None for a rule of another workflow."""
    return getattr(rule.params.get("provenance"), "stage", None)


def add_log_and_environment(workflow: Workflow, environment: Path) -> None:
    """Give each rule of a stage the conda environment and its log: its name and its wildcards."""
    from snakemake.sourcecache import LocalSourceFile

    for rule in workflow.rules:
        if stage_of(rule):
            wildcards = ".".join(dict.fromkeys(re.findall(r"{\w+}", patterns(rule)[0])))
            rule.log_modifier = rule.output_modifier
            rule.set_log(f"results/logs/{rule.name}/{wildcards or 'run'}.log")
            rule.conda_env = LocalSourceFile(str(environment))


def cores(workflow: Workflow) -> int:
    """Cores of this machine that the run may use; 1 where it runs on a cluster."""
    return workflow.resource_settings.cores or 1


def imported(workflow: Workflow) -> bool:
    """Whether another workflow imports the rules with a config of its own (``module:``)."""
    return workflow.modifier.skip_configfile


def in_conda(workflow: Workflow) -> bool:
    """Whether jobs run in conda environments of their own."""
    from snakemake.settings.types import DeploymentMethod

    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


def in_plain_processes(workflow: Workflow) -> bool:
    """Whether jobs run on this machine, with this interpreter: no cluster, conda or container."""
    return workflow.local_exec and not workflow.deployment_settings.deployment_method


def mend_scheduler(workflow: Workflow) -> None:
    """Switch off the limit of jobs a second, and let the scheduler end when it is told to.

    With the limit, each finished job leaves a timer that checks all ready jobs every second: after
    300 jobs this takes most of a core, after thousands all threads. --cores and --jobs suffice.
    A SIGTERM is handled in the thread that schedules, under its own lock: while this thread held
    it, Snakemake waited for itself, and a run that was to end stood still.
    """
    workflow.scheduler.job_rate_limiter = None
    workflow.scheduler._lock = threading.RLock()


def show_own_view(workflow: Workflow, nothing_to_do: Callable[[], list[str]]) -> bool:
    """Show the run as `console.View` does; whether it is shown so.

    It is where rich's logger is in use (profiles/default). A dry run, and a run with --verbose,
    --printshellcmds or --debug-dag, have Snakemake's own view, without its DEBUG lines.
    """
    manager, settings = workflow.logger_manager, workflow.output_settings
    handlers = [h for h in manager.plugin_handlers if type(h).__module__.endswith("plugin_rich")]
    if not handlers:
        return False
    manager._queue.join()  # what was logged so far is printed before the handler changes
    if settings.dryrun or settings.verbose or settings.printshellcmds or settings.debug_dag:
        listener = manager.queue_listener
        listener.handlers = tuple(h for h in listener.handlers if h not in handlers)
        plain = manager._default_streamhandler()
        plain.setLevel(logging.DEBUG if settings.debug_dag else logging.INFO)
        manager.logger.addHandler(plain)
        return False
    from stratavox.console import View

    view = View(manager._default_filter(), settings.nocolor, nothing_to_do)
    handlers[0].event_handler = view
    return True


def requested(workflow: Workflow, path: str) -> bool:
    """Whether the run makes ``path``, or takes it for up to date."""
    return any(path in job.output for job in workflow.dag.jobs)


def modules_to_run(workflow: Workflow) -> list[str]:
    """The modules below stratavox that the jobs to be done run."""
    modules: dict[str, None] = {}
    for job in workflow.dag.needrun_jobs():
        if stage := stage_of(job.rule):
            modules |= dict.fromkeys((stage.module, *stage.given("code", job.wildcards)))
    return list(modules)


def unfinished(workflow: Workflow) -> tuple[int, int, set[str]]:
    """How many jobs are done, how many there were, and the outputs of those that are not done."""
    jobs = list(workflow.dag.needrun_jobs(exclude_finished=False))
    left = [job for job in jobs if not workflow.dag.finished(job)]
    return len(jobs) - len(left), len(jobs), {str(path) for job in left for path in job.output}


def failed(workflow: Workflow) -> list[tuple[str, dict, list[str]]]:
    """The jobs that failed: rule, wildcards and logs."""
    jobs = sorted(workflow.scheduler.failed, key=lambda job: str(job.output))
    return [(job.rule.name, dict(job.wildcards.items()), list(map(str, job.log))) for job in jobs]


def load(snakefile: Path, config: Path, folder: Path) -> dict:
    """The global names of ``snakefile``, read in ``folder`` with ``config`` over its own config.

    Raises `StratavoxError` with Snakemake's message if it cannot be read.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import WorkflowError
    from snakemake.settings.types import (
        ConfigSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    quiet = OutputSettings(quiet={Quietness.ALL})
    try:
        with contextlib.redirect_stderr(io.StringIO()), SnakemakeApi(quiet) as api:
            read = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=[config.resolve()]),
                snakefile=snakefile,
                workdir=folder,
            )
            return read._workflow.globals
    except WorkflowError as error:
        raise StratavoxError(str(error)) from None


# ---- Snakemake's own records in .snakemake/ ----


def mark_incomplete(root: Path, output: str) -> None:
    """Mark ``output``, relative to ``root``, as the output of a killed job.

    Snakemake then makes it again (rerun-incomplete, profiles/default).
    """
    mark = _record(root, "incomplete", output)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text('{"external_jobid": null}')


def counts_as_made_of(root: Path, output: str, key: str) -> bool:
    """Whether Snakemake's record of ``output`` has ``key``, or there is no record."""
    try:
        return key in json.dumps(tables.read_json(_record(root, "metadata", output)))
    except StratavoxError:  # no record, or a broken one
        return True


def remove_locks(folder: Path) -> bool:
    """Remove the lock files in ``folder`` (.snakemake); whether there were any."""
    locks = folder / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return False
    shutil.rmtree(locks)
    locks.mkdir()
    return True


def _record(root: Path, kind: str, output: str) -> Path:
    """Where Snakemake keeps a record (``kind``: metadata or incomplete) of an output."""
    name = urlsafe_b64encode(output.encode()).decode()
    longest = os.pathconf(root, "PC_NAME_MAX") - 1
    pieces = [name[i : i + longest] for i in range(0, len(name), longest)]
    return root.joinpath(".snakemake", kind, *(f"@{piece}" for piece in pieces[:-1]), pieces[-1])
