"""When and by what a file was recorded: what recorders write into headers and names."""

import struct

import numpy as np
import pytest
import soundfile as sf

from annotation_files import annotated, put_raven
from corpus_data import put, put_table, settings, to_manifest, tone
from stratavox import tables
from stratavox.corpus import files, recorder
from stratavox.corpus.labels import label_columns, with_recorders
from stratavox.corpus.scan import scan

MOTH = "AudioMoth 24E1440360371F71"


def comment(at="06:30:00 12/05/2023", zone="UTC", by=f" by {MOTH}"):
    end = " at medium gain while battery was 4.4V and temperature was 15.2C."
    return f"Recorded at {at} ({zone}){by}{end}"


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(path, *chunks: bytes, kind=b"RIFF"):
    body = b"WAVE" + b"".join(chunks)
    path.write_bytes(kind + struct.pack("<I", len(body)) + body)
    return path


FORM = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16))
DATA = chunk(b"data", b"\1" * 16001)  # an odd number of bytes is padded
GUANO = b"GUANO|Version: 1.0\nTimestamp:  2023-05-12T06:30:00.5+02:00\nNote: a\\nb: c\n"
GUANO += b"Make: Wildlife Acoustics, Inc.\nModel: SM4\nSerial:S4A01234\nLoc Position: 1 2\n\0 "


def test_audiomoths_comment_as_soundfile_writes_it(tmp_path):
    path = tmp_path / "a.wav"
    with sf.SoundFile(path, "w", 16000, 1) as file:
        file.comment = comment()
        file.write(tone())
    with sf.SoundFile(path) as file:
        assert file.comment == comment()
    assert recorder.of(path) == {"recorded_at": "2023-05-12T06:30:00+00:00", "recorder": MOTH}


@pytest.mark.parametrize(
    ("zone", "offset"),
    [("UTC+2", "+02:00"), ("UTC-5:30", "-05:30"), ("UTC-0:30", "-00:30"), ("UTC+10", "+10:00")],
)
def test_audiomoths_time_zones(tmp_path, zone, offset):
    info = chunk(b"LIST", b"INFO" + chunk(b"ICMT", comment(zone=zone).encode()))
    metadata = recorder.of(riff(tmp_path / "a.wav", FORM, info, DATA))
    assert metadata["recorded_at"] == f"2023-05-12T06:30:00{offset}"


def test_the_device_comes_from_the_artist_where_the_comment_has_the_deployment(tmp_path):
    details = comment(by=" during deployment 0123456789ABCDEF")
    info = chunk(b"ICMT", details.encode() + b"\0\0") + chunk(b"IART", MOTH.encode())
    metadata = recorder.of(riff(tmp_path / "a.wav", FORM, chunk(b"LIST", b"INFO" + info), DATA))
    assert metadata["recorder"] == MOTH


@pytest.mark.parametrize("after", [True, False], ids=["after the audio", "before it"])
def test_guano(tmp_path, after):
    guano = chunk(b"guan", GUANO)
    path = riff(
        tmp_path / "20200101_000000.wav", FORM, *([DATA, guano] if after else [guano, DATA])
    )
    assert recorder.of(path) == {
        "recorded_at": "2023-05-12T06:30:00.500000+02:00",
        "recorder": "SM4 S4A01234",
    }


def test_guano_after_the_audio_of_an_rf64_file(tmp_path):
    audio = b"\1\2" * 500
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, len(audio), 500, 0))
    data = b"data" + struct.pack("<I", 0xFFFFFFFF) + audio
    path = riff(tmp_path / "a.wav", sizes, FORM, data, chunk(b"guan", GUANO), kind=b"RF64")
    assert recorder.of(path)["recorder"] == "SM4 S4A01234"


