"""Headers that tell too little, formats that are rarely read, and calls stored in slow motion."""

import io
import struct

import numpy as np
import pytest
import soundfile as sf

from corpus_data import put, put_table, settings, to_manifest, tone
from stratavox.audio import AudioError
from stratavox.corpus import headers, sound
from stratavox.errors import StratavoxError
from stratavox.init.look import describe, look

RATE = 8000
# 3 s whose levels tell where one is
RAMP = (np.linspace(0.1, 0.7, 3 * RATE) * np.sin(np.arange(3 * RATE))).astype("f4")


def content(kind="WAV", subtype="PCM_16", samples=RAMP) -> bytearray:
    buffer = io.BytesIO()
    sf.write(buffer, samples, RATE, format=kind, subtype=subtype)
    return bytearray(buffer.getvalue())


def with_size(data: bytearray, size: int, kind="WAV") -> bytearray:
    """``data`` whose header says ``size`` bytes of audio."""
    name, skip, form, more = {
        "WAV": (b"data", 4, "<I", 0),
        "RF64": (b"ds64", 16, "<Q", 0),
        "W64": (b"data", 16, "<Q", 24),
        "AIFF": (b"SSND", 4, ">I", 8),
        "CAF": (b"data", 4, ">Q", 4),
        "AU": (b".snd", 8, ">I", 0),
    }[kind]
    struct.pack_into(form, data, data.index(name) + skip, size + more)
    return data


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def saved(tmp_path, data: bytes, name="a.wav"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64", "W64"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("size", [0, 6000])
def test_a_header_that_tells_too_little_is_read_whole(tmp_path, kind, subtype, size):
    data = content(kind, subtype)
    expected = sound.read(saved(tmp_path, data)).samples
    saved(tmp_path, with_size(data, size, {"WAVEX": "WAV"}.get(kind, kind)))
    read = sound.read(tmp_path / "a.wav")
    assert np.array_equal(read.samples, expected)
    width = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}[subtype]
    assert read.header.header_s == pytest.approx(size / width / RATE)
    assert read.header.duration == 3.0
    # behind the header's end
    segment = sound.read(tmp_path / "a.wav", 2.0, 2.5).samples
    assert np.array_equal(segment, expected[2 * RATE : 2 * RATE + RATE // 2])
    assert np.array_equal(sound.read(tmp_path / "a.wav", 2.0, 3.5).samples, expected[2 * RATE :])
    with pytest.raises(AudioError, match=r"starts at 3\.500000 s, past the file's end at 3\.0"):
        sound.read(tmp_path / "a.wav", 3.5, 4.0)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0xFFFFFFDB, 0x7FFFF000, 0x7FFFFFFF, 0x80000000])
def test_a_stream_of_no_known_length_is_read_whole_and_counted(tmp_path, size):
    header = sound.header(saved(tmp_path, with_size(content(), size)))
    assert (header.header_s, header.duration) == (0, 3)


def test_a_header_that_tells_too_much_stays_refused(tmp_path):
    path = saved(tmp_path, with_size(content(), 1_500_000_000))
    with pytest.raises(AudioError, match="truncated: 48000 of 1500000000 bytes of audio are there"):
        sound.read(path)
    saved(tmp_path, content("W64")[:-7000], "a.w64")
    with pytest.raises(AudioError, match="truncated: 41000 of 48000 bytes of audio are there"):
        sound.read(tmp_path / "a.w64")


INFO = chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"a comment"))
GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        ("WAV", INFO),
        ("WAV", INFO + chunk(b"guan", b"Make: mine\n") + chunk(b"zzz ", b"12345")),
        ("WAV", INFO[:-9]),  # cut while it was written
        ("WAV", bytes(512)),
        ("WAV", INFO + bytes(100)),
        ("W64", b"levl" + GUID + struct.pack("<Q", 24 + 800) + bytes(800)),
        ("AIFF", b"ANNO\0\0\0\4abcd"),
        ("CAF", b"info" + struct.pack(">Q", 4) + bytes(4)),
    ],
)
def test_chunks_and_padding_behind_the_audio_are_no_audio(tmp_path, kind, rest):
    read = sound.read(saved(tmp_path, content(kind) + rest))
    assert len(read.samples) == len(RAMP)
    assert read.header.header_s is None


