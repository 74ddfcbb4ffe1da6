"""Log-mel statistics, duration and level: the numbers they claim to be, without torch."""

from __future__ import annotations

import numpy as np
import pytest

from clip_data import noise
from stage_jobs import ROOT, python
from stratavox.embed.part import load
from stratavox.embed.pooling import pool


def slaney(hertz):
    """Slaney's mel scale: linear to 1 kHz, then logarithmic (Auditory Toolbox, 1998)."""
    hertz = np.asarray(hertz, dtype=float)
    above = 15 + 27 * np.log(np.maximum(hertz, 1e-9) / 1000) / np.log(6.4)
    return np.where(hertz < 1000, hertz * 3 / 200, above)


def mel_bands() -> np.ndarray:
    """64 triangles of unit area from 0 to 8 kHz on the bins of a 400-point transform."""
    fine = np.linspace(0, 8000, 800001)
    edges = np.interp(np.linspace(0, slaney(8000), 66), slaney(fine), fine)
    bins = np.arange(201) * 40.0
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    up, down = (bins - low) / (mid - low), (high - bins) / (high - mid)
    return np.maximum(0, np.minimum(up, down)) * 2 / (high - low)


def log_mel(clip: np.ndarray) -> np.ndarray:
    """(frames, bands) in dB by plain NumPy."""
    clip = np.pad(clip.astype(float), (0, max(0, 400 - len(clip))))
    starts = range(0, len(clip) - 399, 160)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = [np.abs(np.fft.rfft(clip[start : start + 400] * hann)) ** 2 for start in starts]
    return 10 * np.log10(np.maximum(np.array(power) @ mel_bands().T, 1e-10))


@pytest.mark.parametrize("samples", [16000, 7321, 400, 250])
def test_logmel_is_mean_and_spread_of_the_bands(samples):
    encoder = load({"family": "logmel"})
    assert encoder.widths == {"features": 128} and encoder.rate == 16000
    (clip,) = noise(samples)
    pooled = pool(encoder, [clip])
    frames = log_mel(clip)
    wanted = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
    np.testing.assert_allclose(pooled.means["features"][0], wanted, atol=2e-3)
    assert pooled.n_tokens[0] == len(frames)
    assert pooled.padded[0] == (samples < 400)


def test_logmel_does_not_cut_long_clips():
    assert pool(load({"family": "logmel"}), noise(40 * 16000)).n_windows.tolist() == [1]


def test_duration_and_level_have_the_expected_values():
    encoder = load({"family": "duration_level"})
    time = np.arange(8000) / 16000
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time)).astype("f4")
    values = pool(encoder, [tone, tone[:1], 2 * tone]).means["features"]
    assert encoder.widths == {"features": 3}
    np.testing.assert_allclose(values[0], [np.log(0.5), -9.031, -6.021], atol=1e-3)
    np.testing.assert_allclose(values[1], [np.log(1 / 16000), -138.47, -138.47], atol=1e-2)
    np.testing.assert_allclose(values[2] - values[0], [0, 6.021, 6.021], atol=1e-3)


def test_baselines_need_no_torch():
    code = (
        "import sys, numpy as np; from stratavox.embed.part import load, pool\n"
        "for family in ('logmel', 'duration_level'):\n"
        "    pool(load({'family': family}), [np.zeros(800, 'f4')])\n"
        "    assert 'torch' not in sys.modules, family\n"
    )
    python(ROOT / "workflow", "-c", code)


def test_baselines_report_no_weights():
    for family in ("logmel", "duration_level"):
        provenance = load({"family": family}).provenance
        assert (provenance["weights"], provenance["weights_sha256"], provenance["blocks"]) == (
            "none",
            None,
            [],
        )
