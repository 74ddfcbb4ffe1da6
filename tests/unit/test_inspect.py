"""What is said of a clip's sound, and that bad audio costs itself only."""

import math

import numpy as np
import pytest

from corpus_data import put, put_table, settings, tone
from stratavox import tables
from stratavox.audio import AudioError
from stratavox.corpus import inspect as module
from stratavox.corpus.identity import shard_digest
from stratavox.corpus.inspect import SCHEMA, inspect_shard, measure, share_above
from stratavox.corpus.scan import scan
from stratavox.corpus.sound import Header, Sound
from stratavox.errors import StratavoxError


def inspected(data, names_or_rows, **more):
    """Rows of the dataset's only shard by clip_id, for a table of these files (or segments)."""
    rows = [name if isinstance(name, list) else [name] for name in names_or_rows]
    put_table(data, [["file", "onset", "offset"][: len(rows[0])], *rows])
    wanted = settings(**more)
    if len(rows[0]) == 3:
        wanted |= {"start": "onset", "end": "offset"}
    root = data.parent
    scan(wanted, root, root / "scan.parquet")
    inspect_shard(wanted, root / "scan.parquet", 0, root / "part.parquet", {"key": "k"})
    assert tables.read_provenance(root / "part.parquet") == {"key": "k"}
    return {r["clip_id"]: r for r in tables.read_table(root / "part.parquet").to_pylist()}


def truncated(data):
    path = put(data, "bad.wav", tone(seconds=2))
    path.write_bytes(path.read_bytes()[:20000])


def truncated_flac(data):
    path = put(data, "bad.wav", tone(seconds=2), format="FLAC")
    path.write_bytes(path.read_bytes()[:2000])


def not_finite(data):
    samples = tone()
    samples[3] = np.nan
    put(data, "bad.wav", samples, subtype="FLOAT")


def integers_as_floats(data):
    put(data, "bad.wav", tone(level=20000), subtype="FLOAT")


