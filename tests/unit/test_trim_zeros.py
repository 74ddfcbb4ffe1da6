"""Exact zeros at head and tail: cut alike for what is measured and what is embedded."""

import numpy as np
import pytest

from corpus_data import put, put_table, settings, to_manifest, tone
from stratavox import tables
from stratavox.audio import decode
from stratavox.corpus.clips import store
from stratavox.corpus.sound import read, without_zeros

RATE = 48000


def noise(frames, channels=1):
    """24-bit integers, none of them 0."""
    drawn = np.random.default_rng(0).integers(1, 1 << 22, (frames, channels))
    return drawn * np.random.default_rng(1).choice([-1, 1], (frames, channels))


def padded(levels, head, tail):
    widths = ((head, tail), (0, 0))
    return (np.pad(levels, widths) << 8).astype(np.int32)


def stored(data, wanted, rate=RATE):
    """What inspection, the manifest and the stored clips hold: clips, hygiene, samples by clip."""
    clips, _, hygiene = to_manifest(data.parent, wanted)
    out = data.parent / "stored.parquet"
    store(wanted, data.parent / "inspect/part-000.parquet", rate, out, {})
    sounds = {
        row["clip_id"]: decode(row["audio"]["bytes"])[0]
        for row in tables.read_table(out).to_pylist()
    }
    return {row["clip_id"]: row for row in clips.to_pylist()}, hygiene, sounds


def test_a_trimmed_clip_is_the_slice_bit_for_bit(data):
    levels = noise(20000)
    levels[9000:9900] = 0  # silence inside stays
    put(data, "a.wav", padded(levels, 4800, 2400), RATE, subtype="PCM_24")
    put(data, "b.wav", padded(levels, 0, 0), RATE, subtype="PCM_24")
    put_table(data, [["file"], ["a.wav"], ["b.wav"]])
    clips, hygiene, sounds = stored(data, settings(trim_zeros=True))
    assert np.array_equal(sounds["a.wav"] * np.float64(1 << 23), levels[:, 0])
    assert np.array_equal(sounds["a.wav"], sounds["b.wav"])
    # measured alike: all but the name, the file and what was cut
    same = [
        key
        for key in clips["b.wav"]
        if key not in ("clip_id", "file", "file_s", "sha256", "trimmed_s")
    ]
    assert [clips["a.wav"][key] for key in same] == [clips["b.wav"][key] for key in same]
    assert (clips["a.wav"]["trimmed_s"], clips["b.wav"]["trimmed_s"]) == (0.15, 0)
    assert hygiene["trimmed"] == {"clips": 1, "seconds": 0.15}
    assert hygiene["duration_s"]["total"] == pytest.approx(2 * 20000 / RATE)


def test_zeros_stay_where_trimming_is_off(data):
    put(data, "a.wav", padded(noise(9600), 4800, 0), RATE, subtype="PCM_24")
    put_table(data, [["file"], ["a.wav"]])
    clips, hygiene, sounds = stored(data, settings())
    assert len(sounds["a.wav"]) == 14400
    assert (clips["a.wav"]["duration_s"], clips["a.wav"]["trimmed_s"]) == (0.3, 0)
    assert hygiene["trimmed"] is None


def test_only_frames_in_which_all_channels_are_zero_are_cut(data):
    levels = noise(1000, 2)
    levels[:100, 0] = 0  # the other channel sounds
    levels[-1] = [0, 1]
    path = put(data, "a.wav", padded(levels, 50, 70), RATE, subtype="PCM_24")
    sound = read(path, trim_zeros=True)
    assert sound.trimmed == 120
    assert np.array_equal(sound.samples * np.float64(1 << 23), levels)


def test_the_least_step_of_24_bits_is_no_zero_and_negative_zero_is_one():
    samples = np.array([[-0.0], [0.0], [2**-23], [0.0], [-(2**-23)], [-0.0]], np.float32)
    assert without_zeros(samples)[:, 0].tolist() == [2**-23, 0, -(2**-23)]


def test_a_clip_of_zeros_alone_stays_silent_and_whole(data):
    put(data, "a.wav", np.zeros(8000))
    put(data, "b.wav", tone())
    put_table(data, [["file"], ["a.wav"], ["b.wav"]])
    clips, hygiene, sounds = stored(data, settings(trim_zeros=True), 16000)
    assert (clips["a.wav"]["duration_s"], clips["a.wav"]["silent"]) == (0.5, True)
    assert clips["a.wav"]["trimmed_s"] == 0 and len(sounds["a.wav"]) == 8000
    assert hygiene["silent"] == ["a.wav"]


def test_a_segment_is_trimmed_by_itself(data):
    put(data, "a.wav", padded(noise(4800), 4800, 4800), RATE, subtype="PCM_24")
    put_table(data, [["file", "on", "off"], ["a.wav", "0.05", "0.12"], ["a.wav", "0.12", "0.2"]])
    wanted = settings(trim_zeros=True, start="on", end="off")
    clips, _, sounds = stored(data, wanted)
    assert [round(row["trimmed_s"], 6) for row in clips.values()] == [0.05, 0]
    whole = np.concatenate(list(sounds.values()))
    assert np.array_equal(whole * np.float64(1 << 23), noise(4800)[:4800, 0])


def test_a_clip_with_less_than_a_millisecond_left_says_why(data):
    put(data, "a.wav", padded(noise(10), 4800, 4800), RATE, subtype="PCM_24")
    put(data, "b.wav")
    put_table(data, [["file"], ["a.wav"], ["b.wav"]])
    _, _, hygiene = to_manifest(data.parent, settings(trim_zeros=True))
    (bad,) = hygiene["rejected"]
    assert bad["reason"] == "lasts 0.208 ms once its zeros are trimmed, less than 1 ms"


def test_real_calls_lose_zeros_alone(shared, data):
    """Of real recordings no sample but zeros at the ends goes."""
    for path in sorted((shared / "data/zebra_finch_calls/audio").glob("*.wav"))[::10]:
        whole, cut = read(path).samples, read(path, trim_zeros=True)
        places = np.flatnonzero(np.abs(whole).sum(axis=1))
        assert np.array_equal(cut.samples, whole[places.min() : places.max() + 1])
        assert len(cut.samples) + cut.trimmed == len(whole)
