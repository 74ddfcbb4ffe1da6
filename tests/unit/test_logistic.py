"""The probe's solver finds scikit-learn's optimum."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from stratavox.probe import logistic


def steep(n, width, classes, seed=0):
    """Clips with the steep spectrum of a real readout, and a constant column."""
    generator = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = generator.standard_normal((n, width)) @ np.diag(np.exp(-np.arange(width) / (width / 5)))
    x[:, : classes - 1] += 0.8 * np.eye(classes)[y][:, 1:]
    x = x @ np.linalg.qr(generator.standard_normal((width, width)))[0] * 3 + 5
    x[:, -1] = 7
    return x.astype(np.float32), y


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize(("n", "width"), [(150, 40), (60, 200)])
@pytest.mark.parametrize("c", [1e-4, 1e-2, 1.0])
def test_probabilities_equal_a_tight_optimum(n, width, classes, c):
    x, y = steep(n, width, classes)
    test = steep(50, width, classes, seed=1)[0]
    rotation = logistic.Rotation.of(x)
    fit = logistic.fit(rotation.train, y, classes, c, rotation.power)
    ours = np.exp(fit.log_probabilities(rotation.apply(test)))
    scaler = StandardScaler().fit(x.astype(np.float64))
    other = LogisticRegression(C=c, tol=1e-12, max_iter=100_000)
    other.fit(scaler.transform(x.astype(np.float64)), y)
    # the constant column is left out by both; float32 products are what is left
    assert fit.converged
    np.testing.assert_allclose(
        ours, other.predict_proba(scaler.transform(test.astype(np.float64))), atol=2e-3
    )


def test_starting_from_another_penalty_changes_nothing():
    x, y = steep(120, 60, 4)
    rotation = logistic.Rotation.of(x)
    far = logistic.fit(rotation.train, y, 4, 10.0, rotation.power)
    cold = logistic.fit(rotation.train, y, 4, 0.01, rotation.power)
    warm = logistic.fit(rotation.train, y, 4, 0.01, rotation.power, far)
    z = rotation.train
    np.testing.assert_allclose(cold.log_probabilities(z), warm.log_probabilities(z), atol=2e-3)


def test_rotation_keeps_every_distance():
    x, _ = steep(30, 100, 2)
    rotation = logistic.Rotation.of(x)
    z = StandardScaler().fit_transform(x.astype(np.float64))
    np.testing.assert_allclose(rotation.train @ rotation.train.T, z @ z.T, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(rotation.apply(x), rotation.train, atol=1e-3)
