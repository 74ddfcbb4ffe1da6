"""DESIGN section 4, rule 3: only what is stale reruns, and everything stale does.

Each test changes one thing in a finished run and asserts which jobs would run.
"""

import os
import shutil
import subprocess
import time

import numpy as np
import pytest
import soundfile

from stratavox.corpus.identity import shard_of
from tiny_study import FIELD_PROBES, call, jobs, make_dataset, make_encoder

SHARDS = ("000", "001")
TASKS = {"wood": ["kind"], "field": ["kind"]}
ENCODERS = ("tiny", "logmel")


def drawn(dataset, tasks=("kind",), umap=True):
    """The answers and figures that follow a dataset's probes."""
    rules = ["infer", "task_figures", *(["protocol_figure"] if dataset == "field" else [])]
    found = {f"{rule} {dataset} {task}" for task in tasks for rule in rules}
    return found | {"summary"} | ({f"panels tiny {dataset} {t}" for t in tasks} if umap else set())


def probed(dataset, tasks=("kind",), encoders=ENCODERS):
    """All that probes an encoder's readouts with the folds of a task."""
    rules = ["linear", "atlas", "neighbours", *(["notebook"] if dataset == "field" else [])]
    found = {f"{rule} {e} {dataset} {t}" for rule in rules for e in encoders for t in tasks}
    if "tiny" in encoders:
        deep = ["conditional", *(["attention"] if dataset == "field" else [])]
        found |= {f"{rule} tiny {dataset} {task}" for rule in deep for task in tasks}
    return found


def embedded(encoder, dataset, shards=SHARDS):
    """One encoder's embeddings of a dataset, its probes and what follows."""
    found = {f"part {encoder} {dataset} {shard}" for shard in shards}
    found |= {f"collect {encoder} {dataset}"} | probed(dataset, encoders=[encoder])
    if (encoder, dataset) == ("tiny", "field"):
        found |= {f"tokens tiny field {shard}" for shard in shards}
    found |= {f"shape {encoder} {dataset}", f"similarity {dataset}", f"dataset_figures {dataset}"}
    if encoder == "tiny":
        found |= {f"umap {encoder} {dataset}"}
    return found | drawn(dataset, umap=encoder == "tiny")


def audio(dataset, shards):
    """Clips of some shards, and all that follows from them."""
    found = {f"{rule} {dataset} {shard}" for rule in ("inspect",) for shard in shards}
    found |= {f"clips {dataset} 16000 {shard}" for shard in shards}
    found |= {f"acoustics {dataset} {shard}" for shard in shards}
    found |= {f"manifest {dataset}", f"folds {dataset} kind"}
    for encoder in ENCODERS:
        found |= embedded(encoder, dataset, shards)
    return found


def test_nothing_changed_nothing_runs(study):
    assert study.stale() == set()
    assert "Nothing to be done" in study.snakemake()


def test_times_of_files_say_nothing(study):
    """Touched, copied without their times, written by a clock that is ahead or behind."""
    generator = np.random.default_rng(0)
    for path in [*study.folder.rglob("*")]:
        if path.is_file() and ".snakemake" not in path.parts:
            ahead = generator.integers(-10 * 365, 10 * 365) * 86400
            os.utime(path, (time.time() + ahead, time.time() + ahead))
    assert study.stale() == set()


def test_comment_and_docstring(study):
    for path in (study.project / "workflow/stratavox").rglob("*.py"):
        path.write_text("# a comment\n" + path.read_text() + "\n\n# another\n")
    probe = study.project / "workflow/stratavox/probe/nested.py"
    probe.write_text(probe.read_text().replace('"""Nested, ', '"""Changed: nested, '))
    assert study.stale() == set()


def test_git_checkout(study):
    """Committed, cloned and put in place of the old one: same content, other times."""
    run = lambda *words: subprocess.run(words, cwd=study.project, check=True, capture_output=True)  # noqa: E731
    run("git", "init", "-q")
    run("git", "add", "-A")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
    shutil.rmtree(study.project / "workflow")
    run("git", "checkout", "-q", ".")
    assert study.stale() == set()


@pytest.mark.parametrize("what", ["added", "replaced"])
def test_one_clip_costs_its_shard(study, what):
    name = "audio/bird0_0_9.wav" if what == "added" else "audio/bird0_0_0.wav"
    if what == "added":
        row = {"name": name, "kind": "kind 0", "bird": "bird 0", "day": "day 0"}
        study.write_rows("wood", [*study.rows("wood"), row])
    sound = call(np.random.default_rng(99), 0, 0)
    soundfile.write(study.here / "data/wood" / name, sound, 16000)
    expected = audio("wood", [f"{shard_of(name, 2):03d}"])
    assert study.stale() == expected
    if what == "added":
        # and no more than that runs, after which all is well
        assert jobs(study.snakemake()) == expected
        assert study.stale() == set()


def test_task_added_then_a_label_of_it_corrected(study):
    """Neither costs the other task anything."""
    config = study.config
    config["datasets"]["wood"]["tasks"]["who"] = {
        "target": "bird",
        "kind": "classification",
        "group": "day",
        "min_clips": 2,
    }
    study.config = config
    expected = {"folds wood who"} | probed("wood", ["who"]) | drawn("wood", ["who"])
    assert study.stale() == expected
    study.snakemake("--until", "folds")
    rows = study.rows("wood")
    rows[0]["kind"] = "kind 1"
    study.write_rows("wood", rows)
    corrected = {"folds wood kind", "manifest wood"} | probed("wood") | drawn("wood")
    assert study.stale() == expected - {"folds wood who"} | corrected


