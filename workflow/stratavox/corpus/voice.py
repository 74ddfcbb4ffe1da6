"""Fundamental frequency of one clip: frame by frame, and summarised over the clip.

librosa's pyin took 3 CPU-seconds for a second of audio over the range needed here (60 to 7,000 Hz),
and its yin gives no strength of periodicity, which separates voiced from unvoiced frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal.windows import hann

LOWEST_HZ, HIGHEST_HZ = 60.0, 7000.0
# A frame must hold this many periods (Boersma 1993), so a short one has a higher lowest F0.
PERIODS = 3
FRAME_S, HOP_S = PERIODS / LOWEST_HZ, 0.005
# Oversampling of the autocorrelation: the period of 7,000 Hz is only 2.3 samples at 16 kHz.
FINER = 4
# The first peak this near the highest one is the period (McLeod & Wyvill 2005, k).
NEAR = 0.9
# Praat's defaults: least strength of a voiced frame, and least power relative to the loudest.
VOICED, SILENT = 0.45, 0.03**2
# Least number of voiced frames for an F0 contour, and their least share of the clip's energy.
LEAST_VOICED, LEAST_SHARE = 5, 0.2
SLOPE_HOPS = 4
FRAMES_AT_ONCE = 256


@dataclass(frozen=True)
class Track:
    """Per frame (frames,): F0 in Hz (NaN where there is no peak), strength 0 to 1, and power."""

    f0: np.ndarray
    strength: np.ndarray
    power: np.ndarray

    @property
    def voiced(self) -> np.ndarray:
        """Which frames (frames,) are periodic and within 30 dB of the loudest one."""
        return (self.strength >= VOICED) & (self.power >= SILENT * self.power.max())


def track(samples: np.ndarray, rate: int) -> Track:
    """F0 of frames of 50 ms every 5 ms; a shorter clip is one frame.

    The autocorrelation of the Hann-windowed frame by that of the window, and its height as strength
    of voicing: Boersma 1993 (Proc. Institute of Phonetic Sciences, Amsterdam, 17:97-110), with the
    power spectrum padded for values between samples. The period is, after McLeod & Wyvill 2005
    (ICMC, "A smarter way to find pitch"), the first peak within .9 of the highest, with one peak
    from each upward zero crossing to the next: this avoids F0 an octave too low in harmonic
    sounds, and a period in the slow decay of low-frequency noise. A periodic sound with q times the
    power of the white noise mixed with it has strength q / (1 + q). A noise band much narrower than
    its centre frequency counts as voiced.
    """
    size = min(len(samples), round(FRAME_S * rate))
    frames = sliding_window_view(samples, size)[:: round(HOP_S * rate)]
    parts = [
        _periods(frames[at : at + FRAMES_AT_ONCE].astype(np.float64), rate)
        for at in range(0, len(frames), FRAMES_AT_ONCE)
    ]
    return Track(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _periods(frames: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F0, strength and power of frames (frames, size)."""
    size = frames.shape[1]
    window = hann(size, sym=False)
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    last = size // PERIODS  # longest lag, in samples
    length = next_fast_len(size + last + 1, real=True)
    own = _autocorrelation(window[None], length, FINER * last)
    lagged = _autocorrelation(frames, length, FINER * last)
    power = lagged[:, 0].copy()
    r = lagged / own / np.where(power > 0, power / own[0, 0], 1)[:, None]
    lag, height = _first_key_peaks(r)
    known = (lag > 0) & (FINER * rate <= HIGHEST_HZ * lag)
    f0 = np.divide(FINER * rate, lag, out=np.full(len(r), np.nan), where=known)
    strength = np.where(known, np.minimum(height, 1.0), 0)
    return f0, strength, power


def _autocorrelation(frames: np.ndarray, length: int, last: int) -> np.ndarray:
    """Lags 0 to ``last``, FINER to a sample, of frames (frames, size), without wrap-around."""
    squared = np.square(np.abs(rfft(frames, length, axis=1)))
    return irfft(squared, FINER * length, axis=1)[:, : last + 1]


def _first_key_peaks(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lag and height (frames,) of the first key peak near the highest, in rows of r (frames, lags).

    Both are 0 where there is no complete peak.
    """
    frames, lags = r.shape
    above = r > 0
    # where a peak begins; each row begins with a part that is none
    begins = np.ones(r.shape, bool)
    begins[:, 1:] = ~above[:, :-1] & above[:, 1:]
    start = np.flatnonzero(begins)
    row, peak = start // lags, start % lags > 0
    # values above 1 come from the division by the window, in frames that are loud at the edges
    heights = np.where(peak, np.minimum(np.maximum.reduceat(r.ravel(), start), 1.0), 0)
    highest = np.maximum.reduceat(heights, np.flatnonzero(~peak))
    near = np.flatnonzero(peak & (heights >= NEAR * highest[row]))
    row, first = np.unique(row[near], return_index=True)
    start, end = start[near[first]], np.append(start, r.size)[near[first] + 1]
    flat = r.ravel()
    top = start + [int(np.argmax(flat[a:b])) for a, b in zip(start, end, strict=True)]
    whole = top % lags < lags - 1
    row, top = row[whole], top[whole].astype(int)
    before, here, after = flat[top - 1], flat[top], flat[top + 1]
    bend = before - 2 * here + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros(len(top)), where=bend < 0)
    lag, height = np.zeros(frames), np.zeros(frames)
    lag[row] = top % lags + shift
    height[row] = here - 0.25 * (before - after) * shift
    return lag, height


def harmonicity(frames: Track) -> float | None:
    """Mean strength of periodicity, 0 to 1, frames weighted by power; None where all are silent."""
    return float(np.average(frames.strength, weights=frames.power)) if frames.power.any() else None


def contour(frames: Track) -> dict[str, float] | None:
    """F0's median (Hz), its range (octaves between the 10th and 90th percentile) and its slope.

    Over voiced frames. The slope, in octaves a second and signed, is the median over pairs of
    voiced frames 20 ms apart, so that a jump to another octave has little effect. None below 5
    voiced frames (70 ms of sound), where they hold less than a fifth of the clip's energy, or
    where no two of them are 20 ms apart.
    """
    voiced = frames.voiced
    pairs = voiced[SLOPE_HOPS:] & voiced[:-SLOPE_HOPS]
    energy = frames.power[voiced].sum()
    if voiced.sum() < LEAST_VOICED or energy < LEAST_SHARE * frames.power.sum() or not pairs.any():
        return None
    octaves = np.full(len(voiced), np.nan)
    octaves[voiced] = np.log2(frames.f0[voiced])
    low, middle, high = np.percentile(octaves[voiced], [10, 50, 90])
    rises = (octaves[SLOPE_HOPS:] - octaves[:-SLOPE_HOPS])[pairs]
    return {
        "f0": float(2**middle),
        "f0_range": float(high - low),
        "fm_slope": float(np.median(rises) / (SLOPE_HOPS * HOP_S)),
    }
