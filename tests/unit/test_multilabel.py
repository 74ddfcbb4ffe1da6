"""Multilabel: classes planted at a block are found there, one without a trace is at prevalence."""

from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

import linear_stage
from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.inference.answers import rows_of
from stratavox.inference.groups import Groups, interval, share_bounds
from stratavox.inference.measures import Ranked
from stratavox.inference.study import Key
from stratavox.probe import folds, sets

CLASSES = ["robin", "tit", "wren"]
SETTINGS = {
    **{"inner_folds": 3, "c_grid": [1e-3, 1e-2, 0.1, 1.0], "permutations": 10},
    **{"control_tasks": 3, "fusions": ["concat", "weighted"], "seed": 0, "kind": "multilabel"},
}
FOLDS = {
    **{"dataset": "d", "task": "birds", "target": CLASSES, "group": "site", "recording": []},
    **{"kind": "multilabel", "max_clips": None, "min_clips": 10, "min_groups": 3, "folds": 4},
    **{"inner_folds": 3, "repeats": 2, "seed": 0},
}
INFER = {"task": "birds", "margin": 0.02, "folds": 4}


def soundscape(generator, sites=12, each=25):
    """Which of `CLASSES` each clip has (clips, classes), and its site.

    A site has shares of its own, and a third of the clips has no class.
    """
    site = np.repeat(np.arange(sites), each)
    share = np.array([0.35, 0.25, 0.2]) + 0.1 * generator.uniform(-1, 1, (sites, 3))
    present = generator.random((len(site), 3)) < share[site]
    return present, [f"site {n:02d}" for n in site]


def labels(present, site) -> pa.Table:
    columns = {"clip_id": [f"clip {n:04d}" for n in range(len(site))], "site": list(site)}
    columns |= {name: [str(int(p)) for p in present[:, n]] for n, name in enumerate(CLASSES)}
    return pa.table(columns)


def probed(folder, table, readouts, **changed):
    clips, summary = folds.choose_clips(table, FOLDS | changed)
    rows, summary["regimes"], _ = folds.assign(clips, FOLDS | changed)
    ids = clips["clip_id"].tolist()
    scores, predictions, weights = linear_stage.probed(folder, rows, readouts, ids, SETTINGS)
    assert weights.empty
    return summary, scores, predictions


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Wrens and robins are heard at block 1 alone, tits nowhere; sites have signatures."""
    folder, generator = tmp_path_factory.mktemp("multilabel"), np.random.default_rng(1)
    present, site = soundscape(generator)
    number = np.unique(site, return_inverse=True)[1]
    readouts = {f"block_{n:02d}": generator.standard_normal((len(site), 20)) for n in range(3)}
    signature = 2 * generator.standard_normal((12, 20))[number]
    readouts = {name: x + signature for name, x in readouts.items()}
    readouts["block_01"][:, 0] += 4 * present[:, 0]
    readouts["block_01"][:, 1] += 4 * present[:, 2]
    return (folder, present, site, *probed(folder, labels(present, site), readouts))


answered = partial(linear_stage.answered, settings=INFER)
pooled = partial(linear_stage.pooled, metric="map")


def test_classes_are_found_at_their_block_and_an_absent_one_scores_its_prevalence(run):
    folder, present, _, summary, scores, predictions = run
    assert 0 < summary["chance"] - present.mean() < 0.025
    assert summary["negatives"] == int((~present.any(axis=1)).sum())
    assert pooled(scores, "nested") == pytest.approx(pooled(scores, "block_01"))
    assert pooled(scores, "block_01") > summary["chance"] + 0.3
    for name in ("block_00", "block_02"):
        assert pooled(scores, name) < summary["chance"] + 0.06
        assert abs(pooled(scores, name, metric="auroc") - 0.5) < 0.08
    assert abs(pooled(scores, "block_01", control="permutation") - summary["chance"]) < 0.06
    assert "weighted" not in set(scores["readout"])
    rows = rows_of(answered(folder, summary, scores, predictions), "classes")
    found = {row["class"]: row for row in rows}
    assert all(found[name]["value"] > found[name]["prevalence"] + 0.4 for name in ("robin", "wren"))
    tit = found["tit"]
    # one draw of 12 sites: its error is that of a few sites, whose signatures are strong
    assert abs(tit["value"] - tit["chance"]) < 0.1 and abs(tit["auroc"] - 0.5) < 0.15
    assert tit["low"] < tit["value"] < tit["high"] < found["robin"]["low"]
    assert found["robin"]["low"] > found["robin"]["prevalence"]
    assert rows[0]["sentence"].startswith("enc: average precision of each class")


def test_scores_are_those_of_scikit_learn(run):
    """Log-odds are those of one logistic regression a class; mAP and AUROC are scikit-learn's."""
    folder, _, _, _, scores, predictions = run
    x = tables.read_embeddings(folder / "block_01.parquet")
    table = tables.read_table(folder / "folds.parquet").to_pandas()
    table = table[(table["regime"] == "grouped") & (table["repeat"] == 0)]
    y, fold = np.array(table["present"].tolist()), table["fold"].to_numpy()
    where = "readout == 'block_01' and regime == 'grouped' and repeat == 0 and control == 'none'"
    own = predictions.query(where).set_index("clip_id").loc[table["clip_id"]]
    log_odds = np.array(own["log_odds"].tolist())
    assert np.array_equal(np.array(own["present"].tolist()), y)
    fits = scores.query(where + " and metric == 'map'").set_index("fold")
    for k in range(2):
        train = fold != k
        scaler = StandardScaler().fit(x[train])
        for column in range(3):
            model = LogisticRegression(C=fits.loc[k, "c"], tol=1e-8, max_iter=1000)
            model.fit(scaler.transform(x[train]), y[train, column])
            there = model.decision_function(scaler.transform(x[~train]))
            assert log_odds[~train, column] == pytest.approx(there, abs=0.02)
    rows = scores.query(where)
    rows = rows[rows["fold"].isna()].set_index("metric")["value"]
    assert rows["map"] == pytest.approx(average_precision_score(y, log_odds, average="macro"))
    assert rows["auroc"] == pytest.approx(roc_auc_score(y, log_odds, average="macro"))


