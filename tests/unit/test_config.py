"""A config that cannot be used is refused: the key's path, what was found, what is allowed."""

import contextlib
import copy
import runpy
from pathlib import Path

import pytest
import yaml

from stage_jobs import default_config
from stratavox import config
from stratavox.errors import StratavoxError
from stratavox.plan import Plan

ROOT = Path(__file__).resolve().parents[2]


def refused(**changes) -> str:
    """The message for the default config with ``path__to__key=value`` changed."""
    changed = default_config()
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = changed
        for key in parents:
            place = place.setdefault(key, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    with pytest.raises(StratavoxError) as error:
        config.check(changed)
    return str(error.value)


def long(**entry) -> dict:
    """A dataset of long recordings with annotation files."""
    tasks = {"call_type": {"target": "label", "group": None}}
    return {"source": "folder", "path": "songs", "annotations": entry, "tasks": tasks}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"probs": {}}, ["the top level", "'probs'", "did you mean 'probes'", "figures"]),
        (
            {"datasets__chorus__tasks__call_type__gruop": "x"},
            ["datasets.chorus.tasks.call_type", "'gruop'", "did you mean 'group'", "min_clips"],
        ),
        (
            {"datasets__chorus__tasks__call_type__group": None},
            ["datasets.chorus.tasks.call_type", "'group' is missing"],
        ),
        ({"encoders__logmel__family": "logmle"}, ["encoders.logmel.family", "'logmle'", "beats"]),
        ({"encoders__logmel__seed": 1}, ["encoders.logmel", "unknown key 'seed'"]),
        ({"run__datasets": ["corus"]}, ["run.datasets", "'corus'", "chorus"]),
        ({"run__encoders": []}, ["run.encoders", "[]"]),
        ({"probes__folds": 1}, ["probes.folds", "found 1"]),
        ({"probes__c_grid": [0.1, -1]}, ["probes.c_grid.1", "-1"]),
        ({"datasets__chorus__shards": "two"}, ["datasets.chorus.shards", "'two'"]),
        ({"datasets__chorus__channel": "left"}, ["datasets.chorus.channel", "'left'", "mean"]),
        (
            {"datasets__chorus__join": {"table": "x.csv"}},
            ["datasets.chorus.join", "'by'", "missing"],
        ),
        ({"datasets__chorus__confounds": "age"}, ["datasets.chorus.confounds", "'age'", "array"]),
        ({"datasets__chorus__source": "folder"}, ["datasets.chorus", "'path'", "missing"]),
        ({"datasets__chorus__path": "x"}, ["datasets.chorus.path: only with source: folder"]),
        (
            {"datasets__chorus__source": "archive", "datasets__chorus__start": "on"},
            [
                "datasets.chorus.start: only with source: folder",
                "datasets.chorus: a start needs the key end or the key duration",
                "datasets.chorus: the key 'archive' is missing",
            ],
        ),
        (
            {"datasets__chorus__source": "archive", "datasets__chorus__chorus": {}},
            ["datasets.chorus.chorus: only with source: chorus"],
        ),
        (
            {"datasets__chorus__archive": "zebra_finch"},
            ["datasets.chorus.archive: only with source: archive"],
        ),
        ({"encoders__beats_small_random__seeds": None}, ["beats_small_random", "needs a seed"]),
        ({"encoders__beats_small_random__seed": 0}, ["beats_small_random", "a seed or seeds"]),
        ({"encoders__beats_small_random__seeds": [3]}, ["beats_small_random.seeds", "[3]"]),
        (
            {"encoders__beats_small_random_seed1": {"family": "logmel"}},
            ["encoders.beats_small_random", "called beats_small_random_seed1"],
        ),
        (
            {"datasets__chorus__tasks__f0__encoders": ["logmels"]},
            ["datasets.chorus.tasks.f0.encoders", "'logmels'", "logmel"],
        ),
        (
            {"probes__attention": {"encoders": ["logmel"]}},
            ["probes.attention.encoders", "'logmel'", "beats_small_random"],
        ),
        (
            {"probes__all_blocks": {"encoders": ["logmel"]}},
            ["probes.all_blocks.encoders", "'logmel'", "beats_small_random"],
        ),
        (
            {"probes__all_blocks": {"encoders": ["beats_small"], "seeds": 1}},
            ["probes.all_blocks.seeds", "found 1", "2 or more"],
        ),
        ({"probes__fusions": ["median"]}, ["probes.fusions.0", "'median'", "concat_pca"]),
        ({"probes__protocol": "seed"}, ["probes.protocol", "'seed'", "sound, notebook"]),
        (
            {"encoders__beats_small_random__model": "esp_aves2_sl_beats_all"},
            ["beats_small_random", "either model", "architecture"],
        ),
        (
            {"encoders__logmel": {}},
            ["cannot be used:\n  encoders.logmel: the key 'family' is missing"],
        ),
        (
            {"encoders__logmel": "beats"},
            ["cannot be used:\n  encoders.logmel: found 'beats': 'beats' is not of type 'object'"],
        ),
        ({"encoders": {"a b": {"family": "logmel"}}}, ["encoders", "'a b'"]),
        ({"datasets__chorus": long(format="ravn")}, ["annotations.format", "'ravn'", "raven"]),
        ({"datasets__chorus": long()}, ["annotations", "'format' is missing"]),
        (
            {"datasets__chorus": long(format="raven")},
            ["annotations: the key 'label' is missing (names of columns, with format: raven)"],
        ),
        (
            {"datasets__chorus": long(format="csv", label="x", start="on")},
            ["annotations: a start needs the key end or the key duration, one of the two"],
        ),
        (
            {"datasets__chorus": long(format="audacity", tier="x", start="on")},
            ["annotations.tier: only with format: textgrid", "annotations.start: only with"],
        ),
        (
            {"datasets__chorus": long(format="audacity", files="*.txt", list="pairs.csv")},
            ["annotations: give either files (a pattern) or list"],
        ),
        (
            {"datasets__chorus": long(format="audacity") | {"table": "t.csv", "file": "f"}},
            [
                f"datasets.chorus.{key}: not with annotations, which take its place"
                for key in ("table", "file")
            ],
        ),
        ({"datasets__chorus": long(format="audacity", file="x")}, ["annotations", "'file'"]),
        ({"datasets__chorus": long(format="audacity", min_s=0)}, ["annotations.min_s", "found 0"]),
        (
            {
                "datasets__chorus__annotations": {"format": "audacity"},
                "datasets__chorus__source": "folder",
            },
            ["datasets.chorus: the key 'path' is missing"],
        ),
        (
            {"datasets__chorus": long(format="audacity") | {"source": "chorus"}},
            ["datasets.chorus.annotations: only with source: folder"],
        ),
    ],
)
def test_message(changes, parts):
    message = refused(**changes)
    for part in parts:
        assert part in message