def test_a_chunk_that_was_not_padded_is_no_audio(tmp_path):
    data = content(subtype="PCM_U8", samples=RAMP[:-1])
    data = data[: data.index(b"data") + 8 + len(RAMP) - 1]
    read = sound.read(saved(tmp_path, data + INFO))
    assert (len(read.samples), read.header.header_s) == (len(RAMP) - 1, None)


def test_floats_of_wave64s_extensible_form_are_floats(tmp_path):
    """libsndfile reads them as integers."""
    wav = content("WAVEX", "FLOAT")
    form = wav[wav.index(b"fmt ") + 8 :][:40]
    parts = [(b"fmt ", form), (b"data", RAMP.tobytes())]
    body = b"".join(n + GUID + struct.pack("<Q", 24 + len(b)) + b for n, b in parts)
    riff = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    head = riff + struct.pack("<Q", 40 + len(body)) + b"wave" + GUID
    samples = sound.read(saved(tmp_path, head + body, "a.w64")).samples
    assert np.array_equal(samples[:, 0], RAMP)


@pytest.mark.parametrize("kind", ["AIFF", "CAF", "AU"])
def test_other_formats_are_refused_with_both_lengths(tmp_path, kind):
    path = saved(tmp_path, with_size(content(kind), RATE * 2, kind))
    with pytest.raises(AudioError, match="its header tells 1 s, but its file holds 3 s; correct"):
        sound.read(path)


def test_a_wav_past_4_gb_is_read_to_its_end(tmp_path):
    """Its size began again at 0; the file has holes, so that it takes no space."""
    frames, last = (1 << 31) + 5000, content(samples=RAMP[:4000])[44:]
    head = with_size(content(samples=RAMP[:1]), 2 * frames % (1 << 32))[:44]
    path = saved(tmp_path, head)
    with open(path, "r+b") as file:
        file.seek(44 + 2 * frames - len(last))
        file.write(last + INFO)
    header = sound.header(path)
    assert (header.duration, header.header_s) == (frames / RATE, pytest.approx(5000 / RATE))
    end = sound.read(path, (frames - 4000) / RATE, frames / RATE).samples[:, 0]
    assert np.array_equal(end, np.frombuffer(last, "<i2") / np.float32(32768))


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_32"])
def test_formats_without_seeking_are_read(tmp_path, subtype):
    path = saved(tmp_path, content(subtype=subtype, samples=tone(300, 2, RATE)))
    samples = sound.read(path).samples[:, 0]
    heard = np.corrcoef(samples[2000:14000], tone(300, 2, RATE)[2000:14000])[0, 1]
    assert abs(heard) > 0.9
    segment = sound.read(path, 0.5, 1.0).samples[:, 0]
    assert np.array_equal(segment, samples[RATE // 2 : RATE])


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0x45, "its audio is G.726 ADPCM, which cannot be read; convert it to WAV"),
        (0x161, "its audio is WMA 2, which"),
        (0x2345, r"WAV's format number 0x2345; "),
    ],
)
def test_formats_that_cannot_be_read_are_named(tmp_path, number, message):
    data = content()
    struct.pack_into("<H", data, 20, number)
    with pytest.raises(AudioError, match=message):
        sound.read(saved(tmp_path, data))


def guano(*fields: str) -> bytes:
    return chunk(b"guan", "\n".join(("GUANO|Version: 1.0", *fields)).encode())


def wamd(factor: int) -> bytes:
    fields = [(0, b"\1\0"), (1, b"EM3"), (15, struct.pack("<H", factor)), (0xFFFF, b"\0")]
    return chunk(b"wamd", b"".join(struct.pack("<HI", n, len(v)) + v for n, v in fields))


SLOW = {
    "TE": guano("TE: 10"),
    "TE and the true rate": guano("TE:10.0", "Samplerate: 80000"),
    "WAMD": wamd(10),
    "both": guano("TE: 10") + wamd(10),
}
TRUE = {
    "no TE": guano("Make: mine"),
    "TE 1": guano("TE: 1", "Samplerate: 8000"),
    "TE empty": guano("TE:"),
    "WAMD 1": wamd(1),
    "already at its rate": guano("TE: 10", "Samplerate: 8000"),
}


