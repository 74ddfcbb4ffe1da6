"""Acoustic descriptors: what known sounds measure, and that what is undefined is null."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import stage_jobs
from clip_data import RATE, put_clips
from stratavox import audio
from stratavox.corpus import acoustics
from stratavox.corpus.sound import read
from stratavox.errors import StratavoxError
from stratavox.tables import read_provenance, read_table

SPECTRAL = {"centroid", "bandwidth", "flatness", "roll_off", "dominant", "harmonicity"}
F0 = {"f0", "f0_range", "fm_slope"}
AM = {"am_rate", "am_depth"}


def seconds(duration: float) -> np.ndarray:
    return np.arange(round(duration * RATE)) / RATE


def sine(hertz: float, duration: float = 0.5, amplitude: float = 0.3) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * seconds(duration))


def noise(duration: float = 1.0, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).normal(size=round(duration * RATE))


def describe(samples: np.ndarray) -> dict:
    return acoustics.describe(samples.astype(np.float32), RATE)


def defined(measures: dict) -> set[str]:
    assert all(value is None or np.isfinite(value) for value in measures.values()), measures
    return {name for name, value in measures.items() if value is not None}


@pytest.mark.parametrize("hertz", [80, 440, 3010, 6500])
def test_a_tone_is_where_it_is(hertz):
    measures = describe(sine(hertz))
    assert measures["f0"] == pytest.approx(hertz, rel=2e-3)
    assert measures["dominant"] == pytest.approx(hertz, abs=3)
    assert measures["centroid"] == pytest.approx(hertz, abs=5)
    assert measures["roll_off"] == pytest.approx(hertz, abs=2 * 31.25)
    assert measures["bandwidth"] < 60
    assert measures["harmonicity"] > 0.99
    assert measures["flatness"] < -45
    assert (measures["f0_range"], measures["fm_slope"]) == pytest.approx((0, 0), abs=0.01)
    assert measures["duration"] == 0.5
    assert measures["level"] == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=0.01)
    assert not AM & defined(measures)


@pytest.mark.parametrize(("duration", "size"), [(1.0, 1), (0.1, 10), (0.5, -2)])
def test_the_slope_of_a_sweep_has_its_sign_and_size(duration, size):
    # f(t) = 2500 * 2 ** (size * t), in octaves a second
    rising = 2500 * (2 ** (size * seconds(duration)) - 1) / (size * np.log(2))
    measures = describe(0.3 * np.sin(2 * np.pi * rising))
    assert measures["fm_slope"] == pytest.approx(size, rel=0.03)
    middle = 2500 * 2 ** (size * duration / 2)
    assert measures["f0"] == pytest.approx(middle, rel=0.03)
    # from the first frame's middle to the last's, and a tenth of the frames off either end
    assert measures["f0_range"] == pytest.approx(abs(size) * (duration - 0.05) * 0.8, rel=0.1)


@pytest.mark.parametrize("numbers", [(3, 4, 5), (2, 3, 4, 5, 6), (1, 2, 3, 4)])
def test_f0_of_harmonics_is_their_common_one_even_where_it_is_missing(numbers):
    measures = describe(sum(sine(210 * number, amplitude=0.1) for number in numbers))
    assert measures["f0"] == pytest.approx(210, rel=1e-3)
    assert measures["harmonicity"] > 0.99


@pytest.mark.parametrize(("rate", "depth"), [(8, 0.8), (20, 0.5), (45, 0.2)])
def test_amplitude_modulation_has_its_rate_and_depth(rate, depth):
    envelope = 1 + depth * np.cos(2 * np.pi * rate * seconds(1))
    measures = describe(envelope * sine(1000, 1.0, 0.2))
    assert measures["am_rate"] == pytest.approx(rate, abs=0.3)
    assert measures["am_depth"] == pytest.approx(depth, rel=0.03)
    assert measures["f0"] == pytest.approx(1000, rel=1e-3)
    assert measures["f0_range"] < 0.01


@pytest.mark.parametrize("duration", [0.12, 1.0, 3.0])
def test_white_noise_is_flat_whatever_its_length_and_has_no_f0(duration):
    measures = describe(noise(duration))
    # the mean of the logarithm of an exponential variable is minus Euler's constant
    assert measures["flatness"] == pytest.approx(-10 * np.euler_gamma / np.log(10), abs=0.3)
    assert measures["centroid"] == pytest.approx(4030, rel=0.05)
    assert measures["roll_off"] == pytest.approx(60 + 0.85 * 7940, rel=0.05)
    assert measures["bandwidth"] == pytest.approx(7940 / np.sqrt(12), rel=0.05)
    assert measures["harmonicity"] < 0.3
    assert 0 < measures["snr"] < 1.6  # frames that reach past the clip's ends are no background
    assert not F0 & defined(measures)


def test_coloured_noise_has_no_f0():
    spectrum = np.fft.rfft(noise(2.0))
    for power in (0.5, 1.0):
        falling = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)), 1) ** power)
        assert not F0 & defined(describe(falling / np.abs(falling).max()))


def test_harmonicity_follows_the_share_of_noise():
    tone = sine(500, 1.0, 0.1 * np.sqrt(2))
    for ratio in (1.0, 10.0):
        measures = describe(tone + noise(1.0, 0.1 / np.sqrt(ratio)))
        assert measures["harmonicity"] == pytest.approx(ratio / (1 + ratio), abs=0.05)


@pytest.mark.parametrize("ratio_db", [10, 20, 40])
def test_signal_to_noise_of_a_burst_in_noise_is_that_mixed(ratio_db):
    burst = np.where(np.abs(seconds(1) - 0.5) < 0.25, sine(1000, 1.0, 0.1 * np.sqrt(2)), 0)
    measures = describe(burst + noise(1.0, 0.1 * 10 ** (-ratio_db / 20)))
    assert measures["snr"] == pytest.approx(ratio_db, abs=1.2)


def test_nothing_but_level_depends_on_loudness_or_offset():
    sound = sum(sine(300 * number, amplitude=0.05) for number in (1, 2, 3)) + noise(0.5, 0.01)
    sound *= 1 + 0.5 * np.cos(2 * np.pi * 20 * seconds(0.5))
    loud, soft = describe(sound), describe(sound / 16 + 0.01)
    assert loud["level"] - soft["level"] < 24  # the offset is part of the level
    for name in set(acoustics.TARGETS) - {"level"}:
        assert soft[name] == pytest.approx(loud[name], rel=0.02, abs=1e-3), name


def test_silence_has_a_duration_and_nothing_else():
    assert defined(describe(np.zeros(8000))) == {"duration"}


def test_digital_silence_is_no_background():
    padded = np.concatenate([np.zeros(4000), noise(0.5), np.zeros(4000)])
    assert describe(padded)["snr"] < 3


@pytest.mark.parametrize(
    ("samples", "names"),
    [
        (1, {"duration", "level"}),
        (79, {"duration", "level"}),
        (80, {"duration", "level"} | SPECTRAL),
        (700, {"duration", "level"} | SPECTRAL),
        (1599, set(acoustics.TARGETS) - AM),
    ],
)
def test_short_clips_have_what_can_be_measured(samples, names):
    measures = describe(sine(1500, 1.0)[100 : 100 + samples])
    assert defined(measures) == names
    if "dominant" in names and samples >= 512:
        assert measures["dominant"] == pytest.approx(1500, rel=0.03)


def test_any_short_noise_or_click_is_finite():
    click = np.zeros(200)
    click[50] = 0.5
    for samples in (
        click,
        np.ones(300) * 0.1,
        *(noise(n / RATE, seed=n) for n in range(1, 200, 9)),
    ):
        assert {"duration", "level"} <= defined(describe(samples))


def test_the_command_writes_a_row_a_clip_with_nulls_where_undefined(tmp_path):
    sounds = {"a": sine(440), "b": noise(0.3), "c": np.zeros(1000)}
    clips = put_clips(tmp_path / "clips.parquet", sounds)
    out, kept = {"acoustics": tmp_path / "out.parquet"}, {"key": "kept"}
    acoustics.run(stage_jobs.job({"clips": clips}, out, {"rate": 16000}, provenance=kept))
    table = read_table(tmp_path / "out.parquet")
    assert table.schema.names == ["clip_id", *acoustics.TARGETS]
    assert table["clip_id"].to_pylist() == ["a", "b", "c"]
    assert table["f0"].null_count == 2 and table["level"].null_count == 1
    assert table["f0"][0].as_py() == pytest.approx(440, rel=1e-3)
    assert read_provenance(tmp_path / "out.parquet")["key"] == "kept"


def test_clips_at_another_rate_and_rates_too_low_are_refused(tmp_path):
    clips = put_clips(tmp_path / "clips.parquet", {"a": sine(440)}, rate=22050)
    with pytest.raises(StratavoxError, match=r"'a' has 8000 samples at 22050 Hz; .*16000"):
        acoustics.measure(clips, 16000, tmp_path / "out.parquet", {})
    with pytest.raises(StratavoxError, match="rate is 8000 Hz.*14000"):
        acoustics.measure(clips, 8000, tmp_path / "out.parquet", {})


def real_calls(folder, count: int) -> list[np.ndarray]:
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    sounds = (read(folder / path) for path in paths[:: len(paths) // count])
    return [audio.resample(audio.mono(s.samples, "mean"), s.rate, RATE) for s in sounds]


@pytest.mark.parametrize(
    ("dataset", "lowest", "highest"),
    # Praat's autocorrelation gives medians of 682, 562 and 119 Hz on 60 clips each
    [("zebra_finch_calls", 450, 1000), ("catmeows", 300, 1100), ("spoken_digits", 75, 300)],
)
def test_the_f0_of_real_calls_is_that_of_their_kind(shared, dataset, lowest, highest):
    measures = [describe(sound) for sound in real_calls(shared / "data" / dataset, 12)]
    f0 = np.array([clip["f0"] for clip in measures if clip["f0"] is not None])
    assert len(f0) >= 10
    assert np.mean((f0 > lowest) & (f0 < highest)) >= 0.75
