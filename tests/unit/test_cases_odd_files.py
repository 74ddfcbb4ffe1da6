"""One odd file costs itself only, and never the command: pipes, names that are no text, headers."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

import corpus_data
from stratavox.corpus import recorder, sound
from stratavox.corpus.annotations.table import as_table
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError
from stratavox.init.look import look

NO_TEXT = os.fsdecode(b"Br\xfcn_\xff.wav")
AUDACITY = {"format": "audacity", "label": "label", "min_s": 0.01}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four recordings, one more whose name is no text, and a pipe beside each kind of file."""
    monkeypatch.chdir(tmp_path)
    for n in range(4):
        corpus_data.put(tmp_path / "data", f"bird {n}_song.wav")
        (tmp_path / f"data/bird {n}_song.txt").write_text("0.1\t0.3\tsong\n")
    try:
        os.replace(corpus_data.put(tmp_path / "data", "e.wav"), tmp_path / "data" / NO_TEXT)
    except OSError:
        pytest.skip("this file system has names in UTF-8 alone")
    for name in ("pipe.txt", "pipe.csv", "pipe_song.wav"):
        os.mkfifo(tmp_path / "data" / name)
    return tmp_path


def reasons(settings: dict, root: Path) -> dict[str, str | None]:
    clips = scan(settings, root, root / "scan.parquet")
    return dict(zip(clips["file"].to_pylist(), clips["reason"].to_pylist(), strict=True))


def test_recordings_by_their_names(folder):
    settings = {"path": "data", "name": "{bird}_{call}", "table": "{bird}_{call}", "file": "file"}
    found = reasons(settings | {"shards": 1}, folder)
    assert [found.pop(f"bird {n}_song.wav") for n in range(4)] == [None] * 4
    assert found.pop("pipe_song.wav") == "not a file"
    ((name, why),) = found.items()
    assert name == "Br\\udcfcn_\\udcff.wav" and "its name is not UTF-8" in why


def test_annotations(folder):
    settings = {"path": "data", "annotations": AUDACITY, "shards": 1} | as_table(AUDACITY)
    found = reasons(settings, folder)
    assert [found[f"bird {n}_song.wav"] for n in range(4)] == [None] * 4
    assert found[""] == "its annotation file cannot be read (not a file)"
    assert "its name is not UTF-8" in found["Br\\udcfcn_\\udcff.wav"]


def test_a_pipe_as_the_table_is_refused(folder):
    settings = {"path": "data", "table": "pipe.csv", "file": "file", "shards": 1}
    with pytest.raises(StratavoxError, match=r"pipe.csv: cannot be read \(not a file\)"):
        scan(settings, folder, folder / "scan.parquet")


def test_text_of_json_that_no_table_can_hold(folder):
    (folder / "data/m.jsonl").write_text('{"file": "bird 0_song.wav", "bird": "\\ud800 a"}\n')
    settings = {"path": "data", "table": "m.jsonl", "file": "file", "shards": 1}
    assert reasons(settings, folder) == {"bird 0_song.wav": None}


def test_init_names_them_and_goes_on(folder):
    contents = look(folder / "data")
    assert len(contents.headers) == 4
    assert any("not UTF-8" in why for why in contents.unreadable.values())
    assert "\n".join([*contents.unreadable, *contents.recordings]).encode()


@pytest.mark.parametrize("size", [2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("total", [0, 2**63, 2**64 - 1])
@pytest.mark.parametrize("kept", [0, 1, 32_000])
def test_rf64_of_any_stated_size_is_read_as_far_as_it_goes_or_refused(tmp_path, size, total, kept):
    samples = (np.arange(16_000) % 200).astype("<i2")
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, total, size, total, 0)
    data = b"data" + struct.pack("<I", 0xFFFFFFFF) + samples.tobytes()[:kept]
    path = tmp_path / "a.wav"
    path.write_bytes(b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + sizes + form + data)
    assert recorder.of(path) == {"recorded_at": None, "recorder": None}
    if kept < 2:
        with pytest.raises(sound.AudioError):
            sound.read(path)
    else:
        assert sound.header(path).duration == 1
        np.testing.assert_array_equal(sound.read(path).samples[:, 0] * 2**15, samples)
