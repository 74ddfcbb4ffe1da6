"""Labels without information: scores of noise under permuted labels are the scores of noise."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from stratavox.errors import StratavoxError
from stratavox.probe import folds, nested_cv, permute, splits
from stratavox.probe.crossvalidate import cross_validate
from stratavox.probe.fusion import Source
from stratavox.probe.rotation import Rotation
from test_probes import FOLDS, labels

SETTINGS = {
    **{"inner_folds": 2, "c_grid": [0.01], "permutations": 4, "control_tasks": 4, "seed": 0},
}
WIDTH = 8


def scores(x, target, group=None, recording=None, regime="grouped", **changed):
    """Pooled balanced accuracies of the columns ``x`` by control, in one regime, at a fixed C."""
    named = {"group": None if group is None else "bird"}
    named |= {"recording": [] if recording is None else ["tape"], "repeats": 1}
    n = len(target)
    table = labels(
        [f"class {c}" for c in target],
        ["" if group is None else f"b{g}" for g in (np.zeros(n) if group is None else group)],
        recording,
    )
    clips, _ = folds.choose_clips(table, FOLDS | named)
    rows, _, _ = folds.assign(clips, FOLDS | named)
    rows = rows.filter(np.array(rows["regime"].to_pylist()) == regime)
    ids = clips["clip_id"].tolist()
    source = Source(np.asarray(x, dtype=np.float32))
    table = cross_validate(source, "features", [], ids, rows, SETTINGS | changed)[0].to_pandas()
    pooled = table[table.fold.isna() & (table.metric == "balanced_accuracy")]
    return {control: part.value.to_numpy() for control, part in pooled.groupby("control")}


def nested(generator, groups=12, classes=3, signal=0.0):
    """Groups of 5 to 29 clips, a class each, that differ in sound; ``signal`` parts the classes."""
    sizes = generator.integers(5, 30, groups)
    group = np.repeat(np.arange(groups), sizes)
    target = group % classes
    centres = 2 * generator.standard_normal((groups, WIDTH))
    centres += signal * generator.standard_normal((classes, WIDTH))[np.arange(groups) % classes]
    return centres[group] + generator.standard_normal((len(group), WIDTH)), target, group


def score(x, target, fold):
    """Balanced accuracy (draws,) of labels and folds (draws, clips) at a fixed C."""
    rotation = Rotation.of(x.astype(np.float32), np.ones(len(x), dtype=bool))
    predicted = np.empty_like(target)
    for k in range(fold.max() + 1):
        tests = fold == k
        predicted[tests] = nested_cv.null_fold(rotation, x, target, tests, 0.01)[tests]
    right = predicted == target
    classes = np.unique(target)
    return np.mean([(right & (target == c)).sum(1) / (target == c).sum(1) for c in classes], axis=0)


def agree(real, null):
    """Whether mean scores of many worlds are the same within two standard errors."""
    difference = np.array(real) - np.array(null)
    return abs(difference.mean()) < 2 * difference.std(ddof=1) / np.sqrt(len(difference))


def test_noise_scores_alike_with_true_and_permuted_labels_where_groups_have_one_label():
    """Not at chance, but below it: the groups left for training have more of the other classes."""
    generator = np.random.default_rng(0)
    real, null = [], []
    for seed in range(60):
        x, y, group = nested(generator, classes=4)
        fold = splits.by_group(y, group, 4, 2, seed)
        drawn = permute.permutations(y, group, fold, SETTINGS | {"seed": seed})
        real.append(score(x, y[None], fold[None]).mean())
        null.append(score(x, drawn.target, drawn.fold).mean())
    assert agree(real, null) and np.mean(null) < 0.2


def test_noise_scores_alike_with_true_and_permuted_labels_without_groups():
    generator = np.random.default_rng(1)
    real, null = [], []
    for _ in range(15):
        y = generator.integers(0, 4, 80)
        of = scores(generator.standard_normal((80, WIDTH)), y, regime="random", c_grid=[1e-4])
        real.append(of["none"].mean())
        null.append(of["permutation"].mean())
    assert agree(real, null) and abs(np.mean(null) - 0.25) < 0.01


def test_a_stray_clip_does_not_change_the_null():
    x, y, group = nested(np.random.default_rng(2), groups=16, classes=4, signal=4.0)
    stray = y.copy()
    stray[0] = 1
    without, with_it = (scores(x, target, group, permutations=20) for target in (y, stray))
    assert min(without["none"].mean(), with_it["none"].mean()) > 0.7
    assert len(with_it["permutation"]) == 20
    error = without["permutation"].std() / np.sqrt(20)
    difference = with_it["permutation"].mean() - without["permutation"].mean()
    assert abs(difference) < 3 * error < 0.15


def test_moved_within_is_the_share_of_labels_that_a_shuffle_within_groups_moves():
    generator = np.random.default_rng(3)
    group = generator.integers(0, 10, 400)
    target = np.where(generator.random(400) < 0.6, group % 4, generator.integers(0, 4, 400))
    inside, free = (
        np.mean([permute.within(target, unit, generator) != target for _ in range(200)])
        for unit in (group, np.zeros(400))
    )
    assert permute.moved_within(target, group) == pytest.approx(inside / free, abs=0.01)
    assert permute.moved_within(group % 3, group) == 0
    assert permute.moved_within(np.arange(400) // 10 % 2, np.arange(400) % 10) == 1


def test_groups_of_one_label_exchange_it_with_folds_that_fit_the_new_labels():
    _, y, group = nested(np.random.default_rng(4))
    fold = splits.by_group(y, group, 4, 2, 0)
    null = permute.permutations(y, group, fold, SETTINGS | {"permutations": 20})
    assert len({tuple(drawn) for drawn in null.target}) > 15
    for drawn, own in zip(null.target, null.fold, strict=True):
        assert all(len(set(drawn[group == g])) == 1 for g in range(12))
        assert sorted(drawn[np.unique(group, return_index=True)[1]]) == sorted([0, 1, 2] * 4)
        assert all(len(set(own[group == g])) == 1 for g in range(12))
        assert set(own) == set(range(4))
        assert all(set(drawn[own != k]) == {0, 1, 2} for k in range(4))


def test_stray_clips_move_with_their_group():
    """A group keeps its size, and gets the labels of another in the same shares."""
    group, target = np.repeat(np.arange(6), 10), np.repeat([0, 0, 1, 1, 2, 2], 10)
    target[[0, 25]] = [1, 2]
    moved = permute.exchanged(target, group, np.random.default_rng(5))
    before, after = (
        sorted(sorted(part) for part in y.reshape(6, 10).tolist()) for y in (target, moved)
    )
    assert before == after


def test_mixed_groups_keep_their_labels_and_their_folds():
    group, y = np.repeat(np.arange(8), 6), np.tile([0, 0, 0, 1, 1, 2], 8)
    fold = splits.by_group(y, group, 4, 2, 0)
    null = permute.permutations(y, group, fold, SETTINGS)
    assert (null.fold == fold).all() and not null.remade
    assert (np.sort(null.target.reshape(4, 8, 6)) == [0, 0, 0, 1, 1, 2]).all()
    assert (null.target != y).any(axis=1).all()


def test_clips_without_groups_keep_the_classes_of_each_fold():
    y = np.arange(60) % 3
    fold = splits.by_clip(y, 4, 0)
    null = permute.permutations(y, None, fold, SETTINGS)
    for drawn in null.target:
        assert (drawn != y).any()
        assert all(sorted(drawn[fold == k]) == sorted(y[fold == k]) for k in range(4))


def test_permutations_that_have_no_folds_are_refused(monkeypatch):
    monkeypatch.setattr(permute, "REDRAWS", 2)
    group, y = np.repeat(np.arange(4), 5), np.repeat([0, 0, 1, 1], 5)
    with pytest.raises(StratavoxError) as error:
        permute.permutations(y, group, np.arange(20) // 5 % 3, SETTINGS | {"inner_folds": 4})
    for part in ("permuted labels", "2 times", "4 groups", "3 folds", "raise min_groups"):
        assert part in str(error.value)


@pytest.mark.parametrize("recordings", [4, 6, 8, 12, 40])
def test_a_guess_is_at_chance_in_the_control_task(recordings):
    generator = np.random.default_rng(7)
    target, recording = np.tile(np.arange(4), 50), np.arange(200) % recordings
    guessed = []
    for _ in range(200):
        drawn = permute.control_task(target, recording, generator)
        assert set(drawn) == set(range(4))
        assert all(len(set(drawn[recording == r])) == 1 for r in range(recordings))
        guessed.append(balanced_accuracy_score(drawn, generator.choice(drawn, 200)))
    assert abs(np.mean(guessed) - 0.25) < 0.01


def test_control_tasks_have_about_the_classes_frequencies():
    generator = np.random.default_rng(0)
    target, recording = np.repeat([0, 0, 0, 1], 50), np.repeat(np.arange(40), 5)
    drawn = [permute.control_task(target, recording, generator) for _ in range(200)]
    # 38 recordings by frequency, one of each class
    assert abs(np.mean(drawn) - (38 * 0.25 + 1) / 40) < 0.02


def test_noise_is_at_chance_in_the_control_task():
    generator = np.random.default_rng(8)
    drawn = []
    for _ in range(15):
        y, tape = np.arange(80) % 4, generator.integers(0, 20, 80)
        x = generator.standard_normal((80, WIDTH))
        drawn.append(scores(x, y, recording=tape, regime="random", c_grid=[1e-4])["control_task"])
    assert np.mean(drawn) == pytest.approx(0.25, abs=0.01)


def test_no_control_task_where_not_every_class_can_get_a_recording():
    x, y = np.random.default_rng(9).standard_normal((60, WIDTH)), np.arange(60) % 4
    tape = np.arange(60) % 3
    assert set(scores(x, y, recording=tape, regime="random")) == {"none", "permutation"}
    assert "control_task" in scores(x, y, recording=np.arange(60) % 5, regime="random")
    # groups stand in for unknown recordings; without either there is nothing to label
    group = np.arange(60) // 4 % 5
    assert "control_task" in scores(x, y, group, regime="random")
    assert set(scores(x, y, regime="random")) == {"none", "permutation"}
