"""Recordings that are played slower to encoders: bats are heard, in true time and true Hz."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

import bat_calls
import stage_jobs
from clip_data import noise, put_clips
from stratavox import config, tables
from stratavox.embed.part import embed, load
from stratavox.embed.pooling import pool
from stratavox.errors import StratavoxError
from stratavox.report import listen

# What 16 kHz are at a tenth of the speed.
RATE = 160_000
FILES = {
    "clips": "results/clips/chorus/16000/part-000.parquet",
    "part": "results/parts/logmel/chorus/part-000.parquet",
    "another part": "results/parts/duration_level/chorus/part-000.parquet",
    "manifest": "results/corpus/chorus/labels.parquet",
    "acoustics": "results/acoustics/chorus/part-000.parquet",
    "sounds": "results/report/clips/chorus.parquet",
    "folds": "results/folds/chorus/call_type.parquet",
}


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def test_bats_are_told_apart_in_slow_motion_and_by_batdetect2_and_not_without(tmp_path):
    """Balanced accuracy over held-out individuals, of 64 calls; .5 is chance."""
    assert bat_calls.write_calls(tmp_path / "bats", individuals=8, each=4) == 64
    run = bat_calls.config(
        {
            "slow": {"family": "logmel"},
            "deaf": {"family": "logmel", "speed": 1},
            "batdetect2": {"family": "batdetect2", "weights": "batdetect2"},
        },
        speed=0.1,
    )
    scores = bat_calls.scores(tmp_path, run)
    assert scores["slow"]["features"] > 0.95
    assert max(scores["batdetect2"].values()) > 0.95
    # three standard errors of a share of 64
    assert scores["deaf"]["features"] == pytest.approx(0.5, abs=3 * np.sqrt(0.25 / 64))
    # the encoders heard what they should have
    parts = {name: tables.read_provenance(tmp_path / f"{name}.parquet") for name in scores}
    heard = {name: part["encoder"] for name, part in parts.items()}
    assert {name: about["rate"] for name, about in heard.items()} == {
        "slow": RATE,
        "deaf": 16_000,
        "batdetect2": bat_calls.RATE,
    }
    assert heard["slow"]["speed"] == 0.1 and "speed" not in heard["batdetect2"]
    seconds = {
        name: tables.read_json(tmp_path / f"{name}/encoder.json")["audio_s"] for name in scores
    }
    assert seconds["slow"] == pytest.approx(seconds["batdetect2"], rel=1e-3)


def test_only_what_hears_the_speed_is_made_again(tmp_path):
    def keys(dataset: float | None = None, encoder: float | None = None) -> dict[str, str]:
        run = stage_jobs.default_config()
        if dataset is not None:
            run["datasets"]["chorus"]["speed"] = dataset
        if encoder is not None:
            run["encoders"]["logmel"]["speed"] = encoder
        return stage_jobs.keys(run, tmp_path, FILES)

    def changed(**speeds) -> set[str]:
        return {name for name, key in keys(**speeds).items() if key != before[name]}

    before = keys()
    assert changed(dataset=1, encoder=1.0) == set()
    assert changed(encoder=0.5) == {"part"}
    everything = {"part", "another part", "acoustics", "sounds"}
    assert changed(dataset=0.5) == everything
    assert changed(dataset=0.5, encoder=1) == everything - {"part"}


def test_an_encoder_in_slow_motion_gives_what_it_gives_of_the_same_samples(tmp_path):
    settings = {"family": "beats", "weights": "bundled"}
    plain, slow = load(settings), load(settings | {"speed": 0.1})
    assert (plain.rate, slow.rate) == (16_000, RATE)
    assert slow.provenance["shortest_s"] == pytest.approx(plain.provenance["shortest_s"] / 10)
    assert slow.provenance["context_s"] == pytest.approx(plain.provenance["context_s"] / 10)
    clips = noise(4000, 16_000, 200_000)
    wanted, got = pool(plain, clips), pool(slow, clips)
    assert got.n_windows.tolist() == wanted.n_windows.tolist() == [1, 1, 2]
    for name, means in wanted.means.items():
        np.testing.assert_array_equal(got.means[name], means)
    at_16 = put_clips(tmp_path / "clips.parquet", {"a": clips[0]})
    with pytest.raises(StratavoxError, match="at 16000 Hz; this encoder takes clips at 160000 Hz"):
        embed(slow, at_16, tmp_path / "part.parquet", {})


@pytest.mark.parametrize("hertz", [12_000, 45_000])
def test_descriptors_are_in_true_time_and_hz(tmp_path, hertz):
    from stratavox.corpus import acoustics

    swell = 1 + 0.5 * np.sin(2 * np.pi * 300 * np.arange(round(0.05 * RATE)) / RATE)
    waves = {"tone": tone(hertz, 0.012), "swelling": tone(hertz, 0.05) * swell}
    clips = put_clips(tmp_path / "clips.parquet", waves, rate=RATE)
    described = {"clips": clips}, {"acoustics": tmp_path / "out.parquet"}
    acoustics.run(stage_jobs.job(*described, {"rate": RATE, "speed": 0.1}, provenance={"key": "k"}))
    rows = tables.read_table(tmp_path / "out.parquet").to_pylist()
    got = {row["clip_id"]: row for row in rows}
    assert got["tone"]["duration"] == pytest.approx(0.012)
    assert got["tone"]["level"] == pytest.approx(20 * np.log10(0.3 / np.sqrt(2)), abs=0.01)
    for name in ("dominant", "f0", "centroid"):
        assert got["tone"][name] == pytest.approx(hertz, rel=5e-3)
    assert got["tone"]["f0_range"] == pytest.approx(0, abs=0.01)
    assert got["swelling"]["am_rate"] == pytest.approx(300, rel=0.02)
    assert got["swelling"]["am_depth"] == pytest.approx(0.5, abs=0.05)


def test_the_report_plays_bats_so_that_they_are_heard(tmp_path):
    clips = put_clips(tmp_path / "clips.parquet", {"a": tone(45_000, 0.4)}, rate=RATE)
    empty = tables.read_table(clips).select(["clip_id"])
    empty = empty.append_column("target", empty["clip_id"]).append_column("group", empty["clip_id"])
    tables.write_table(empty, tmp_path / "call.parquet", {})
    known = empty.select(["clip_id"]).append_column("sample_rate", [[bat_calls.RATE]])
    tables.write_table(known, tmp_path / "inspect.parquet", {})
    inputs = {
        "clips": [clips],
        "inspect": [tmp_path / "inspect.parquet"],
        "folds": [tmp_path / "call.parquet"],
    }
    outputs = {"files": tmp_path / "bats", "table": tmp_path / "bats.parquet"}
    settings = {"max_clips": 10, "seed": 0, "groups": {"call": "bat"}, "speed": 0.1}
    listen.run(stage_jobs.job(inputs, outputs, settings, provenance={"key": "k"}))
    (row,) = tables.read_table(tmp_path / "bats.parquet").to_pylist()
    # what is heard is 3 s, of .3 s of the animal's time
    assert (row["shown_s"], row["duration_s"], row["highest_hz"]) == (0.3, 0.4, 80_000)
    heard, rate = soundfile.read(tmp_path / "bats" / f"{row['stem']}.mp3")
    assert len(heard) / rate == pytest.approx(3, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(heard))
    assert np.argmax(spectrum) * rate / len(heard) == pytest.approx(4500, abs=5)
    picture = imread(tmp_path / "bats" / f"{row['stem']}.webp")[..., :3].astype(float).sum(axis=2)
    brightest = len(picture) - np.argmax(picture.mean(axis=1)) - 0.5
    assert brightest / len(picture) == pytest.approx(45 / 80, abs=0.02)
    assert tables.read_provenance(tmp_path / "bats.parquet")["listen"]["speed"] == 0.1


@pytest.mark.parametrize("speed", [0, -1, 0.001, 1000, "slow"])
def test_a_speed_out_of_range_is_refused_by_its_key(speed):
    for part, name in (("datasets", "chorus"), ("encoders", "logmel")):
        run = stage_jobs.default_config()
        run[part][name]["speed"] = speed
        with pytest.raises(StratavoxError, match=rf"{part}\.{name}\.speed: found {speed!r}"):
            config.check(run)
