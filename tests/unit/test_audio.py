"""Reading any file, the channel policy, resampling, and the bytes of the clip store."""

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from corpus_data import put, tone
from stratavox import audio
from stratavox.corpus import from_start
from stratavox.corpus.sound import read

NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 44100 * 4).astype("f4")
VARIABLE_RATE = {"bitrate_mode": "VARIABLE"}
FORMATS = {
    "u8.wav": ({"subtype": "PCM_U8"}, 0.01),
    "16.wav": ({"subtype": "PCM_16"}, 1e-4),
    "24.wav": ({"subtype": "PCM_24"}, 1e-6),
    "32.wav": ({"subtype": "PCM_32"}, 1e-6),
    "float.wav": ({"subtype": "FLOAT"}, 0),
    "double.wav": ({"subtype": "DOUBLE"}, 0),
    "16.flac": ({"subtype": "PCM_16"}, 1e-4),
    "24.flac": ({"subtype": "PCM_24"}, 1e-6),
    "a.ogg": ({}, 0.05),
    "a.mp3": ({}, 0.05),
    "a.aiff": ({}, 1e-4),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("rate", [8000, 44100])
def test_each_format_gives_the_same_samples_at_the_same_level(tmp_path, name, rate):
    format_, tolerance = FORMATS[name]
    samples = np.stack([tone(440, rate=rate), tone(660, rate=rate)], axis=1)
    sound = read(put(tmp_path, name, samples, rate, **format_))
    assert sound.rate == rate
    assert sound.samples.dtype == np.float32
    assert sound.samples.shape == samples.shape
    assert np.abs(sound.samples - samples).max() <= tolerance


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24)])
def test_integers_are_read_exactly_full_scale_included(tmp_path, subtype, bits):
    top = 1 << (bits - 1)
    levels = np.array([-top, -top + 1, -1, 0, 1, 12345, top - 1], dtype=np.int32)
    path = put(tmp_path, "a.wav", levels << (32 - bits), subtype=subtype)
    samples = read(path).samples[:, 0].astype(np.float64)
    assert (samples * top).tolist() == levels.tolist()


def test_float_samples_beyond_full_scale_are_not_rescaled(tmp_path):
    path = put(tmp_path, "a.wav", np.array([0.5, 1.5, -2.5], "f4"), subtype="FLOAT")
    assert read(path).samples[:, 0].tolist() == [0.5, 1.5, -2.5]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_segment_is_the_same_stretch_of_the_whole_file(tmp_path, name):
    path = put(tmp_path, name, NOISE, 44100)
    whole = read(path).samples
    for start in (0, 1, 7777, 30001, 100003, 140000):
        segment = read(path, start / 44100, (start + 2000) / 44100).samples
        assert len(segment) == 2000
        # MP3 decoding differs by rounding with the size of the reads
        assert np.abs(segment - whole[start : start + 2000]).max() < 1e-6


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3", "gsm.wav"])
def test_all_segments_of_a_file_cost_one_decoding(tmp_path, monkeypatch, name):
    """Whatever their order, and no more of the file is in memory than a block and a segment."""
    monkeypatch.setattr(from_start, "BLOCK", 10_000)
    rate = 8000
    kind = {"subtype": "GSM610"} if name == "gsm.wav" else {}
    path = put(tmp_path, name, np.resize(NOISE, 40 * rate), rate, **kind)
    whole = read(path).samples
    decoded = []

    class Counted(from_start._Forward):
        def read(self, *words, **more):
            decoded.append(super().read(*words, **more))
            return decoded[-1]

    monkeypatch.setattr(from_start, "_Forward", Counted)
    for start in [*np.random.default_rng(2).integers(1, 38 * rate, 30), 0, 38 * rate]:
        segment = read(path, start / rate, (start + 500) / rate).samples
        assert np.abs(segment - whole[start : start + 500]).max() < 1e-6
    assert decoded and sum(map(len, decoded)) <= len(whole)
    assert max(map(len, decoded)) <= 10_000
    # another content of the same name is decoded anew
    other = np.resize(NOISE[::-1], 40 * rate)
    put(tmp_path, name, other, rate, **kind)
    fresh = read(path).samples[rate : rate + 500]
    assert np.abs(read(path, 1.0, 1 + 500 / rate).samples - fresh).max() < 1e-6


