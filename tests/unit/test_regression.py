"""Regression: a number planted at a block is found with groups held out, and noise is not."""

from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

import linear_stage
from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.inference.answers import rows_of
from stratavox.inference.study import Key
from stratavox.probe import folds, numbers, permute, ridge

SETTINGS = {
    **{"inner_folds": 3, "c_grid": [1e-4, 1e-2, 1.0], "permutations": 20, "control_tasks": 3},
    **{"fusions": ["concat", "concat_pca", "weighted"], "seed": 0, "kind": "regression"},
}
FOLDS = {
    **{"dataset": "d", "task": "age", "target": "age", "group": "bird", "kind": "regression"},
    **{"recording": [], "max_clips": None, "min_clips": 10, "min_groups": 2, "folds": 4},
    **{"inner_folds": 3, "repeats": 2, "seed": 0},
}
BLOCKS = ["block_00", "block_01", "block_02"]
INFER = {"task": "age", "margin": 0.02, "folds": 4}


def labels(values, group) -> pa.Table:
    ids = [f"clip {n:04d}" for n in range(len(values))]
    return pa.table({"clip_id": ids, "age": [f"{v:g}" for v in values], "bird": list(group)})


def aviary(generator, groups=15, each=12, of_group=0.5):
    """Ages in groups, ``of_group`` of whose variance is of groups; the group of each clip."""
    bird = np.repeat(np.arange(groups), each)
    own = generator.standard_normal(groups)[bird]
    rest = generator.standard_normal(len(bird))
    age = 10 + 3 * (np.sqrt(of_group) * own + np.sqrt(1 - of_group) * rest)
    return age, [f"bird {g:02d}" for g in bird]


def probed(folder, age, bird, readouts, **changed):
    """Summary of the folds, and the tables of the stages."""
    settings = FOLDS | {name: changed.pop(name) for name in set(changed) & set(FOLDS)}
    clips, summary = folds.choose_clips(labels(age, bird), settings)
    rows, summary["regimes"], _ = folds.assign(clips, settings)
    ids = clips["clip_id"].tolist()
    scores, predictions, weights = linear_stage.probed(
        folder, rows, readouts, ids, SETTINGS | changed
    )
    assert weights.empty
    return summary, scores, predictions


def planted(generator, age, width=20):
    """Three blocks of noise; the second holds the age as a line."""
    readouts = {name: generator.standard_normal((len(age), width)) for name in BLOCKS}
    readouts["block_01"][:, 0] += (age - 10) / 2
    return readouts


answered = partial(linear_stage.answered, settings=INFER)
pooled = partial(linear_stage.pooled, metric="r2")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, generator = tmp_path_factory.mktemp("regression"), np.random.default_rng(1)
    age, bird = aviary(generator)
    return (folder, age, bird, *probed(folder, age, bird, planted(generator, age)))


def test_a_number_is_found_at_its_block_alone_and_training_chooses_it(run):
    _, _, _, summary, scores, predictions = run
    assert summary["chance"] == 0 and summary["kind"] == "regression"
    assert pooled(scores, "block_01") > 0.5
    assert pooled(scores, "block_01", metric="spearman") > 0.7
    for name in ("block_00", "block_02"):
        assert pooled(scores, name) < 0.05
    assert pooled(scores, "nested") == pytest.approx(pooled(scores, "block_01"))
    assert pooled(scores, "concat") > 0.3
    assert abs(pooled(scores, "block_01", control="permutation")) < 0.1
    assert "weighted" not in set(scores["readout"])
    assert set(scores["control"]) == {"none", "permutation"}
    own = predictions[(predictions["readout"] == "block_01") & (predictions["regime"] == "grouped")]
    assert (own.groupby(["repeat", "clip_id"]).size() == 1).all()
    assert own["predicted"].isna().all() and own["predicted_value"].notna().all()


def test_no_group_is_on_both_sides_and_folds_are_balanced(run):
    folder, age, *_ = run
    table = tables.read_table(folder / "folds.parquet").to_pandas()
    grouped = table[table["regime"] == "grouped"]
    assert (grouped.groupby(["repeat", "group"])["fold"].nunique() == 1).all()
    assert sorted(grouped[grouped["repeat"] == 0]["value"]) == pytest.approx(sorted(age), rel=1e-4)
    random = table[(table["regime"] == "random") & (table["repeat"] == 0)]
    means = random.groupby("fold")["value"].mean()
    assert np.ptp(means) < 0.35 * age.std()