def tokens(**changed) -> dict:
    """Settings of probes on tokens."""
    return {"probes__attention": {"encoders": ["beats_small"], **changed}}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"probes__inner_folds": 1}, ["probes.inner_folds", "found 1", "minimum of 2"]),
        (
            {"datasets__chorus__probes": {"inner_folds": 1}},
            ["datasets.chorus.probes.inner_folds", "found 1", "minimum of 2"],
        ),
        ({"probes__seed": "x"}, ["probes.seed", "found 'x'", "integer"]),
        (tokens(probes=["attention", "lstm"]), ["attention.probes.1", "'lstm'", "attention_pool"]),
        (tokens(probes=[]), ["probes.attention.probes", "found []"]),
        (tokens(keep="bands"), ["probes.attention.keep", "found 'bands'; allowed: time, all"]),
        (tokens(budget_gb=0), ["probes.attention.budget_gb", "found 0"]),
        (tokens(dropout=0.1), ["probes.attention: unknown key 'dropout'", "allowed: batch_size"]),
        *(
            (tokens(**{key: 0}), [f"probes.attention.{key}: found 0", "minimum of 1"])
            for key in ("batch_size", "epochs", "heads", "layers", "repeats")
        ),
        ({"figures__umap__n_neighbors": 1}, ["figures.umap.n_neighbors", "found 1", "of 2"]),
        (
            {"figures__umap": {"neighbors": 15}},
            ["figures.umap", "'neighbors' (did you mean 'n_neighbors'?)", "min_dist"],
        ),
        ({"geometry__max_clips": 9}, ["geometry.max_clips", "found 9", "minimum of 10"]),
        ({"geometry__max_clips": True}, ["geometry.max_clips", "found True", "integer"]),
        ({"geometry__matched_clips": 9}, ["geometry.matched_clips", "found 9", "minimum of 10"]),
        ({"geometry__draws": 0}, ["geometry.draws", "found 0", "minimum of 1"]),
        ({"geometry__seed": "x"}, ["geometry.seed", "found 'x'", "integer"]),
        ({"geometry__clips": 100}, ["geometry: unknown key 'clips'", "matched_clips, max_clips"]),
    ],
)
def test_settings_that_no_stage_can_use_are_refused_with_the_config(changes, parts):
    message = refused(**changes)
    for part in parts:
        assert part in message, message