@pytest.mark.parametrize(
    ("fields", "metadata"),
    [
        (
            b"Timestamp:2012-03-29T22:29:55\nMake:Pettersson\n",
            ("2012-03-29T22:29:55", "Pettersson"),
        ),
        (b"Timestamp:2012-03-29T22:29:55Z\nModel:D1000X", ("2012-03-29T22:29:55+00:00", "D1000X")),
        (b"Timestamp:last spring\n", (None, None)),
        (b"\xff\xfe", (None, None)),
    ],
)
def test_guano_with_less(tmp_path, fields, metadata):
    path = riff(tmp_path / "a.wav", FORM, chunk(b"guan", fields), DATA)
    assert tuple(recorder.of(path).values()) == metadata


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("20230512_063000.WAV", "2023-05-12T06:30:00"),
        ("20230512_063000T.WAV", "2023-05-12T06:30:00"),
        ("24E1440360371F71_20230512_063000T.WAV", "2023-05-12T06:30:00"),
        ("site-A_3_20230512_063000_SYNC.WAV", "2023-05-12T06:30:00"),
        ("SM4_20230512_063000.flac", "2023-05-12T06:30:00"),
        ("20231332_063000.WAV", None),
        ("20230512_256000.WAV", None),
        ("99999999_063000.WAV", None),
        ("120230512_063000.WAV", None),
        ("20230512_063000_call3.WAV", None),
        ("Bird0__0__023849_0.wav", None),
    ],
)
def test_names(tmp_path, name, at):
    (tmp_path / name).write_bytes(b"no audio")
    assert recorder.of(tmp_path / name) == {"recorded_at": at, "recorder": None}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVE" + b"\0" * 9999,
        b"RIFF....WAVEguan\xff",
    ],
)
def test_broken_headers_give_no_metadata(tmp_path, data):
    (tmp_path / "a.wav").write_bytes(data)
    assert recorder.of(tmp_path / "a.wav") == {"recorded_at": None, "recorder": None}


def moth(folder, name, **details):
    """A recording of an AudioMoth's, or one that tells nothing."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with sf.SoundFile(path, "w", 16000, 1) as file:
        if details:
            file.comment = comment(**details)
        file.write(np.tile(tone(), 4))
    return path


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    moth(tmp_path / "data", "a.wav", zone="UTC+2")
    moth(tmp_path / "data", "b.wav")
    return tmp_path / "data"


def test_a_table_gets_columns_where_any_file_has_metadata(data):
    put_table(data, [["file", "call"], ["a.wav", "x"], ["b.wav", "y"]])
    _, labels, _ = to_manifest(data.parent, settings())
    assert labels.column_names[1:] == ["file", "call", "recorded_at", "recorded_on", "recorder"]
    assert labels["recorded_at"].to_pylist() == ["2023-05-12T06:30:00+02:00", ""]
    assert labels["recorded_on"].to_pylist() == ["2023-05-12", ""]
    assert labels["recorder"].to_pylist() == [MOTH, ""]


def test_boxes_get_them_too(data):
    put_raven(data, "a.txt", [("0.5", "1", "owl"), ("1", "1.5", "jay")])
    _, labels, _ = to_manifest(data.parent, annotated())
    assert labels["recorder"].to_pylist() == [MOTH, MOTH]


def test_the_users_own_columns_stay(data):
    put_table(data, [["file", "recorder"], ["a.wav", "mine"], ["b.wav", ""]])
    _, labels, _ = to_manifest(data.parent, settings())
    assert labels["recorder"].to_pylist() == ["mine", ""]
    assert labels["recorded_on"].to_pylist() == ["2023-05-12", ""]


def test_without_recorder_metadata_there_are_no_columns(data):
    put(data, "c.wav")
    put_table(data, [["file", "call"], ["b.wav", "x"], ["c.wav", "y"]])
    _, labels, _ = to_manifest(data.parent, settings())
    assert labels.column_names == ["clip_id", "file", "call"]


def test_a_files_metadata_are_read_once_and_again_when_the_reader_changed(data, monkeypatch):
    put_table(data, [["file"], ["a.wav"], ["b.wav"]])
    out = data.parent / "scan.parquet"
    read_again, hashed = [], []
    real_of, real_sha = recorder.of, files.sha256_of
    monkeypatch.setattr(recorder, "of", lambda path: read_again.append(path.name) or real_of(path))
    monkeypatch.setattr(files, "sha256_of", lambda path: hashed.append(path.name) or real_sha(path))
    first = scan(settings(), data.parent, out)
    assert (sorted(read_again), sorted(hashed)) == (["a.wav", "b.wav"], ["a.wav", "b.wav"])
    assert scan(settings(), data.parent, out).equals(first)
    assert len(read_again) == len(hashed) == 2
    # as if an older version of the code had found nothing
    old = first.set_column(first.column_names.index("recorder"), "recorder", [[None, None]]).cast(
        first.schema
    )
    tables.write_table(old, out, tables.read_provenance(out) | {"recorder": "an older one"})
    assert scan(settings(), data.parent, out).equals(first)
    assert (len(read_again), len(hashed)) == (4, 2)


def test_columns_follow_the_rows_that_were_scanned(data):
    put_table(data, [["file"], ["a.wav"], ["gone.wav"], ["b.wav"]])
    rows = scan(settings(), data.parent, data.parent / "scan.parquet")
    labels = with_recorders(label_columns(settings(), data.parent), rows)
    assert labels["recorder"].to_pylist() == [MOTH, "", ""]