def test_the_mean_over_repeats_is_scikit_learns_and_ties_share_a_rank(run):
    folder, _, _, summary, scores, predictions = run
    study = answered(folder, summary, scores, predictions)
    measure = study.correct[Key("enc", "block_01")]
    assert measure.value == pytest.approx(pooled(scores, "block_01"), abs=1e-6)
    generator = np.random.default_rng(2)
    present = generator.random((200, 4)) < 0.3
    score = generator.integers(0, 6, (200, 4)) + present
    tied = Ranked.of([score.astype(float)], present, generator.integers(0, 9, 200).astype(str))
    assert tied.value == pytest.approx(average_precision_score(present, score, average="macro"))


def test_a_weight_counts_a_group_as_often_in_ranks_and_errors_are_those_of_the_jackknife():
    generator = np.random.default_rng(3)
    group = np.repeat(np.arange(6), 20)
    present = generator.random((120, 3)) < 0.3
    score = generator.standard_normal((120, 3)) + present
    measure = Ranked.of([score], present, group)
    weights = np.array([[1.0, 2.0, 1.0, 3.0, 1.0, 1.0]])
    rows = np.repeat(np.arange(120), weights[0, group].astype(int))
    again = average_precision_score(present[rows], score[rows], average="macro")
    assert measure(weights)[0] == pytest.approx(again)
    groups = Groups.of(measure.clips)
    assert measure.clips.sum() == pytest.approx(120)
    without = measure(1 - np.eye(6))
    assert groups.slopes(measure) == pytest.approx(5 / 6 * (measure.value - without))
    estimate = interval(measure, groups, share_bounds)
    assert 0 < estimate.low < measure.value < estimate.high < 1


