"""Scores with few clips: which clips are drawn, what the probe makes of them, and the sentence."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import report_tables as fake
import stage_jobs
from stratavox import tables
from stratavox.inference.answers import samples as answer
from stratavox.inference.study import Study
from stratavox.probe import samples
from stratavox.probe.readouts import clips_of, strictest
from stratavox.probe.repeats import repeats
from stratavox.report import findings
from stratavox.report.figures import samples as figure
from test_figures import results
from test_probes import FOLDS, crossed, encoder_of, labels, pooled, study

TASK = {"regimes": ["grouped", "random"], "chance": 1 / 3}


def stage(folder, table, readouts, draws=4, **changed):
    """The linear probes' scores, and the table of the stage, of ``readouts`` of ``table``."""
    scores, predictions, _ = study(folder, table, readouts, permutations=1, **changed)
    read = {"encoder": folder / "encoder.json", "folds": folder / "folds.parquet"}
    out = {"samples": folder / "samples.parquet"}
    samples.run(stage_jobs.job(read, out, {"samples": {"draws": draws}, "seed": 0}))
    return scores, predictions, tables.read_table(out["samples"]).to_pandas()


def answers(folder, scores, predictions, table, task=TASK):
    """The rows of the answer, and the study they are from."""
    answered = Study(task, [encoder_of(folder)], {}, scores.assign(encoder="enc"))
    answered.add("enc", predictions)
    answered.samples = {"enc": table}
    return pd.DataFrame(answer.rows(answered)), answered


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Noise, a weak and a strong block; classes of unlike size in 12 groups."""
    folder = tmp_path_factory.mktemp("planted")
    every = crossed(groups=12, each=6).to_pandas()
    # class 0 has fewer clips
    kept = every.drop(every[every.call == "class 0"].index[::3])
    table = labels(kept.call, kept.bird)
    generator = np.random.default_rng(3)
    y = np.unique(kept.call, return_inverse=True)[1]
    readouts = {f"block_{n:02d}": generator.standard_normal((len(y), 20)) for n in range(3)}
    readouts["block_01"][:, :3] += 1.2 * np.eye(3)[y]
    readouts["block_02"][:, :3] += 2.5 * np.eye(3)[y]
    return folder, readouts, *stage(folder, table, readouts)


def test_a_score_grows_with_clips_where_classes_are_planted_and_is_chance_elsewhere(planted):
    folder, _, scores, predictions, table = planted
    rows, answered = answers(folder, scores, predictions, table)
    value = rows.set_index(["readout", "clips_a_class"])["value"]
    assert list(value["block_02"].index) == [1, 2, 4, 8, 16, 32]
    assert value["block_02", 1] < value["block_02", 4] < value["block_02", 32]
    assert value["block_01", 32] < value["block_02", 32] - 0.1
    assert value["block_02", 32] == pytest.approx(pooled(scores, "block_02"), abs=0.04)
    assert (abs(value["block_00"] - 1 / 3) < 0.08).all()
    noise = rows[rows.readout == "block_00"]
    assert ((noise.low < 1 / 3) & (noise.high > 1 / 3)).mean() > 0.6
    # the strong block is chosen in training, so it is what the sentence is about
    assert value["nested"].equals(value["block_02"])
    (sentence,) = rows.sentence.dropna()
    for quoted in (value["nested", 1], value["nested", 8], pooled(scores, "nested")):
        assert f"{quoted:.3f} (" in sentence
    assert "the block chosen in training (block 2 in 8 of 8 folds)" in sentence
    assert "with 8 clips of each class" in sentence and "chance 0.333" in sentence


def test_scores_are_those_of_the_same_clips_fitted_one_by_one(planted):
    """An independent fit: scikit-learn's, on the drawn clips alone, of one fold."""
    folder, readouts, _, _, table = planted
    folds = strictest(tables.read_table(folder / "folds.parquet"))
    clip_ids, _ = clips_of(folds)
    repeat = repeats(folds, clip_ids)[0]
    order = {f"clip {n:04d}": n for n in range(len(clip_ids))}
    x = readouts["block_01"][[order[name] for name in clip_ids]].astype(np.float32)
    train, test = repeat.fold != 2, repeat.fold == 2
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    y = np.unique(repeat.target, return_inverse=True)[1]
    group = np.unique(repeat.group, return_inverse=True)[1]
    generator = np.random.default_rng([0, 0, 2])
    drawn = [samples.places(y[train], group[train], generator) for _ in range(4)]
    for size in (1, 8):
        right = []
        for places in drawn:
            rows = np.flatnonzero(train)[places < size]
            assert list(np.bincount(y[rows])) == [size] * 3
            # the total variance of 20 standardised columns is 20
            model = LogisticRegression(C=samples.LOGIT_VARIANCE / 20, tol=1e-8, max_iter=2000)
            right.append(model.fit(x[rows], y[rows]).predict(x[test]) == y[test])
        one = table[(table.readout == "block_01") & (table.clips_a_class == size)]
        one = one[(one.repeat == 0) & (one.fold == 2)]
        assert one.n_clips.sum() == test.sum() and set(one.group) == set(repeat.group[test])
        assert one.correct.sum() == pytest.approx(np.mean(right, axis=0).sum(), abs=0.26)


