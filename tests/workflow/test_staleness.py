"""Only what is stale reruns, and everything stale does.

Each test changes one thing in a finished run and asserts which jobs would run: the first ones by
name, and whatever reads what they write.
"""

import os
import re
import shutil
import subprocess
import time

import numpy as np
import pytest
import soundfile

from stratavox.corpus.identity import shard_of
from tiny_study import FIELD_PROBES, ROOT, blocks, call, jobs, make_dataset, make_encoder

RULES = [path.read_text() for path in (ROOT / "rules").glob("*.smk")]


def changed(study, module: str, old: str, new: str) -> None:
    """Replace some text of a module, which must be there."""
    path = study.project / "workflow/stratavox" / module
    text = path.read_text()
    assert re.search(old, text), f"{module}: no {old!r}"
    path.write_text(re.sub(old, new, text, count=1))


def test_nothing_changed_nothing_runs(study):
    assert "Nothing to be done" in study.snakemake()


def test_nothing_that_says_nothing_of_a_result_makes_it_stale(study):
    """Times of files, comments, type hints, messages, help, a git checkout, an editor's files."""
    run = lambda *words: subprocess.run(words, cwd=study.project, check=True, capture_output=True)  # noqa: E731
    for path in (study.project / "workflow/stratavox").rglob("*.py"):
        path.write_text("# a comment\n" + path.read_text() + "\n\n# another\n")
    changed(study, "probe/linear.py", '"""Linear probes', '"""Changed: linear probes')
    changed(study, "corpus/inspect.py", r"def run\(job: Job\) -> None", 'def run(job: "Job")')
    changed(study, "tables.py", "no such file; run the workflow", "is missing; run the workflow")
    changed(study, "embed/part.py", r'Progress\("embed"', 'Progress("embedding"')
    changed(study, "progress.py", "audio-seconds per second", "seconds of audio a second")
    changed(study, "errors.py", "stratavox: error", "error")
    changed(study, "__main__.py", "write a config for", "make a config for")
    changed(study, "stage.py", "ensure_ascii=False", "ensure_ascii=False, allow_nan=True")
    run("git", "init", "-q")
    run("git", "add", "-A")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
    shutil.rmtree(study.project / "workflow")
    run("git", "checkout", "-q", ".")
    templates = study.project / "workflow/stratavox/report/templates"
    (templates / "old.css").mkdir()
    for name in (".summary.css.swp", "summary.css~", "#page.js#", ".hidden.js"):
        (templates / name).write_text("an editor's")
    (templates / ".#page.js").symlink_to("nobody@nowhere")
    generator = np.random.default_rng(0)
    for path in [*study.folder.rglob("*")]:
        if path.is_file() and not {".snakemake", ".git"} & set(path.parts):
            ahead = generator.integers(-10 * 365, 10 * 365) * 86400
            os.utime(path, (time.time() + ahead, time.time() + ahead))
    assert study.stale() == set()


def test_other_places_and_another_order_of_the_same_content(study):
    """Renamed folders and tables, rows and keys in another order: only the page names them."""
    config = study.config
    shutil.move(study.here / "data/wood", study.here / "data/forest")
    shutil.move(study.here / "data/forest/calls.csv", study.here / "data/forest/table.csv")
    config["datasets"]["wood"] |= {"path": "data/forest", "table": "table.csv"}
    shutil.move(study.here / "encoder", study.here / "weights of mine")
    config["encoders"]["tiny"]["path"] = "weights of mine"
    config["downloads"] = {"folder": "elsewhere"}
    config["datasets"] = dict(reversed(config["datasets"].items()))
    study.write_rows("field", list(reversed(study.rows("field"))))
    study.config = config
    assert study.stale() <= {"manifest field", "summary"}


@pytest.mark.parametrize("what", ["added", "replaced"])
def test_one_clip_costs_its_shard(study, planned, what):
    name = "audio/bird0_0_9.wav" if what == "added" else "audio/bird0_0_0.wav"
    if what == "added":
        row = {"name": name, "kind": "kind 0", "bird": "bird 0", "day": "day 0"}
        study.write_rows("wood", [*study.rows("wood"), row])
    sound = call(np.random.default_rng(99), 0, 0)
    soundfile.write(study.here / "data/wood" / name, sound, 16000)
    shard = f"{shard_of(name, 2):03d}"
    expected = study.after(f"inspect wood {shard}", printed=planned)
    assert f"part tiny wood {shard}" in expected
    assert not [job for job in expected if job.endswith(f" wood {1 - int(shard):03d}")]
    assert study.stale() == expected
    if what == "added":
        # and no more than that runs, after which all is well
        assert jobs(study.snakemake()) == expected
        assert study.stale() == set()


