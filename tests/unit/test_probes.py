"""Probes find what is planted, nothing else, and never see what they are tested on."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import embeddings_data
import stage_jobs
from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.inference.answers import width_matched
from stratavox.inference.study import Encoder, Study
from stratavox.probe import folds, fusion, linear, nested_cv
from stratavox.probe.rotation import Rotation

SETTINGS = {
    "inner_folds": 3,
    "c_grid": [1e-4, 1e-2, 1.0],
    "permutations": 5,
    "control_tasks": 3,
    "fusions": ["concat"],
    "seed": 0,
}
FOLDS = {
    "dataset": "d",
    "task": "t",
    "target": "call",
    "group": "bird",
    "recording": [],
    "max_clips": None,
    "min_clips": 5,
    "min_groups": 2,
    "folds": 4,
    "inner_folds": 3,
    "repeats": 2,
    "seed": 0,
}


def labels(target, group, recording=None):
    ids = [f"clip {n:04d}" for n in range(len(target))]
    columns = {"clip_id": ids, "call": list(target), "bird": list(group)}
    return pa.table(
        columns | ({} if recording is None else {"tape": [f"tape {r}" for r in recording]})
    )


def crossed(groups=8, classes=3, each=6):
    """Labels of a design in which every group has every class."""
    target = [f"class {c}" for _ in range(groups) for c in range(classes) for _ in range(each)]
    group = [f"bird {g}" for g in range(groups) for _ in range(classes * each)]
    return labels(target, group)


def study(folder, table, readouts, **changed):
    """Probe ``readouts`` (name -> matrix) of the clips of ``table`` by the stage's own command."""
    known = {"recording": ["tape"] if "tape" in table.column_names else []}
    clips, _ = folds.choose_clips(table, FOLDS | known)
    rows, _, _ = folds.assign(clips, FOLDS | known)
    tables.write_table(rows, folder / "folds.parquet", {})
    embeddings_data.folder(folder, readouts, ids=table["clip_id"])
    names = ("scores", "predictions", "layer_weights")
    read = {"encoder": folder / "encoder.json", "folds": folder / "folds.parquet"}
    out = {name: folder / f"{name}.parquet" for name in names}
    linear.run(stage_jobs.job(read, out, SETTINGS | changed))
    return [tables.read_table(path).to_pandas() for path in out.values()]


def encoder_of(folder) -> Encoder:
    return Encoder("enc", tables.read_json(folder / "encoder.json"), ["enc"])


def pooled(scores, readout, regime="grouped", control="none"):
    rows = scores[
        (scores.readout == readout)
        & (scores.regime == regime)
        & (scores.control == control)
        & (scores.metric == "balanced_accuracy")
        & scores.fold.isna()
    ]
    return rows.value.mean()


def test_a_planted_block_is_decodable_and_noise_is_not(tmp_path):
    table = crossed()
    generator = np.random.default_rng(1)
    y = np.unique(table["call"].to_pylist(), return_inverse=True)[1]
    readouts = {f"block_{n:02d}": generator.standard_normal((len(y), 20)) for n in range(3)}
    readouts["block_01"][:, :3] += 3 * np.eye(3)[y]
    scores, predictions, _ = study(tmp_path, table, readouts)
    assert pooled(scores, "block_01") > 0.85
    assert pooled(scores, "concat") > 0.75
    assert abs(pooled(scores, "block_00") - 1 / 3) < 0.12
    assert pooled(scores, "nested") == pytest.approx(pooled(scores, "block_01"))
    assert abs(pooled(scores, "block_01", control="permutation") - 1 / 3) < 0.1
    # every clip is tested once in each repeat
    counts = (
        predictions[predictions.readout == "block_01"]
        .groupby(["regime", "repeat", "clip_id"])
        .size()
    )
    assert (counts == 1).all() and len(counts) == 2 * 2 * len(y)