def test_groups_take_turns_and_every_clip_has_a_place():
    y = np.array([0] * 12 + [1] * 6)
    # class 0 is in four groups of 6, 3, 2 and 1 clips
    group = np.array([0] * 6 + [1] * 3 + [2] * 2 + [3] + [0, 0, 1, 1, 2, 2])
    orders = set()
    for seed in range(20):
        place = samples.places(y, group, np.random.default_rng(seed))
        assert sorted(place[y == 0]) == list(range(12)) and sorted(place[y == 1]) == list(range(6))
        drawn = group[y == 0][np.argsort(place[y == 0])]
        assert set(drawn[:4]) == {0, 1, 2, 3} and set(drawn[4:7]) == {0, 1, 2}
        assert set(drawn[7:9]) == {0, 1} and set(drawn[9:]) == {0}
        orders.add(tuple(drawn[:4]))
    assert len(orders) > 5
    free = samples.places(y, None, np.random.default_rng(0))
    assert sorted(free[y == 0]) == list(range(12))


def test_the_numbers_end_where_a_class_has_no_more_in_some_training_set(tmp_path):
    target = ["rare"] * 10 + [f"class {n % 2}" for n in range(80)]
    group = [f"bird {n // 3}" for n in range(10)] + [f"bird {n // 10}" for n in range(80)]
    x = np.random.default_rng(0).standard_normal((90, 4))
    _, _, table = stage(tmp_path, labels(target, group), {"features": x})
    folds = strictest(tables.read_table(tmp_path / "folds.parquet")).to_pandas()
    trained = [
        ((part.fold != k) & (part.target == "rare")).sum()
        for _, part in folds.groupby("repeat")
        for k in range(4)
    ]
    assert min(trained) in range(4, 8) and set(table.clips_a_class) == {1, 2, 4}


def test_a_constant_readout_is_at_chance(tmp_path):
    _, _, table = stage(tmp_path, crossed(groups=4), {"features": np.ones((72, 3))}, draws=1)
    sums = table.groupby("clips_a_class")[["correct", "n_clips"]].sum()
    assert list(sums.correct / sums.n_clips) == pytest.approx([1 / 3] * len(sums))


def test_without_groups_there_is_a_score_without_an_interval(tmp_path, monkeypatch):
    monkeypatch.setitem(FOLDS, "group", None)
    table = crossed(groups=4)
    x = np.random.default_rng(1).standard_normal((72, 5))
    written = stage(tmp_path, table, {"features": x}, draws=1)
    assert written[2].group.isna().all()
    rows, answered = answers(tmp_path, *written, TASK | {"regimes": ["random"]})
    assert answered.groups is None and rows.low.isna().all() and rows.value.between(0.1, 0.6).all()
    (sentence,) = rows.sentence.dropna()
    assert " (0." not in sentence and sentence.startswith("enc: balanced accuracy 0.")


def test_the_figure_draws_the_tables_values(tmp_path):
    task = results(tmp_path)
    rows = fake.samples()
    drawn = figure.figure(task)
    lines = {one.name: one for panel in drawn.panels for one in panel.series if hasattr(one, "y")}
    deep = rows[(rows.encoder == "deep") & (rows.readout == "nested")]
    assert list(lines["deep"].x) == [0, 1, 2] and list(lines["deep"].y) == deep.value.tolist()
    assert list(lines["all deep"].y) == [task.one("deep", "nested")["value"]]
    four = rows[(rows.encoder == "deep") & (rows.clips_a_class == 4) & rows.depth.notna()]
    assert list(lines["4 deep"].y) == four.value.tolist() and "2 deep" not in lines
    assert list(lines["all deep over depth"].y) == task.curve("deep")["value"].tolist()
    notes = " ".join(drawn.notes)
    assert "The numbers of clips end at 4: some class has fewer than 8" in notes
    assert "5 draws a fold" in notes and "95 % t interval over groups" in notes
    # none of these rows has a sentence, so the page has no heading for them
    assert "Samples" not in findings.others(task)
    task.others["samples"] = rows.assign(sentence="deep: 0.5.")
    assert set(findings.others(task)["Samples"]) == {"deep: 0.5."}
    task.others["samples"] = rows.iloc[:0]
    (panel,) = figure.figure(task).panels
    assert "probes.samples is null" in panel.series[0].text