def test_annotations_stand_for_a_table():
    changed = default_config()
    changed["datasets"]["chorus"] = long(format="textgrid")
    entry = config.check(changed)["datasets"]["chorus"]
    assert entry["annotations"] == {"format": "textgrid", "min_s": 0.02, "label": "label"}
    # what the report writes down can be run again
    assert not {"table", "file", "start", "end"} & entry.keys()


def test_the_example_of_annotations_is_valid():
    text = (ROOT / "docs/annotations.md").read_text()
    shown = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    merged = default_config() | shown
    merged["run"]["datasets"] = ["my_field"]
    entry = config.check(merged)["datasets"]["my_field"]
    assert entry["annotations"]["min_s"] == 0.02  # what the comment beside says


def test_avexs_all_layers_need_the_site_they_are_made_of():
    changed = default_config()
    changed["probes"] = {"fusions": ["concat_avex"]}
    with pytest.raises(StratavoxError) as error:
        config.check(changed)
    for part in ("probes.fusions: concat_avex", "sites: [block, ffn]", "(beats_small, beats_small"):
        assert part in str(error.value)
    for name in ("beats_small", "beats_small_random"):
        changed["encoders"][name]["sites"] = ["block", "ffn"]
    config.check(changed)
    changed["run"]["encoders"] = ["logmel"]
    with pytest.raises(StratavoxError, match="none of run.encoders is of family beats"):
        config.check(changed)


def module(**changes) -> dict:
    """An encoder of family module, as little as can be said of it."""
    entry = {"family": "module", "factory": "mine.build", "path": "code", "weights": "random"}
    entry |= {"seed": 0, "rate": 16000, "context_s": 5, "grid": {"size": 400, "hop": 320}}
    return entry | {"layout": "batch tokens width"} | changes


SMALL = {"layers": 1, "width": 32, "heads": 4}


def beats(**changes) -> dict:
    entry = {"family": "beats", "model": "esp_aves2_sl_beats_all", "weights": "random", "seed": 0}
    return entry | changes


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        (module(layout="guess"), ["encoders.mine.layout", "'guess'", "tokens batch width"]),
        (module(grid={"size": 400}), ["encoders.mine.grid", "'hop' is missing"]),
        (module(sites=["ffn"]), ["encoders.mine", "unknown key 'sites'"]),
        (module(seed=None), ["encoders.mine", "random needs a seed"]),
        (module(weights="mine.safetensors"), ["encoders.mine.seed: only with weights: random"]),
        (beats(sha256="0" * 64), ["encoders.mine.sha256: only with weights: pretrained"]),
        (
            {"family": "transformers", "path": "model", "seed": 1},
            ["encoders.mine.seed: only with weights: random"],
        ),
        (beats(weights="bundled", seed=None), ["encoders.mine.model: not with weights: bundled"]),
        (
            beats(weights="x.safetensors", seed=None, model=None, architecture=SMALL),
            ["encoders.mine.architecture: only with weights: random"],
        ),
        (beats(model=None), ["encoders.mine: give either model"]),
        (
            beats(sites=["ffn"]),
            ["encoders.mine.sites: found ['ffn']; allowed: block must be among them"],
        ),
        ({"family": "avex", "weights": "random"}, ["encoders.mine", "'model' is missing"]),
        (
            {"family": "beats", "weights": "bundled", "sites": ["fnn"]},
            ["encoders.mine.sites.0", "'fnn'", "ffn, attn"],
        ),
    ],
)
def test_encoders_of_ones_own_are_refused_by_key(entry, parts):
    entry = {key: value for key, value in entry.items() if value is not None}
    message = refused(encoders__mine=entry)
    for part in parts:
        assert part in message, message


