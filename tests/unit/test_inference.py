"""Intervals, bands and tests over groups: right number, right width, right error rate."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from stratavox.inference import paired
from stratavox.inference.groups import RANGE, STUDENT, Groups, Interval, interval, share_bounds
from stratavox.inference.measures import (
    Balanced,
    Explained,
    centre,
    depth_correlation,
    expected_depth,
    thirds,
)
from stratavox.inference.multiplicity import Joint, holm


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


def test_the_slope_of_a_group_is_what_one_more_copy_of_its_clips_does():
    generator = np.random.default_rng(1)
    target, group = generator.integers(0, 3, 120), generator.integers(0, 7, 120)
    measure = Balanced.of(generator.random(120) < 0.5, target, group)
    groups, step = Groups.of(measure.clips), 0.001
    more = (measure(np.ones((7, 7)) + step * np.eye(7)) - measure.value) / step
    assert groups.slopes(measure) == pytest.approx(more, abs=1e-3)
    assert groups.slopes(measure).sum() == pytest.approx(0, abs=1e-6)


def test_equal_groups_give_the_t_interval_on_group_means():
    measure = crossed(8)
    estimate = interval(measure, Groups.of(measure.clips))
    means = measure.total.sum(axis=1) / measure.clips.sum(axis=1)
    half = stats.t.ppf(0.975, 7) * means.std(ddof=1) / np.sqrt(8)
    assert (estimate.value, estimate.kind) == (pytest.approx(means.mean()), STUDENT)
    assert (estimate.low, estimate.high) == pytest.approx(
        (means.mean() - half, means.mean() + half)
    )


def test_bounds_of_a_share_stay_within_it():
    right = np.ones((8, 2)) * 10
    right[0, 0] = 9
    clips = np.full((8, 2), 10.0)
    estimate = interval(Balanced(right, clips), Groups.of(clips), share_bounds)
    assert 0 <= estimate.low < estimate.value <= estimate.high <= 1


def test_clips_as_units_would_be_too_narrow():
    """The reason for all this: a group counts once, however many clips it has."""
    few = crossed(8)
    many = Balanced(few.total * 10, few.clips * 10)
    shared = Groups.of(few.clips)
    assert interval(many, shared) == interval(few, shared)


@pytest.mark.parametrize(
    ("clips", "freedom"),
    [
        (np.full((9, 3), 5), 8),
        ([[4, 0]] * 5 + [[0, 4]] * 5, 8),
        ([[4, 0]] * 2 + [[0, 4]] * 15, (1 / 2 + 1 / 15) ** 2 / (1 / 4 + 1 / 15**2 / 14)),
    ],
    ids=["crossed", "nested", "nested, unlike"],
)
def test_freedom_is_satterthwaites_for_equal_variances(clips, freedom):
    """By hand: groups - 1; and for separate classes (sum a)^2 / sum(a^2 / df), a = variances."""
    assert Groups.of(np.array(clips)).freedom == pytest.approx(freedom, rel=1e-6)


def test_freedom_is_that_of_the_full_matrix():
    """Independent computation: the quadratic form of the variance, as a matrix over groups."""
    clips = np.random.default_rng(2).integers(0, 9, (14, 3)).astype(float)
    share = clips / clips.sum(axis=0)
    weight = share / 3
    # u = M e for independent e of unit variance, one for each group and class
    m = np.zeros((14, 14, 3))
    for k in range(3):
        m[:, :, k] = np.diag(weight[:, k]) - np.outer(weight[:, k], share[:, k])
    covariance = sum(m[:, :, k] @ m[:, :, k].T for k in range(3))
    correction = np.square(weight).sum(axis=1) / np.diag(covariance)
    form = np.sqrt(correction)[:, None] * covariance * np.sqrt(correction)
    groups = Groups.of(clips)
    assert groups.correction == pytest.approx(correction)
    assert groups.freedom == pytest.approx(np.trace(form) ** 2 / np.sum(form**2))


def test_one_stray_clip_hardly_changes_a_nested_design():
    clips = np.array([[20, 0]] * 6 + [[0, 20]] * 6)
    stray = clips.copy()
    stray[0, 1] = 1
    assert Groups.of(stray).freedom == pytest.approx(Groups.of(clips).freedom, rel=0.05)
    assert Groups.of(stray).kind == Groups.of(clips).kind == STUDENT


@pytest.mark.parametrize(
    "clips",
    [np.full((2, 2), 5.0), np.array([[4.0, 0]] * 2 + [[0, 4.0]] * 15)],
    ids=["two groups", "a class in two groups"],
)
def test_few_groups_have_a_range_and_no_test(clips):
    measure = Balanced(clips * np.random.default_rng(0).random((len(clips), 1)), clips)
    groups = Groups.of(clips)
    estimate, each = interval(measure, groups), measure(np.eye(len(clips)))
    assert (estimate.kind, estimate.low, estimate.high) == (RANGE, min(each), max(each))
    assert paired.group_p(estimate, each) is None
    assert paired.equivalence_p(estimate, groups.slopes(measure), 0.02) is None
    assert Joint.of([measure], groups).bands() is None


def test_nested_error_is_that_of_independent_strata():
    generator = np.random.default_rng(0)
    rates = generator.random(8)
    clips = np.array([[10.0, 0]] * 3 + [[0, 10.0]] * 5)
    measure = Balanced(clips * rates[:, None], clips)
    first, second = rates[:3], rates[3:]
    variance = first.var(ddof=1) / 3 + second.var(ddof=1) / 5
    error = np.linalg.norm(Groups.of(clips).influence(measure))
    assert error == pytest.approx(np.sqrt(variance) / 2)


def test_groups_that_all_agree_are_no_certainty():
    """All clips right in 12 groups: at least the exact binomial bound of 12 trials."""
    clips = np.full((12, 3), 20.0)
    groups = Groups.of(clips)
    perfect = interval(Balanced(clips, clips), groups, share_bounds)
    theirs = stats.binomtest(12, 12).proportion_ci(method="exact")
    assert (perfect.low, perfect.high) == pytest.approx((theirs.low, 1.0))
    assert paired.group_p(Interval(0.4, error=0.0, freedom=11), np.full(12, 0.4)) == 2 / 2**12


def test_a_share_near_one_covers_what_the_exact_bound_covers():
    """One error in one group: no narrower than Clopper and Pearson's interval of its clips."""
    right, clips = np.full((12, 2), 10.0), np.full((12, 2), 10.0)
    right[0, 0] = 9
    estimate = interval(Balanced(right, clips), Groups.of(clips), share_bounds)
    theirs = stats.binomtest(239, 240).proportion_ci(method="exact")
    assert estimate.low < theirs.low and estimate.high > theirs.high