@pytest.mark.parametrize(("name", "format_"), [("a.ogg", {}), ("a.mp3", VARIABLE_RATE)])
def test_segments_do_not_depend_on_libsndfiles_seek(tmp_path, name, format_):
    # Calls and pauses make pages and frames of unequal length, where seeking misses
    time_s = np.arange(44100 * 10) / 44100
    calls = tone(2000, 10, 44100) * (np.sin(time_s * 7) > 0)
    path = put(tmp_path, name, calls, 44100, compression_level=0.5, **format_)
    whole = read(path).samples
    for start in np.random.default_rng(1).integers(0, 44100 * 9, 40):
        segment = read(path, start / 44100, (start + 1000) / 44100).samples
        assert np.abs(segment - whole[start : start + 1000]).max() < 1e-6


def test_a_segment_ends_with_its_file_at_the_latest(tmp_path):
    path = put(tmp_path, "a.wav", tone(seconds=0.5))
    assert len(read(path, 0.25, 0.5009).samples) == 4000
    assert len(read(path, 0.25, 3).samples) == 4000
    with pytest.raises(audio.AudioError, match=r"starts at 0\.51.* s, past .* end at 0\.500000 s"):
        read(path, 0.51, 3)


def test_a_segment_without_a_sample_is_refused(tmp_path):
    path = put(tmp_path, "a.wav", tone(seconds=0.5))
    with pytest.raises(audio.AudioError, match="no samples between 0.100000 s and 0.100000 s"):
        read(path, 0.1, 0.100001)
    with pytest.raises(audio.AudioError, match="no samples"):
        read(path, 0.5, 0.5005)


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.wav", r"truncated: \d+ of 352800 bytes of audio are there"),
        ("a.aiff", r"truncated: \d+ of \d+ bytes of audio are there"),
        ("a.flac", "damaged or truncated"),
        ("a.ogg", "truncated: its last page is missing"),
        ("a.mp3", r"truncated: \d+ of 176400 samples could be decoded"),
    ],
)
def test_a_truncated_file_is_refused_and_the_whole_one_is_not(tmp_path, name, message):
    path = put(tmp_path, name, NOISE, 44100)
    assert len(read(path).samples) == len(NOISE)
    with pytest.raises(audio.AudioError, match=message):
        read(cut(path, 0.6))


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_segment_before_the_cut_of_a_truncated_file_is_read(tmp_path, name):
    path = put(tmp_path, name, NOISE, 44100)
    expected = read(path, 0.5, 1.0).samples
    cut(path, 0.6)
    assert np.array_equal(read(path, 0.5, 1.0).samples, expected)
    with pytest.raises(audio.AudioError):
        read(path, 3.0, 3.5)


def test_a_wav_written_to_a_pipe_is_not_called_truncated(tmp_path):
    path = put(tmp_path, "a.wav", tone())
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    path.write_bytes(data)
    assert len(read(path).samples) == 8000


