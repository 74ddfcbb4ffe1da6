"""Erasure takes a concept out of the clips and little else, and shows what a score depends on."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from benchmarks import erasure as benchmark
from scipy.linalg import orth

import answers_data
import embeddings_data
import stage_jobs
from corpus_data import put_table, settings
from stratavox import tables
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError
from stratavox.inference.answers import erasure as answer
from stratavox.probe import erasure, folds
from stratavox.probe.leace import Eraser, spread
from stratavox.probe.rotation import Rotation

GROUPS, CLASSES, EACH = 8, 3, 5
CLIPS = GROUPS * CLASSES * EACH
BIRD = np.repeat(np.arange(GROUPS), CLASSES * EACH)
CALL = np.tile(np.repeat(np.arange(CLASSES), EACH), GROUPS)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# ---- the map ----


def individuals(width: int, seed: int = 0) -> np.ndarray:
    """Clips (clips, width) in which birds differ, columns of unlike strength and correlated."""
    x = normal(seed, CLIPS, width) + 2 * normal(seed + 1, GROUPS, width)[BIRD]
    return x @ normal(seed + 2, width, width) * np.geomspace(1, 1e-2, width)


def explained(z: np.ndarray, concept: np.ndarray) -> float:
    """The share of the concept's variance that ordinary least squares predicts from ``z``."""
    has = (concept[:, None] == np.unique(concept)).astype(float)
    has -= has.mean(axis=0)
    z = z - z.mean(axis=0, dtype=float)
    fit, *_ = np.linalg.lstsq(z, has, rcond=1e-4)
    return float(np.square(z @ fit).sum() / np.square(has).sum())


@pytest.mark.parametrize("width", [12, CLIPS, 300])
def test_no_linear_probe_finds_the_concept_any_more(width):
    x = individuals(width)
    x[:, 3] = 7.5  # a constant column
    train = BIRD < 6
    rotation = Rotation.of(x, train)
    z = rotation.train
    eraser = Eraser.of(z, BIRD[train], spread(z))
    without = eraser.apply(z)
    assert np.isfinite(without).all() and np.isfinite(eraser.apply(rotation.apply(x[~train]))).all()
    has = (BIRD[train][:, None] == np.arange(6)) - 1 / 6
    covariance = (without - without.mean(axis=0)).T @ has / len(z)
    assert np.abs(covariance).max() < 1e-6
    assert np.abs(z.T @ has).max() / len(z) > 1e-2
    if width < train.sum():
        assert explained(z, BIRD[train]) > 0.3
        assert explained(without, BIRD[train]) < 1e-6
    assert eraser.along.shape == (z.shape[1], 5)


@pytest.mark.parametrize("width", [12, 300])
def test_the_clips_change_less_than_by_a_plain_projection(width):
    rotation = Rotation.of(individuals(width), np.ones(CLIPS, bool))
    z = rotation.train
    changed = Eraser.of(z, BIRD, spread(z)).apply(z) - z
    centred = z - z.mean(axis=0)
    means = np.stack([centred[bird == BIRD].mean(axis=0) for bird in range(GROUPS)])
    basis = orth(means.T.astype(float), rcond=1e-4)
    projected = centred @ basis @ basis.T
    assert np.square(changed).mean() < np.square(projected).mean()
    # it leaves every direction but as many as there are groups less one
    assert np.linalg.matrix_rank(changed, tol=1e-3) == GROUPS - 1


def test_a_concept_without_a_trace_or_with_one_value_changes_nothing():
    z = Rotation.of(normal(0, CLIPS, 10), np.ones(CLIPS, bool)).train
    assert np.array_equal(Eraser.of(z, np.zeros(CLIPS), spread(z)).apply(z), z)
    constant = np.zeros((CLIPS, 4), np.float32)
    assert not Eraser.of(constant, BIRD, spread(constant)).apply(constant).any()


