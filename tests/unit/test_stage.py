"""A stage gets one job: what the command makes of its JSON, and what it refuses."""

from pathlib import Path

import pytest

from stage_jobs import as_json, stage
from stratavox.__main__ import run_stage
from stratavox.corpus import arrange
from stratavox.errors import StratavoxError
from stratavox.stage import Job

BOTH = {"input": {}, "output": {}}


def test_a_job_has_paths_settings_and_wildcards_by_name():
    values = {
        "input": {"one": "a/b.json", "several": ["c", "d"], "none": []},
        "output": {"table": "e.parquet"},
        "settings": {"seed": 0, "path": "data"},
        "provenance": {"key": "k"},
        "wildcards": {"dataset": "zoo", "shard": "007"},
    }
    job = Job.of(values, threads=3)
    assert job.input.one == Path("a/b.json")
    assert job.input.several == [Path("c"), Path("d")] and job.input.none == []
    assert job.output.table == Path("e.parquet")
    # a setting that names a path stays text
    assert job.settings == {"seed": 0, "path": "data"}
    assert job.provenance == {"key": "k"}
    assert (job.wildcards.dataset, job.wildcards.shard) == ("zoo", "007")
    assert job.threads == 3


def test_what_a_job_does_not_give_is_empty():
    job = Job.of(BOTH)
    assert (job.settings, job.provenance, job.threads) == ({}, {}, 1)
    assert vars(job.wildcards) == vars(job.input) == vars(job.output) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("probe.gone", None, "stage 'probe.gone': there is no module stratavox.probe.gone"),
        ("tables", "{}", "stage 'tables': stratavox.tables is no stage: it has no run(job)"),
        ("embed.collect", "{", "--job: '{' is no JSON object with input and output (JSONDecode"),
    ],
)
def test_a_job_that_cannot_be_run_is_one_message_and_exit_code_1(name, text, message):
    done = stage(name, *([] if text is None else ["--job", text]))
    assert done.returncode == 1
    assert done.stderr.startswith("stratavox: error: ") and message in done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gone.linear", "{}", "stage 'gone.linear': there is no module stratavox.gone.linear"),
        ("probe", None, "stage 'probe': stratavox.probe is no stage"),
        ("embed.collect", "[]", "--job: '[]' is no JSON object with input and output"),
        ("embed.collect", '{"input": {}}', "is no JSON object with input and output .KeyError"),
        ("embed.collect", '{"input": [], "output": {}}', "is no JSON object with input and out"),
        ("embed.collect", '{"input": {"parts": 1}, "output": {}}', "is no JSON object with inp"),
    ],
)
def test_other_jobs_that_cannot_be_run(name, text, message):
    with pytest.raises(StratavoxError, match=message.replace("[", r"\[")):
        run_stage(name, text, 1)


def test_a_file_that_is_not_there_is_one_message(tmp_path):
    text = as_json({"receipt": tmp_path / "receipt.json"}, {})
    done = stage("corpus.arrange", "--job", text, "--threads", "2")
    assert done.returncode == 1
    assert done.stderr.startswith(f"stratavox: error: {tmp_path}/receipt.json: no such file")
    assert len(done.stderr.splitlines()) == 1


def test_without_a_job_the_stage_says_what_it_does():
    done = stage("corpus.arrange")
    assert done.returncode == 0
    assert done.stdout.strip() == arrange.__doc__.strip()
