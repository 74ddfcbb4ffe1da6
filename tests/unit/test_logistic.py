"""The probe's solver finds scikit-learn's optimum, whatever is solved beside it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from stratavox.probe import lbfgs, logistic
from stratavox.probe.rotation import Rotation


def turned(x):
    """The rotation by all clips."""
    return Rotation.of(x, np.ones(len(x), bool))


def steep(n, width, classes, seed=0):
    """Clips with the steep spectrum of a real readout, and a constant column."""
    generator = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = generator.standard_normal((n, width)) @ np.diag(np.exp(-np.arange(width) / (width / 5)))
    x[:, : classes - 1] += 0.8 * np.eye(classes)[y][:, 1:]
    x = x @ np.linalg.qr(generator.standard_normal((width, width)))[0] * 3 + 5
    x[:, -1] = 7
    return x.astype(np.float32), y


def tight(z, y, c):
    return LogisticRegression(C=c, tol=1e-12, max_iter=100_000).fit(z.astype(np.float64), y)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize(("n", "width"), [(150, 40), (60, 200)])
@pytest.mark.parametrize("c", [1e-4, 1e-2, 1.0, 10.0])
def test_probabilities_equal_a_tight_optimum(n, width, classes, c):
    x, y = steep(n, width, classes)
    test = steep(50, width, classes, seed=1)[0]
    rotation = turned(x)
    fit = logistic.fit(rotation.train, y[None], classes, c)
    ours = np.exp(fit.log_probabilities(rotation.apply(test)))[0].T
    scaler = StandardScaler().fit(x.astype(np.float64))
    other = tight(scaler.transform(x.astype(np.float64)), y, c)
    # the constant column is left out by both; float32 products are what is left
    assert fit.converged.all()
    np.testing.assert_allclose(
        ours, other.predict_proba(scaler.transform(test.astype(np.float64))), atol=2e-3
    )


@pytest.mark.parametrize("shape", [(12, 30), (30, 12)])
def test_clips_that_are_all_the_same_get_the_shares_of_the_classes(shape):
    """A wide readout without variance has no axis at all."""
    x, y = np.full(shape, 3.0, np.float32), np.arange(shape[0]) % 3
    rotation = turned(x)
    fit = logistic.fit(rotation.train, y[None], 3, 1.0)
    assert fit.converged.all()
    np.testing.assert_allclose(np.exp(fit.log_probabilities(rotation.apply(x))), 1 / 3, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 5])
def test_every_inner_fold_of_a_batch_equals_a_tight_optimum_along_the_grid(classes):
    """Folds of different sizes, warm starts up the grid, and a fold that lacks a class."""
    x, y = steep(130, 60, classes)
    z = turned(x).train
    trained = np.ones((3, len(y)), bool)
    trained[0, :30], trained[1, 30:80] = False, False
    if classes > 2:
        trained[2, y == 1] = False
    fits = None
    for c in (1e-4, 1e-2, 1.0, 10.0):
        fits = logistic.fit(z, np.broadcast_to(y, trained.shape), classes, c, trained, fits)
        ours = np.exp(fits.log_probabilities(z))
        for k, seen in enumerate(trained):
            other = tight(z[seen], y[seen], c)
            expected = np.zeros((classes, len(y)))
            expected[other.classes_] = other.predict_proba(z).T
            np.testing.assert_allclose(ours[k], expected, atol=2e-3)
        assert fits.converged.all()


def test_labels_solved_together_equal_labels_solved_alone(monkeypatch):
    x, y = steep(90, 50, 4)
    z = turned(x).train
    generator = np.random.default_rng(0)
    labels = np.stack([y, *(generator.permutation(y) for _ in range(5))])
    together = logistic.fit(z, labels, 4, 1.0).log_probabilities(z)
    alone = [logistic.fit(z, row[None], 4, 1.0).log_probabilities(z)[0] for row in labels]
    np.testing.assert_allclose(np.exp(together), np.exp(alone), atol=2e-3)
    # chunks that keep memory small change nothing either
    monkeypatch.setattr(logistic, "CHUNK_BYTES", 1)
    chunked = logistic.fit(z, labels, 4, 1.0).log_probabilities(z)
    np.testing.assert_allclose(np.exp(together), np.exp(chunked), atol=2e-3)


def test_starting_from_another_penalty_changes_nothing():
    x, y = steep(120, 60, 4)
    z = turned(x).train
    far = logistic.fit(z, y[None], 4, 10.0)
    cold = logistic.fit(z, y[None], 4, 0.01).log_probabilities(z)
    warm = logistic.fit(z, y[None], 4, 0.01, start=far).log_probabilities(z)
    np.testing.assert_allclose(np.exp(cold), np.exp(warm), atol=2e-3)


def test_a_fit_that_is_stopped_says_so(monkeypatch):
    x, y = steep(120, 60, 4)
    monkeypatch.setattr(lbfgs, "STEPS", 2)
    assert not logistic.fit(turned(x).train, y[None], 4, 10.0).converged.any()


def test_each_problem_of_a_batch_has_its_own_line_search():
    """Quartics whose first step overshoots by factors of their own, each to its own least."""
    least = np.array([[0.5, -1.0], [3.0, 2.0], [-4.0, 0.0]])

    def loss(places, problems):
        away = places - least[problems]
        bent = np.array([1.0, 40.0, 9.0])[problems, None]
        return np.sum(bent * away**4 + away**2, axis=1), bent * 4 * away**3 + 2 * away

    places, gaps = lbfgs.minimise(loss, np.zeros((3, 2)), 1e-12)
    np.testing.assert_allclose(places, least, atol=1e-5)
    assert (gaps <= 1e-12).all()


def test_directions_are_those_of_the_two_loop_recursion():
    """Algorithm 7.4 of Nocedal & Wright 2006 in plain Python, also where a pair is of no use."""
    generator = np.random.default_rng(0)
    root = generator.standard_normal((2, 6, 6))
    hessian = root @ root.swapaxes(1, 2) + np.eye(6)
    history, pairs = lbfgs._History.empty(np.zeros((2, 6))), [[], []]
    scale = np.array([0.5, 2.0])
    for number in range(lbfgs.MEMORY + 3):
        step = generator.standard_normal((2, 6))
        change = np.matvec(hessian, step)
        bend = np.vecdot(step, change)
        used = np.array([number != 1, True])
        history.add(step, change, np.where(used, 1 / np.sqrt(bend), 0))
        for own, taken, pair in zip(pairs, used, zip(step, change, bend, strict=True), strict=True):
            own.append(pair if taken else None)
        gradient = generator.standard_normal((2, 6))
        directions = history.towards(gradient, scale)
        for own, first, gamma, direction in zip(pairs, gradient, scale, directions, strict=True):
            last = [pair for pair in own[-lbfgs.MEMORY :] if pair]
            q, alphas = first.copy(), []
            for s, y, sy in reversed(last):
                alphas.append(s @ q / sy)
                q -= alphas[-1] * y
            q *= gamma
            for (s, y, sy), alpha in zip(last, reversed(alphas), strict=True):
                q += (alpha - y @ q / sy) * s
            np.testing.assert_allclose(direction, -q, rtol=1e-9)


def test_rotation_keeps_every_distance():
    x, _ = steep(30, 100, 2)
    rotation = turned(x)
    z = StandardScaler().fit_transform(x.astype(np.float64))
    np.testing.assert_allclose(rotation.train @ rotation.train.T, z @ z.T, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(rotation.apply(x), rotation.train, atol=1e-3)


def test_axes_of_a_steep_spectrum_stay_at_right_angles():
    """Six decades of power and a floor, fewer clips than columns: what real readouts are like."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((300, 300)) / np.arange(1, 301)
    x = x @ generator.standard_normal((300, 500)) + 0.02 * generator.standard_normal((300, 500))
    axes = turned(x.astype(np.float32)).axes.astype(np.float64)
    assert axes.shape[1] == 299
    np.testing.assert_allclose(axes.T @ axes, np.eye(299), atol=0.02)


def test_narrowed_rotation_is_the_principal_components():
    x, _ = steep(80, 30, 2)
    z = StandardScaler().fit_transform(x.astype(np.float64))
    left, power, _ = np.linalg.svd(z, full_matrices=False)
    few = (left[:, :5] * power[:5]) @ (left[:, :5] * power[:5]).T
    narrow = turned(x).narrowed(5)
    np.testing.assert_allclose(narrow.train @ narrow.train.T, few, atol=1e-2)
    np.testing.assert_allclose(narrow.apply(x), narrow.train, atol=1e-3)
