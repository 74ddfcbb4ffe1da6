"""Intervals over groups: the right number, the right width, the right words."""

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.metrics import balanced_accuracy_score

from stratavox import stats


def draw(generator, groups, classes=4, each=5, spread=0.8, centre=0.5):
    """Correctness of clips whose chance of success varies between groups."""
    level = centre + spread * generator.standard_normal(groups)
    p = 1 / (1 + np.exp(-level))
    group = np.repeat(np.arange(groups), classes * each)
    target = np.tile(np.repeat(np.arange(classes), each), groups)
    return (generator.random(len(group)) < p[group]).astype(float), target, group


def test_value_is_scikit_learns_balanced_accuracy():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 3, 200)
    predicted = np.where(generator.random(200) < 0.6, target, generator.integers(0, 3, 200))
    recall = stats.Recall.of(predicted == target, target, generator.integers(0, 9, 200))
    assert recall.value == pytest.approx(balanced_accuracy_score(target, predicted))


def test_equal_groups_give_the_t_interval_on_group_means():
    correct, target, group = draw(np.random.default_rng(1), 8)
    found = stats.interval(stats.Recall.of(correct, target, group))
    means = np.array([correct[group == g].mean() for g in range(8)])
    half = student.ppf(0.975, 7) * means.std(ddof=1) / np.sqrt(8)
    assert found.value == pytest.approx(means.mean())
    assert (found.low, found.high) == (
        pytest.approx(means.mean() - half),
        pytest.approx(means.mean() + half),
    )
    assert found.kind == "t over groups"


@pytest.mark.parametrize("groups", [6, 10, 20])
def test_coverage_of_the_interval(groups):
    """Nominal 95 % over fresh groups, within two standard errors of 400 draws."""
    generator = np.random.default_rng(groups)
    level = 0.5 + 0.8 * generator.standard_normal(200_000)
    truth = np.mean(1 / (1 + np.exp(-level)))
    hits = 0
    for _ in range(400):
        found = stats.interval(stats.Recall.of(*draw(generator, groups)))
        hits += found.low <= truth <= found.high
    assert 0.95 - 2 * np.sqrt(0.95 * 0.05 / 400) <= hits / 400 <= 0.985


def test_clips_as_units_would_be_too_narrow():
    """The reason for all this: a group counts once, however many clips it has."""
    correct, target, group = draw(np.random.default_rng(3), 8)
    few = stats.interval(stats.Recall.of(correct, target, group))
    many = stats.interval(
        stats.Recall.of(np.tile(correct, 10), np.tile(target, 10), np.tile(group, 10))
    )
    assert many.high - many.low == pytest.approx(few.high - few.low)


def test_few_groups_give_their_range_and_no_test():
    correct, target, group = draw(np.random.default_rng(4), 5)
    recall = stats.Recall.of(correct, target, group)
    found = stats.interval(recall)
    means = [correct[group == g].mean() for g in range(5)]
    assert found.kind == "range over groups"
    assert (found.low, found.high) == (pytest.approx(min(means)), pytest.approx(max(means)))
    assert stats.difference(recall, recall).p_value is None


def test_groups_nested_in_classes_lose_a_degree_of_freedom_each():
    group = np.repeat(np.arange(12), 4)
    recall = stats.Recall.of(np.ones(48), group % 3, group)
    assert recall.freedom == 9
    assert stats.Recall.of(np.ones(48), np.tile(np.arange(4), 12), group).freedom == 11


def test_paired_difference_cancels_what_groups_share():
    """Groups differ much, the difference little: pairing sees it, two separate intervals do not."""
    group, target = np.repeat(np.arange(8), 20), np.tile(np.arange(4), 40)
    easy = np.repeat(np.linspace(0.1, 0.8, 8), 20)
    place = np.tile(np.arange(20) // 4 * 4 / 20, 8)
    a = stats.Recall.of(place < easy + 0.15, target, group)
    b = stats.Recall.of(place < easy, target, group)
    found = stats.difference(a, b)
    assert found.value == pytest.approx(a.value - b.value)
    assert found.p_value < 0.01 and found.low > 0
    assert stats.interval(b).high > stats.interval(a).low
    assert stats.difference(a, a).p_value == 1.0


def test_false_findings_stay_at_the_nominal_rate():
    generator = np.random.default_rng(6)
    p = [
        stats.difference(stats.Recall.of(*draw(generator, 8, spread=0.0, centre=0.0)), 0.5).p_value
        for _ in range(400)
    ]
    assert np.mean(np.array(p) < 0.05) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_holm_against_the_definition():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
