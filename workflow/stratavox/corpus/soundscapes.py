"""Synthetic soundscapes: short clips in which calls of several species sound at once, or of none.

The calls are those of `chorus`, each of a random individual and order, with levels of their own.
A site has the background and reverberation of the chorus session of the same number, and each
species is as frequent there as the site likes it. `UNHEARD` is written down at random and never
sounds: what a probe seems to hear of it is an error of the procedure.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stratavox.corpus import chorus
from stratavox.corpus.synthesis import background, reverberated
from stratavox.tables import write_csv

CLIP_S = 2.5
NONE, UNHEARD = "no call", "unheard"
SEPARATOR = "|"
# How often a species calls in a clip, from the site that likes it least to the one that does most.
LEAST, MOST = 0.2, 0.6
UNHEARD_SHARE = 0.25
# Root mean square of the syllables of a call, and of the background, in dB of full scale.
CALLS_DB, BACKGROUND_DB = (-32.0, -16.0), -52.0


def write(
    raw: Path, seed: int, species: int, individuals: int, call_types: int, sites: int, clips: int
) -> None:
    """Write ``raw``/metadata.csv and ``raw``/audio/*.wav (44.1 kHz, 16 bit, `CLIP_S`).

    ``clips`` are of each of the ``sites``; the other sizes are those of `chorus.calls`.
    """
    (raw / "audio").mkdir(parents=True, exist_ok=True)
    rows = []
    for site in range(sites):
        frequent = np.random.default_rng([seed, 6, site]).uniform(LEAST, MOST, species)
        for clip in range(clips):
            random = np.random.default_rng([seed, 7, site, clip])
            calling = np.flatnonzero(random.random(species) < frequent)
            names = [f"sp{kind}" for kind in calling]
            noted = names + [UNHEARD] * (random.random() < UNHEARD_SHARE)
            file = f"audio/site{site}_{clip:02d}.wav"
            samples = _sound(seed, site, calling, individuals, call_types, random)
            chorus.write_wav(samples, raw / file)
            label = SEPARATOR.join(noted) or NONE
            rows.append({"file": file, "site": f"site{site}", "species": label})
    write_csv(rows, rows[0], raw / "metadata.csv")


def _sound(seed: int, site: int, calling, individuals: int, call_types: int, random) -> np.ndarray:
    """Samples of one clip, with a call of each species of ``calling``."""
    n, room = round(CLIP_S * chorus.RATE), chorus.room_of(seed, site, [])
    dry = np.zeros(n)
    for kind in calling:
        voice = chorus.voice_of(seed, kind, random.integers(individuals))
        order = chorus.ORDERS[random.integers(call_types)]
        factors = chorus.factors_of(0, random.random(len(chorus.FACTORS)))
        _, call = chorus.dry_call(seed, kind, order, voice, factors, chorus.RATE, random)
        start = random.integers(n - len(call))
        dry[start : start + len(call)] += call * 10 ** (random.uniform(*CALLS_DB) / 20)
    noise = background(n, room, chorus.RATE, random)
    noise *= 10 ** (BACKGROUND_DB / 20) / np.sqrt(np.mean(noise**2))
    wet = reverberated(dry, room, chorus.RATE, random)
    return (wet + noise) * 10 ** (room.gain_db / 20)