def test_session_confound_fools_the_random_split_alone(tmp_path):
    """Groups are recognisable and each has one label: splitting clips at random looks perfect."""
    target = [f"class {g % 3}" for g in range(12) for _ in range(10)]
    table = labels(target, [f"bird {g:02d}" for g in range(12) for _ in range(10)])
    generator = np.random.default_rng(2)
    centres = generator.standard_normal((12, 30)) * 3
    x = np.repeat(centres, 10, axis=0) + generator.standard_normal((120, 30))
    scores, _, _ = study(tmp_path, table, {"features": x})
    assert pooled(scores, "features", "random") > 0.95
    assert pooled(scores, "features", "grouped") < 0.6


def test_recording_confound_fools_the_random_split_alone(tmp_path):
    """Tapes are recognisable, hold one class each and several stand in each group."""
    tape = np.repeat(np.arange(24), 5)
    table = labels([f"class {t % 3}" for t in tape], [f"bird {t % 4}" for t in tape], tape)
    generator = np.random.default_rng(4)
    x = (generator.standard_normal((24, 30)) * 3)[tape] + generator.standard_normal((120, 30))
    scores, predictions, _ = study(tmp_path, table, {"features": x})
    assert list(scores.regime.unique()) == ["grouped", "random", "recording"]
    assert pooled(scores, "features", "random") > 0.95
    assert pooled(scores, "features", "recording") < 0.6
    # the control task is labels of tapes: a random split learns those as well
    tasks = scores[scores.control == "control_task"]
    assert set(tasks.regime) == {"random"} and set(tasks.repeat) == {0, 1, 2}
    assert pooled(scores, "features", "random", "control_task") > 0.95


def test_inner_folds_keep_apart_what_each_regime_does(tmp_path, monkeypatch):
    tape = np.repeat(np.arange(24), 5)
    table = labels([f"class {t % 3}" for t in tape], [f"bird {t % 4}" for t in tape], tape)
    seen = []

    def choose(z, y, group, settings):
        seen.append(None if group is None else {name.split()[0] for name in group})
        return nested_cv.Chosen(1.0, False, 0.0, True)

    monkeypatch.setattr(nested_cv, "choose_c", choose)
    study(tmp_path, table, {"features": np.random.default_rng(0).standard_normal((120, 5))})
    # two repeats of four folds in each regime, in the order of their names
    assert seen == [{"bird"}] * 8 + [None] * 8 + [{"tape"}] * 8


def test_no_group_straddles_and_every_training_set_has_every_class():
    # one class lives in two groups only: a careless split leaves it out of a training set
    target = ["rare"] * 12 + [f"class {n % 2}" for n in range(60)]
    group = ["bird 0"] * 6 + ["bird 1"] * 6 + [f"bird {n // 10}" for n in range(60)]
    clips, _ = folds.choose_clips(labels(target, group), FOLDS)
    rows = folds.assign(clips, FOLDS)[0].to_pandas()
    for _, part in rows[rows.regime == "grouped"].groupby("repeat"):
        assert (part.groupby("group").fold.nunique() == 1).all()
        for k in range(FOLDS["folds"]):
            assert set(part[part.fold != k].target) == {"rare", "class 0", "class 1"}
    assert rows[rows.regime == "random"].groupby("group").fold.nunique().max() > 1
    assert set(rows.repeat) == {0, 1}


def test_folds_do_not_depend_on_the_order_of_rows_elsewhere():
    clips, _ = folds.choose_clips(crossed(), FOLDS)
    again, _ = folds.choose_clips(crossed(), FOLDS)
    assert folds.assign(clips, FOLDS)[0].equals(folds.assign(again, FOLDS)[0])


def test_a_leaked_group_is_refused():
    x = np.random.default_rng(0).standard_normal((40, 5))
    group = np.repeat(["a", "b", "c", "d"], 10)
    test = np.zeros(40, bool)
    test[:5] = True
    with pytest.raises(StratavoxError, match="groups on both sides of a fold: a"):
        nested_cv.outer_fold(x, np.arange(40) % 2, group, test, SETTINGS)


