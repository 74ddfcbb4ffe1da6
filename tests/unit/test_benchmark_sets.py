"""BEANS and BirdSet in the layouts in which they are published run by their paths.

Columns and types are those of the data cards of DBD-research-group/BirdSet, mteb/BirdSet and
DBD-research-group/beans_*.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stratavox.corpus import window_keys, windows
from stratavox.corpus.label_sets import matrix
from stratavox.probe import folds
from stratavox.settings import Settings
from test_parquet_source import AUDIO, made, plan, sound

BIRDS = ["gcrfin", "whcspa", "daejun", "moublu"]
GENERA = ["Leucosticte", "Zonotrichia", "Junco", "Sialia"]


def of(names: list[str]) -> dict:
    return {"names": names, "_type": "ClassLabel"}


def several(feature: dict) -> dict:
    return {"feature": feature, "_type": "Sequence"}


def value(dtype: str) -> dict:
    return {"dtype": dtype, "_type": "Value"}


# name -> Hugging Face's feature and the type of the column, as BirdSet.py declares them
BIRDSET = {
    "audio": ({"sampling_rate": 32000, "decode": False, "_type": "Audio"}, AUDIO),
    "filepath": (value("string"), pa.string()),
    "start_time": (value("float64"), pa.float64()),
    "end_time": (value("float64"), pa.float64()),
    "low_freq": (value("int64"), pa.int64()),
    "high_freq": (value("int64"), pa.int64()),
    "ebird_code": (of(BIRDS), pa.int64()),
    "ebird_code_multilabel": (several(of(BIRDS)), pa.list_(pa.int64())),
    "ebird_code_secondary": (several(value("string")), pa.list_(pa.string())),
    "lat": (value("float64"), pa.float64()),
    "length": (value("int64"), pa.int64()),
    "license": (value("string"), pa.string()),
    "detected_events": (
        several(several(value("float64"))),
        pa.list_(pa.list_(pa.float64())),
    ),
    "event_cluster": (several(value("int64")), pa.list_(pa.int64())),
    "peaks": (several(value("float64")), pa.list_(pa.float64())),
    "recordist": (value("string"), pa.string()),
    "genus": (of(GENERA), pa.int64()),
    "genus_multilabel": (several(of(GENERA)), pa.list_(pa.int64())),
}


def put(path: Path, columns: dict, rows: list[dict]) -> None:
    schema = pa.schema({name: kind for name, (_, kind) in columns.items()})
    features = {name: feature for name, (feature, _) in columns.items()}
    stated = json.dumps({"info": {"features": features}})
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema.with_metadata({"huggingface": stated}))
    pq.write_table(table, path, row_group_size=10)


def train_row(number: int) -> dict:
    """A focal recording of Xeno-canto, with the events that were detected in it."""
    bird = number % len(BIRDS)
    return {
        "audio": {"bytes": sound(400 + 30 * number), "path": f"XC{1000 + number}.ogg"},
        "filepath": f"XC{1000 + number}.ogg",
        "ebird_code": bird,
        "ebird_code_multilabel": [bird],
        "ebird_code_secondary": ["norfli"],
        "length": 30,
        "detected_events": [[0.1, 0.4], [2.0, 2.5]],
        "event_cluster": [0, -1],
        "recordist": f"recordist {number % 3}",
        "genus": bird,
        "genus_multilabel": [bird],
    }


def window_row(number: int) -> dict:
    """A window of 5 s of a soundscape; each fourth has no bird, and none has a main one."""
    birds = [] if number % 4 == 0 else sorted({number % 3, (number // 3) % 4})
    begin = 5 * (number // 4)
    name = f"HSN_{number % 4:03d}_20150708_061805_{begin:03d}_{begin + 5:03d}.ogg"
    return {
        "audio": {"bytes": sound(3000 + 30 * number), "path": name},
        "filepath": name,
        "start_time": 0.0,
        "end_time": 5.0,
        "ebird_code": None,
        "ebird_code_multilabel": birds,
        "ebird_code_secondary": None,
        "genus_multilabel": birds,
    }


@pytest.fixture
def birdset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(Path("hsn/HSN/train-00000-of-00001.parquet"), BIRDSET, [train_row(n) for n in range(40)])
    rows = [window_row(n) for n in range(48)]
    put(Path("hsn/HSN/test_5s-00000-of-00001.parquet"), BIRDSET, rows)


def birds(**more) -> dict:
    task = {"kind": "multilabel", "target": "ebird_code_multilabel", "separator": "json"}
    return {"birds": task | {"min_clips": 4} | more}


def test_birdset_has_its_official_split_beside_places_that_are_held_out(birdset):
    """The focal recording or, of soundscapes, the place are in the name: a group that all have."""
    split = {"column": "split", "train": "train", "test": "test_5s"}
    run = plan(
        tasks=birds(group="place", split=split),
        name=r"(?P<place>XC\d+|[A-Z]+_\d+)(_.*)?",
    )
    clips, labels, hygiene = made(run)
    assert len(clips) == 88 and not hygiene["rejected"]
    table = labels.to_pandas().set_index("clip_id")
    window = table.loc["test_5s/HSN_001_20150708_061805_005_010.flac"]
    assert window["place"] == "HSN_001" and window["split"] == "test_5s"
    assert json.loads(window["ebird_code_multilabel"]) == ["whcspa", "daejun"]
    assert (window["ebird_code"], window["recordist"], window["end_time"]) == ("", "", "5.0")
    focal = table.loc["train/XC1001.flac"]
    assert focal["genus"] == "Zonotrichia" and focal["ebird_code_secondary"] == '["norfli"]'
    assert not {"detected_events", "event_cluster", "peaks"} & {*labels.column_names}
    settings = Settings(run).folds("hsn", "birds")
    chosen, summary = folds.choose_clips(labels, settings)
    rows, regimes, left_out = folds.assign(chosen, settings)
    assert regimes == ["grouped", "random", "official"] and not left_out
    assert summary["negatives"] == 12 and list(summary["classes"]) == sorted(BIRDS)
    official = summary["official"]
    assert (official["train"], official["test"], official["groups"]) == (40, 48, 4)
    assert official["groups_on_both"] == 0 and official["classes"] == sorted(BIRDS)
    of_split = rows.to_pandas().query("regime == 'official'").set_index("clip_id")
    assert (of_split["fold"] == np.where(of_split.index.str.startswith("test"), 0, -1)).all()


NAME = "HSN_{site}_{date}_{time}_{begin}_{end}"


def test_windows_of_birdset_alone(birdset):
    run = plan(splits=["test_5s"], tasks=birds(group="site"), name=NAME)
    clips, labels, _ = made(run)
    assert len(clips) == 48
    assert set(labels["site"].to_pylist()) == {"000", "001", "002", "003"}


def test_a_set_of_beans_whose_recordings_are_in_the_column_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = {
        "Unnamed: 0": (value("int64"), pa.int64()),
        "path": ({"_type": "Audio"}, AUDIO),
        "label": (value("string"), pa.string()),
    }

    def rows(first: int, count: int) -> list[dict]:
        return [
            {
                "Unnamed: 0": n,
                "path": {"bytes": sound(300 + 20 * n, "WAV"), "path": f"dog{n % 5}_{n}.wav"},
                "label": f"dog {n % 2}",
            }
            for n in range(first, first + count)
        ]

    for split, first, count in (
        *(("train", 0, 30), ("valid", 30, 10), ("test", 40, 10)),
        ("train_low", 0, 5),  # rows of train once more
    ):
        put(Path(f"hsn/data/{split}-00000-of-00001.parquet"), columns, rows(first, count))
    task = {"target": "label", "group": "dog", "split": "split"}
    pattern = r"dog(?P<dog>\d+)_.*"
    with pytest.raises(Exception, match="'train_low' names no side"):
        run = plan(tasks={"dogs": task}, name=pattern)
        folds.choose_clips(made(run)[1], Settings(run).folds("hsn", "dogs"))
    run = plan(tasks={"dogs": task}, name=pattern, splits=["train", "valid", "test"])
    clips, labels, hygiene = made(run)
    assert len(clips) == 50 and hygiene["identical_audio"]["sets"] == 0
    settings = Settings(run).folds("hsn", "dogs") | {"folds": 2, "inner_folds": 2}
    chosen, summary = folds.choose_clips(labels, settings)
    assert folds.assign(chosen, settings)[1] == ["grouped", "random", "official"]
    assert (summary["official"]["train"], summary["official"]["test"]) == (40, 10)


EVENTS = pa.list_(pa.struct({"ed": pa.float64(), "label": pa.string(), "st": pa.float64()}))


def test_a_detection_set_of_beans_is_cut_into_windows(tmp_path, monkeypatch):
    """Recordings of 8 s with events; the last one was looked through without finding any."""
    monkeypatch.chdir(tmp_path)
    columns = {
        "path": ({"_type": "Audio"}, AUDIO),
        "length": (value("float64"), pa.float64()),
        "annotations": (
            [{"ed": value("float64"), "label": value("string"), "st": value("float64")}],
            EVENTS,
        ),
    }

    def recording(number: int, *events: tuple[float, float, str]) -> dict:
        return {
            "path": {"bytes": sound(500 + number, "WAV", 8.0), "path": f"r{number}.wav"},
            "length": 8.0,
            "annotations": [{"st": st, "ed": ed, "label": label} for st, ed, label in events],
        }

    rows = [recording(0, (0.5, 1.0, "wren"), (0.8, 2.6, "robin")), recording(1)]
    put(Path("hsn/data/train-00000-of-00001.parquet"), columns, rows)
    last = [recording(2, (6.5, 7.5, "wren"))]
    put(Path("hsn/data/test-00000-of-00001.parquet"), columns, last)
    task = {"kind": "multilabel", "target": "label", "group": "file", "split": "split"}
    run = plan(windows="beans_dcase", tasks={"calls": task})
    clips, labels, hygiene = made(run)
    # windows of 2 s, one each second, the end dropped: 7 of each recording
    assert len(clips) == 21 and hygiene["windows"] == {"with_box": 5, "clips": 21}
    assert not hygiene["rejected"]
    table = labels.to_pandas()
    of = {
        name: part.sort_values("start_s")["label"].tolist() for name, part in table.groupby("file")
    }
    none = window_keys.NO_BOX
    # robin lasts 1.8 s: 1.2, 1.6 and .6 s of it are in the first three windows, all above .2
    assert of["train/r0.wav"] == ["robin|wren", "robin", "robin", *[none] * 4]
    assert of["train/r1.wav"] == [none] * 7
    assert of["test/r2.wav"] == [*[none] * 5, "wren", "wren"]
    assert set(table["split"]) == {"train", "test"} and set(table["length"]) == {"8.0"}
    sets = matrix(labels, run.datasets["hsn"]["tasks"]["calls"])
    assert sets.classes == ("robin", "wren") and sets.known.all()


def test_the_preset_of_birdset_keeps_the_last_window_and_any_shared_time():
    entry = {"windows": "birdset", "tasks": {}, "sets": {}}
    window_keys.fill(entry)
    spans = windows.spans_of(12_010_000, entry["windows"])
    assert [(s / 1e6, e / 1e6) for s, e in spans] == [(0, 5), (5, 10), (10, 12.01)]
    boxes = [(4_990_000, 5_010_000), (11_000_000, 11_500_000)]
    assert windows.boxes_of(spans, boxes, entry["windows"]) == [[0], [0], [1]]
