"""Welch's periodogram against scipy's, and in parts of a long recording."""

import numpy as np
import pytest
from scipy.signal import welch as of_scipy

from stratavox.corpus import welch as module


@pytest.mark.parametrize(
    ("n", "size", "padded"), [(5001, 512, 1), (5000, 333, 1), (3200, 3200, 4), (7, 7, 1)]
)
def test_frequencies_and_power_are_those_of_scipy(n, size, padded, monkeypatch):
    values = np.random.default_rng(n).standard_normal(n) + 3
    expected = of_scipy(values, 1000, nperseg=size, nfft=padded * size, scaling="spectrum")
    np.testing.assert_allclose(module.welch(values, size, 1000, padded), expected, atol=1e-14)
    monkeypatch.setattr(module, "MOST_AT_ONCE", 3 * size)
    np.testing.assert_allclose(module.welch(values, size, 1000, padded), expected, atol=1e-14)