def test_probe_setting_of_one_dataset(study):
    config = study.config
    config["datasets"]["field"]["probes"]["permutations"] = 3
    study.config = config
    linear = {f"linear {encoder} field kind" for encoder in ENCODERS}
    assert study.stale() == linear | drawn("field", umap=False)
    # the margin is nothing to the probes
    config["datasets"]["field"]["probes"] = FIELD_PROBES | {"margin": 0.05}
    study.config = config
    assert study.stale() == drawn("field", umap=False)


def test_nuisance_task_added(study):
    """Of a nuisance no more is told than how well it is decoded."""
    config = study.config
    config["datasets"]["wood"]["tasks"]["day"] = {
        **{"target": "day", "kind": "classification", "group": None},
        **{"role": "nuisance", "min_clips": 2},
    }
    study.config = config
    rules = ("folds", "infer", "nuisance_figures")
    expected = {f"{rule} wood day" for rule in rules} | {"summary"}
    assert study.stale() == expected | {f"linear {encoder} wood day" for encoder in ENCODERS}


def test_confound_of_a_joined_table(study):
    """What is only told of the labels costs no probe, whichever table it stands in."""
    config = study.config
    (study.here / "birds.csv").write_text("bird,age\nbird 0,chick\nbird 1,adult\n")
    config["datasets"]["wood"] |= {"join": {"table": "birds.csv", "by": "bird"}}
    study.config = config
    assert study.stale() == {"manifest wood", "summary"}
    config["datasets"]["wood"]["confounds"] = ["age", "day"]
    study.config = config
    expected = {"manifest wood", "confounds wood kind", "summary"}
    assert study.stale() == expected
    assert jobs(study.snakemake()) == expected
    assert study.stale() == set()
    (study.here / "birds.csv").write_text("bird,age\nbird 0,adult\nbird 1,adult\n")
    assert study.stale() == expected


def test_zeros_trimmed(study):
    config = study.config
    config["datasets"]["wood"]["trim_zeros"] = True
    study.config = config
    assert study.stale() == audio("wood", SHARDS)


def test_tokens_of_an_encoder(study):
    """Attention probes read tokens of their own: no readout is taken anew."""
    config = study.config
    config["datasets"]["wood"]["probes"] = {"attention": {"encoders": ["tiny"], "epochs": 2}}
    study.config = config
    tokens = {f"tokens tiny wood {shard}" for shard in SHARDS} | {"attention tiny wood kind"}
    assert study.stale() == tokens | drawn("wood", umap=False)


def test_encoder_setting(study):
    config = study.config
    config["encoders"]["tiny"]["context_s"] = 0.5
    study.config = config
    assert study.stale() == embedded("tiny", "wood") | embedded("tiny", "field")


def test_weights_file(study):
    shutil.rmtree(study.here / "encoder")
    make_encoder(study.here / "encoder", seed=1)
    assert study.stale() == embedded("tiny", "wood") | embedded("tiny", "field")


def test_encoder_added(study):
    config = study.config
    config["run"]["encoders"].append("duration_level")
    study.config = config
    expected = set()
    for dataset in TASKS:
        expected |= embedded("duration_level", dataset)
    assert study.stale() == expected


def test_dataset_added(study):
    make_dataset(study.here / "data/lake", 7)
    config = study.config
    config["datasets"]["lake"] = config["datasets"]["wood"] | {"path": "data/lake"}
    config["run"]["datasets"].append("lake")
    study.config = config
    assert study.stale() == audio("lake", SHARDS)


CODE = {
    "probe/nested.py": ("RISES = 2", "RISES = 3"),
    "inference/paired.py": ("POWER = 0.05, 0.8", "POWER = 0.05, 0.9"),
    "embed/pooling.py": (None, "CHANGED = 1\n"),
    "report/style.py": (None, "CHANGED = 1\n"),
}


@pytest.mark.parametrize("module", CODE)
def test_line_of_code(study, module):
    path = study.project / "workflow/stratavox" / module
    old, new = CODE[module]
    path.write_text(path.read_text().replace(old, new) if old else path.read_text() + new)
    expected = set()
    for dataset in TASKS:
        if module.startswith("probe"):
            # nested.py is nothing to ridge regression, to neighbours and to the notebook's way
            spared = ("atlas", "neighbours", "notebook")
            stale = {job for job in probed(dataset) if job.split()[0] not in spared}
            expected |= stale | drawn(dataset, umap=False)
        elif module.startswith("inference"):
            expected |= drawn(dataset, umap=False)
        elif module.startswith("report"):
            expected |= drawn(dataset) - {f"infer {dataset} kind"}
            expected |= {f"dataset_figures {dataset}"}
        else:
            for encoder in ENCODERS:
                expected |= embedded(encoder, dataset)
    assert study.stale() == expected


def test_dependency_upgraded(study, tmp_path):
    """A newer torch is found first on the path: what was made with torch is stale, no more."""
    newer = tmp_path / "site" / "torch-99.0.dist-info"
    newer.mkdir(parents=True)
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 99.0\n")
    expected = embedded("tiny", "wood") | embedded("tiny", "field")
    assert study.stale(path=tmp_path / "site") == expected


def test_result_deleted_is_made_again(study):
    (study.here / "results/figures/wood/kind/layers.png").unlink()
    assert "task_figures wood kind" in study.stale()


def test_order_of_keys_and_rows_is_no_change(study):
    config = study.config
    config["datasets"] = dict(reversed(config["datasets"].items()))
    study.config = config
    study.write_rows("wood", list(reversed(study.rows("wood"))))
    assert study.stale() <= {"manifest wood", "summary"}
