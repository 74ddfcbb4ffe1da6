"""Baseline: mean and standard deviation over time of a log-mel spectrogram."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

# librosa imports its parts as they are named: here once, not in each fork (forks.py)
from librosa.feature import melspectrogram

from stratavox.encoders.catalogue import BASELINE_RATE
from stratavox.encoders.encoder import Encoder, Grid, baseline

BANDS, WINDOW, HOP = 64, 400, 160  # 25 ms every 10 ms
FLOOR = 1e-10


def load(settings: dict, threads: int = 1) -> Encoder:
    """One readout, ``features`` (2 x 64): means of the bands in dB, then standard deviations.

    Power spectra of Hann windows of 25 ms every 10 ms, none past the clip's ends, in 64 bands on
    Slaney's mel scale from 0 to 8,000 Hz, each of unit area; 10 log10 of the power, -100 dB at
    least. A clip under 25 ms is padded with zeros to one frame.
    """
    return baseline(
        "logmel", 2 * BANDS, Grid(size=WINDOW, hop=HOP), forward, {"librosa": version("librosa")}
    )


def forward(waves: np.ndarray, counts: list[int]) -> dict[str, np.ndarray]:
    """Features of ``waves`` (batch, samples); all their frames count."""
    power = melspectrogram(
        y=waves,
        sr=BASELINE_RATE,
        n_fft=WINDOW,
        hop_length=HOP,
        n_mels=BANDS,
        center=False,
        power=2.0,
    )
    level = 10 * np.log10(np.maximum(power, FLOOR))
    features = np.concatenate([level.mean(axis=-1), level.std(axis=-1)], axis=1)
    return {"features": features.astype(np.float32)}
