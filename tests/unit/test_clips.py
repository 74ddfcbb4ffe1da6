"""Clips as bytes of audio in Parquet: exact, sorted, in bounded row groups."""

import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
import soxr

from corpus_data import put, put_table, settings, to_manifest, tone
from stratavox import tables
from stratavox.audio import decode
from stratavox.corpus import clips as module
from stratavox.corpus import sound
from stratavox.corpus.clips import SCHEMA, store
from stratavox.corpus.identity import shard_of
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.errors import StratavoxError


def part(data, shard=0):
    return data.parent / f"inspect/part-{shard:03d}.parquet"


def stored(data, wanted, rate=16000, shard=0):
    """Store a shard after all stages before it; clip_id -> (samples, record)."""
    to_manifest(data.parent, wanted)
    out = data.parent / "part.parquet"
    store(wanted, part(data, shard), rate, out, {"key": "k"})
    table = tables.read_table(out)
    assert table.schema.equals(SCHEMA)
    assert tables.read_provenance(out) == {"key": "k"}
    clips_by_id = {}
    for record in table.to_pylist():
        samples, decoded_rate = decode(record["audio"]["bytes"])
        assert decoded_rate == rate
        assert len(samples) == record["n_samples"]
        clips_by_id[record["clip_id"]] = (samples, record)
    return clips_by_id


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24)])
def test_a_clip_already_at_the_rate_stays_bit_exact(data, subtype, bits):
    levels = np.random.default_rng(0).integers(-(1 << (bits - 1)), 1 << (bits - 1), 20000)
    put(data, "a.wav", levels.astype(np.int32) << (32 - bits), subtype=subtype)
    put_table(data, [["file"], ["a.wav"]])
    samples, record = stored(data, settings())["a.wav"]
    assert (samples.astype(np.float64) * (1 << (bits - 1))).tolist() == levels.tolist()
    assert record["audio"]["path"] == "a.wav"


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_another_rate_is_resampled_and_the_level_kept(data, rate):
    put(data, "a.wav", tone(1000, 1, 22050), 22050, subtype="PCM_24")
    put_table(data, [["file"], ["a.wav"]])
    samples, record = stored(data, settings(), rate)["a.wav"]
    assert record["n_samples"] == rate
    middle = slice(rate // 10, -rate // 10)
    assert np.abs(samples - tone(1000, 1, rate))[middle].max() < 1e-4


@pytest.mark.parametrize(("channel", "level"), [("mean", 0.2), (0, 0.3), (1, 0.1)])
def test_the_channel_policy(data, channel, level):
    put(data, "a.wav", np.stack([tone(level=0.3), tone(level=0.1)], axis=1))
    put_table(data, [["file"], ["a.wav"]])
    samples, _ = stored(data, settings(channel=channel))["a.wav"]
    assert np.abs(samples - tone(level=level)).max() < 1e-4


def test_segments_hold_their_stretch_and_each_file_is_read_for_its_hash_once(data, monkeypatch):
    whole = np.random.default_rng(0).uniform(-0.5, 0.5, 32000)
    put(data, "a.wav", whole, subtype="PCM_24")
    put(data, "b.wav")
    bounds = [["0.25", "0.5"], ["1", "2"], ["0", "0.125"]]
    table = [["file", "on", "off"], *(["a.wav", *b] for b in bounds), ["b.wav", "0", ".1"]]
    put_table(data, table)
    checked = []
    monkeypatch.setattr(module, "check_unchanged", lambda path, sha: checked.append(path.name))
    clips_by_id = stored(data, settings(start="on", end="off"))
    assert checked == ["a.wav", "b.wav"]
    assert len(clips_by_id) == 4
    for start, end in bounds:
        samples, record = clips_by_id[f"a.wav@{float(start):.6f}-{float(end):.6f}"]
        stretch = whole[round(float(start) * 16000) : round(float(end) * 16000)]
        assert np.abs(samples - stretch).max() <= 2**-23
        assert record["audio"]["path"] == "a.wav"


def test_a_shard_holds_its_clips_sorted(data):
    names = [f"{n}.wav" for n in "hgfedcba"]
    for name in names:
        put(data, name)
    put_table(data, [["file"], *([name] for name in names)])
    clips_by_id = [list(stored(data, settings(shards=2), shard=shard)) for shard in range(2)]
    assert all(ids == sorted(ids) and ids for ids in clips_by_id)
    assert sorted(clips_by_id[0] + clips_by_id[1]) == sorted(names)
    assert {shard_of(name, 2) for name in clips_by_id[1]} == {1}


def test_an_empty_shard_is_an_empty_table(data):
    put(data, "a.wav")
    put_table(data, [["file"], ["a.wav"]])
    empty = 1 - shard_of("a.wav", 2)
    assert stored(data, settings(shards=2), shard=empty) == {}


def row_groups(path):
    file = pq.ParquetFile(path)
    groups = [file.read_row_group(n, ["n_samples"]) for n in range(file.num_row_groups)]
    return [group["n_samples"].to_pylist() for group in groups]


def many(data, clips, seconds):
    for n in range(clips):
        put(data, f"{n:04d}.wav", np.random.default_rng(n).uniform(-1, 1, round(seconds * 16000)))
    put_table(data, [["file"], *([f"{n:04d}.wav"] for n in range(clips))])


def test_row_groups_have_at_most_512_clips(data):
    many(data, 600, 0.01)
    assert len(stored(data, settings())) == 600
    assert [len(g) for g in row_groups(data.parent / "part.parquet")] == [512, 88]


def test_row_groups_are_closed_at_600_seconds(data, monkeypatch):
    assert module.GROUP_S == 600
    monkeypatch.setattr(module, "GROUP_S", 1.0)
    many(data, 7, 0.4)
    stored(data, settings())
    assert [len(g) for g in row_groups(data.parent / "part.parquet")] == [3, 3, 1]


def test_row_groups_above_48_khz_hold_no_more_samples(data, monkeypatch):
    """Up to 48 kHz they end at 600 s, so that the parts of such clips stay as they are."""
    assert {module.group_s(rate) for rate in (16000, 32000, 48000)} == {600}
    assert module.group_s(256000) * 256000 == 600 * 48000
    monkeypatch.setattr(module, "GROUP_S", 1.0)
    monkeypatch.setattr(module, "GROUP_RATE", 16000)
    many(data, 7, 0.4)
    for rate, sizes in ((16000, [3, 3, 1]), (32000, [2, 2, 2, 1])):
        stored(data, settings(), rate=rate)
        assert [len(g) for g in row_groups(data.parent / "part.parquet")] == sizes


def test_memory_does_not_grow_with_the_shard(data, monkeypatch):
    monkeypatch.setattr(module, "GROUP_S", 5.0)
    peaks = []
    for clips in (20, 80):
        many(data, clips, 1)
        wanted = settings()
        to_manifest(data.parent, wanted)
        tracemalloc.start()
        store(wanted, part(data), 16000, data.parent / "part.parquet", {})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_a_file_changed_since_the_scan_stops_the_stage_and_nothing_is_written(data):
    put(data, "a.wav")
    put(data, "b.wav")
    put_table(data, [["file"], ["a.wav"], ["b.wav"]])
    wanted = settings()
    to_manifest(data.parent, wanted)
    put(data, "b.wav", tone(3000))
    with pytest.raises(StratavoxError, match=r"b\.wav: changed since it was scanned; run .* again"):
        store(wanted, part(data), 16000, data.parent / "part.parquet", {})
    assert not (data.parent / "part.parquet").exists()


def test_a_file_replaced_while_it_is_read_stops_the_stage(data, monkeypatch):
    put(data, "a.wav")
    put_table(data, [["file"], ["a.wav"]])
    wanted = settings()
    to_manifest(data.parent, wanted)
    real = sound.read

    def read(path, *bounds, **more):
        whole = real(path, *bounds, **more)
        put(data, "a.wav", tone(3000))
        return whole

    monkeypatch.setattr(sound, "read", read)
    with pytest.raises(StratavoxError, match=r"a\.wav: changed since it was scanned"):
        store(wanted, part(data), 16000, data.parent / "part.parquet", {})
    assert not (data.parent / "part.parquet").exists()


def bursts(rate=44100):
    """Square waves at full scale, in bursts: they overshoot when resampled."""
    on = np.sin(2 * np.pi * 5 * np.arange(rate) / rate) > 0
    return (np.sign(tone(700, 1, rate)) * on * 32767 / 32768).astype("f4")


@pytest.mark.parametrize("rate", [16000, 32000, 48000])
def test_peaks_beyond_full_scale_are_stored_as_they_were_resampled(data, rate):
    put(data, "loud.wav", bursts(), 44100)
    put_table(data, [["file"], ["loud.wav"]])
    samples, _ = stored(data, settings(), rate)["loud.wav"]
    signal, _ = sf.read(data / "loud.wav", dtype="float32")
    expected = soxr.resample(signal, 44100, rate, quality="HQ")
    assert np.abs(expected).max() > 1.1
    assert np.array_equal(samples, expected)


@pytest.mark.parametrize("source", ["loud at 44.1 kHz", "half the band empty", "quiet"])
def test_readouts_are_those_of_the_resampled_file(data, source):
    """With the small trained BEATs: 24 bits moved the first two by .1 and .4."""
    signal, rate = {
        "loud at 44.1 kHz": (bursts(), 44100),
        "half the band empty": (tone(900, 1, 8000), 8000),
        "quiet": (tone(3000, 1, 22050, level=1e-4), 22050),
    }[source]
    put(data, "a.wav", signal, rate)
    put_table(data, [["file"], ["a.wav"]])
    samples, _ = stored(data, settings())["a.wav"]
    signal, _ = sf.read(data / "a.wav", dtype="float32")
    expected = soxr.resample(signal, rate, 16000, quality="HQ")
    encoder = load({"family": "beats", "weights": "bundled"})
    readouts, of_file = pool(encoder, [samples]).means, pool(encoder, [expected]).means
    for name in encoder.readouts:
        np.testing.assert_allclose(readouts[name], of_file[name], atol=1e-4, rtol=0)


def test_names_with_spaces_quotes_and_umlauts_and_equal_names_in_two_folders(data):
    names = [
        "x/a.wav",
        "y/a.wav",
        "with space.wav",
        "it's.wav",
        'a "quoted", one.wav',
        "Möwe ß.wav",
    ]
    for place, name in enumerate(names):
        put(data, name, tone(500 + 100 * place, level=0.1 + 0.1 * place))
    put_table(data, [["file", "call"], *([name, name] for name in names)])
    clips_by_id = stored(data, settings())
    assert list(clips_by_id) == sorted(names)
    for place, name in enumerate(names):
        assert np.abs(clips_by_id[name][0]).max() == pytest.approx(0.1 + 0.1 * place, abs=0.01)
    labels = to_manifest(data.parent, settings())[1]
    assert labels["call"].equals(labels["clip_id"])


FORMATS = {"a.wav": "PCM_U8", "b.wav": "FLOAT", "c.flac": "PCM_16", "d.ogg": None, "e.mp3": None}


def test_formats_may_be_mixed(data):
    for name, subtype in FORMATS.items():
        put(data, name, tone(seconds=1, rate=44100), 44100, subtype=subtype)
    put_table(data, [["file"], *([name] for name in FORMATS)])
    clips_by_id = stored(data, settings())
    assert list(clips_by_id) == list(FORMATS)
    for samples, _ in clips_by_id.values():
        assert np.abs(samples - tone(seconds=1))[1600:-1600].max() < 0.03


def test_real_meows_at_their_own_rate_are_bit_exact(shared, data):
    folder = shared / "data/catmeows"
    wanted = settings(path=str(folder), file="path", shards=20)
    data.mkdir()
    clips_by_id = stored(data, wanted, rate=8000, shard=7)
    assert len(clips_by_id) > 5
    for clip_id, (samples, _) in clips_by_id.items():
        expected, _ = sf.read(folder / clip_id, dtype="int16")
        assert np.array_equal(np.rint(samples * 32768).astype(int), expected)


def test_real_zebra_finches_in_stereo(shared, data):
    folder = shared / "data/zebra_finch_calls"
    wanted = settings(path=str(folder), file="path", shards=9)
    data.mkdir()
    clips_by_id = stored(data, wanted, rate=16000, shard=0)
    for clip_id, (samples, _) in clips_by_id.items():
        expected, _ = sf.read(folder / clip_id)
        spectrum = np.abs(np.fft.rfft(expected.mean(axis=1), 2**17))[: round(7000 / 44100 * 2**17)]
        energy = np.sum(spectrum**2) / 44100
        resampled = np.abs(np.fft.rfft(samples, 2**17))[: round(7000 / 16000 * 2**17)]
        # energy below 7 kHz, by Parseval: resampling keeps it
        assert np.sum(resampled**2) / 16000 == pytest.approx(energy, rel=0.01)
        assert abs(len(samples) - len(expected) * 16000 / 44100) < 1
