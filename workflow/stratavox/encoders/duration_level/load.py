"""Baseline: duration and level of a clip."""

from __future__ import annotations

import numpy as np

from stratavox.encoders.catalogue import BASELINE_RATE
from stratavox.encoders.encoder import Encoder, Grid, baseline

# The smallest step of 24-bit audio.
FLOOR = 2.0**-23


def load(settings: dict, threads: int = 1) -> Encoder:
    """One readout, ``features`` (3): natural log of the duration in seconds, RMS and peak level.

    Levels are in dB re full scale, -138.5 at least. Every sample counts as a token.
    """
    return baseline("duration_level", 3, Grid(size=1, hop=1), forward, {"numpy": np.__version__})


def forward(waves: np.ndarray, counts: list[int]) -> dict[str, np.ndarray]:
    """Features of ``waves`` (batch, samples)."""
    duration = np.full(len(waves), waves.shape[1] / BASELINE_RATE)
    rms = np.sqrt(np.mean(np.square(waves, dtype=np.float64), axis=1))
    levels = [20 * np.log10(np.maximum(level, FLOOR)) for level in (rms, np.abs(waves).max(axis=1))]
    return {"features": np.stack([np.log(duration), *levels], axis=1).astype(np.float32)}
