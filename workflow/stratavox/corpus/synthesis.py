"""Sound of the synthetic calls: syllables by source and filter, background, room and gain.

There is no energy above 7 kHz, so a call is the same at every sample rate from 16 kHz up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

TOP_HZ = 7000.0
KINDS = ("sweep", "stack", "pulses", "noise")
# Duration of the fade at each end of a syllable.
FADE_S = 0.012


@dataclass(frozen=True)
class Syllable:
    """A syllable of a species: its kind, pitch relative to the call's F0, duration and glide."""

    kind: str
    ratio: float
    duration_s: float
    glide_octaves: float


@dataclass(frozen=True)
class Voice:
    """An individual's offsets: pitch, slope of the harmonics, a resonance."""

    octaves: float
    slope_db: float
    resonance_hz: float


@dataclass(frozen=True)
class Room:
    """A session's conditions: gain, background spectrum (tilt, hum), reverberation time."""

    gain_db: float
    tilt_db: float
    hum_hz: float
    hum_db: float
    rt60_s: float


def syllable(
    one: Syllable,
    voice: Voice,
    f0_hz: float,
    sweep_octaves: float,
    bandwidth_hz: float,
    am_rate_hz: float,
    tempo: float,
    rate: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Samples of one syllable, root mean square 1.

    ``f0_hz`` is of the call; ``sweep_octaves`` is added to the syllable's own glide;
    ``bandwidth_hz`` is where its harmonics have fallen by 12 dB, or the width of its noise;
    ``tempo`` divides its duration.
    """
    n = round(one.duration_s / tempo * rate)
    time_s = np.arange(n) / rate
    pitch_hz = min(f0_hz * one.ratio, TOP_HZ / 2)
    octaves = (one.glide_octaves + sweep_octaves) * (time_s / time_s[-1] - 0.5)
    contour = pitch_hz * 2**octaves
    if one.kind == "noise":
        sound = _band(random.standard_normal(n), pitch_hz * 1.5, bandwidth_hz / 2, rate)
    else:
        harmonics = {"sweep": 2, "stack": 8, "pulses": 4}[one.kind]
        phase = 2 * np.pi * np.cumsum(contour) / rate
        sound = np.zeros(n)
        for harmonic in range(1, harmonics + 1):
            hertz = harmonic * contour
            slope = 10 ** (-voice.slope_db * np.log2(harmonic) / 20)
            soft = 1 / (1 + 3 * np.square(np.square(hertz / (pitch_hz + bandwidth_hz))))
            resonance = 1 + 1.5 * np.exp(-(((hertz - voice.resonance_hz) / 500) ** 2))
            level = slope * soft * resonance * (hertz < TOP_HZ)
            sound += level * np.sin(harmonic * phase + random.uniform(0, 2 * np.pi))
    depth = 0.95 if one.kind == "pulses" else 0.5
    beat = 0.5 - 0.5 * np.cos(2 * np.pi * am_rate_hz * time_s + random.uniform(0, 2 * np.pi))
    fade = np.clip(np.minimum(time_s, time_s[-1] - time_s) / FADE_S, 0, 1)
    sound *= (1 - depth * beat) * np.sin(np.pi / 2 * fade) ** 2
    return sound / np.sqrt(np.mean(sound**2))


def in_room(
    dry: np.ndarray, room: Room, level_db: float, snr_db: float, rate: int, random
) -> np.ndarray:
    """``dry`` with the room's reverberation, background (``snr_db`` below the call) and gain.

    The loudest 50 ms of the call are at ``level_db`` plus the room's gain, in dB of full scale.
    """
    wet = reverberated(dry, room, rate, random)
    summed, width = np.concatenate([[0], np.cumsum(wet**2)]), rate // 20
    power = (summed[width:] - summed[:-width]).max() / width
    noise = background(len(dry), room, rate, random)
    noise *= np.sqrt(power / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    return (wet + noise) / np.sqrt(power) * 10 ** ((level_db + room.gain_db) / 20)


def reverberated(dry: np.ndarray, room: Room, rate: int, random) -> np.ndarray:
    """``dry`` with the room's reverberation, as long as before."""
    n = max(round(room.rt60_s * rate), 1)
    tail = random.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail *= 0.4 / np.sqrt(np.sum(tail**2))
    tail[0] += 1
    size = next_fast_len(len(dry) + n - 1, real=True)
    return irfft(rfft(dry, size) * rfft(tail, size), size)[: len(dry)]


def background(n: int, room: Room, rate: int, random) -> np.ndarray:
    """Noise up to `TOP_HZ`, falling by ``tilt_db`` an octave, with a hum."""
    spectrum = rfft(random.standard_normal(n))
    hertz = rfftfreq(n, 1 / rate)
    spectrum[hertz >= TOP_HZ] = 0
    hertz = hertz[hertz < TOP_HZ]
    gain = (np.maximum(hertz, 100) / 1000) ** (-room.tilt_db * np.log2(10) / 20)
    gain *= 1 + 10 ** (room.hum_db / 20) * np.exp(-(((hertz - room.hum_hz) / 60) ** 2))
    spectrum[: len(hertz)] *= gain
    return irfft(spectrum, n)


def _band(noise: np.ndarray, centre_hz: float, half_hz: float, rate: int) -> np.ndarray:
    hertz = rfftfreq(len(noise), 1 / rate)
    gain = np.exp(-(((hertz - min(centre_hz, TOP_HZ)) / half_hz) ** 2)) * (hertz < TOP_HZ)
    return irfft(rfft(noise) * gain, len(noise))