# ---- the stage ----


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A table of clips: calls of birds, at sites that go with the calls; each bird has one sex."""
    monkeypatch.chdir(tmp_path)
    sites = np.where(np.arange(CLIPS) % EACH == 0, (CALL + 1) % CLASSES, CALL)
    rows = [
        [f"c{n:05d}", f"call {CALL[n]}", f"bird {BIRD[n]}", f"site {sites[n]}", "one", n]
        for n in range(CLIPS)
    ]
    (tmp_path / "data").mkdir()
    for name, *_ in rows:
        (tmp_path / "data" / name).write_text(name)
    put_table(tmp_path / "data", [["file", "call", "bird", "site", "device", "number"], *rows])
    return tmp_path


def run_stage(here, readouts: dict, columns: list[str], repeats: int = 1):
    """Folds by bird, made-up choices of C, the stage; its predictions and its columns."""
    scan(settings(), here, here / "scan.parquet")
    task = {"dataset": "zoo", "task": "call", "target": "call", "group": "bird", "recording": []}
    task |= {"max_clips": None, "min_clips": 5, "min_groups": 2, "folds": 4, "inner_folds": 2}
    ids = embeddings_data.names(CLIPS)
    labels = {"call": [f"call {c}" for c in CALL], "bird": [f"bird {b}" for b in BIRD]}
    clips, _ = folds.choose_clips(pa.table({"clip_id": ids} | labels), task | {"seed": 0})
    rows, _, _ = folds.assign(clips, task | {"repeats": repeats, "seed": 0})
    tables.write_table(rows, here / "folds.parquet", {})
    embeddings_data.folder(here / "enc", readouts)
    blocks = [name for name in readouts if name != "input"]
    scores = [
        {
            **{"readout": readout, "control": "none", "regime": "grouped", "repeat": repeat},
            **{"fold": fold, "metric": "balanced_accuracy", "c": 0.1},
            "chosen": True if readout == blocks[fold % len(blocks)] else None,
        }
        for readout in readouts
        for repeat in range(repeats)
        for fold in range(4)
    ]
    tables.write_table(pa.Table.from_pylist(scores), here / "scores.parquet", {})
    read = {"encoder": here / "enc/encoder.json"}
    read |= {name: here / f"{name}.parquet" for name in ("folds", "scan", "scores")}
    out = {"predictions": here / "erased.parquet", "columns": here / "erased.json"}
    described = settings() | {"dataset": "zoo", "task": "call", "columns": columns, "seed": 0}
    erasure.run(stage_jobs.job(read, out, described))
    return (
        tables.read_table(out["predictions"]).to_pandas(),
        tables.read_json(out["columns"])["columns"],
    )


def balanced(predictions: pd.DataFrame, readout: str, control: str) -> float:
    rows = predictions[(predictions.readout == readout) & (predictions.control == control)]
    return (rows.predicted == rows.target).groupby(rows.target).mean().mean()


def test_what_hangs_on_the_column_falls_to_chance_and_what_does_not_stays(here):
    noise, sites = normal(0, CLIPS, 20), np.where(np.arange(CLIPS) % EACH == 0, CALL + 1, CALL)
    sites = sites % CLASSES
    by_call, by_site = (noise + 4 * np.eye(20)[place] for place in (CALL, sites))
    # birds differ in other directions than calls, or in the directions of the calls
    apart = 5 * normal(1, GROUPS, 2)[BIRD] @ np.eye(20)[5:7]
    along = 2 * normal(2, GROUPS, CLASSES)[BIRD] @ np.eye(20)[:CLASSES]
    names = ("input", "block_00", "block_01")
    readouts = dict(zip(names, (by_call + apart, by_site + apart, by_call + along), strict=True))
    predictions, columns = run_stage(here, readouts, ["bird", "site"])
    assert [row["why"] for row in columns] == [None, None]
    scores = {
        (readout, control.removeprefix("erased ")): balanced(predictions, readout, control)
        for readout in readouts
        for control in set(predictions.control)
    }
    assert scores["input", "bird"] > 0.85 and scores["input", "bird, shuffled"] > 0.85
    assert scores["block_01", "bird"] < scores["block_01", "bird, shuffled"] - 0.15
    # the call shows by its site alone
    assert scores["block_00", "bird"] > 0.65 and scores["block_00", "site"] < 0.4
    # site and call go together, so that neither is erased without the other: the control falls too
    assert scores["input", "site"] < 0.6 and scores["input", "site, shuffled"] < 0.6


def test_every_clip_is_predicted_in_its_fold_and_the_chosen_block_is_used(here):
    readouts = {name: normal(n, CLIPS, 6) for n, name in enumerate(("block_00", "block_01"))}
    predictions, _ = run_stage(here, readouts, ["bird"], repeats=2)
    counts = predictions.groupby(["readout", "control", "repeat", "clip_id"]).size()
    assert (counts.xs("erased bird", level="control") == 1).all()
    assert (counts.xs("erased bird, shuffled", level="control") == erasure.SHUFFLES).all()
    assert len(counts) == 3 * 2 * 2 * CLIPS
    own = predictions[predictions.control == "erased bird"].set_index(["repeat", "clip_id"])
    for fold in range(4):
        block = own[(own.readout == f"block_0{fold % 2}") & (own.fold == fold)]
        nested = own[(own.readout == "nested") & (own.fold == fold)]
        assert nested.log_probability.to_dict() == block.log_probability.to_dict()


def test_erasure_is_fitted_on_training_clips_alone(here):
    """Other clips of the tested birds change their own predictions only."""
    x = normal(0, CLIPS, 10) + normal(1, GROUPS, 10)[BIRD]
    before, _ = run_stage(here, {"block_00": x}, ["bird"])
    tested = set(before[before.fold == 0].clip_id)
    moved = np.isin(embeddings_data.names(CLIPS), list(tested)) & (np.arange(CLIPS) % 2 == 0)
    after, _ = run_stage(here, {"block_00": x + 50 * moved[:, None]}, ["bird"])
    same = (before.fold == 0) & ~before.clip_id.isin(np.array(embeddings_data.names(CLIPS))[moved])
    assert same.any()
    pd.testing.assert_series_equal(before[same].log_probability, after[same].log_probability)


def test_columns_that_take_the_label_with_them_are_left_out_with_the_reason(here):
    predictions, columns = run_stage(
        here, {"block_00": normal(0, CLIPS, 4)}, ["device", "number", "file", "bird"]
    )
    why = {row["column"]: row["why"] for row in columns}
    assert why["bird"] is None and why["device"] == "all clips have the same value"
    assert why["number"] == why["file"]
    assert why["number"].startswith("the label follows from the column alone (balanced accuracy 1")
    assert set(predictions.control) == {"erased bird", "erased bird, shuffled"}
    nothing, _ = run_stage(here, {"block_00": normal(0, CLIPS, 4)}, ["device"])
    assert nothing.empty and list(nothing) == list(predictions)


def test_a_stray_clip_does_not_make_a_column_separate_from_the_label():
    target = np.repeat(["a", "b"], 50)
    cells = np.repeat([f"day {n}" for n in range(10)], 10)
    cells[0] = "day 9"
    assert erasure.about("day", cells, target)["why"] is not None


def test_a_missing_column_is_named(here):
    with pytest.raises(StratavoxError, match=r"datasets\.zoo\.probes\.erase: no column 'brid'"):
        run_stage(here, {"block_00": normal(0, CLIPS, 4)}, ["brid"])


def test_the_columns_of_the_stage_are_json(here):
    run_stage(here, {"block_00": normal(0, CLIPS, 4)}, ["bird"])
    assert json.loads((here / "erased.json").read_text())["columns"][0]["values"] == GROUPS


# ---- the answer ----


def answered(strengths: dict[str, float], groups: int = 12, seed: int = 0) -> list[dict]:
    """Rows of a study in which every readout is right as often as ``strengths`` says by control."""
    study = answers_data.study({"deep": {"nested": 0.8, "block_02": 0.8}}, seed, groups=groups)
    generator, clips = np.random.default_rng(seed + 1), answers_data.clips(groups)
    predicted = [
        answers_data.predicted(clips, readout, strength, generator, control=control)
        for control, strength in strengths.items()
        for readout in ("nested", "block_02")
    ]
    study.add("deep", pd.concat(predicted))
    names = {"control": "erased bird", "shuffled": "erased bird, shuffled"}
    study.erased = [
        {"column": "bird", "values": 9, "why": None, **names},
        {"column": "day", "values": 1, "why": "all clips have the same value", **names},
    ]
    return answer.rows(study)


def sentence_of(rows: list[dict]) -> str:
    (text,) = [row["sentence"] for row in rows if row["column"] == "bird" and row["sentence"]]
    return text


def test_the_sentence_says_what_hangs_on_the_column():
    hangs = answered({"none": 0.9, "erased bird": 0.45, "erased bird, shuffled": 0.9})
    assert sentence_of(hangs).endswith("Part of the score depends on bird.")
    for row in hangs[:4]:
        assert row["difference"] == pytest.approx(row["value"] - row["against_value"])
        assert row["difference_low"] < row["difference"] < row["difference_high"] < 0
        assert row["resolved"] and row["p_holm"] >= row["p_value"]
    anyway = answered({"none": 0.9, "erased bird": 0.6, "erased bird, shuffled": 0.6})
    assert "not shown to fall more than with shuffled values" in sentence_of(anyway)
    rises = answered({"none": 0.6, "erased bird": 0.95, "erased bird, shuffled": 0.6})
    assert "The score rises" in sentence_of(rises)
    nothing = answered({"none": 0.33, "erased bird": 0.33, "erased bird, shuffled": 0.33})
    assert "not above chance" in sentence_of(nothing)
    sure = answered({"none": 1.0, "erased bird": 1.0, "erased bird, shuffled": 1.0})
    assert "The score rises" not in sentence_of(sure)
    few = answered({"none": 0.9, "erased bird": 0.4, "erased bird, shuffled": 0.9}, groups=2)
    assert sentence_of(few).endswith("Not tested: too few groups, or groups unknown.")
    assert [row["p_holm"] for row in few if row["column"] == "bird"] == [None] * 4


def test_a_column_that_was_not_erased_has_a_sentence_and_no_numbers():
    same = dict.fromkeys(("none", "erased bird", "erased bird, shuffled"), 0.9)
    (row,) = [row for row in answered(same) if row["column"] == "day"]
    assert row == {
        "column": "day",
        "sentence": "day was not erased for call: all clips have the same value.",
    }


def test_the_claim_is_rare_where_the_column_has_no_trace_and_frequent_where_it_has():
    random, along = benchmark.SETTINGS[0], benchmark.SETTINGS[-1]
    claimed = {
        setting.traits: np.mean([benchmark.simulated(setting, 12, seed)[0] for seed in range(12)])
        for setting in (random, along)
    }
    assert claimed["none"] <= 1 / 6 and claimed["along the label"] > 0.4