def test_all_problems_are_reported_at_once():
    message = refused(probes__folds=1, encoders__logmel__family="x")
    assert "probes.folds" in message and "encoders.logmel.family" in message


def test_defaults_and_a_datasets_own_probes():
    changed = default_config()
    changed["datasets"]["chorus"]["probes"] = {"repeats": 2}
    before = copy.deepcopy(changed)
    checked = config.check(changed)
    assert changed == before
    assert checked["probes"]["folds"] == 5
    assert checked["datasets"]["chorus"]["probes"] == checked["probes"] | {"repeats": 2}


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_config_is_valid_over_the_default(path):
    from snakemake.common.configfile import load_configfile
    from snakemake.utils import update_config

    merged = default_config()
    update_config(merged, load_configfile(path))
    config.check(merged)


def leaves(values: dict, path: tuple[str, ...] = ()):
    """Paths of the keys whose values are not mappings."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def test_config_yaml_repeats_no_default_config():
    """Leaving out any key changes the run, or is refused."""
    whole = config.check(default_config())
    for *parents, last in leaves(default_config()):
        changed = default_config()
        place = changed
        for key in parents:
            place = place[key]
        del place[last]
        with contextlib.suppress(StratavoxError):
            assert config.check(changed) != whole, ".".join([*parents, last])


def test_seeds_stand_for_one_encoder_each(tmp_path):
    plan = Plan(default_config(), tmp_path)
    drawn = [f"beats_small_random_seed{seed}" for seed in range(5)]
    assert list(plan.encoders) == ["beats_small", *drawn, "logmel", "duration_level"]
    assert plan.draws == {"beats_small_random": drawn}
    entry = plan.config["encoders"]["beats_small_random"]
    shared = {key: value for key, value in entry.items() if key != "seeds"}
    for seed, name in enumerate(drawn):
        assert plan.encoders[name] == shared | {"seed": seed}
    # what stands beside the report can be run again
    assert config.check(plan.config) == plan.config


def test_a_task_has_its_encoders_and_a_dataset_those_of_its_tasks(tmp_path):
    plan = Plan(default_config(), tmp_path)
    few, every = ["beats_small", "logmel"], list(plan.encoders)
    assert plan.probed("chorus", "f0") == few and plan.probed("chorus", "species") == every
    assert plan.embedded("chorus") == every and plan.embedded("soundscape") == few
    assert plan.described("soundscape", "species") == few
    other = default_config()
    other["run"] |= {"datasets": ["soundscape"], "encoders": ["duration_level"]}
    assert Plan(other, tmp_path).embedded("soundscape") == ["duration_level"]
    # random draws go by the name that they share
    other = default_config()
    other["datasets"]["chorus"]["tasks"]["f0"]["encoders"] = ["beats_small_random"]
    assert len(Plan(other, tmp_path).probed("chorus", "f0")) == 5


def test_the_pages_of_keys_and_families_are_those_of_the_schema():
    pages = runpy.run_path(str(ROOT / "docs/reference.py"))["pages"]()
    for path, text in pages.items():
        assert path.read_text() == text, f"{path}: run python docs/reference.py"
