"""A study of many tasks and encoders ends like a small one: no command outgrows the system."""

import contextlib
import json
import shlex
from pathlib import Path

import pytest
from snakemake.iocontainers import Wildcards

import corpus_data
import stage_jobs

# Linux's limit of one argument, in bytes (MAX_ARG_STRLEN); bash gets a whole command as one.
LONGEST = 131_071


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The global names of the Snakefile, for 120 tasks and 6 encoders."""
    folder = tmp_path_factory.mktemp("large")
    rows = [[f"{n}.wav", f"kind {n % 2}", f"bird {n % 4}"] for n in range(8)]
    corpus_data.put_table(folder / "data", [["file", "kind", "bird"], *rows])
    for name, *_ in rows:
        corpus_data.put(folder / "data", name)
    tasks = {f"a_rather_long_name_{n:03d}": {"target": "kind", "group": "bird"} for n in range(120)}
    dataset = {"source": "folder", "path": "data", "table": "metadata.csv", "file": "file"}
    encoders = {f"encoder_{n}": {"family": "logmel"} for n in range(6)}
    config = {
        "run": {"datasets": ["birds_of_far_away"], "encoders": list(encoders)},
        "datasets": {"birds_of_far_away": dataset | {"tasks": tasks}},
        "encoders": encoders,
    }
    with contextlib.chdir(folder):
        yield stage_jobs.rules(config, folder)


def test_no_command_is_longer_than_the_system_allows(names):
    """One job of each rule; a job that grows with the tasks is in a file."""
    lengths, in_files, rules = {}, {}, names["JOBS"]._rules
    for path in names["JOBS"].outputs:
        rule, wildcards = rules.producer(path)
        if rule.name not in lengths:
            wildcards = Wildcards(fromdict=wildcards)
            read, *_ = rule.expand_input(wildcards)
            written, _ = rule.expand_output(wildcards)
            text = rule.params.job(wildcards, input=read, output=written)["json"]
            lengths[rule.name] = len(shlex.quote(text))
            if text.startswith("@"):
                in_files[rule.name] = json.loads(Path(text[1:]).read_text(encoding="utf-8"))
    assert {"infer", "verdicts", "summary"} <= set(lengths)
    assert max(lengths.values()) < LONGEST / 5, lengths
    assert len(in_files["verdicts"]["input"]["trends"]) == 120


def test_a_stage_reads_its_job_from_a_file(tmp_path):
    described = stage_jobs.as_json({}, {"script": tmp_path / "plotly.js"})
    (tmp_path / "job.json").write_text(described, encoding="utf-8")
    done = stage_jobs.stage("report.plotlyjs", "--job", f"@{tmp_path}/job.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "plotly.js").stat().st_size > 1_000_000
    done = stage_jobs.stage("report.plotlyjs", "--job", f"@{tmp_path}/other.json")
    assert "other.json: cannot be read" in done.stderr and "Traceback" not in done.stderr