def test_c_is_chosen_without_the_test_clips():
    """Destroying the test clips changes neither C nor the inner loss, only the predictions."""
    generator = np.random.default_rng(3)
    y = np.arange(80) % 2
    x = generator.standard_normal((80, 10))
    x[:, 0] += y
    group = np.repeat(np.arange(8), 10)
    test = group == 0
    before, _ = nested_cv.outer_fold(x, y, group, test, SETTINGS)
    x[test] = 1e3
    after, _ = nested_cv.outer_fold(x, np.where(test, 1 - y, y), group, test, SETTINGS)
    assert (before.c, before.inner_log_loss) == (after.c, after.inner_log_loss)


@pytest.mark.parametrize("grid", [[1e-3, 1e-2, 1e-1], [1e-4, 1e-2, 3e-2]])
def test_c_lies_where_the_parabola_over_log_c_is_least(grid):
    losses = [0.7 + 0.1 * np.log10(c / 0.015) ** 2 for c in grid]
    assert nested_cv.least_between(grid, losses) == pytest.approx(0.015)


def test_c_is_continuous_at_a_tie_of_two_cs():
    grid, losses = [1e-3, 1e-2, 1e-1, 1.0], [2.0, 1.0, 1.0, 1.7]
    before, after = (nested_cv.least_between(grid[k : k + 3], losses[k : k + 3]) for k in (0, 1))
    assert before == pytest.approx(after) == pytest.approx(10**-1.5)


def test_a_grid_of_decades_finds_nearly_the_c_of_a_fine_one():
    generator = np.random.default_rng(1)  # the best C is half a decade from any of the grid
    y, group = np.arange(240) % 3, np.arange(240) // 3 % 12
    z = generator.standard_normal((240, 20)).astype(np.float32)
    z[:, :3] += 0.7 * np.eye(3, dtype=np.float32)[y]
    fine, coarse = (
        nested_cv.choose_c(z, y, group, SETTINGS | {"c_grid": list(np.logspace(-5, 1, n))})
        for n in (61, 7)
    )
    assert abs(np.log10(coarse.c / fine.c)) < 0.3


def test_noise_gives_chance_however_the_block_is_chosen():
    """Over many data sets of noise, the mean score of the chosen block is chance: no leak."""
    generator = np.random.default_rng(5)
    y, group = np.arange(48) % 2, np.arange(48) // 2 % 8
    settings = SETTINGS | {"c_grid": [1e-3, 1.0]}
    accuracies = []
    for _ in range(30):
        right = []
        blocks = generator.standard_normal((3, 48, 10))
        for k in range(4):
            test = group % 4 == k
            fits = [nested_cv.outer_fold(x, y, group, test, settings)[0] for x in blocks]
            best = min(fits, key=lambda fit: fit.inner_log_loss)
            right.append(np.mean(best.predicted == y[test]))
        accuracies.append(np.mean(right))
    assert abs(np.mean(accuracies) - 0.5) < 3 * np.std(accuracies) / np.sqrt(len(accuracies))
    assert np.std(accuracies) < 0.15


def test_draws_solved_together_predict_as_each_alone():
    generator = np.random.default_rng(6)
    x, y = generator.standard_normal((90, 30)), np.arange(90) % 3
    rotation = Rotation.of(x, np.ones(90, dtype=bool))
    draws = np.stack([*(generator.permutation(y) for _ in range(4)), y])
    tests = generator.permuted(np.tile(np.arange(90) < 20, (5, 1)), axis=1)
    tests[4] = y == 2  # one draw is trained without a class
    together = nested_cv.null_fold(rotation, x, draws, tests, 0.1)
    z = rotation.train.astype(float)
    for drawn, test, predicted_alone in zip(draws, tests, together, strict=True):
        alone = LogisticRegression(C=0.1, tol=1e-8, max_iter=10_000).fit(z[~test], drawn[~test])
        np.testing.assert_array_equal(predicted_alone, alone.predict(z))


