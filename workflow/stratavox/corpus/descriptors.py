"""Acoustic descriptors of one clip: pure functions of its samples; None where not measurable.

Spectral descriptors come from one power spectrogram (Hann frames of 32 ms every 8 ms, zeros past
the clip's ends, bins from 60 Hz up) by librosa's formulae. Offset and rumble lie below 60 Hz.
F0 has the same lower bound, so that slower modulations are of amplitude and faster ones of voice.
"""

from __future__ import annotations

import numpy as np

# librosa imports its parts as they are named: here once, not in each fork (forks.py)
from librosa import fft_frequencies, stft
from librosa.feature import (
    spectral_bandwidth,
    spectral_centroid,
    spectral_flatness,
    spectral_rolloff,
)
from scipy.fft import next_fast_len
from scipy.signal import hilbert, welch

LOWEST_HZ = 60.0
# Shorter clips have too few samples for a spectrum or a period: only duration and level.
SHORTEST_S = 0.005
SPECTRUM_S, SPECTRUM_HOP_S = 0.032, 0.008
ROLL_OFF = 0.85
# Least power relative to a frame's strongest bin (librosa's top_db): otherwise quantisation noise
# above the band of an upsampled recording would dominate flatness.
FLATNESS_FLOOR = 1e-8
# Least number of frames entirely inside the clip for an estimate of background.
BACKGROUND_FRAMES = 8
MODULATION_S, MODULATION_PERIODS, LEAST_DEPTH = 1.0, 3, 0.05


def loudness(samples: np.ndarray) -> float | None:
    """Level in dB re full scale, of the root mean square of samples (n,); None where all are 0."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * np.log10(power) if power > 0 else None


def spectrogram(samples: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (bins,) in Hz and power (bins, frames) of samples (n,), n >= 1."""
    size, hop = round(SPECTRUM_S * rate), round(SPECTRUM_HOP_S * rate)
    padded = np.pad(samples, size // 2)
    power = np.square(np.abs(stft(padded, n_fft=size, hop_length=hop, center=False)))
    hertz = fft_frequencies(sr=rate, n_fft=size)
    heard = hertz >= LOWEST_HZ
    return hertz[heard], power[heard].astype(np.float64)


def spectrum(hertz: np.ndarray, power: np.ndarray) -> dict[str, float]:
    """Shape of the mean power spectrum, and flatness, of a spectrogram with any power in it.

    Centroid, bandwidth (standard deviation of frequency, weighted by power), the frequency below
    which 85 % of the power lies, the strongest frequency (parabola through the logarithms of
    the strongest bin and its neighbours), all in Hz. Flatness is Wiener entropy (geometric by
    arithmetic mean of power; Tchernichovski et al. 2000, Anim Behav 59:1167) in dB, frame by frame,
    averaged with the frames' energies as weights, so that it is independent of the clip's length.
    White noise has -2.5 dB, the mean logarithm of an exponential variable; a tone about -55 dB.
    """
    mean = power.mean(axis=1, keepdims=True)
    energy = power.sum(axis=0)
    sounding = energy > 0
    frames = power[:, sounding] / power[:, sounding].max(axis=0)
    flatness = spectral_flatness(S=frames, power=1.0, amin=FLATNESS_FLOOR)[0]
    shape = {"S": mean, "freq": hertz}
    return {
        "centroid": spectral_centroid(**shape).item(),
        "bandwidth": spectral_bandwidth(**shape).item(),
        "flatness": float(np.average(10 * np.log10(flatness), weights=energy[sounding])),
        "roll_off": spectral_rolloff(**shape, roll_percent=ROLL_OFF).item(),
        "dominant": _peak(hertz, np.log(np.maximum(mean[:, 0], np.finfo(float).tiny))),
    }


def _peak(at: np.ndarray, height: np.ndarray) -> float:
    """Where the parabola through the highest value and its neighbours is highest."""
    top = int(np.argmax(height))
    if not 0 < top < len(at) - 1:
        return float(at[top])
    before, here, after = height[top - 1 : top + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(at[top] + shift * (at[1] - at[0]))


def signal_to_noise(power: np.ndarray) -> float | None:
    """Signal (with the noise in it) over background in dB: loud frames over quiet ones.

    10 log10 (P90 / P10), percentiles of the power of the frames of a spectrogram that lie entirely
    inside the clip, without digital silence. A clip cut to the edges of a sound contains no
    background, and the value is then a lower bound. None below 8 frames.
    """
    inside = power[:, 2:-2].sum(axis=0)
    inside = inside[inside > 0]
    if len(inside) < BACKGROUND_FRAMES:
        return None
    background, loud = np.percentile(inside, [10, 90])
    return float(10 * np.log10(loud / background))


def amplitude_modulation(samples: np.ndarray, rate: int) -> tuple[float, float] | None:
    """Rate in Hz and depth of the strongest modulation of the amplitude of samples (n,).

    The highest local maximum of the spectrum of the Hilbert envelope (Welch: Hann segments of at
    most 1 s) between 3 periods a segment and 60 Hz. An envelope 1 + m cos(2 pi f t) has rate f and
    depth m. None without such a maximum, where its depth is below 5 %, about the detection
    threshold on noise (Viemeister 1979, J Acoust Soc Am 66:1364), and in clips too short for an
    octave of rates (100 ms).
    """
    segment = min(len(samples), round(MODULATION_S * rate))
    lowest = MODULATION_PERIODS * rate / segment
    if 2 * lowest > LOWEST_HZ:
        return None
    swing = samples - samples.mean()
    envelope = np.abs(hilbert(swing, next_fast_len(len(swing))))[: len(swing)]
    hertz, power = welch(
        envelope, rate, nperseg=segment, nfft=4 * segment, detrend="constant", scaling="spectrum"
    )
    inner = np.flatnonzero((power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:])) + 1
    inner = inner[(hertz[inner] >= lowest) & (hertz[inner] <= LOWEST_HZ)]
    if not len(inner):
        return None
    top = inner[np.argmax(power[inner])]
    depth = float(np.sqrt(2 * power[top]) / envelope.mean())
    return (float(hertz[top]), depth) if depth >= LEAST_DEPTH else None