def test_a_single_band_is_t_and_many_stay_below_bonferroni():
    generator = np.random.default_rng(0)
    influence = generator.standard_normal((9, 10))
    influence -= influence.mean(axis=0)
    groups = Groups.of(np.full((9, 2), 5))

    def times(columns):
        return Joint(np.zeros(columns.shape[1]), columns, groups).times

    assert times(influence[:, :1]) == pytest.approx(stats.t.ppf(0.975, 8), rel=0.03)
    many = times(influence)
    assert stats.t.ppf(0.975, 8) < many < stats.t.ppf(1 - 0.025 / 10, 8)
    assert times(np.repeat(influence[:, :1], 10, axis=1)) < many


def test_the_best_are_kept_and_the_far_worse_dropped():
    generator = np.random.default_rng(0)
    clips = np.full((12, 2), 20.0)
    ease = 0.05 * generator.standard_normal((12, 1))
    curve = [
        Balanced(clips * np.clip(level + ease + 0.01 * generator.random((12, 2)), 0, 1), clips)
        for level in (0.4, 0.7, 0.7, 0.5)
    ]
    joint = Joint.of(curve, Groups.of(clips))
    assert joint.perhaps_largest() == [1, 2]
    assert joint.differ()
    assert not Joint.of(curve[1:3], Groups.of(clips)).differ()