def test_chosen_marks_the_block_of_least_inner_loss_and_nested_is_that_block(tmp_path):
    table = crossed(groups=4)
    generator = np.random.default_rng(7)
    y = np.unique(table["call"].to_pylist(), return_inverse=True)[1]
    readouts = {f"block_{n:02d}": generator.standard_normal((len(y), 8)) for n in range(3)}
    readouts["input"] = np.eye(3)[y] + 0  # better than any block, but no block
    scores, _, weights = study(tmp_path, table, readouts, fusions=["mean", "weighted"])
    fits = scores[scores.fold.notna() & scores.readout.str.startswith("block")]
    # the input is narrower than the blocks, so there is a width-matched curve too
    key = ["control", "regime", "repeat", "fold", "metric"]
    for _, part in fits.groupby(key):
        marked = part[part.chosen.notna()]
        assert list(marked.readout) == [part.loc[part.inner_log_loss.idxmin(), "readout"]]
    marked = scores[scores.chosen.notna()]
    assert marked.chosen.all() and set(marked.readout) <= set(readouts) - {"input"}
    one = scores[(scores.readout == "nested") & scores.fold.notna()].set_index(key).value
    assert one.sort_index().equals(marked.set_index(key).value.sort_index())
    # the weights of every fold, one a block
    assert set(scores.readout) == {*readouts, "mean", "weighted", "nested"}
    sums = weights.groupby(["regime", "repeat", "fold"]).weight.agg(["sum", "size"])
    assert len(sums) == 2 * 2 * 4 and (sums["size"] == 3).all()
    np.testing.assert_allclose(sums["sum"], 1)


def unequal(seed=0, groups=16):
    """A narrow block with the classes in its strong directions, and a wide one that wins by width.

    The wide one has six strong directions without the classes, and many weak columns with a little
    of them each.
    """
    table = crossed(groups=groups, classes=2)
    generator = np.random.default_rng(seed)
    y = np.unique(table["call"].to_pylist(), return_inverse=True)[1]
    narrow = generator.standard_normal((len(y), 6))
    narrow[:, 0] += 1.6 * (2 * y - 1) / 2
    factors = generator.standard_normal((len(y), 6)) @ generator.standard_normal((6, 90))
    weak = generator.standard_normal((len(y), 90)) + 0.5 * (2 * y - 1)[:, None]
    wide = np.hstack(
        [factors + 0.1 * generator.standard_normal(factors.shape)] * 2 + [weak[:, :30]]
    )
    return table, {"input": narrow, "block_00": narrow + 0, "block_01": wide}


def test_matched_in_width_a_block_that_wins_by_width_loses(tmp_path):
    table, readouts = unequal()
    scores, predictions, _ = study(tmp_path, table, readouts)
    whole = {name: pooled(scores, name) for name in (*readouts, "nested")}
    matched = {
        name: pooled(scores, name, control="width_matched") for name in (*readouts, "nested")
    }
    assert whole["block_01"] > whole["block_00"] + 0.1 and whole["nested"] == whole["block_01"]
    assert matched["block_01"] < 0.6 and matched["nested"] == matched["block_00"]
    # nothing is cut from the narrowest readouts
    assert matched["input"] == whole["input"] and matched["block_00"] == whole["block_00"]
    own = scores[scores.control == "width_matched"]
    assert set(own.readout) == {*readouts, "nested"} and set(own.regime) == {"grouped"}
    described = encoder_of(tmp_path)
    answered = Study({"regimes": ["grouped", "random"], "chance": 0.5}, [described], {})
    answered.scores = scores.assign(encoder="enc")
    answered.add("enc", predictions)
    (row,) = width_matched.rows(answered)
    assert (row["narrowest"], row["widest"]) == (6, 210)
    assert row["value"] == pytest.approx(whole["nested"])
    assert row["matched_value"] == pytest.approx(matched["nested"])
    assert row["low"] < row["value"] < row["high"]
    text = row["sentence"]
    assert "with all columns (6 to 210 of a readout; block 1 in 8 of 8 folds)" in text
    assert "with 6 principal components of each readout (block 0 in 8 of 8 folds)" in text


def test_a_curve_of_one_width_is_not_matched(tmp_path):
    table = crossed(groups=4)
    generator = np.random.default_rng(8)
    readouts = {f"block_{n:02d}": generator.standard_normal((72, 4)) for n in range(2)}
    readouts["patch"] = generator.standard_normal((72, 2))  # no readout of the curve
    scores, predictions, _ = study(tmp_path, table, readouts, permutations=1)
    assert "width_matched" not in {*scores.control, *predictions.control}


