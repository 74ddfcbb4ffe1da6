"""What a run shows, from Snakemake's log records."""

import io
import logging
import re
import time

import pytest
from rich.console import Console
from snakemake.logging import DefaultFilter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from stratavox.console import View
from stratavox.errors import StratavoxError, run_command
from stratavox.progress import Progress


class Run:
    """A run of ``jobs`` jobs of each rule, as Snakemake logs it to a view."""

    def __init__(self, jobs: dict[str, int], terminal=False, encoding="utf-8", rows=24, **options):
        self.bytes = io.BytesIO()
        file = io.TextIOWrapper(self.bytes, encoding=encoding, write_through=True)
        console = Console(
            file=file, width=80, height=rows, force_terminal=terminal, highlight=False
        )
        self.view = View(console=console, **options)
        stats = jobs | {"total": sum(jobs.values())}
        self.log(event=LogEvent.WORKFLOW_STARTED, workflow_id="1", snakefile="Snakefile")
        self.log("Building DAG of jobs...")
        self.log("Conda environments: ignored")
        self.log(event=LogEvent.RUN_INFO, stats=stats)
        self.number = 0

    def log(self, message=None, level=logging.INFO, **fields):
        record = logging.LogRecord("snakemake", level, "", 0, message, (), None)
        record.__dict__.update(fields)
        self.view.handle(record)

    def start(self, rule: str, log="", **wildcards) -> int:
        self.number += 1
        names = {"rule_name": rule, "wildcards": wildcards, "log": [str(log)] if log else []}
        self.log(event=LogEvent.JOB_INFO, jobid=self.number, threads=1, **names)
        return self.number

    def finish(self, job: int):
        self.log(event=LogEvent.JOB_FINISHED, job_id=job)

    def fail(self, job: int, rule: str, log, message=None):
        fields = {"rule_name": rule, "rule_msg": message, "log": [str(log)]}
        self.log("Error in rule", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=job, **fields)
        self.log(
            "RuleException:\nCalledProcessError in file x, line 1:\nCommand 'long' returned 1",
            logging.ERROR,
            event=LogEvent.ERROR,
        )

    def end(self):
        self.log("Exiting because a job execution failed. Look above ...", logging.ERROR)
        self.log("Complete log(s): /x.log")
        text = "WorkflowError:\nAt least one job did not complete successfully."
        self.log(text, logging.ERROR, event=LogEvent.ERROR)
        self.view.close()

    @property
    def printed(self) -> str:
        return self.bytes.getvalue().decode(self.view.console.file.encoding)

    def screen(self) -> list[str]:
        plain = Console(file=io.StringIO(), width=80)
        plain.print(self.view._screen())
        return plain.file.getvalue().splitlines()


@pytest.fixture
def error_log(tmp_path, capsys):
    """The log of a job that ended with a StratavoxError, as its process wrote it."""

    def failing():
        raise StratavoxError("a.wav: no such file; add it")

    with pytest.raises(SystemExit):
        run_command(failing)
    log = tmp_path / "part.a.log"
    log.write_text("embed: 3/3 clips, 1.0 s\n" + capsys.readouterr().err)
    return log


def test_off_a_terminal_a_long_run_is_a_few_lines_and_has_no_bars():
    run = Run({"part": 100, "linear": 200})
    for rule in ["part"] * 100 + ["linear"] * 200:
        run.finish(run.start(rule, dataset="wood"))
    run.view.close()
    lines = run.printed.splitlines()
    assert lines[0] == "300 jobs to run"
    assert lines[1].startswith("30 of 300 jobs done, ")
    assert len(lines) <= 11 and "\x1b" not in run.printed and "Conda" not in run.printed


def test_a_failed_job_is_its_own_message_and_log_when_it_happens_and_at_the_end(error_log):
    run = Run({"part": 3})
    for dataset in ("wood", "field"):
        run.fail(run.start("part", error_log, dataset=dataset), "part", error_log)
    run.end()
    assert run.printed.splitlines() == [
        "3 jobs to run",
        "Failed: part wood: a.wav: no such file; add it",
        f"  log: {error_log}",
        "Failed: part field: for the same reason",
        f"  log: {error_log}",
        "2 of 3 jobs failed:",
        "* part wood and 1 more: a.wav: no such file; add it",
        f"  log: {error_log}",
    ]