def test_task_added_then_a_label_of_it_corrected(study):
    """Neither costs the other task anything."""
    config = study.config
    config["datasets"]["wood"]["tasks"]["who"] = {"target": "bird", "group": "day", "min_clips": 2}
    study.config = config
    printed = study.snakemake("--dry-run", "--forceall")
    expected = study.after("folds wood who", printed=printed)
    assert {"linear tiny wood who", "infer wood who", "panels tiny wood who"} <= expected
    assert study.stale() == expected
    study.snakemake("--until", "folds")
    rows = study.rows("wood")
    rows[0]["kind"] = "kind 1"
    study.write_rows("wood", rows)
    corrected = study.after("folds wood kind", "manifest wood", printed=printed)
    assert study.stale() == expected - {"folds wood who"} | corrected


def test_settings_of_one_dataset(study, planned):
    config = study.config
    config["datasets"]["field"]["probes"]["permutations"] = 3
    study.config = config
    linear = study.after("linear tiny field", "linear logmel field", printed=planned)
    assert study.stale() == linear
    config["datasets"]["field"]["probes"] = FIELD_PROBES | {"samples": {"draws": 2}}
    study.config = config
    few = study.after("samples tiny field", "samples logmel field", printed=planned)
    assert study.stale() == few and not {job for job in few if job.startswith("linear")}
    # the margin is nothing to the probes
    config["datasets"]["field"]["probes"] = FIELD_PROBES | {"margin": 0.05}
    study.config = config
    answers = study.after("infer field", printed=planned)
    assert study.stale() == answers and not {job for job in answers if job.startswith("linear")}
    config["datasets"]["field"]["probes"] = FIELD_PROBES
    config["datasets"]["field"]["trim_zeros"] = True
    study.config = config
    assert study.stale() == study.after("inspect field", printed=planned)


def test_speed_of_one_dataset(study):
    """Its clips at another rate, and what hears them: not its folds, nor the other dataset."""
    config = study.config
    config["datasets"]["field"]["speed"] = 0.5
    study.config = config
    expected = study.after("clips field", printed=study.snakemake("--dry-run", "--forceall"))
    assert "clips field 32000 000" in expected and "acoustics field 000" in expected
    assert not [job for job in expected if job.startswith(("folds", "manifest")) or "wood" in job]
    assert study.stale() == expected
    config["datasets"]["field"]["speed"] = 1
    study.config = config
    # the page shows the config
    assert study.stale() == {"summary"}


def test_nuisance_task_added(study):
    """Of a nuisance no more is computed than how well it is decoded."""
    config = study.config
    nuisance = {"target": "day", "group": None, "role": "nuisance", "min_clips": 2}
    config["datasets"]["wood"]["tasks"]["day"] = nuisance
    study.config = config
    rules = ("folds", "infer", "nuisance_figures")
    expected = {f"{rule} wood day" for rule in rules} | {"summary"}
    assert study.stale() == expected | {f"linear {e} wood day" for e in ("tiny", "logmel")}


def test_confound_of_a_joined_table(study):
    """It costs the probes with its columns erased, and no other, whichever table it is in."""
    config = study.config
    (study.here / "birds.csv").write_text("bird,age\nbird 0,chick\nbird 1,adult\n")
    config["datasets"]["wood"] |= {"join": {"table": "birds.csv", "by": "bird"}}
    study.config = config
    assert study.stale() == {"manifest wood", "summary"}
    config["datasets"]["wood"]["confounds"] = ["age", "day"]
    study.config = config
    erased = study.after("erasure tiny wood kind")
    assert "classification_figures wood kind" in erased and "linear tiny wood kind" not in erased
    expected = {"manifest wood", "confounds wood kind"} | erased
    assert study.stale() == expected
    assert jobs(study.snakemake()) == expected
    assert study.stale() == set()
    (study.here / "birds.csv").write_text("bird,age\nbird 0,adult\nbird 1,adult\n")
    assert study.stale() == expected


def test_tokens_of_an_encoder(study):
    """Attention probes read tokens of their own: no readout is taken anew."""
    config = study.config
    config["datasets"]["wood"]["probes"] = {
        "attention": {"encoders": ["tiny"], "epochs": 2},
        "all_blocks": {"encoders": ["tiny"]},
    }
    study.config = config
    expected = study.after("tokens tiny wood", "all_tokens tiny wood")
    assert "collect tiny wood" not in expected
    assert {"attention tiny wood kind", "all_blocks tiny wood kind"} <= expected
    assert study.stale() == expected


def test_an_encoders_setting_or_weights(study, planned):
    config = study.config
    expected = study.after("part tiny", "tokens tiny", "all_tokens tiny", printed=planned)
    assert not {job for job in expected if job.split()[1:2] == ["logmel"]}
    config["encoders"]["tiny"]["context_s"] = 0.5
    study.config = config
    assert study.stale() == expected
    config["encoders"]["tiny"]["context_s"] = 1.0
    study.config = config
    assert study.stale() == set()
    shutil.rmtree(study.here / "encoder")
    make_encoder(study.here / "encoder", seed=1)
    assert study.stale() == expected