def test_no_fusion_of_one_block(tmp_path):
    table = crossed(groups=4)
    x = np.random.default_rng(8).standard_normal((72, 4))
    scores, _, weights = study(tmp_path, table, {"block_00": x}, fusions=list(fusion.FUSIONS))
    assert set(scores.readout) == {"block_00", "nested"} and not len(weights)


def test_what_is_left_out_is_listed_and_counted():
    target = ["a"] * 12 + ["b"] * 12 + ["few"] * 3 + ["lone"] * 10 + [""] * 2 + ["A "] * 12
    group = (
        [f"g{n % 4}" for n in range(27)]
        + ["g0"] * 10
        + ["g1"] * 2
        + [f"g{n % 4}" for n in range(12)]
    )
    clips, summary = folds.choose_clips(labels(target, group), FOLDS)
    assert set(clips["target"]) == {"a", "b", "A "}
    assert {row["label"]: (row["clips"], row["groups"]) for row in summary["left_out"]} == {
        "few": (3, 3),
        "lone": (10, 1),
    }
    assert "fewer than 5 clips" in summary["left_out"][0]["why"]
    assert "fewer than 2 groups (bird)" in summary["left_out"][1]["why"]
    assert summary["empty_labels"] == 2
    assert summary["near_duplicates"] == [["A ", "a"]]
    assert summary["chance"] == pytest.approx(1 / 3)
    json.dumps(summary)


def test_a_single_class_is_refused_with_the_reasons():
    with pytest.raises(StratavoxError) as error:
        folds.choose_clips(labels(["a"] * 20 + ["b"] * 2, [f"g{n % 5}" for n in range(22)]), FOLDS)
    for part in ("datasets.d.tasks.t", "1 of 2 classes", "'call'", "'b': fewer than 5 clips"):
        assert part in str(error.value)


def test_more_folds_than_groups_is_refused_with_what_to_do():
    table = labels(["a", "b"] * 15, [f"g{n // 10}" for n in range(30)])
    with pytest.raises(StratavoxError) as error:
        folds.choose_clips(table, FOLDS)
    for part in ("datasets.d.tasks.t", "4 folds", "'bird' has 3", "set folds to 3 or fewer"):
        assert part in str(error.value)


def test_fewer_recordings_than_folds_leave_that_regime_out():
    table = labels(
        (np.arange(60) % 2).astype(str), (np.arange(60) % 5).astype(str), np.arange(60) % 3
    )
    settings = FOLDS | {"recording": ["tape"]}
    clips, _ = folds.choose_clips(table, settings)
    _, kept, left_out = folds.assign(clips, settings)
    assert kept == ["grouped", "random"]
    for part in ("datasets.d.tasks.t", "recordings of 'tape'", "3 groups into 4 folds"):
        assert part in left_out["recording"]


def test_unknown_groups_give_the_random_regime_alone():
    settings = FOLDS | {"group": None}
    clips, summary = folds.choose_clips(crossed(), settings)
    rows, _, _ = folds.assign(clips, settings)
    assert set(rows["regime"].to_pylist()) == {"random"}
    assert rows["group"].null_count == len(rows)
    assert summary["group"] is None and summary["groups"] is None


def test_identical_audio_in_two_groups_is_reported():
    table = crossed(groups=4, classes=2, each=5)
    ids = table["clip_id"].to_pylist()
    sha = [f"sha {n}" for n in range(len(ids))]
    sha[0] = sha[11] = sha[12] = "same"  # groups 0, 1, 1
    none = pa.nulls(len(ids), pa.float64())
    columns = {"clip_id": ids, "sha256": sha, "start_s": none, "end_s": none, "channel": none}
    _, summary = folds.choose_clips(table, FOLDS | {"folds": 3}, pa.table(columns))
    assert summary["identical_across_groups"] == [[ids[0], ids[11], ids[12]]]