def test_reasons_of_failures_without_a_message_of_ours(tmp_path):
    log, run = tmp_path / "log", Run({"part": 1})
    job = run.start("part", log)
    run.fail(job, "part", log)
    assert "Failed: part: it ended without a message" in run.printed
    log.write_text("probes of tiny: 1/1 readouts, 0.3 s\n")
    run.fail(job, "part", log, "SLURM status is: 'OUT_OF_MEMORY'")
    assert "Failed: part: SLURM status is: 'OUT_OF_MEMORY'" in run.printed
    log.write_text("Traceback (most recent call last):\n  File x\nValueError: odd\n")
    run.fail(job, "part", log)
    assert "Failed: part: ValueError: odd" in run.printed


def test_a_job_that_succeeds_in_a_further_attempt_did_not_fail(error_log):
    run = Run({"part": 1}, terminal=True)
    job = run.start("part", error_log)
    run.fail(job, "part", error_log)
    run.number -= 1
    run.finish(run.start("part", error_log))
    assert not run.view.failed
    assert any("1/1" in line for line in run.screen()) and run.view.total_jobs == 1


def test_failures_are_shown_although_the_run_is_quiet(error_log):
    quiet = DefaultFilter({Quietness.ALL}, False, False, False, False)
    run = Run({"part": 1}, shown=quiet)
    run.fail(run.start("part", error_log), "part", error_log)
    assert run.printed.startswith("Failed: part: a.wav")


def test_a_run_with_nothing_to_do_prints_the_answer_of_the_last_one():
    run = Run({}, nothing_to_do=lambda: ["Verdict: early", "Report: here"])
    run.log("Nothing to be done (all requested files are present and up to date).")
    nothing, *answer = run.printed.splitlines()[1:]
    assert nothing.startswith("Nothing to be done")
    assert answer == ["Verdict: early", "Report: here"]


def test_beside_the_bars_a_long_job_shows_its_rate_and_the_time_left(tmp_path, monkeypatch, capsys):
    run = Run({"part": 2, "linear": 5})
    log = tmp_path / "part.log"
    job = run.start("part", log, encoder="tiny", dataset="wood")
    run.finish(run.start("linear"))
    clock = iter([0.0, 20.0, 20.0])
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: next(clock))
        Progress("embed", 300).add(60, audio_s=120)
    log.write_text(capsys.readouterr().err)
    lines = run.screen()
    assert [line.split()[0] for line in lines] == ["part", "linear", "Total", "part"]
    assert lines[0].split()[-2] == "0/2" and lines[1].split()[-2] == "1/5"
    assert lines[3] == (
        "part tiny wood: 80 s left, 60/300 clips, 3.00 clips/s, 6.0 audio-seconds/s"
    )
    run.finish(job)
    assert len(run.screen()) == 3


def test_the_bars_of_a_run_with_many_rules_fit_a_low_terminal():
    rules = {f"rule{number}": 1 for number in range(40)}
    run = Run(rules, terminal=True, rows=12)
    jobs = [run.start(rule) for rule in rules]
    for job in jobs[1:]:
        run.finish(job)
    lines = run.screen()
    shown = {line.split()[0] for line in lines}
    assert len(lines) <= 11 and {"rule0", "rule39", "Total"} <= shown


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_plain_terminals_get_what_they_can_show(monkeypatch, term, error_log):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", "1")
    run = Run({"part": 2}, terminal=True, encoding="latin-1")
    run.finish(run.start("part"))
    run.fail(run.start("part", error_log), "part", error_log)
    time.sleep(0.4)  # a refresh of the bars
    run.end()
    assert "part" in run.printed and run.printed.isascii()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", run.printed)  # no colour
    assert ("\x1b[2K" in run.printed) == (term != "dumb")
