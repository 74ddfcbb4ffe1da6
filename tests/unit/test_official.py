"""The official split: its score is beside the grouped one, and decides nothing else."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

import linear_stage
import stage_jobs
from stratavox import config
from stratavox.errors import StratavoxError
from stratavox.inference.answers import rows_of
from stratavox.inference.study import Key
from stratavox.probe import folds, official

SPLIT = {"column": "split"}
FOLDS = {
    **{"dataset": "d", "task": "t", "target": "call", "group": "bird", "recording": []},
    **{"max_clips": None, "min_clips": 4, "min_groups": 2, "folds": 3, "inner_folds": 2},
    **{"repeats": 2, "seed": 0, "split": SPLIT},
}
PROBES = {
    **{"inner_folds": 2, "c_grid": [1e-4, 1e-2, 1.0], "permutations": 3, "control_tasks": 2},
    **{"fusions": ["concat"], "seed": 0},
}
SIDES = ("train", "train", "train", "valid", "test", "Testing")


def labels(birds=12, each=12) -> pa.Table:
    """Each bird has one call, as its recordist took it for one; all birds are on both sides."""
    bird = np.repeat(np.arange(birds), each)
    number = np.arange(birds * each)
    return pa.table(
        {
            "clip_id": [f"clip {n:04d}" for n in number],
            "bird": [f"bird {b:02d}" for b in bird],
            "call": [f"call {b % 3}" for b in bird],
            "size": [f"{b % 7}.5" for b in bird],
            "split": [SIDES[n % len(SIDES)] for n in number],
        }
    )


def signatures(table: pa.Table, seed=1) -> dict[str, np.ndarray]:
    """Two blocks that know who called, and nothing of the call that birds share."""
    generator = np.random.default_rng(seed)
    bird = np.unique(table["bird"].to_numpy(), return_inverse=True)[1]
    of_bird = 3 * generator.standard_normal((bird.max() + 1, 30))[bird]
    noise = generator.standard_normal((2, len(bird), 30))
    return {"block_00": of_bird + noise[0], "block_01": noise[1]}


def folded(table, settings=FOLDS, sounds=None):
    clips, summary = folds.choose_clips(table, settings, sounds)
    rows, summary["regimes"], summary["regimes_left_out"] = folds.assign(clips, settings)
    return rows, summary


def probed(folder, table, readouts, settings=FOLDS, probes=PROBES):
    rows, summary = folded(table, settings)
    ids = table["clip_id"].to_pylist()
    scores, predictions, _ = linear_stage.probed(folder, rows, readouts, ids, probes)
    inference = {"task": "t", "margin": 0.02, "folds": 3, "draws": {}}
    study = linear_stage.answered(folder, summary, scores, predictions, inference)
    return study, scores, predictions


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    table = labels()
    return table, *probed(tmp_path_factory.mktemp("official"), table, signatures(table))


def test_birds_on_both_sides_lift_the_official_score_alone(leaky):
    _, study, _, _ = leaky
    assert study.task["regimes"] == ["grouped", "random", "official"]
    (row,) = rows_of(study, "official_split")
    assert row["value"] > 0.95 and row["held_out_value"] < 0.6
    assert row["sentence"].startswith("enc, the block chosen in training: ")
    assert "on the official split" in row["sentence"] and "grouped by bird." in row["sentence"]
    assert (row["train"], row["test"], row["groups"], row["groups_on_both"]) == (96, 48, 12, 12)
    assert row["low"] <= row["value"] <= row["high"]


def test_the_probe_is_trained_on_train_and_validation_and_tested_on_test(leaky):
    table, study, scores, predictions = leaky
    side = np.array([official.KNOWN[cell.casefold()] for cell in table["split"].to_pylist()])
    of_split = predictions[predictions["regime"] == "official"]
    own = of_split[of_split["readout"] == "block_00"].set_index("clip_id")
    assert sorted(own.index) == sorted(table["clip_id"].to_numpy()[side == "test"])
    x, call = signatures(table)["block_00"], table["call"].to_numpy()
    fits = scores[(scores["regime"] == "official") & (scores["readout"] == "block_00")]
    (c,) = set(fits["c"].dropna())
    scaler = StandardScaler().fit(x[side == "train"])
    probe = LogisticRegression(C=c, max_iter=5000, tol=1e-8)
    probe.fit(scaler.transform(x[side == "train"]), call[side == "train"])
    there = probe.predict(scaler.transform(x[side == "test"]))
    mine = own.loc[table["clip_id"].to_numpy()[side == "test"], "predicted"].to_numpy()
    assert (mine == there).all()
    truth = balanced_accuracy_score(call[side == "test"], there)
    assert study.correct[Key("enc", "block_00", regime="official")].value == pytest.approx(truth)


def test_no_other_answer_depends_on_the_split(leaky, tmp_path):
    table, study, _, _ = leaky
    without = {key: value for key, value in FOLDS.items() if key != "split"}
    plain, _, _ = probed(tmp_path, table, signatures(table), without)
    for name in ("contrasts", "trends", "depths", "recommendation"):
        assert rows_of(study, name) == rows_of(plain, name), name
    own = [row for row in rows_of(study, "estimates") if row["regime"] != "official"]
    assert own == rows_of(plain, "estimates")
    assert rows_of(plain, "official_split") == []


@pytest.mark.parametrize(
    ("cells", "split", "message"),
    [
        (["train", "dev"], SPLIT, "'dev' names no side.*split: {column: split, train: "),
        (["train", "valid"], SPLIT, "no clip is in test"),
        (["a", "b"], SPLIT | {"train": ["a"], "test": ["c"]}, "split.test: no clip has 'c'.*'b'"),
        (["a", "b"], SPLIT | {"train": ["a"], "test": ["a"]}, "'a' is in train and in test"),
    ],
)
def test_values_that_say_no_side_are_refused(cells, split, message):
    with pytest.raises(StratavoxError, match=message):
        official.sides(cells, split, "datasets.d.tasks.t")


def test_named_values_leave_the_others_on_no_side():
    split = SPLIT | {"train": ["train"], "test": ["test_5s"]}
    assert official.sides(["train", "test", "", "test_5s"], split, "t") == ["train", "", "", "test"]
    table = labels()
    cells = ["test_5s" if cell == "Testing" else cell for cell in table["split"].to_pylist()]
    table = table.set_column(4, "split", [cells])
    rows, summary = folded(table, FOLDS | {"split": split})
    of_split = rows.to_pandas().query("regime == 'official'")["fold"]
    assert of_split.value_counts().to_dict() == {-1: 72, 0: 24}
    assert summary["official"]["on_no_side"] == 48


def test_a_class_of_one_side_is_not_scored_there():
    table = labels()
    calls = ["call 9" if n < 12 else call for n, call in enumerate(table["call"].to_pylist())]
    table = table.set_column(2, "call", [calls])
    cells = ["train" if n < 12 else cell for n, cell in enumerate(table["split"].to_pylist())]
    table = table.set_column(4, "split", [cells])
    rows, summary = folded(table, FOLDS | {"min_groups": 1, "folds": 2, "group": None})
    of_split = rows.to_pandas().query("regime == 'official'")
    assert "call 9" in summary["classes"] and set(of_split["target"]) == {
        "call 0",
        "call 1",
        "call 2",
    }
    assert summary["official"]["classes"] == ["call 0", "call 1", "call 2"]
    assert summary["official"]["groups"] is None


def test_copies_of_a_test_clip_are_not_trained_on():
    table = labels()
    ids = table["clip_id"].to_pylist()
    sha = [ids[4] if clip == ids[0] else clip for clip in ids]  # clip 0 trains, clip 4 is tested
    sounds = pa.table({"clip_id": ids, "audio_sha256": sha, "duration_s": [1.0] * len(ids)})
    rows, summary = folded(table, sounds=sounds)
    of_split = set(rows.to_pandas().query("regime == 'official'")["clip_id"])
    assert of_split == set(ids) - {ids[0]} and summary["official"]["copies"] == 1


def test_a_split_too_small_leaves_the_regime_out_with_the_reason():
    table = labels()
    cells = ["test" if n < 12 else "train" for n in range(len(table))]  # one bird, so one class
    rows, summary = folded(table.set_column(4, "split", [cells]))
    assert summary["regimes"] == ["grouped", "random"]
    assert "official split by 'split'" in summary["regimes_left_out"]["official"]


def test_one_group_in_the_test_side_has_no_interval(tmp_path):
    table = labels(birds=6, each=12)
    calls = [f"call {n % 2}" for n in range(len(table))]
    table = table.set_column(2, "call", [calls])
    cells = ["test" if bird == "bird 00" else "train" for bird in table["bird"].to_pylist()]
    table = table.set_column(4, "split", [cells])
    study, _, _ = probed(tmp_path, table, {"features": np.eye(72, 8)})
    (row,) = rows_of(study, "official_split")
    assert row["interval"] == "none" and row["low"] is None and row["groups"] == 1
    assert row["held_out_low"] is not None


def test_classes_of_a_multilabel_task_are_those_of_both_sides(tmp_path):
    generator = np.random.default_rng(2)
    table = labels()
    present = generator.random((len(table), 3)) < 0.4
    tested = np.array([official.KNOWN[c.casefold()] == "test" for c in table["split"].to_pylist()])
    present[tested, 1] = False
    for place, name in enumerate(("robin", "tit", "wren")):
        table = table.append_column(name, [[str(int(p)) for p in present[:, place]]])
    settings = FOLDS | {"kind": "multilabel", "target": ["robin", "tit", "wren"]}
    x = generator.standard_normal((len(table), 10))
    x[:, :3] += 2 * present
    study, scores, predictions = probed(
        tmp_path, table, {"features": x}, settings, PROBES | {"kind": "multilabel"}
    )
    assert study.task["official"]["classes"] == ["robin", "wren"]
    own = predictions.query("regime == 'official'").set_index("clip_id")
    truth = present[tested][:, [0, 2]]
    own = own.loc[table["clip_id"].to_numpy()[tested]]
    assert np.array_equal(np.array(own["present"].tolist()), truth)
    ap = average_precision_score(truth, np.array(own["log_odds"].tolist()), average="macro")
    (row,) = rows_of(study, "official_split")
    assert row["value"] == pytest.approx(ap) and ap > study.task["official"]["chance"] + 0.2
    kept = scores.query("regime == 'official' and metric == 'map' and fold != fold")["value"]
    assert kept.tolist() == pytest.approx([ap])


def test_a_regression_has_an_official_split(tmp_path):
    table = labels()
    settings = FOLDS | {"kind": "regression", "target": "size"}
    study, _, _ = probed(
        tmp_path, table, signatures(table), settings, PROBES | {"kind": "regression"}
    )
    (row,) = rows_of(study, "official_split")
    assert row["value"] > 0.8 > row["held_out_value"] + 0.3


def test_what_the_config_allows():
    def checked(**task):
        given = stage_jobs.default_config()
        own = {"target": "call_type", "group": "individual"} | task
        given["datasets"]["chorus"]["tasks"]["mine"] = own
        return config.check(given)["datasets"]["chorus"]["tasks"]["mine"]

    assert checked(split="fold")["split"] == {"column": "fold"}
    named = {"column": "fold", "train": "a", "test": ["b", "c"]}
    assert checked(split=named)["split"]["train"] == ["a"]
    with pytest.raises(StratavoxError, match="split"):
        checked(split={"column": "fold", "train": "a"})
    with pytest.raises(StratavoxError, match="not with transfer"):
        crossing = {"column": "species", "train": "sp0", "test": "sp1"}
        checked(split="fold", transfer=crossing)


def test_max_clips_keeps_both_sides():
    rows, summary = folded(labels(), FOLDS | {"max_clips": 60})
    counts = rows.to_pandas().query("regime == 'official'")["fold"].value_counts()
    assert counts.sum() == 60 and counts.min() > 10
    assert pd.isna(summary["regimes_left_out"].get("official"))
