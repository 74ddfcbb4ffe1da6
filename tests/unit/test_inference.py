"""Intervals, bands and tests over groups: right number, right width, right error rate."""

import numpy as np
import pytest
from benchmarks import coverage
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from stratavox.inference import multiplicity, paired
from stratavox.inference.groups import BCA, RANGE, STUDENT, Groups, Interval, interval
from stratavox.inference.measures import Balanced, Explained, centre


def crossed(groups: int, seed: int = 0, classes: int = 4, each: int = 5, spread: float = 0.8):
    """A measure of correctness whose chance of success varies between groups."""
    generator = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-0.5 - spread * generator.standard_normal(groups)))
    group = np.repeat(np.arange(groups), classes * each)
    target = np.tile(np.repeat(np.arange(classes), each), groups)
    return Balanced.of((generator.random(len(group)) < p[group]).astype(float), target, group)


def test_value_is_scikit_learns_balanced_accuracy():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 3, 200)
    predicted = np.where(generator.random(200) < 0.6, target, generator.integers(0, 3, 200))
    measure = Balanced.of(predicted == target, target, generator.integers(0, 9, 200))
    assert measure.value == pytest.approx(balanced_accuracy_score(target, predicted))


def test_leaving_a_group_out_is_scoring_without_it():
    generator = np.random.default_rng(1)
    target, group = generator.integers(0, 3, 120), generator.integers(0, 7, 120)
    right = generator.random(120) < 0.5
    measure = Balanced.of(right, target, group)
    without = measure(Groups.of(measure.clips).without)
    for left, value in enumerate(without):
        kept = group != left
        assert value == pytest.approx(Balanced.of(right[kept], target[kept], group[kept]).value)


def test_equal_groups_give_the_t_interval_on_group_means():
    measure = crossed(8)
    estimate = interval(measure, Groups.of(measure.clips))
    means = measure.total.sum(axis=1) / measure.clips.sum(axis=1)
    half = stats.t.ppf(0.975, 7) * means.std(ddof=1) / np.sqrt(8)
    assert (estimate.value, estimate.kind) == (pytest.approx(means.mean()), STUDENT)
    assert (estimate.low, estimate.high) == pytest.approx(
        (means.mean() - half, means.mean() + half)
    )


@pytest.mark.parametrize("nested", [False, True], ids=["crossed", "nested"])
@pytest.mark.parametrize("groups", [6, 10, 20])
def test_coverage(groups, nested):
    """Nominal 95 %, one readout and a whole curve, within two standard errors of 300 runs."""
    one, whole, _ = coverage.coverage(groups, nested, 300)
    slack = 2 * coverage.error(300)
    assert abs(one - 0.95) <= slack
    assert abs(whole - 0.95) <= slack


def test_bounds_of_a_share_stay_within_it():
    right = np.ones((8, 2)) * 10
    right[0, 0] = 9
    clips = np.full((8, 2), 10.0)
    estimate = interval(Balanced(right, clips), Groups.of(clips), share=True)
    assert 0 <= estimate.low < estimate.value <= estimate.high <= 1


def test_clips_as_units_would_be_too_narrow():
    """The reason for all this: a group counts once, however many clips it has."""
    few = crossed(8)
    many = Balanced(few.total * 10, few.clips * 10)
    shared = Groups.of(few.clips)
    assert interval(many, shared) == interval(few, shared)


def test_bca_is_scipys():
    measure = crossed(20, seed=3)
    shared = Groups.of(measure.clips)
    estimate = interval(measure, shared)
    assert estimate.kind == BCA
    means = measure.total.sum(axis=1) / measure.clips.sum(axis=1)
    theirs = stats.bootstrap(
        (means,), np.mean, method="BCa", n_resamples=20_000, random_state=0
    ).confidence_interval
    width = theirs.high - theirs.low
    assert estimate.low == pytest.approx(theirs.low, abs=0.06 * width)
    assert estimate.high == pytest.approx(theirs.high, abs=0.06 * width)


def test_few_groups_have_a_range_and_no_test():
    measure = crossed(5)
    shared = Groups.of(measure.clips)
    estimate = interval(measure, shared)
    each = [balanced for balanced in measure(np.eye(5))]
    assert (estimate.kind, estimate.low, estimate.high) == (RANGE, min(each), max(each))
    assert paired.group_p(estimate) is None and paired.equivalent(estimate, 0.02) is None
    assert multiplicity.bands([measure], shared) is None


def test_groups_of_one_class_are_drawn_by_class():
    """Days of an individual: no resample lacks an individual, none is left out as a whole."""
    clips = np.array([[4, 0]] * 3 + [[0, 4]] * 5)
    shared = Groups.of(clips)
    assert (shared.freedom, shared.kind) == (6, STUDENT)
    assert ((shared.resamples @ clips) > 0).all()


def test_nested_error_is_that_of_independent_strata():
    generator = np.random.default_rng(0)
    rates = generator.random(8)
    clips = np.array([[10.0, 0]] * 3 + [[0, 10.0]] * 5)
    measure = Balanced(clips * rates[:, None], clips)
    first, second = rates[:3], rates[3:]
    variance = first.var(ddof=1) / 3 + second.var(ddof=1) / 5
    groups = Groups.of(clips)
    error = np.linalg.norm(groups.influence(measure(groups.without)))
    assert error == pytest.approx(np.sqrt(variance) / 2)