def test_an_encoder_or_a_dataset_added(study):
    """Costs its own jobs, and what compares it with the others."""
    config = study.config
    config["run"]["encoders"].append("duration_level")
    study.config = config
    assert study.stale() == study.after("part duration_level")
    config["run"]["encoders"].pop()
    make_dataset(study.here / "data/lake", 7)
    config["datasets"]["lake"] = config["datasets"]["wood"] | {"path": "data/lake"}
    config["run"]["datasets"].append("lake")
    study.config = config
    expected = study.after("inspect lake")
    assert {job.split()[-1] for job in expected} & {"wood", "field"} == set()
    assert study.stale() == expected


def test_a_line_of_code(study, planned):
    """Costs the stages that run it, and what follows: each line here is changed and put back."""
    lines = {
        # nothing to ridge regression, attention on a block, neighbours and the notebook's way
        ("probe/nested_cv.py", "RISES = 2", "RISES = 3"): ("linear", "conditional", "all_blocks"),
        (
            "inference/paired.py",
            "SIGNIFICANT, POWER = 0.05, 0.8",
            "SIGNIFICANT, POWER = 0.05, 0.9",
        ): ("infer",),
        ("embed/pooling.py", r"\Z", "CHANGED = 1\n"): ("part", "tokens", "all_tokens"),
        ("report/style.py", r"\Z", "CHANGED = 1\n"): (
            *("classification_figures", "protocol_figure", "dataset_figures", "panels", "summary"),
        ),
        ("report/listen.py", r"\Z", "CHANGED = 1\n"): ("listen",),
        # the page tells what is planted
        ("corpus/chorus.py", r"\Z", "CHANGED = 1\n"): ("summary",),
        ("encoders/transformers/load.py", r"\Z", "CHANGED = 1\n"): (
            *("part tiny", "tokens tiny", "all_tokens tiny"),
        ),
        ("encoders/logmel/load.py", r"\Z", "CHANGED = 1\n"): ("part logmel",),
    }
    # code that this run does not use
    unused = ("encoders/beats/load.py", "corpus/annotations/formats/textgrid.py")
    for module in (*unused, "corpus/zebra_finch.py"):
        changed(study, module, r"\Z", "CHANGED = 1\n")
    assert study.stale() == set()
    for (module, old, new), first in lines.items():
        path = study.project / "workflow/stratavox" / module
        before = path.read_text()
        changed(study, module, old, new)
        assert study.stale() == study.after(*first, printed=planned), module
        path.write_text(before)


def test_a_family_added(study):
    """A new family's name and files make nothing stale."""
    folder = study.project / "workflow/stratavox/encoders"
    shutil.copytree(folder / "logmel", folder / "mine")
    assert study.stale() == set()


def test_an_annotation_reader_in_use(study):
    """A line of its code costs its dataset's labels; another reader's costs nothing."""
    annotate(study)
    study.snakemake("--until", "folds", "manifest")
    changed(study, "corpus/annotations/formats/textgrid.py", r"\Z", "CHANGED = 1\n")
    labels = {"folds lake kind", "manifest lake"}
    assert not labels & study.stale()
    changed(study, "corpus/annotations/formats/audacity.py", r"\Z", "CHANGED = 1\n")
    stale = study.stale()
    assert labels <= stale and not {job for job in stale if {"wood", "field"} & set(job.split())}


def annotate(study) -> None:
    """A third dataset, lake: a label track of Audacity's beside each of two recordings."""
    folder, generator = study.here / "data/lake", np.random.default_rng(1)
    folder.mkdir()
    for bird in range(4):
        calls = [call(generator, number % 2, bird) for number in range(8)]
        soundfile.write(folder / f"bird{bird}.wav", np.concatenate(calls), 16000)
        rows = [f"{0.3 * n:.6f}\t{0.3 * n + 0.3:.6f}\tkind {n % 2}\n" for n in range(8)]
        (folder / f"bird{bird}.txt").write_text("".join(rows))
    config = study.config
    config["datasets"]["lake"] = {
        **{"source": "folder", "path": "data/lake", "annotations": {"format": "audacity"}},
        "tasks": {"kind": {"target": "label", "group": "file"}},
    }
    config["run"]["datasets"].append("lake")
    study.config = config


def test_dependency_upgraded(study, planned, tmp_path):
    """A newer torch is first on the path: what was made with torch is stale, no more."""
    newer = tmp_path / "site" / "torch-99.0.dist-info"
    newer.mkdir(parents=True)
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 99.0\n")
    expected = study.after("part tiny", "tokens tiny", "all_tokens tiny", printed=planned)
    assert study.stale(path=tmp_path / "site") == expected


def test_result_deleted_is_made_again(study):
    (study.here / "results/figures/wood/kind/layers.png").unlink()
    assert "classification_figures wood kind" in study.stale()


def test_every_stage_is_met(planned):
    """The tiny run has all rules but those of other sources, kinds, nuisances and papers."""
    rules = {job.split()[0] for job in blocks(planned)}
    declared = set(re.findall(r"^rule (\w+):", "".join(RULES), re.M)) - {"all"}
    others = {"generate", "fetch", "arrange", "fetch_weights", "confounds", "nuisance_figures"}
    others |= {"extract", "regression_figures", "paper_figures"}
    assert declared - rules == others
