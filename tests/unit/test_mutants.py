"""Files and configs that are broken at random end in one sentence: no traceback, nothing left.

A hundred of each kind here, thousands in ``make test-faults``. A seed makes each one, so a failure
is made again by its number.
"""

import copy
import json
import random
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.torch import save_file
from torch import nn

import corpus_data
from stage_jobs import default_config
from stratavox.audio import AudioError
from stratavox.corpus import recorder, sound
from stratavox.corpus.annotations.table import as_table
from stratavox.corpus.scan import scan
from stratavox.corpus.unpack import Bound, unzip
from stratavox.encoders.weights import load_exact
from stratavox.errors import StratavoxError
from stratavox.plan import Plan

COUNTS = [100, pytest.param(4000, marks=pytest.mark.faults)]
# numbers at which integers and floats change their kind, as bytes and as text
EDGES = [0, 1, 7, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
WORDS = ["", "-1", "1e400", "-1e400", "nan", "inf", "1e9", "9" * 400, "0x7", "\0", "\ufeff", '"']
WORDS += ["\t", "\n", ",", "Ä", "\u202e", "<exists>", "1,5", "=1+1", "null", "true"]

TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "calls"
        xmin = 0
        xmax = 0.5
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.25
            text = "song"
        intervals [2]:
            xmin = 0.25
            xmax = 0.5
            text = "alarm"
    item [2]:
        class = "TextTier"
        name = "points"
        xmin = 0
        xmax = 0.5
        points: size = 1
        points [1]:
            number = 0.1
            mark = "x"
"""
RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tCall\n"
    "1\tSpectrogram 1\t1\t0.05\t0.20\t500.0\t2000.0\tsong\n"
    "2\tSpectrogram 1\t1\t0.25\t0.45\t500.0\t2000.0\talarm\n"
)


def broken_bytes(whole: bytes, chance: random.Random, head: int | None = None) -> bytes:
    """``whole`` with one to four changes in its first ``head`` bytes."""
    data = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(len(data), head or len(data)) or 1)
        way = chance.choice(["byte", "byte", "number", "cut out", "put in", "cut off"])
        if way == "byte":
            data[at : at + 1] = chance.randbytes(1)
        elif way == "number":
            length, order = chance.choice([4, 8]), chance.choice(["little", "big"])
            number = chance.choice(EDGES) % 256**length
            data[at : at + length] = number.to_bytes(length, order)
        elif way == "cut out":
            del data[at : at + chance.randint(1, 30)]
        elif way == "put in":
            data[at:at] = chance.randbytes(chance.randint(1, 20))
        elif chance.random() < 0.3:
            del data[at:]
    return bytes(data)


def broken_text(whole: str, chance: random.Random) -> bytes:
    """``whole`` with words replaced by odd ones, sometimes with bytes that are no text."""
    words = whole.split(" ") if chance.random() < 0.5 else whole.split("\t")
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(words))
        if chance.random() < 0.2:
            del words[at : at + 2]
        else:
            end = "\n" if words[at].endswith("\n") else ""
            words[at] = chance.choice(WORDS) + end if "\n" not in words[at][:-1] else words[at]
        words = words or [""]
    text = " ".join(words) if "\t" not in whole else "\t".join(words)
    for _ in range(chance.randint(0, 2)):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(WORDS) + text[at + chance.randint(0, 8) :]
    data = text.encode(chance.choice(["utf-8", "utf-8", "utf-16"]))
    return broken_bytes(data, chance) if data and chance.random() < 0.3 else data


def refused(why: Exception) -> None:
    """A message for the user is text, and not long; an audio file's is a row's reason."""
    assert str(why).strip() and len(str(why).encode()) < 3000, why


@pytest.mark.parametrize("count", COUNTS)
def test_zips(tmp_path, count):
    def whole(chance) -> bytes:
        with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
            for n in range(3):
                member = zipfile.ZipInfo(f"calls/b{n}/a_{n}.txt")
                archive.writestr(member, b"some calls " * 9, chance.choice([0, 8, 12, 14]))
        return (tmp_path / "whole.zip").read_bytes()

    kept = 0
    for number in range(count):
        chance, path = random.Random(number), tmp_path / "a.zip"
        path.write_bytes(broken_bytes(whole(chance), chance))
        try:
            unzip(path, tmp_path / "out", Bound(1_000_000, 100))
        except StratavoxError as error:
            refused(error)
        else:
            (tmp_path / "out").rename(tmp_path / f"kept{kept}")
            kept += 1
        names = {"a.zip", "whole.zip", *(f"kept{n}" for n in range(kept))}
        assert {each.name for each in tmp_path.iterdir()} == names, number


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("form", "name", "text"), [("textgrid", "a.TextGrid", TEXTGRID), ("raven", "a.txt", RAVEN)]
)
def test_annotation_files(tmp_path, monkeypatch, count, form, name, text):
    monkeypatch.chdir(tmp_path)
    corpus_data.put(tmp_path / "data", "a.wav")
    annotations = {"format": form, "label": "Call", "min_s": 0.01}
    settings = {"path": "data", "annotations": annotations, "shards": 1} | as_table(annotations)
    for number in range(count):
        chance = random.Random(number)
        (tmp_path / "data" / name).write_bytes(broken_text(text, chance))
        try:
            scan(settings, tmp_path, tmp_path / "scan.parquet")
        except StratavoxError as error:
            refused(error)


@cache
def recordings() -> list[bytes]:
    """A short recording in each container whose chunks are read."""
    whole, path = [], Path("whole")
    samples = np.sin(np.arange(2000) / 5).astype(np.float32)
    forms = [("WAV", "PCM_16"), ("WAVEX", "FLOAT"), ("W64", "PCM_24"), ("AIFF", "PCM_16")]
    for form, subtype in [*forms, ("CAF", "PCM_16"), ("AU", "PCM_16"), ("RF64", "PCM_16")]:
        soundfile.write(path, samples, 16000, format=form, subtype=subtype)
        whole.append(path.read_bytes())
    return whole


@pytest.mark.parametrize("count", COUNTS)
def test_headers_of_recordings(tmp_path, monkeypatch, count):
    monkeypatch.chdir(tmp_path)
    for number in range(count):
        chance = random.Random(number)
        path = tmp_path / chance.choice(["a.wav", "a.w64", "a.aiff", "a.caf", "a.au"])
        path.write_bytes(broken_bytes(chance.choice(recordings()), chance, head=160))
        recorder.of(path)
        for read in (sound.header, sound.read):
            try:
                read(path)
            except AudioError as error:
                refused(error)


@pytest.mark.parametrize("count", COUNTS)
def test_weights(tmp_path, count):
    model, path = nn.Linear(3, 2), tmp_path / "a.safetensors"
    save_file(model.state_dict(), path)
    whole = path.read_bytes()
    head = 8 + int.from_bytes(whole[:8], "little")
    for number in range(count):
        path.write_bytes(broken_bytes(whole, random.Random(number), head))
        try:
            load_exact(model, path)
        except StratavoxError as error:
            refused(error)


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.faults)])
def test_configs(tmp_path, monkeypatch, count):
    """Values of another kind, keys that are not there, and numbers without bounds."""
    monkeypatch.chdir(tmp_path)
    rows = [[f"{n}.wav", f"kind {n % 2}", f"bird {n % 4}", "0", "0.2"] for n in range(8)]
    corpus_data.put_table(tmp_path / "data", [["file", "kind", "bird", "from", "to"], *rows])
    for name, *_ in rows:
        corpus_data.put(tmp_path / "data", name)
    dataset = {"source": "folder", "path": "data", "table": "metadata.csv", "file": "file"}
    dataset |= {"start": "from", "end": "to", "units": "s", "channel": "mean", "max_bad": 0.1}
    dataset |= {"recording": "bird", "confounds": ["kind"], "shards": 2, "missing": ["NA"]}
    dataset["tasks"] = {"kind": {"target": "kind", "group": "bird", "min_clips": 2}}
    whole = default_config() | {
        "run": {"datasets": ["birds"], "encoders": ["logmel"]},
        "datasets": {"birds": dataset},
    }
    Plan(copy.deepcopy(whole), tmp_path)
    for number in range(count):
        config = broken_value(whole, random.Random(number))
        try:
            json.dumps(config)
            Plan(config if isinstance(config, dict) else {"run": config}, tmp_path)
        except StratavoxError as error:
            refused(error)


VALUES = [None, True, 0, -1, 1.5, 10**30, float("inf"), float("nan"), "", " ", "a/../..", "\0", "Ä"]
VALUES += [
    [],
    [None],
    ["x", "x"],
    {},
    {"": None},
    {"x": 1},
    "data",
    "kind",
    "file",
    "(?P<",
    "{a}{b}",
]


def broken_value(whole: dict, chance: random.Random) -> dict:
    """``whole`` with one to three values or keys replaced or removed, anywhere in it."""
    value = copy.deepcopy(whole)
    for _ in range(chance.randint(1, 3)):
        places, waiting = [], [value]
        while waiting:
            here = waiting.pop()
            keys = list(here) if isinstance(here, dict) else range(len(here))
            places += [(here, key) for key in keys]
            waiting += [here[key] for key in keys if isinstance(here[key], dict | list)]
        if not places:
            continue
        here, key = chance.choice(places)
        if chance.random() < 0.15:
            del here[key]
        elif isinstance(here, dict) and chance.random() < 0.15:
            here[chance.choice(["x", "", "name", "join", "text", "sets"])] = chance.choice(VALUES)
        else:
            here[key] = copy.deepcopy(chance.choice(VALUES))
    return value