def test_scores_are_those_of_scikit_learn(run):
    """A fold's predictions are ridge regression at the stated penalty, scored by R2 and rho."""
    folder, _, _, _, scores, predictions = run
    x = tables.read_embeddings(folder / "block_01.parquet")
    table = tables.read_table(folder / "folds.parquet").to_pandas()
    table = table[(table["regime"] == "grouped") & (table["repeat"] == 0)]
    y, fold = table["value"].to_numpy(), table["fold"].to_numpy()
    own = predictions.query("readout == 'block_01' and regime == 'grouped' and repeat == 0")
    own = own.set_index("clip_id").loc[table["clip_id"]]
    fits = scores.query("readout == 'block_01' and regime == 'grouped' and repeat == 0")
    fits = fits[(fits["control"] == "none") & (fits["metric"] == "r2")].set_index("fold")
    for k in range(4):
        train = fold != k
        scaler = StandardScaler().fit(x[train])
        model = Ridge(alpha=train.sum() / fits.loc[k, "c"])
        model.fit(scaler.transform(x[train]), y[train])
        there = model.predict(scaler.transform(x[~train]))
        assert own["predicted_value"].to_numpy()[~train] == pytest.approx(there, abs=1e-3)
        mean = np.full((~train).sum(), y[train].mean())
        spread = np.square(y[~train] - mean).sum()
        assert fits.loc[k, "value"] == pytest.approx(
            1 - np.square(y[~train] - there).sum() / spread
        )
    rho = spearmanr(y, own["predicted_value"]).statistic
    where = (scores["readout"] == "block_01") & (scores["regime"] == "grouped")
    rows = scores[where & (scores["repeat"] == 0) & (scores["control"] == "none")]
    rows = rows[rows["fold"].isna()].set_index("metric")["value"]
    assert rows["spearman"] == pytest.approx(rho)
    # about the mean of the tested clips instead of the training clips' the number is a little lower
    assert 0 <= rows["r2"] - r2_score(y, own["predicted_value"]) < 0.03


def test_signatures_of_groups_fool_the_random_split_alone(tmp_path):
    generator = np.random.default_rng(2)
    age, bird = aviary(generator, of_group=1.0)
    number = np.unique(bird, return_inverse=True)[1]
    x = 3 * generator.standard_normal((15, 30))[number] + generator.standard_normal((len(age), 30))
    summary, scores, _ = probed(tmp_path, age, bird, {"features": x})
    assert pooled(scores, "features", regime="random") > 0.8
    assert pooled(scores, "features") < 0.2
    assert pooled(scores, "features", control="permutation") < 0.2


def test_answers_say_what_is_planted(run):
    folder, _, _, summary, scores, predictions = run
    study = answered(folder, summary, scores, predictions)
    found = {row["readout"]: row for row in rows_of(study, "estimates") if row["metric"] == "r2"}
    row = next(
        row
        for row in rows_of(study, "estimates")
        if (row["readout"], row["regime"], row["control"]) == ("block_01", "grouped", "none")
        and row["metric"] == "r2"
    )
    assert 0 < row["low"] < row["value"] < row["high"] and row["interval"] == "t over groups"
    assert row["n_clips"] == 180 and row["n_groups"] == 15 and "concat" in found
    above = next(row for row in rows_of(study, "contrasts") if row["question"] == "above chance")
    assert above["resolved"] and above["metric"] == "r2"
    (claim,) = (row for row in rows_of(study, "claims") if "linearly decodable" in row["claim"])
    assert claim["verdict"] == "supported" and claim["quantity"] == "variance explained (R²)"
    (use,) = rows_of(study, "recommendation")
    assert use["recommended"] and use["readout"] == "block_01"
    assert "Variance explained (R²) is " in use["sentence"]
    # trend: the planted block is in the middle, so the last third is as low as the first
    (trend,) = (row for row in rows_of(study, "trends") if row["kind"] == "task")
    assert trend["direction"] != "not decodable" and abs(trend["value"]) < 0.2
    assert rows_of(study, "samples") == rows_of(study, "erasure") == []


def test_noise_is_not_decodable(tmp_path):
    generator = np.random.default_rng(3)
    age, bird = aviary(generator)
    readouts = {name: generator.standard_normal((len(age), 20)) for name in BLOCKS}
    study = answered(tmp_path, *probed(tmp_path, age, bird, readouts))
    (trend,) = (row for row in rows_of(study, "trends") if row["kind"] == "task")
    assert trend["direction"] == "not decodable"
    assert not any(row["recommended"] for row in rows_of(study, "recommendation"))