def test_answers_name_the_block_and_the_random_split_stands_beside(run):
    folder, _, _, summary, scores, predictions = run
    study = answered(folder, summary, scores, predictions)
    above = next(row for row in rows_of(study, "contrasts") if row["question"] == "above chance")
    assert above["resolved"] and above["metric"] == "map" and above["n_clips"] == 300
    (use,) = rows_of(study, "recommendation")
    assert use["recommended"] and use["readout"] == "block_01"
    assert "Mean average precision (mAP) is " in use["sentence"]
    regimes = {row["regime"] for row in rows_of(study, "estimates") if row["metric"] == "map"}
    assert regimes == {"grouped", "random"}
    assert rows_of(study, "samples") == rows_of(study, "erasure") == []


def test_no_group_is_on_both_sides_and_each_fold_has_its_share_of_each_class(run):
    folder, present, *_ = run
    table = tables.read_table(folder / "folds.parquet").to_pandas()
    grouped = table[table["regime"] == "grouped"]
    assert (grouped.groupby(["repeat", "group"])["fold"].nunique() == 1).all()
    for regime, off in (("grouped", 0.35), ("random", 0.1)):
        own = table[(table["regime"] == regime) & (table["repeat"] == 0)]
        y = np.array(own["present"].tolist())
        for k in range(4):
            share = y[own["fold"].to_numpy() == k].sum(axis=0) / y.sum(axis=0)
            assert share == pytest.approx(np.full(3, 0.25), rel=off)


def test_rare_classes_and_those_in_every_clip_are_left_out_and_listed():
    generator = np.random.default_rng(4)
    present, site = soundscape(generator)
    present[:, 1] = True
    present[:, 2] = np.arange(300) < 30  # many clips, two sites
    clips, summary = folds.choose_clips(labels(present, site), FOLDS)
    why = {row["label"]: row["why"] for row in summary["left_out"]}
    assert why == {"tit": "present in every clip", "wren": "fewer than 3 groups (site)"}
    assert list(summary["classes"]) == ["robin"] and len(clips) == 300
    assert set(clips["target"]) == {"robin", ""}
    with pytest.raises(StratavoxError, match="none of 3 classes can be tested with min_clips: 400"):
        folds.choose_clips(labels(present, site), FOLDS | {"min_clips": 400})


def test_a_clip_without_labels_is_unknown_and_a_negative_is_not():
    present, site = soundscape(np.random.default_rng(5))
    table = labels(present, site)
    cells = table["robin"].to_pylist()
    table = table.set_column(2, "robin", [["", *cells[1:]]])
    clips, summary = folds.choose_clips(table, FOLDS)
    assert summary["empty_labels"] == 1 and len(clips) == 299


def test_a_sample_keeps_the_rarest_classes():
    present, site = soundscape(np.random.default_rng(6))
    clips, summary = folds.choose_clips(labels(present, site), FOLDS | {"max_clips": 100})
    assert len(clips) == 100 and summary["drawn_from"]["clips"] == 300
    every, drawn = present.mean(axis=0), np.array(clips["present"].tolist()).mean(axis=0)
    assert drawn == pytest.approx(every, abs=0.06)


def test_chance_is_the_average_precision_of_a_random_order():
    generator = np.random.default_rng(8)
    for n, clips in ((3, 20), (50, 200)):
        present = np.arange(clips) < n
        drawn = [average_precision_score(present, generator.random(clips)) for _ in range(2000)]
        error = np.std(drawn) / np.sqrt(len(drawn))
        assert abs(np.mean(drawn) - sets.of_guessing(n, clips)) < 4 * error


def test_iterative_stratification_balances_better_than_chance():
    """Counts of classes in folds of groups, compared with folds of groups at random."""
    generator = np.random.default_rng(7)
    counts = generator.poisson(generator.gamma(1, 4, (40, 1)) * [1.0, 0.4, 0.1, 0.05])
    sizes = counts.sum(axis=1) + 3

    def uneven(fold):
        shares = np.array([counts[fold == k].sum(axis=0) for k in range(5)]) / counts.sum(axis=0)
        return np.abs(shares - 0.2).mean()

    ours = np.mean([uneven(sets.stratified(counts, sizes, 5, generator)) for _ in range(20)])
    random = np.mean([uneven(generator.permutation(np.arange(40) % 5)) for _ in range(20)])
    assert ours < random / 3