@pytest.mark.parametrize("kind", [*SLOW, *TRUE])
def test_time_expansion_gives_the_true_rate(tmp_path, kind):
    factor = 10 if kind in SLOW else 1
    path = saved(tmp_path, content() + (SLOW | TRUE)[kind])
    read = sound.read(path)
    assert (read.rate, read.header.time_expansion) == (RATE * factor, factor)
    assert read.header.duration == pytest.approx(3 / factor)
    assert np.array_equal(read.samples, sound.read(saved(tmp_path, content())).samples)


def test_a_bound_in_stored_time_is_refused_with_the_reason(tmp_path):
    path = saved(tmp_path, content() + SLOW["TE"])
    assert len(sound.read(path, 0.1, 0.2).samples) == 8000
    message = r"past the file's end at 0\.300000 s in true time \(it plays 10 times slower\)"
    with pytest.raises(AudioError, match=message):
        sound.read(path, 1.0, 2.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (guano("TE: 10") + wamd(8), "GUANO's TE 10 and WAMD's 8: correct one"),
        (guano("TE: 10", "Samplerate: 384000"), "80000 Hz in true time, but .* is 384000"),
        (guano("TE: 1000"), "8e.06 Hz in true time, allowed: up to 1000000 Hz"),
        (guano("TE: ten"), "GUANO's TE is 'ten', not a positive number; correct its metadata"),
    ],
)
def test_a_contradictory_time_expansion_is_refused(tmp_path, fields, message):
    with pytest.raises(AudioError, match=message):
        sound.read(saved(tmp_path, content() + fields))


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A file in order, two whose headers tell 1 of 3 s, and a bat in slow motion."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "data", "good.wav", RAMP, RATE)
    for name in ("cut1.wav", "cut2.wav"):
        saved(tmp_path / "data", with_size(content(), 2 * RATE), name)
    saved(tmp_path / "data", content() + SLOW["WAMD"], "bat.wav")
    put_table(tmp_path / "data", [["file"], *([name] for name in NAMES)])
    return tmp_path / "data"


NAMES = ["bat.wav", "cut1.wav", "cut2.wav", "good.wav"]


def test_the_run_reads_whole_counts_and_says_so(data):
    clips, _, hygiene = to_manifest(data.parent, settings())
    rows = {row["file"]: row for row in clips.to_pylist()}
    assert [rows[name]["duration_s"] for name in NAMES] == pytest.approx([0.3, 3, 3, 3])
    assert [rows[name]["sample_rate"] for name in NAMES] == [80000, 8000, 8000, 8000]
    assert [rows[name]["header_s"] for name in NAMES] == [None, 1, 1, None]
    assert hygiene["longer_than_header"] == {
        "files": 2,
        "first": [{"file": f"cut{n}.wav", "header_s": 1, "file_s": 3} for n in (1, 2)],
    }
    assert hygiene["time_expansion"] == {"10": 1}
    assert headers.statements(hygiene) == [
        "2 files hold more than the header tells and are read whole, such as 'cut1.wav': "
        "header 1 s, file 3 s",
        "1 file plays 10 times slower than in nature (GUANO or WAMD metadata): rates, durations "
        "and bounds are in true time",
    ]


def test_bounds_are_judged_by_what_the_file_holds(data):
    bounds = [["0.5", "1.5"], ["2", "3"], ["2.25", "3.25"], ["3.5", "4.5"]]
    put_table(data, [["file", "on", "off"], *(["cut1.wav", *pair] for pair in bounds)])
    clips, _, hygiene = to_manifest(data.parent, settings(start="on", end="off"))
    assert clips["duration_s"].to_pylist() == [1, 1, 0.75]
    (lost,) = hygiene["rejected"]
    assert lost["reason"] == "starts at 3.500000 s, past the file's end at 3.000000 s"


def test_init_says_so_too(data):
    printed = "\n".join(describe(look(data)))
    assert "sample rates: 8000 Hz (3), 80000 Hz (1)" in printed
    assert "durations: 0.3 to 3 s" in printed
    assert (
        "look: 2 files hold more than the header tells and are read whole, such as 'cut1.wav': "
        "header 1 s, file 3 s" in printed
    )
    assert "look: 1 file plays 10 times slower than in nature" in printed


def test_a_folder_of_headers_that_tell_too_much_is_refused(data):
    for name in NAMES:
        saved(data, with_size(content(), 1_000_000), name)
    with pytest.raises(StratavoxError, match=r"4 of 4 rows .*\n.*truncated: 48000 of 1000000"):
        to_manifest(data.parent, settings())