BAD = {
    "truncated": (truncated, "truncated: 19956 of 64000 bytes of audio are there"),
    "truncated FLAC": (truncated_flac, "damaged or truncated"),
    "empty": (lambda d: (d / "bad.wav").write_bytes(b""), "empty file (0 bytes)"),
    "no samples": (lambda d: put(d, "bad.wav", np.zeros(0)), "no samples: its header says"),
    "no audio": (lambda d: (d / "bad.wav").write_text("hello"), "not audio that can be read"),
    "NaN": (not_finite, "1 of 8000 samples are NaN or infinite"),
    "too short": (lambda d: put(d, "bad.wav", tone()[:15]), "lasts 0.938 ms, less than 1 ms"),
    "far too loud": (integers_as_floats, "samples reach 20000 times full scale"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_rejected_with_its_reason_and_the_others_are_kept(data, what):
    put(data, "a.wav")
    put(data, "z.wav")
    make, message = BAD[what]
    make(data)
    rows = inspected(data, ["a.wav", "bad.wav", "z.wav"])
    assert message in rows["bad.wav"]["reason"]
    assert rows["bad.wav"]["duration_s"] is None
    for name in ("a.wav", "z.wav"):
        assert rows[name]["reason"] is None
        assert rows[name]["duration_s"] == 0.5


def test_a_window_that_goes_on_after_its_file_ends_there_and_one_that_begins_there_is_rejected(
    data,
):
    put(data, "a.wav", tone(seconds=1))
    windows = [["a.wav", "0", "0.5"], ["a.wav", "0.5", "1.2"], ["a.wav", "1", "1.5"]]
    rows = inspected(data, windows)
    assert list(rows) == sorted(rows)
    past = rows.pop("a.wav@1.000000-1.500000")
    assert past["reason"] == "starts at 1.000000 s, past the file's end at 1.000000 s"
    assert [(r["reason"], r["duration_s"], r["end_s"]) for r in rows.values()] == [
        (None, 0.5, 0.5),
        (None, 0.5, 1.0),
    ]


def test_a_part_has_its_shards_clips_only_in_order(data):
    names = [f"{n}.wav" for n in "fbadce"]
    for name in names:
        put(data, name)
    put_table(data, [["file"], *([name] for name in names), ["gone.wav"]])
    ids = []
    scan(settings(shards=3), data.parent, data.parent / "scan.parquet")
    for shard in range(3):
        out = data.parent / f"part-{shard}.parquet"
        inspect_shard(settings(), data.parent / "scan.parquet", shard, out, {})
        part = tables.read_table(out)
        assert part.schema.equals(SCHEMA)
        assert part["clip_id"].to_pylist() == sorted(part["clip_id"].to_pylist())
        ids += part["clip_id"].to_pylist()
    assert sorted(ids) == sorted(names)


def test_a_file_changed_since_the_scan_stops_the_stage(data):
    put(data, "a.wav")
    inspected(data, ["a.wav"])
    put(data, "a.wav", tone(2000))
    scan_table, out = data.parent / "scan.parquet", data.parent / "other.parquet"
    with pytest.raises(StratavoxError, match=r"a\.wav: changed since it was scanned; run .* again"):
        inspect_shard(settings(), scan_table, 0, out, {})
    (data / "a.wav").unlink()
    with pytest.raises(StratavoxError, match=r"a\.wav: can no longer be read .* run .* again"):
        inspect_shard(settings(), scan_table, 0, out, {})
    assert not out.exists()


def test_a_file_replaced_while_it_is_read_stops_the_stage(data, monkeypatch):
    """Also where what was read of it is no audio any more."""
    put(data, "a.wav")
    inspected(data, ["a.wav"])
    scan_table, out = data.parent / "scan.parquet", data.parent / "other.parquet"
    real = module.read
    for bad in (False, True):

        def read(path, *bounds, bad=bad, **more):
            put(data, "a.wav", tone(2000))
            if bad:
                raise AudioError("truncated")
            return real(path, *bounds, **more)

        monkeypatch.setattr(module, "read", read)
        with pytest.raises(StratavoxError, match=r"a\.wav: changed since it was scanned"):
            inspect_shard(settings(), scan_table, 0, out, {})
    assert not out.exists()


def test_a_scan_made_anew_during_the_run_stops_the_stage(data):
    """Its part would carry the key of the files that were there when the run began."""
    put(data, "a.wav")
    inspected(data, ["a.wav"])
    scan_table, out = data.parent / "scan.parquet", data.parent / "other.parquet"
    begun = settings(content=shard_digest(tables.read_table(scan_table), 0))
    inspect_shard(begun, scan_table, 0, out, {})
    put(data, "a.wav", tone(2000))
    scan(settings(), data.parent, scan_table)
    with pytest.raises(StratavoxError, match="changed since the run began; run it again"):
        inspect_shard(begun, scan_table, 0, data.parent / "late.parquet", {})


def measured(samples, rate=16000, channel="mean", subtype="PCM_16"):
    samples = np.asarray(samples, "f4")
    samples = samples.reshape(len(samples), -1)
    header = Header(rate, samples.shape[1], len(samples) / rate, None, 1.0)
    return measure(Sound(samples, subtype, header), channel)


def test_duration_rate_channels_and_subtype(data):
    put(data, "a.wav", np.stack([tone(rate=44100)] * 2, axis=1), 44100, subtype="PCM_24")
    row = inspected(data, ["a.wav"])["a.wav"]
    facts = (row["sample_rate"], row["channels"], row["subtype"], row["duration_s"])
    assert facts == (44100, 2, "PCM_24", 0.5)


def test_level_is_the_rms_against_full_scale():
    assert measured(tone(level=1))["level_dbfs"] == pytest.approx(
        20 * math.log10(0.5**0.5), abs=0.01
    )
    assert measured(tone(level=0.1))["level_dbfs"] == pytest.approx(-23.01, abs=0.01)
    assert measured(np.zeros(800))["level_dbfs"] is None


def test_level_is_that_of_the_wanted_channel():
    both = np.stack([tone(), -tone()], axis=1)
    assert measured(both)["level_dbfs"] is None
    assert measured(both, channel=1)["level_dbfs"] == pytest.approx(-13.47, abs=0.01)
    with pytest.raises(AudioError, match="no channel 2"):
        measured(both, channel=2)


@pytest.mark.parametrize(
    ("samples", "silent"),
    [
        (np.zeros(8000), True),
        (np.full(8000, 0.25), True),
        (np.random.default_rng(0).normal(0, 10 ** (-81 / 20), 8000), True),
        (np.random.default_rng(0).normal(0, 10 ** (-79 / 20), 8000), False),
        (tone(), False),
    ],
)
def test_silence_is_flagged_and_kept(samples, silent):
    assert measured(samples)["silent"] is silent


def test_a_silent_file_is_kept(data):
    put(data, "a.wav", np.zeros(8000))
    row = inspected(data, ["a.wav"])["a.wav"]
    assert (row["reason"], row["silent"], row["clipped"]) == (None, True, False)


def with_run(values, level=0.3):
    samples = tone(level=level)
    samples[100 : 100 + len(values)] = values
    return samples


@pytest.mark.parametrize(
    ("samples", "subtype", "clipped"),
    [
        (tone(level=0.99), "PCM_16", False),
        (with_run([32767 / 32768] * 3), "PCM_16", True),
        (with_run([-1.0] * 3), "PCM_16", True),
        (with_run([32767 / 32768] * 2), "PCM_16", False),
        (with_run([1.0, -1.0, 1.0, -1.0]), "PCM_16", False),
        (with_run([127 / 128] * 3), "PCM_U8", True),
        (with_run([127 / 128] * 3), "PCM_16", False),
        (with_run([1.2]), "FLOAT", False),
        (1.5 * tone(100, level=1.0), "FLOAT", False),
        (np.clip(1.5 * tone(100, level=1.0), -1, 1), "FLOAT", True),
        (np.clip(1.5 * tone(100, level=1.0), -1.1, 1.1), "FLOAT", True),
        (1.1 * tone(100, level=1.0), "MPEG_LAYER_III", True),
        (with_run([1.0]), "FLOAT", False),
    ],
)
def test_clipping_is_three_samples_in_a_row_at_full_scale(samples, subtype, clipped):
    assert measured(samples, subtype=subtype)["clipped"] is clipped


def test_clipping_of_one_channel_is_seen_before_the_mean_and_only_where_used():
    stereo = np.stack([tone(), with_run([1.0] * 3)], axis=1)
    assert measured(stereo)["clipped"]
    assert measured(stereo, channel=1)["clipped"]
    assert not measured(stereo, channel=0)["clipped"]


def test_channels_that_differ():
    assert not measured(tone())["channels_differ"]
    assert not measured(np.stack([tone(), tone()], axis=1))["channels_differ"]
    assert measured(np.stack([tone(), tone() * 0.99], axis=1))["channels_differ"]


def test_share_of_energy_above_8_khz():
    rate = 44100
    low, high = tone(2000, 1, rate, 0.4), tone(12000, 1, rate, 0.2)
    assert share_above(low + high, rate, 8000) == pytest.approx(0.2, abs=0.001)
    assert share_above(low, rate, 8000) < 1e-5
    assert share_above(high, rate, 8000) > 1 - 1e-5
    assert share_above(low + high + 0.5, rate, 8000) == pytest.approx(0.2, abs=0.001)
    assert share_above(tone(12000, 0.005, rate), rate, 8000) > 0.99


def test_share_above_8_khz_of_a_long_clip_is_that_of_all_of_it():
    rate = 44100
    long = np.concatenate([tone(2000, 30, rate), tone(12000, 10, rate)])
    assert share_above(long, rate, 8000) == pytest.approx(0.25, abs=0.001)


def test_share_above_8_khz_is_null_where_it_is_undefined():
    assert measured(tone(rate=16000), 16000)["share_above_8khz"] is None
    assert measured(tone(rate=8000), 8000)["share_above_8khz"] is None
    assert measured(np.zeros(8000), 44100)["share_above_8khz"] is None


def test_real_calls(shared, data):
    folder = shared / "data/zebra_finch_calls"
    wanted = settings(path=str(folder), file="path")
    scan(wanted, data.parent, data.parent / "scan.parquet")
    inspect_shard(wanted, data.parent / "scan.parquet", 0, data.parent / "part.parquet", {})
    part = tables.read_table(data.parent / "part.parquet").to_pylist()
    assert len(part) == 91
    assert {(r["reason"], r["sample_rate"], r["channels"]) for r in part} == {(None, 44100, 2)}
    assert sum(r["channels_differ"] for r in part) > 80
    assert all(0 < r["share_above_8khz"] < 0.5 for r in part)