def test_repeats_are_averaged_clip_by_clip_and_groups_weigh(run):
    folder, _, _, summary, scores, predictions = run
    study = answered(folder, summary, scores, predictions)
    own = predictions.query("readout == 'block_01' and regime == 'grouped'")
    error = np.square(own["value"] - own["predicted_value"]).groupby(own["clip_id"]).mean()
    spread = np.square(own["value"] - own["training_mean"]).groupby(own["clip_id"]).mean()
    measure = study.correct[Key("enc", "block_01")]
    assert measure.value == pytest.approx(1 - error.sum() / spread.sum())
    first = own.drop_duplicates("clip_id").set_index("clip_id")["group"] == "bird 00"
    alone = 1 - error[first].sum() / spread[first].sum()
    assert measure(np.eye(15)[:1])[0] == pytest.approx(alone)


def test_a_cell_that_is_no_number_is_named():
    table = labels([1.0, 2.0, 3.0], ["a", "b", "c"])
    table = table.set_column(1, "age", [["1", "old", ""]])
    with pytest.raises(StratavoxError, match=r"clip clip 0001: found 'old' in column 'age'"):
        folds.choose_clips(table, FOLDS)
    for cell in ("nan", "inf", "1,5"):
        table = table.set_column(1, "age", [["1", cell, ""]])
        with pytest.raises(StratavoxError, match=f"found '{cell}'"):
            folds.choose_clips(table, FOLDS)


def test_one_value_for_all_and_too_few_clips_are_refused():
    same = labels([4.0] * 40, [f"bird {n % 8}" for n in range(40)])
    with pytest.raises(StratavoxError, match="40 clips with 1 values of column 'age'"):
        folds.choose_clips(same, FOLDS)
    few = labels(range(8), [f"bird {n}" for n in range(8)])
    with pytest.raises(StratavoxError, match="needs min_clips: 10 clips"):
        folds.choose_clips(few, FOLDS)


def test_a_sample_keeps_the_range_of_the_numbers():
    generator = np.random.default_rng(4)
    table = labels(generator.exponential(5, 400), [f"bird {n % 20}" for n in range(400)])
    clips, summary = folds.choose_clips(table, FOLDS | {"max_clips": 100})
    assert len(clips) == 100 and summary["drawn_from"]["clips"] == 400
    every = np.array(table["age"].to_pylist(), float)
    shares = np.mean(
        clips["value"].to_numpy()[:, None] < np.quantile(every, [0.2, 0.4, 0.6, 0.8]), 0
    )
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=0.02)


@pytest.mark.parametrize(("of_group", "whole"), [(1.0, True), (0.9, True), (0.1, False)])
def test_numbers_that_differ_between_groups_are_exchanged_by_groups(of_group, whole):
    generator = np.random.default_rng(5)
    age, bird = aviary(generator, of_group=of_group)
    bird = np.array(bird)
    fold = numbers.of_groups(age, bird, 4, 3, 0)
    settings = {"permutations": 5, "inner_folds": 3, "seed": 0}
    null = permute.permutations(age, bird, fold, settings, numbers.of_groups)
    assert null.remade == whole
    for draw, where in zip(null.target, null.fold, strict=True):
        for name in set(bird):
            assert len(set(where[bird == name])) == 1
        if not whole:
            assert sorted(draw[bird == "bird 00"]) == pytest.approx(sorted(age[bird == "bird 00"]))


def test_components_limit_what_ridge_sees():
    """Cut to one component, a target in a weak direction is lost; with all it is there."""
    generator = np.random.default_rng(6)
    x = generator.standard_normal((120, 6))
    strong = generator.standard_normal(120)
    x[:, :5] += 5 * strong[:, None]
    y = x[:, 5:]
    test = np.arange(120) % 4 == 0
    for components, held in ((1, False), (None, True)):
        outer = ridge.outer_fold(x, y, None, test, {"inner_folds": 3, "seed": 0}, components)
        r = np.corrcoef(outer.predicted[:, 0], y[test, 0])[0, 1]
        assert (r > 0.9) == held


def test_inner_loss_is_about_1_for_noise_and_small_where_the_target_is_planted(run):
    scores = run[4]
    fits = scores[scores["fold"].notna() & (scores["control"] == "none")]
    mean = fits.groupby("readout")["inner_log_loss"].mean()
    assert 0.9 < mean["block_00"] < 1.2 and mean["block_01"] < 0.6
    assert pd.api.types.is_float_dtype(fits["c"]) and (fits["c"] > 0).all()
