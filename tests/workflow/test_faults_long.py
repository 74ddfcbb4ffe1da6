"""The whole run under faults, stage by stage (make test-faults); docs/faults.md lists them all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import ambush
from damage import damage_each_kind, same_tables
from test_faults import wait_for, works_in
from test_verify import verify
from tiny_study import bare, jobs, set_up

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))
import archive_data as data  # noqa: E402

pytestmark = pytest.mark.faults
STAGES = (
    *("corpus.inspect", "corpus.manifest", "corpus.clips", "corpus.acoustics"),
    *("embed.part", "embed.tokens", "embed.collect"),
    *("probe.folds", "probe.confounds", "probe.linear", "probe.notebook"),
    *("probe.atlas", "probe.conditional", "probe.erasure", "probe.samples", "probe.attention"),
    *("inference.infer", "inference.verdicts"),
    *("geometry.umap", "geometry.shape", "geometry.neighbours", "geometry.similarity"),
    *("report.draw", "report.listen", "report.summary"),
)
# The longest way through the rules, and one run more.
MOST_RUNS = 10


def until_done(study, *command: str) -> int:
    """Give the same command until it ends well; return how often."""
    for times in range(1, MOST_RUNS + 1):
        options = {"capture_output": True, "text": True}
        done = subprocess.run(study.command(*command), cwd=study.folder, **options)
        if done.returncode == 0:
            return times
    raise AssertionError(done.stdout + done.stderr)


def test_a_worker_of_every_stage_is_killed(finished, tmp_path):
    study = set_up(tmp_path)
    config = study.config
    # a stage that the finished study has not; columns are erased as there
    config["datasets"]["wood"] |= {"confounds": ["day"], "probes": {"erase": ["bird"]}}
    study.config = config
    left = ambush.lay(study, ambush.KILL, *STAGES)
    assert until_done(study) > 2
    assert not list(left.iterdir()), "a stage was not met"
    assert same_tables(finished.here, study.here) == same_tables(study.here, finished.here) > 80
    assert study.stale() == set()
    hidden = {path.name for path in (study.here / "results").rglob(".*") if path.is_file()}
    assert hidden <= {".snakemake_timestamp"}


def test_snakemake_alone_is_killed_and_its_jobs_with_it(finished, tmp_path):
    """As far as the scores."""
    study = set_up(tmp_path)
    running = study.start("--until", "linear")
    wait_for(lambda: list((study.here / "results/logs/part").glob("tiny.*")))
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    wait_for(lambda: not works_in(study.here), 10)
    study.snakemake("--until", "linear")
    assert same_tables(study.here, finished.here) > 30
    assert jobs(study.snakemake("--until", "linear", "--dry-run")) == set()


def test_workers_that_get_recordings_are_killed(tmp_path):
    """Of an archive fetched and arranged, and of the synthetic set."""
    studies = []
    (tmp_path / "site").mkdir()
    data.otter_archive(tmp_path / "site/giant_otters.zip", most=2)
    with data.serving(tmp_path / "site") as server:
        for name in ("killed", "whole"):
            (tmp_path / name).mkdir()
            study = bare(tmp_path / name)
            task = {"target": "call_type", "kind": "classification", "group": None}
            sizes = {"species": 1, "individuals": 2, "call_types": 2, "renditions": 2}
            study.config = {
                "run": {"datasets": ["otters", "chorus"], "encoders": ["logmel"]},
                "datasets": {
                    "otters": {"source": "archive", "archive": "giant_otter", "shards": 2},
                    "chorus": {"source": "chorus", "shards": 2, "chorus": sizes},
                },
                "downloads": {"folder": "cache", "archives": "own.yaml"},
            }
            config = study.config
            for dataset in config["datasets"].values():
                dataset["tasks"] = {"call": task}
            study.config = config
            entry = data.entry("giant_otter", [server.file("giant_otters.zip")])
            data.write_table(study.here / "own.yaml", giant_otter=entry)
            studies.append(study)
        killed, whole = studies
        stages = ("corpus.fetch", "corpus.arrange", "corpus.generate")
        left = ambush.lay(killed, ambush.KILL, *stages)
        assert until_done(killed, "--until", "manifest") > 1
        assert not list(left.iterdir())
        whole.snakemake("--until", "manifest")
    assert same_tables(killed.here, whole.here) == same_tables(whole.here, killed.here) > 5


def test_one_table_of_every_kind_is_broken(study, finished, planned):
    """The same command, once, and all is as it was."""
    damage_each_kind(study, planned)
    study.snakemake()
    assert same_tables(study.here, finished.here) == same_tables(finished.here, study.here) > 80
    status, _, printed = verify(study)
    assert status == 0, printed
