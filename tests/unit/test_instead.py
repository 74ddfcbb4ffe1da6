"""A local folder in the place of an archive or of the hub: read where it is there, and told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import stage_jobs
from stratavox.errors import StratavoxError
from stratavox.plan import Plan, over_default, plan_of
from stratavox.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(path.name for path in (ROOT / "config").glob("*.yaml"))


@pytest.fixture
def beside_shared(tmp_path, shared) -> Path:
    """A working directory beside the folder of real recordings, as in this project."""
    (tmp_path / "shared").symlink_to(shared)
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def config_of(name: str) -> dict:
    return yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_configs_can_be_planned_with_nothing_there(tmp_path, name):
    """Which checks each config's columns against those that its archives will have."""
    plan = Plan(over_default(config_of(name)), tmp_path)
    assert plan.instead == {} and list(tmp_path.iterdir()) == []
    assert {plan.datasets[dataset]["source"] for dataset in plan.datasets} == {"archive"}


@pytest.mark.parametrize("name", ["birds.yaml", "digits.yaml"])
def test_what_lies_beside_the_checkout_is_read_in_their_place(beside_shared, name):
    plan = Plan(over_default(config_of(name)), beside_shared)
    assert all(plan.datasets[dataset]["source"] == "folder" for dataset in plan.datasets)
    assert not any(plan.receipt(encoder) for encoder in plan.encoders)
    told = {f"datasets.{dataset}" for dataset in plan.datasets}
    assert told <= set(plan.instead)
    assert "../shared/weights/whisper-base-encoder" in plan.instead["encoders.whisper_base"]
    # jobs on a cluster's nodes plan the same
    assert Plan(over_default(config_of(name)), beside_shared, look=False).instead == plan.instead


def test_a_local_folder_is_what_a_dataset_of_source_folder_is(beside_shared):
    def plan(entry: str) -> Plan:
        tasks = "tasks: {context: {target: label, group: individual}}"
        datasets = f"datasets: {{cats: {{{entry}, {tasks}}}}}"
        return plan_of(f"run: {{datasets: [cats], encoders: [logmel]}}\n{datasets}", beside_shared)

    keys = "path: ../shared/data/catmeows, table: metadata.csv, file: path"
    local = plan(f"source: archive, archive: catmeows, local: {{{keys}}}")
    folder = plan(f"source: folder, {keys}")
    assert local.datasets == folder.datasets and folder.instead == {}
    assert Settings(local).shard("cats", "000") == Settings(folder).shard("cats", "000")
    assert local.instead == {
        "datasets.cats": "the folder ../shared/data/catmeows is read in place of the published "
        "archive catmeows"
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"local": {"table": "a.csv", "file": "f"}}, "local: the key 'path' is missing"),
        ({"local": {"path": "x", "table": "a.csv"}}, "local: give table and file, or name"),
        ({"local": {"path": "x", "nmae": "{a}"}}, "did you mean 'name'"),
        ({"source": "folder", "local": {"path": "x", "name": "{a}"}}, "only with source: archive"),
    ],
)
def test_a_local_folder_that_cannot_be_read_is_refused(tmp_path, change, says):
    config = stage_jobs.default_config()
    tasks = {"call": {"target": "call_type", "group": None}}
    entry = {"source": "archive", "archive": "giant_otter", "tasks": tasks} | change
    config["datasets"]["otters"] = entry
    with pytest.raises(StratavoxError, match=says):
        Plan(config, tmp_path)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({}, "give either path"),
        ({"path": "x", "model": "openai/whisper-base"}, "give either path"),
        ({"path": "x", "local": "y"}, "local: only with model"),
        ({"path": "x", "weights": "pretrained"}, "weights: found 'pretrained'; allowed: file"),
        ({"model": "openai/whisper"}, "model: found 'openai/whisper'; allowed: openai/whisper-ti"),
        ({"model": "openai/whisper-base", "context_s": 0.013}, "context_s: found 0.013"),
    ],
)
def test_an_entry_of_transformers_has_a_folder_or_a_name(tmp_path, entry, says):
    config = stage_jobs.default_config()
    config["encoders"]["mine"] = {"family": "transformers"} | entry
    config["run"]["encoders"] = ["mine"]
    with pytest.raises(StratavoxError, match=says):
        Plan(config, tmp_path)
