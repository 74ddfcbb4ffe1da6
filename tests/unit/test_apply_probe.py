"""The probe of `apply`: as the workflow's, calibrated, and aware of what it was not trained on."""

import json

import numpy as np
import pyarrow as pa
import pytest
from safetensors import safe_open
from scipy.spatial.distance import cdist
from scipy.special import log_softmax
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression

from stratavox.apply import calibration, distance, linear, trained
from stratavox.errors import BrokenFile, StratavoxError
from stratavox.probe import nested_cv
from stratavox.probe.folds import SCHEMA

SETTINGS = {"inner_folds": 2, "c_grid": [0.001, 0.01, 0.1, 1.0], "seed": 0}
CLASSES, GROUPS, EACH, WIDTH = 3, 8, 6, 12


def calls(seed=0, spread=0.5):
    """Readouts (clips, width), class numbers and groups: class means, and an offset a group."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(GROUPS), CLASSES * EACH)
    y = np.tile(np.repeat(np.arange(CLASSES), EACH), GROUPS)
    means, offsets = random.normal(size=(CLASSES, WIDTH)), random.normal(size=(GROUPS, WIDTH))
    x = means[y] + spread * offsets[group] + random.normal(size=(len(y), WIDTH))
    return x.astype(np.float32), y, np.array([f"bird {number}" for number in group])


def folds_of(y, group, count=4, regime="grouped"):
    """A table of folds: the birds in ``count`` sets."""
    number = np.array([int(name.split()[1]) % count for name in group], np.int32)
    n = len(y)
    rows = [[regime] * n, [0] * n, number, [f"c{k:04d}" for k in range(n)]]
    more = [[f"call {k}" for k in y], group, [None] * n, [None] * n]
    more += [[None] * n] * (len(SCHEMA) - 8)  # of other kinds of tasks
    return pa.table([*rows, *more], schema=SCHEMA)


def fitted(seed=0, **provenance):
    x, y, group = calls(seed)
    return trained.train(x, folds_of(y, group), SETTINGS, {"key": "k"} | provenance), x, y, group


# ---- the fit ----


def test_the_probe_is_scikit_learns_at_the_same_penalty():
    x, y, group = calls()
    fit = linear.fit(x, y, group, np.ones(len(y), bool), SETTINGS)
    # in float32 scikit-learn itself ends up to 3e-3 from the minimum, by the processor
    z = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float64)
    other = LogisticRegression(C=fit.c, tol=1e-8, max_iter=5000).fit(z, y)
    assert np.allclose(fit.probe.log_probabilities(x), other.predict_log_proba(z), atol=5e-4)
    assert fit.converged


@pytest.mark.parametrize("width", [WIDTH, 300], ids=["narrow", "wider than clips"])
def test_held_out_predictions_are_the_workflows(width):
    x, y, group = calls()
    x = np.hstack([x, np.random.default_rng(1).normal(size=(len(y), width - WIDTH))])
    fold = np.array([int(name.split()[1]) % 4 for name in group])
    log_p = linear.held_out(x.astype(np.float32), y, group, fold, SETTINGS)
    for number in range(4):
        test = fold == number
        outer, _ = nested_cv.outer_fold(x.astype(np.float32), y, group, test, SETTINGS)
        assert np.array_equal(log_p[test].argmax(axis=1), outer.predicted)
        of_label = log_p[test][np.arange(test.sum()), y[test]]
        assert np.allclose(of_label, outer.log_probability, atol=1e-4)


def test_a_group_on_both_sides_is_refused():
    x, y, group = calls()
    with pytest.raises(StratavoxError, match="both sides"):
        linear.held_out(x, y, group, np.arange(len(y)) % 2, SETTINGS)


# ---- calibration ----


def overconfident(n, t, seed=0):
    """Log-probabilities that are ``t`` times too extreme, and labels drawn from the right ones."""
    random = np.random.default_rng(seed)
    right = log_softmax(random.normal(scale=2, size=(n, 4)), axis=1)
    y = np.array([random.choice(4, p=np.exp(row)) for row in right])
    return log_softmax(right * t, axis=1), y


@pytest.mark.parametrize("t", [0.4, 1.0, 3.0])
def test_a_planted_temperature_is_recovered(t):
    log_p, y = overconfident(4000, t)
    assert calibration.temperature(log_p, y) == pytest.approx(t, rel=0.1)


def test_calibration_lowers_the_error_to_that_of_chance_and_keeps_the_class():
    log_p, y = overconfident(3000, 3.0)
    calibrated = calibration.cross_fitted(log_p, y, np.arange(3000) % 5)
    assert np.array_equal(calibrated.argmax(axis=1), log_p.argmax(axis=1))
    assert calibration.error(log_p, y) > 0.1
    assert calibration.error(calibrated, y) < 2 * calibration.least_error(calibrated, 0) < 0.04
    assert calibration.log_loss(calibrated, y) < calibration.log_loss(log_p, y)


def test_cross_fitting_does_not_use_a_parts_own_labels():
    log_p, y = overconfident(400, 2.0)
    part = np.arange(400) % 2
    other = np.where(part == 0, (y + 1) % 4, y)
    first, second = (calibration.cross_fitted(log_p, labels, part) for labels in (y, other))
    assert np.array_equal(first[part == 0], second[part == 0])
    assert not np.allclose(first[part == 1], second[part == 1])


def test_clips_that_are_all_right_are_not_made_certain():
    y = np.arange(60) % 3
    log_p = log_softmax(np.eye(3)[y] * 2, axis=1)
    t = calibration.temperature(log_p, y)
    p = np.exp(calibration.scaled(log_p, t)).max(axis=1)
    assert t < 1 and np.allclose(p, 1 - 1 / 62, atol=1e-3)  # Platt's (n + 1) / (n + 2)


def test_the_error_by_hand():
    # ten bins of one clip each: mean of |probability - right|
    p = np.array([0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0])
    log_p = np.log(np.stack([p, 1 - p + 1e-300], axis=1))
    y = np.array([1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    assert calibration.error(log_p, y) == pytest.approx((0.55 + (1 - p[1:]).sum()) / 10)


# ---- distance ----


def test_distances_are_mahalanobis_by_scikit_learn_and_scipy():
    x, _, _ = calls()
    new = np.random.default_rng(5).normal(size=(7, WIDTH)).astype(np.float32)
    z, other = ((each - x.mean(axis=0)) / x.std(axis=0) for each in (x, new))
    precision = LedoitWolf(assume_centered=True).fit(z).precision_
    nearest = np.sort(cdist(other, z, "mahalanobis", VI=precision), axis=1)[:, : distance.NEAREST]
    wanted = nearest.mean(axis=1) / np.sqrt(WIDTH)
    assert np.allclose(distance.Neighbours.of(x).distances(new), wanted, rtol=1e-3)


def test_held_out_groups_are_mostly_not_flagged_and_strange_clips_are():
    fit, x, y, group = fitted()
    held = fit.provenance["held_out"]["unlike_training"]
    assert held <= 0.1
    # other clips of the same birds, and a sound that no training clip resembles
    again, _, _ = calls(0)
    assert np.mean(fit.neighbours.distances(again) > fit.far) < 0.05
    strange = np.random.default_rng(9).normal(scale=8, size=(50, WIDTH))
    assert np.mean(fit.neighbours.distances(strange.astype(np.float32)) > fit.far) == 1


def test_a_clip_off_the_directions_in_which_training_clips_differ_is_flagged():
    """It is near them in each column, and a probe would be sure of its class."""
    random = np.random.default_rng(0)
    plane = random.normal(size=(3, 40))
    x = random.normal(size=(160, 3)) @ plane + 0.05 * random.normal(size=(160, 40))
    fold = np.repeat(np.arange(4), 40)
    far = distance.limit(distance.held_out(x, fold))
    neighbours = distance.Neighbours.of(x)
    within = random.normal(size=(40, 3)) @ plane + 0.05 * random.normal(size=(40, 40))
    off = 0.5 * x.std(axis=0) * random.normal(size=(40, 40))
    assert np.mean(neighbours.distances(within) > far) <= 0.1
    assert np.all(neighbours.distances(off) > far)


def test_constant_columns_do_not_matter():
    x, _, _ = calls()
    wide = np.hstack([x, np.full((len(x), 2), 3.0, np.float32)])
    distances = distance.Neighbours.of(wide).distances(wide[:5])
    assert np.all(np.isfinite(distances))


# ---- all of it, and its file ----


def test_accuracy_on_new_birds_is_what_was_measured():
    fit, *_ = fitted()
    x, y, _ = calls(0, spread=0)
    predicted = fit.log_probabilities(x).argmax(axis=1)
    held = fit.provenance["held_out"]
    assert np.mean(predicted == y) > held["accuracy"] - 0.1
    least, most = held["accuracy_of_groups"]
    assert least <= held["accuracy"] <= most and least < most


def test_the_file_gives_the_same_predictions_without_pickle(tmp_path):
    fit, x, *_ = fitted(encoder={"weights_sha256": "abc"})
    path = tmp_path / "probe.safetensors"
    trained.save(fit, path)
    again = trained.load(path, "k")
    assert np.array_equal(again.log_probabilities(x), fit.log_probabilities(x))
    assert np.array_equal(again.neighbours.distances(x), fit.neighbours.distances(x))
    assert (again.classes, again.far) == (["call 0", "call 1", "call 2"], fit.far)
    with safe_open(path, "numpy") as file:
        about = json.loads(file.metadata()["stratavox"])
    assert about["encoder"] == {"weights_sha256": "abc"}
    assert about["clips"] == 144 and about["groups"] == 8 and about["regime"] == "grouped"
    assert about["classes"] == {f"call {k}": 48 for k in range(3)}


def test_a_file_of_another_key_is_not_used_and_a_cut_one_is_named(tmp_path):
    fit, *_ = fitted()
    path = tmp_path / "probe.safetensors"
    trained.save(fit, path)
    assert trained.load(path, "another") is None
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BrokenFile, match="probe.safetensors"):
        trained.load(path, "k")


def test_transfer_measures_on_the_tested_side_alone():
    x, y, group = calls()
    folds = folds_of(y, group)
    side = np.array([-1 if int(name.split()[1]) < 4 else 0 for name in group], np.int32)
    folds = folds.set_column(2, "fold", pa.array(side))
    fit = trained.train(x, folds, SETTINGS, {})
    assert fit.provenance["clips"] == len(y)
    assert fit.provenance["held_out"]["clips"] == int((side == 0).sum())


def test_an_unknown_group_is_said():
    x, y, group = calls()
    folds = folds_of(y, group, regime="random")
    folds = folds.set_column(5, "group", pa.array([None] * len(y), pa.string()))
    about = trained.train(x, folds, SETTINGS, {}).provenance
    assert about["regime"] == "random" and about["groups"] is None
    assert about["held_out"]["accuracy_of_groups"] is None
    # clips with the same audio are kept together, and are no group
    twice = pa.array([f"c{k // 2:04d}" for k in range(len(y))])
    about = trained.train(x, folds.set_column(7, "audio", twice), SETTINGS, {}).provenance
    assert about["groups"] is None