def test_a_flac_without_a_length_is_refused_rather_than_allocated(tmp_path):
    path = put(tmp_path, "a.flac", tone())
    data = bytearray(path.read_bytes())
    # STREAMINFO's 36-bit count of samples, 0 when the encoder wrote to a pipe (RFC 9639, 8.2)
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(audio.AudioError, match="header does not tell its length; encode it again"):
        read(path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.wav", b"", r"empty file \(0 bytes\)"),
        ("text.wav", b"file,label\na.wav,b\n" * 9, r"not audio that can be read \(.*recognised"),
        ("half_header.wav", b"RIFF\x00", "not audio that can be read"),
        ("samples.raw", bytes(1000), "no header to read a sample rate from"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(audio.AudioError, match=message):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_file_without_samples_is_refused(tmp_path, name):
    with pytest.raises(audio.AudioError):
        read(put(tmp_path, name, np.zeros(0, "f4")))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(audio.AudioError, match="missing file"):
        read(tmp_path / "nothing.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_counted_and_refused(tmp_path, bad):
    samples = tone()
    samples[[5, 70]] = bad
    path = put(tmp_path, "a.wav", samples, subtype="FLOAT")
    with pytest.raises(audio.AudioError, match="2 of 8000 samples are NaN or infinite"):
        read(path)


def test_channel_policy():
    stereo = np.array([[0.5, 0.1], [-0.25, 0.75]], "f4")
    assert audio.mono(stereo, "mean").tolist() == [np.float32(0.3), 0.25]
    assert audio.mono(stereo, 0).tolist() == [0.5, -0.25]
    assert audio.mono(stereo, 1).tolist() == [np.float32(0.1), 0.75]
    with pytest.raises(audio.AudioError, match=r"no channel 2 counted from 0 .*: it has 2"):
        audio.mono(stereo, 2)
    assert np.array_equal(audio.mono(stereo[:, :1], "mean"), stereo[:, 0])


def test_resampling_to_the_same_rate_returns_the_samples_themselves():
    samples = tone()
    assert audio.resample(samples, 16000, 16000) is samples


@pytest.mark.parametrize(("rate", "to"), [(44100, 16000), (8000, 16000), (96000, 32000)])
def test_resampling_keeps_a_sines_frequency_phase_and_level(rate, to):
    resampled = audio.resample(tone(997, 1.0, rate), rate, to)
    assert resampled.dtype == np.float32
    assert len(resampled) == to
    middle = slice(to // 10, -to // 10)
    assert np.abs(resampled - tone(997, 1.0, to))[middle].max() < 1e-4


def test_resampling_removes_what_lies_above_the_new_nyquist_frequency():
    resampled = audio.resample(tone(11000, 1.0, 44100), 44100, 16000)
    assert np.abs(resampled[1600:-1600]).max() < 1e-4


LEVELS = arrays(np.int32, st.integers(1, 5000), elements=st.integers(-(1 << 23), (1 << 23) - 1))


@given(LEVELS, st.sampled_from([8000, 16000, 22050, 32000, 44056, 48000, 65535, 250000]))
def test_integers_of_24_bits_are_stored_exactly_as_flac(levels, rate):
    samples = (levels / (1 << 23)).astype(np.float32)
    data = audio.encode(samples, rate)
    decoded, decoded_rate = audio.decode(data)
    assert data.startswith(b"fLaC")
    assert decoded_rate == rate
    assert decoded.dtype == np.float32
    assert np.array_equal(decoded, samples)


@given(arrays(np.float32, st.integers(1, 500), elements=st.floats(-4, 4, width=32)))
def test_any_float_is_stored_exactly_beyond_full_scale_too(samples):
    decoded, rate = audio.decode(audio.encode(samples, 16000))
    assert rate == 16000
    assert np.array_equal(decoded, samples)


def test_equal_clips_are_equal_bytes_at_any_time():
    samples = audio.resample(tone(), 16000, 22050)
    first = audio.encode(samples, 22050)
    # libsndfile writes the time into the chunk PEAK of WAV and AIFF files of floats
    assert b"PEAK" not in first
    assert audio.encode(samples, 22050) == first


def test_bytes_of_integers_are_an_ordinary_mono_24_bit_file(tmp_path):
    samples = (np.rint(tone() * 32768) / 32768).astype("f4")
    (tmp_path / "a.flac").write_bytes(audio.encode(samples, 16000))
    info = sf.info(tmp_path / "a.flac")
    form = (info.samplerate, info.channels, info.subtype, info.frames)
    assert form == (16000, 1, "PCM_24", 8000)


@pytest.mark.parametrize("rate", [65537, 96001, 655351, 768000])
def test_a_rate_that_flac_cannot_hold_is_stored_all_the_same(rate):
    samples = np.array([0.5, -0.25], "f4")
    decoded, decoded_rate = audio.decode(audio.encode(samples, rate))
    assert (decoded.tolist(), decoded_rate) == ([0.5, -0.25], rate)


def test_real_calls_in_stereo(shared):
    path = shared / "data/zebra_finch_calls/audio/WhiLbl0010_110411-DC-01.wav"
    sound = read(path)
    expected, rate = sf.read(path)
    assert (sound.rate, rate) == (44100, 44100)
    assert np.array_equal(sound.samples, expected.astype("f4"))
    assert np.abs(audio.mono(sound.samples, "mean") - expected.mean(axis=1)).max() < 1e-7
    assert not np.array_equal(audio.mono(sound.samples, 0), audio.mono(sound.samples, 1))
