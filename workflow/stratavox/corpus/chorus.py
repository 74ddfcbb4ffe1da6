"""A plain synthetic set of calls: made by code, the same bytes for the same seed, truth known.

Call types differ in how pitch and amplitude move, individuals by a small fixed offset of pitch and
timbre, sessions (two an individual) by gain. Duration and level tell nothing about call type.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 44100
# How pitch moves over a call (octaves about its middle, at x in [0, 1]), and the depth and rate in
# Hz of the amplitude's modulation.
CALLS = {
    "rise": (lambda x: 0.8 * (x - 0.5), 0.0, 0.0),
    "fall": (lambda x: 0.8 * (0.5 - x), 0.0, 0.0),
    "arch": (lambda x: 0.6 * np.sin(np.pi * x) - 0.38, 0.3, 9.0),
    "trill": (lambda x: 0.0 * x, 0.9, 24.0),
}
SESSIONS = 2


def write(
    raw: Path, seed: int = 0, individuals: int = 12, call_types: int = 4, renditions: int = 6
) -> None:
    """Write ``raw``/metadata.csv and ``raw``/audio/*.wav (44.1 kHz, 16 bit, 0.3-1.5 s).

    The sizes count individuals, call types (up to 4) and renditions of each type by each
    individual. A call depends on the seed and its own three numbers alone.
    """
    (raw / "audio").mkdir(parents=True, exist_ok=True)
    rows = []
    for row, samples in calls(seed, individuals, call_types, renditions):
        sf.write(raw / row["file"], samples, RATE, subtype="PCM_16")
        rows.append(row)
    with open(raw / "metadata.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def calls(
    seed: int, individuals: int, call_types: int, renditions: int
) -> Iterator[tuple[dict, np.ndarray]]:
    """Each call's row of the table and its samples, int16."""
    for individual in range(individuals):
        voice = np.random.default_rng([seed, individual])
        pitch_hz = 1100 * 2 ** voice.normal(0, 0.15)
        slope_db = voice.uniform(6, 14)
        gains_db = voice.uniform(-24, -8, SESSIONS)
        for kind, name in enumerate(list(CALLS)[:call_types]):
            for rendition in range(renditions):
                random = np.random.default_rng([seed, individual, kind, rendition])
                session = rendition % SESSIONS
                duration_s = random.uniform(0.3, 1.5)
                f0_hz = pitch_hz * 2 ** random.normal(0, 0.04)
                gain_db = gains_db[session] + random.normal(0, 1.5)
                samples = _call(name, duration_s, f0_hz, slope_db, random) * 10 ** (gain_db / 20)
                yield (
                    {
                        "file": f"audio/ind{individual:02d}_{name}_{rendition:02d}.wav",
                        "call_type": name,
                        "individual": f"ind{individual:02d}",
                        "species": "synthetic",
                        "session": f"ind{individual:02d}_s{session}",
                        "rendition": rendition,
                        "f0_hz": f"{f0_hz:.1f}",
                        "duration_s": f"{len(samples) / RATE:.4f}",
                        "gain_db": f"{gain_db:.1f}",
                    },
                    np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16),
                )


def _call(
    name: str, duration_s: float, f0_hz: float, slope_db: float, random: np.random.Generator
) -> np.ndarray:
    """A harmonic call of peak 0.5 or less, in background noise.

    ``slope_db`` is the fall in level per octave of its harmonics.
    """
    contour, depth, rate_hz = CALLS[name]
    time_s = np.arange(int(duration_s * RATE)) / RATE
    octaves = contour(time_s / duration_s) * random.normal(1, 0.1)
    phase = 2 * np.pi * np.cumsum(f0_hz * 2**octaves) / RATE
    call = np.zeros_like(time_s)
    for harmonic in range(1, 7):
        level = 10 ** (-slope_db * np.log2(harmonic) / 20)
        call += level * np.sin(harmonic * phase + random.uniform(0, 2 * np.pi))
    modulation = 0.5 - 0.5 * np.cos(2 * np.pi * rate_hz * time_s + random.uniform(0, 2 * np.pi))
    fade = np.clip(np.minimum(time_s, duration_s - time_s) / 0.03, 0, 1)
    call *= (1 - depth * modulation) * fade
    call *= 0.5 / np.abs(call).max()
    snr_db = random.uniform(8, 20)
    noise = random.standard_normal(len(call)) * call.std() * 10 ** (-snr_db / 20)
    return call + noise