def test_a_single_band_is_t_and_many_stay_below_bonferroni():
    generator = np.random.default_rng(0)
    influence = generator.standard_normal((9, 10))
    influence -= influence.mean(axis=0)
    assert multiplicity.critical(influence[:, :1], 8) == pytest.approx(
        stats.t.ppf(0.975, 8), rel=0.03
    )
    many = multiplicity.critical(influence, 8)
    assert stats.t.ppf(0.975, 8) < many < stats.t.ppf(1 - 0.025 / 10, 8)
    same = np.repeat(influence[:, :1], 10, axis=1)
    assert multiplicity.critical(same, 8) < many


def test_confidence_set_keeps_the_best_and_drops_the_far_worse():
    generator = np.random.default_rng(0)
    clips = np.full((12, 2), 20.0)
    ease = 0.05 * generator.standard_normal((12, 1))
    curve = [
        Balanced(clips * np.clip(level + ease + 0.01 * generator.random((12, 2)), 0, 1), clips)
        for level in (0.4, 0.7, 0.7, 0.5)
    ]
    assert multiplicity.confidence_set(curve, Groups.of(clips)) == [1, 2]


def test_holm_against_its_definition():
    assert multiplicity.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert multiplicity.holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])


def test_sign_flip_is_exact_and_is_scipys():
    assert paired.sign_flip(np.array([0.1, 0.2, 0.3, 0.1, 0.05, 0.2])) == pytest.approx(2 / 64)
    shares = np.random.default_rng(0).standard_normal(9) + 0.5
    theirs = stats.permutation_test(
        (shares,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert paired.sign_flip(shares) == pytest.approx(theirs.pvalue, abs=1e-9)
    more = np.random.default_rng(1).standard_normal(40) + 0.3
    close = stats.ttest_1samp(more, 0).pvalue
    assert paired.sign_flip(more) == pytest.approx(close, abs=0.02)


def test_pseudo_values_are_the_groups_own_values_where_groups_are_alike():
    a, b = crossed(9, seed=1), crossed(9, seed=2)
    shared = Groups.of(a.clips)
    each = shared.pseudo_values(lambda w: a(w) - b(w))
    assert each == pytest.approx((a.total - b.total).sum(axis=1) / a.clips.sum(axis=1))


def test_sign_flip_is_not_misled_by_what_classes_a_group_has():
    """Guessing one class always is chance, though groups rich in it look good and others bad."""
    generator = np.random.default_rng(0)
    clips = generator.integers(1, 20, (16, 2)).astype(float)
    measure = Balanced(clips * [1.0, 0.0], clips)
    each = Groups.of(clips).pseudo_values(lambda w: measure(w) - 0.5)
    assert each == pytest.approx(np.zeros(16), abs=1e-9)


def test_corrected_resampled_t():
    """Without overlap it is the ordinary t test; with 5 folds its variance is 1 + 15 / 4 times."""
    differences = np.random.default_rng(0).standard_normal(15) + 0.6
    ordinary = stats.ttest_1samp(differences, 0)
    assert paired.corrected_resampled(differences, 0.0) == pytest.approx(ordinary.pvalue)
    corrected = ordinary.statistic / np.sqrt(1 + 15 / 4)
    assert paired.corrected_resampled(differences, 1 / 4) == pytest.approx(
        2 * stats.t.sf(abs(corrected), 14)
    )


def test_equivalence_needs_precision_not_just_closeness():
    close = Interval(0.001, None, None, STUDENT, error=0.005, freedom=9)
    vague = Interval(0.001, None, None, STUDENT, error=0.05, freedom=9)
    apart = Interval(0.019, None, None, STUDENT, error=0.005, freedom=9)
    assert [paired.equivalent(estimate, 0.02) for estimate in (close, vague, apart)] == [1, 0, 0]


def test_the_detectable_difference_is_detected_in_80_percent_of_runs():
    """The power printed is the power there is (t test at 5 % on 10 groups)."""
    generator = np.random.default_rng(0)
    error = 1 / np.sqrt(10)
    size = paired.detectable(Interval(0.0, None, None, STUDENT, error, 9), 1)
    p = stats.ttest_1samp(generator.standard_normal((4000, 10)) + size, 0, axis=1).pvalue
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.03)


def test_explained_is_r_squared_over_the_groups_there_are():
    error, spread = np.array([1.0, 2.0, 3.0]), np.array([4.0, 4.0, 4.0])
    assert Explained(error, spread)(np.array([[1, 1, 1], [1, 0, 1]])) == pytest.approx([0.5, 0.5])


def test_centre_follows_the_peak_and_ignores_scale_and_chance():
    def bump(peak):
        return np.exp(-np.square(np.arange(7) - peak))

    centres = centre(np.stack([bump(peak) for peak in (1, 3, 5)]), 0.0)
    assert centres == pytest.approx([1 / 6, 3 / 6, 5 / 6], abs=0.02)
    assert np.all(np.diff(centres) > 0.25)
    assert centre(0.3 * bump(3)[None] + 0.2, 0.2) == pytest.approx(centres[1:2])
    # what lies below chance is nothing, and a flat curve has no centre
    assert centre(np.array([[0.1, 0.0, 0.5]]), 0.25) == pytest.approx([1.0])
    assert np.isnan(centre(np.full((1, 5), 0.4), 0.25)[0])
