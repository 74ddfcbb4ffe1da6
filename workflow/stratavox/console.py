"""What a run shows: a bar for each rule, the progress of long jobs, and why a job failed.

On a terminal the bars are those of snakemake-logger-plugin-rich. Elsewhere a line is printed
now and then. Snakemake's own view is in .snakemake/log, and on the console with --verbose.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.status import Status
from rich.text import Text
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_rich.event_handler import EventHandler

from stratavox.answer import broken, span

# what `errors.run_command` and `progress.Progress` print
ERROR = "stratavox: error: "
PROGRESS = re.compile(r".+: ([\d.]+/[\d.]+ \w+, .*), (\d+ s left)")
# Off a terminal a line is printed after so much of the run, or of time where that is slow.
SHARE, SECONDS = 0.1, 600
# Snakemake's own lines that tell a user nothing, or that `View` says in its own words
NOISE = re.compile(
    r"Conda environments: ignored|Singularity containers: ignored|Group jobs: inactive"
    r"|Elapsed time: |Removing output files of failed job|Shutting down, this might take"
    r"|Job \d+ has been submitted with SLURM|SLURM run ID: |Complete log\(s\): "
    r"|RuleException:\nCalledProcessError"
    r"|WorkflowError:\nAt least one job did not complete successfully"
)
FINAL_ERROR = "Exiting because a job execution failed"
NOTHING = "Nothing to be done"
UNKNOWN = "it ended without a message; was it killed, or out of memory?"
IN_GROUP = "a job of its group failed"
REPEATED = "for the same reason"


class View(EventHandler):
    """Rich's view of a run, with the progress and the errors of the jobs' own logs.

    ``shown`` is Snakemake's filter for what --quiet leaves out; failures are always printed.
    ``nothing_to_do`` returns the lines to print when every file is up to date.
    """

    def __init__(
        self,
        shown: logging.Filter | None = None,
        no_color: bool = False,
        nothing_to_do: Callable[[], list[str]] = list,
        console: Console | None = None,
    ):
        console = console or Console(stderr=True, highlight=False, no_color=no_color or None)
        self.running: dict[int, JobLog] = {}
        self.failed: dict[int, tuple[str, str, list[str]]] = {}
        self.console, self.live = console, console.is_terminal and not console.is_dumb_terminal
        drawn = console if self.live else Console(quiet=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            Elapsed(),
            console=drawn,
            expand=True,
            auto_refresh=False,
        )
        display = Live(
            console=drawn,
            get_renderable=self._screen,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=self.live,
            redirect_stderr=self.live,
        )
        super().__init__(console, self.progress, display)
        self.shown, self.nothing_to_do = shown, nothing_to_do
        self.began = self.printed = time.monotonic()
        self.share = 0.0

    def handle(self, record: logging.LogRecord, **further) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_ERROR:
            self._fail(record)
        elif self.shown is not None and not self.shown.filter(record):
            return
        elif event is None or event == LogEvent.ERROR:
            self._say(record, further)
        else:
            super().handle(record, **further)

    def handle_workflow_started(self, event_data, **further) -> None:
        """Nothing: the heading is in Snakemake's log."""

    def handle_job_info(self, event_data, **further) -> None:
        again = event_data.jobid in self.jobs_info
        name = job_name(event_data.rule_name, event_data.wildcards)
        self.running[event_data.jobid] = JobLog(name, event_data.log)
        if again:  # a further attempt is no further job
            return
        first = event_data.rule_name not in {job["rule"] for job in self.jobs_info.values()}
        super().handle_job_info(event_data, **further)
        if first:  # its time counts from here
            self.progress.reset(self.progress_display.rule_tasks[event_data.rule_name])

    def handle_job_finished(self, event_data, **further) -> None:
        self.running.pop(event_data.job_id, None)
        self.failed.pop(event_data.job_id, None)
        super().handle_job_finished(event_data, **further)
        self._advance(self.completed, self.total_jobs)

    def _start_dag_status(self) -> None:
        self.dag_status = Status(
            "reading which jobs are to run", console=self.console, spinner="line"
        )
        self.dag_status.start()

    def _display_job_summary(self, per_rule_job_counts, total_job_count) -> None:
        jobs = "job" if total_job_count == 1 else "jobs"
        self._print(f"{total_job_count} {jobs} to run")

    def _fail(self, record: logging.LogRecord) -> None:
        self.running.pop(record.jobid, None)
        wildcards = self.jobs_info.get(record.jobid, {}).get("wildcards", {})
        name = job_name(record.rule_name, wildcards)
        unknown = IN_GROUP if getattr(record, "indent", False) else UNKNOWN
        why = next(filter(None, map(reason, record.log)), record.rule_msg) or unknown
        known = why in {why for _, why, _ in self.failed.values()}
        self.failed[record.jobid] = (name, why, record.log)
        self._print(failure("Failed:", name, REPEATED if known else why, record.log), "red")

    def _say(self, record: logging.LogRecord, further: dict) -> None:
        """A message of Snakemake's, or of the Snakefile's."""
        message = record.getMessage()
        if message.startswith(FINAL_ERROR):
            self._sum_up()
        elif message.startswith(NOTHING):
            # printed here: what is logged now could come after the end of the log
            for line in [message, *self.nothing_to_do()]:
                self._print(line)
        elif not NOISE.match(message.strip()):
            super().handle(record, **further)

    def _sum_up(self) -> None:
        """At the end: the jobs that failed, those with the same reason together."""
        self._print(f"{len(self.failed)} of {self.total_jobs} jobs failed:", "red")
        reasons: dict[str, list[tuple]] = {}
        for name, why, logs in self.failed.values():
            reasons.setdefault(why, []).append((name, logs))
        for why, jobs in reasons.items():
            name, logs = jobs[0]
            more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
            self._print(failure("*", f"{name}{more}", why, logs), "red")

    def _print(self, text: str, style: str = "") -> None:
        lines = "\n".join(map(broken, text.splitlines()))
        self.console.print(Text(lines, style=style), soft_wrap=True)

    def _advance(self, done: int, total: int) -> None:
        """Off a terminal, a line now and then."""
        now = time.monotonic()
        late = done / total >= self.share + SHARE or now - self.printed > SECONDS
        if self.live or done == total or not late:
            return
        self.share, self.printed = done / total, now
        self._print(f"{done} of {total} jobs done, {span(now - self.began)}")

    def _screen(self) -> Group:
        """The bars and, for each long job, its last line of progress: as many as have room."""
        room = self.console.height - 1
        lines = [line for log in list(self.running.values()) if (line := log.progress())]
        lines = lines[: room // 2]
        whole, *rules = [task for task in self.progress.tasks if task.visible] or [None]
        shown = fitting(rules, room - len(lines) - 1) + ([whole] if whole else [])
        texts = [Text(line, no_wrap=True, overflow="crop") for line in lines]
        return Group(self.progress.make_tasks_table(shown), *texts)


class JobLog:
    """The log of a running job, read again when it has grown, at most once a second."""

    def __init__(self, name: str, paths: list[str]):
        self.name, self.path = name, Path(paths[0]) if paths else None
        self.line, self.read, self.size = "", 0.0, -1

    def progress(self) -> str:
        """The job and its last line of progress; empty where the log does not end with one."""
        now = time.monotonic()
        if self.path and now - self.read >= 1:
            self.read = now
            size = self.path.stat().st_size if self.path.is_file() else -1
            if size != self.size:
                self.size = size
                last = tail(self.path).rstrip().splitlines()[-1:]
                match = last and PROGRESS.fullmatch(last[0])
                # the time left first: what is too long for the terminal is cut off
                self.line = f"{self.name}: {match[2]}, {match[1]}" if match else ""
                self.line = self.line.replace(" per second", "/s")
        return self.line


def fitting(tasks: list[Task], room: int) -> list[Task]:
    """The bars that have room: first those of finished rules are left out, the oldest first."""
    for task in [task for task in tasks if task.finished]:
        if len(tasks) > room:
            tasks = [other for other in tasks if other is not task]
    return tasks[-max(room, 0) :] if room > 0 else []


def job_name(rule: str, wildcards: dict) -> str:
    """The rule and the values of its wildcards, as "linear beats chorus call_type"."""
    return " ".join([rule, *map(str, dict(wildcards).values())])


def failure(mark: str, name: str, why: str, logs: list[str]) -> str:
    """A failed job, why it failed, and the path of its log."""
    return "\n  ".join([f"{mark} {name}: {why}", *(f"log: {path}" for path in logs)])


def reason(path: str) -> str:
    """Why a job failed, from its log: a `StratavoxError`, or the last line of a traceback."""
    text = tail(Path(path)).rstrip()
    if ERROR in text:
        return text.rpartition(ERROR)[2]
    return text.splitlines()[-1] if "Traceback (most recent call last)" in text else ""


def tail(path: Path, size: int = 20_000) -> str:
    """The end of a log; empty where there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