def test_a_combination_has_the_interval_of_its_own_statistic():
    curve, weights = [crossed(9, seed) for seed in range(6)], thirds(6)
    groups = Groups.of(curve[0].clips)
    own = interval(lambda w: sum(c * m(w) for c, m in zip(weights, curve, strict=True)), groups)
    combined = Joint.of(curve, groups).combined(weights[:, None]).intervals()[0]
    assert (combined.value, combined.low, combined.high) == pytest.approx(
        (own.value, own.low, own.high)
    )


def test_holm_against_its_definition():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])


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
    each = shared.of_each(lambda w: a(w) - b(w))
    own = (a.total - b.total).sum(axis=1) / a.clips.sum(axis=1)
    assert each == pytest.approx(own, abs=1e-9)


def test_sign_flip_is_not_misled_by_what_classes_a_group_has():
    """Guessing one class always is chance, though groups rich in it look good and others bad."""
    generator = np.random.default_rng(0)
    clips = generator.integers(1, 20, (16, 2)).astype(float)
    measure = Balanced(clips * [1.0, 0.0], clips)
    each = Groups.of(clips).of_each(lambda w: measure(w) - 0.5)
    assert each == pytest.approx(np.zeros(16), abs=1e-6)


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
    influence = np.random.default_rng(0).standard_normal(10)

    def equal(value, error):
        scaled = error * influence / np.linalg.norm(influence)
        difference = Interval(value, kind=STUDENT, error=error, freedom=9)
        return paired.equivalence_p(difference, scaled, 0.02) < 0.05

    assert equal(0.001, 0.005) and not equal(0.001, 0.05) and not equal(0.019, 0.005)


def test_equality_is_not_claimed_where_few_groups_differ():
    """Of 12 groups one differs by .1: a t test is sure that the mean is below .02, wrongly."""
    clips = np.full((12, 2), 50.0)
    a, b = clips.copy(), clips.copy()
    b[0] -= 5
    groups = Groups.of(clips)
    difference = interval(lambda w: Balanced(a, clips)(w) - Balanced(b, clips)(w), groups)
    influence = groups.influence(lambda w: Balanced(a, clips)(w) - Balanced(b, clips)(w))
    assert paired.within_p(difference, 0.025) < 0.05
    assert paired.equivalence_p(difference, influence, 0.025) > 0.2


def test_a_second_random_factor_adds_its_variance():
    """Satterthwaite's degrees of freedom lie between the smaller of both and their sum."""
    one = Interval(0.3, 0.2, 0.4, STUDENT, error=0.04, freedom=11)
    both = one.beside(0.03, 4)
    assert both.error == pytest.approx(0.05)
    assert 4 < both.freedom < 15
    assert both.low < one.low and both.high > one.high
    assert one.beside(0.0, 4).error == one.error


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


def test_other_depths_follow_the_curve_as_well():
    rising, falling = np.linspace(0.2, 0.8, 7)[None], np.linspace(0.8, 0.2, 7)[None]
    assert depth_correlation(rising) == pytest.approx([1.0])
    assert depth_correlation(falling) == pytest.approx([-1.0])
    assert np.isnan(depth_correlation(np.full((1, 7), 0.4))[0])
    # equal gains at every step: the mean of the depths that gain
    assert expected_depth(rising) == pytest.approx([np.mean(np.arange(1, 7) / 6)])
    assert np.isnan(expected_depth(falling)[0])
    assert thirds(13) @ np.arange(13) == pytest.approx(9)  # four readouts a third, 10.5 - 1.5
    assert thirds(2).tolist() == [-1, 1]


def test_a_band_of_independent_readouts_holds_them_all_with_few_groups():
    """Each readout has its own standard error: with one for all, this band covers .90."""
    clips, runs, held = np.full((5, 1), 1.0), 300, 0
    groups = Groups.of(clips)
    for seed in range(runs):
        curve = np.random.default_rng(seed).standard_normal((5, 6))
        joint = Joint(curve.mean(axis=0), (curve - curve.mean(axis=0)) / np.sqrt(5 * 4), groups)
        held += (np.abs(joint.values) <= joint.times * joint.errors).all()
    assert held / runs >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / runs)
