"""Windows of long recordings get the labels of the boxes that they share time with."""

import random
from pathlib import Path

import numpy as np
import pytest
import yaml

from annotation_files import put_raven
from corpus_data import put, put_table, to_manifest, tone
from stage_jobs import default_config
from stratavox import config
from stratavox.corpus import window_keys, windows
from stratavox.corpus.identity import good
from stratavox.corpus.label_sets import matrix
from stratavox.corpus.labels import labels_of
from stratavox.errors import StratavoxError
from stratavox.plan import Plan
from stratavox.settings import Settings

BIRDS = {"birds": {"kind": "multilabel", "target": "Species", "group": "file"}}
RAVEN = {"annotations": {"format": "raven", "label": "Species"}}
TABLE = {"table": "boxes.csv", "file": "file", "start": "start", "end": "end"}


def keys(length_s, hop_s, overlap=0.2, of="shorter", partial="drop") -> dict:
    entry = {"length_s": length_s, "hop_s": hop_s, "overlap": overlap}
    return entry | {"of": of, "partial": partial}


def spans(seconds: float, *args, **more) -> list[tuple[float, float]]:
    whole = windows.spans_of(round(seconds * 1e6), keys(*args, **more))
    return [(start / 1e6, end / 1e6) for start, end in whole]


def test_windows_cover_a_recording_and_the_last_part_is_dropped_or_kept():
    assert spans(12, 5, 5) == [(0, 5), (5, 10)]
    assert spans(12, 5, 5, partial="keep") == [(0, 5), (5, 10), (10, 12)]
    assert spans(10, 5, 5, partial="keep") == [(0, 5), (5, 10)]
    assert spans(12, 5, 3, partial="keep") == [(0, 5), (3, 8), (6, 11), (9, 12)]
    assert spans(3, 5, 5) == []
    assert spans(3, 5, 5, partial="keep") == [(0, 3)]


def test_presets_label_windows_as_beans_does():
    """Against the rule of BEANS, written anew in seconds and with NumPy's floor."""
    draw = random.Random(3)
    for preset, (length, hop) in window_keys.BEANS.items():
        entry = {"windows": preset, "tasks": {}, "sets": {}}
        window_keys.fill(entry)
        duration = draw.uniform(40, 60)
        found = [
            (s / 1e6, e / 1e6) for s, e in windows.spans_of(round(duration * 1e6), entry["windows"])
        ]
        starts = np.arange(int((duration - length) / hop) + 1) * hop
        assert found == [(s, s + length) for s in starts], preset
        boxes = []
        for _ in range(60):
            start = draw.uniform(0, duration)
            boxes.append((start, min(duration, start + draw.expovariate(1 / 3) + 0.01)))
        as_us = [(round(s * 1e6), round(e * 1e6)) for s, e in boxes]
        in_us = [(round(s * 1e6), round(e * 1e6)) for s, e in found]
        held = windows.boxes_of(in_us, as_us, entry["windows"])
        for (start, end), mine in zip(found, held, strict=True):
            theirs = [
                number
                for number, (onset, offset) in enumerate(boxes)
                if (min(end, offset) - max(start, onset)) / min(end - start, offset - onset) > 0.2
            ]
            assert mine == theirs


@pytest.mark.parametrize(
    ("box", "of", "overlap", "expected"),
    [
        ((4.0, 6.0), "box", 0.4, [0, 1]),  # half of the box in each
        ((4.0, 6.0), "box", 0.6, []),
        ((4.0, 6.0), "window", 0.3, []),  # a fifth of each window
        ((1.0, 5.5), "window", 0.5, [0]),
        ((4.9, 6.0), "box", 0, [0, 1]),
        ((5.0, 6.0), "box", 0, [1]),  # touching is no shared time
        ((1.0, 2.0), "box", 1, [0]),  # all of it
        ((0.0, 10.0), "window", 1, [0, 1]),
    ],
)
def test_the_share_is_of_the_box_or_of_the_window(box, of, overlap, expected):
    entry = keys(5, 5, overlap, of)
    us = [(round(box[0] * 1e6), round(box[1] * 1e6))]
    held = windows.boxes_of(windows.spans_of(10_000_000, entry), us, entry)
    assert [number for number, boxes in enumerate(held) if boxes] == expected


@pytest.fixture
def here(tmp_path, monkeypatch):
    """a: 12 s with boxes; b: 10 s, looked through without finding any; c: not annotated."""
    monkeypatch.chdir(tmp_path)
    for name, seconds in (("a", 12), ("b", 10), ("c", 10)):
        put(tmp_path / "data", f"{name}.wav", tone(seconds=seconds, rate=8000), 8000)
    return tmp_path


def annotate(here, boxes) -> None:
    put_raven(here / "data", "a.txt", boxes)
    put_raven(here / "data", "b.txt", [])


def plan(source=RAVEN, tasks=BIRDS, windows_=None, **more) -> Plan:
    changed = default_config()
    entry = {"source": "folder", "path": "data", "shards": 2, "max_bad": 0.5, "tasks": tasks}
    entry |= {"windows": windows_ or {"length_s": 5}} | source | more
    changed["datasets"] = {"birds": entry}
    changed["run"] = {"datasets": ["birds"], "encoders": ["logmel"]}
    changed["encoders"] = {"logmel": changed["encoders"]["logmel"]}
    changed["probes"] = {}
    return Plan(changed, Path())


def clips(made: Plan) -> dict[str, str]:
    """The label of each clip, by its id."""
    labels = read(made)
    return dict(zip(labels["clip_id"].to_pylist(), labels["Species"].to_pylist(), strict=True))


def read(made: Plan):
    scan = made.root / "results/corpus/birds/scan.parquet"
    scanned = made.scans["birds"]
    return labels_of(Settings(made).tables("birds"), scan, good(scanned), made.root)


def reasons(made: Plan) -> list[str]:
    return [reason for reason in made.scans["birds"]["reason"].to_pylist() if reason]


def test_windows_of_annotated_recordings_with_negatives(here):
    annotate(here, [(1, 2, "wren"), (4, 8, "robin"), (4.5, 5.5, "wren"), (11, 12, "tit")])
    made = plan()
    assert clips(made) == {
        "a.wav@0.000000-5.000000": "robin|wren",
        "a.wav@5.000000-10.000000": "robin|wren",
        "b.wav@0.000000-5.000000": "no box",
        "b.wav@5.000000-10.000000": "no box",
    }
    assert len(reasons(made)) == 1 and "no annotation file" in reasons(made)[0]
    labels = read(made)
    assert labels["boxes"].to_pylist() == ["3", "2", "0", "0"]
    sets = matrix(labels, made.datasets["birds"]["tasks"]["birds"])
    assert sets.classes == ("robin", "wren")
    assert sets.known.all()
    assert sets.present.tolist() == [[True, True], [True, True], [False, False], [False, False]]


def test_the_report_counts_windows_with_and_without_boxes(here):
    annotate(here, [(1, 2, "wren"), (2, 3, "tit")])
    clips, labels, hygiene = to_manifest(here, plan().corpus_settings("birds"))
    assert clips["duration_s"].to_pylist() == [5.0] * 4
    assert hygiene["windows"] == {"with_box": 1, "clips": 4}
    assert (hygiene["unannotated_first"], hygiene["rejected"]) == (["c.wav"], [])


def test_moving_or_renaming_a_box_changes_labels_but_no_clip(here):
    annotate(here, [(1, 2, "wren"), (6, 7, "robin")])
    before = plan()
    first = clips(before)
    annotate(here, [(6, 7, "wren"), (8, 9, "tit"), (1, 2, "robin")])
    after = plan()
    old, new = Settings(before), Settings(after)
    for shard in before.shards("birds"):
        assert old.shard("birds", shard) == new.shard("birds", shard)
    assert first != clips(after)
    assert first.keys() == clips(after).keys()
    assert old.folds("birds", "birds") != new.folds("birds", "birds")
    # and another geometry does change them
    other = Settings(plan(windows_={"length_s": 4}))
    assert other.shard("birds", "000") != new.shard("birds", "000")


def test_a_window_whose_boxes_have_no_label_is_unknown_and_not_a_negative(here):
    annotate(here, [(1, 2, "?"), (6, 7, "?"), (8, 9, "wren")])
    made = plan()
    labels = [
        clips(made)[f"a.wav@{bounds}"] for bounds in ("0.000000-5.000000", "5.000000-10.000000")
    ]
    assert labels == ["", "wren"]
    sets = matrix(read(made), made.datasets["birds"]["tasks"]["birds"])
    assert sets.known.tolist() == [False, True, True, True]


def table(here, *rows) -> None:
    put_table(here / "data", [["file", "start", "end", "Species", "site"], *rows], "boxes.csv")


def test_windows_of_a_table_with_several_boxes(here):
    table(
        here,
        *[["a.wav", "1", "2", "wren", "wood"], ["a.wav", "1.5", "3", "tit", "wood"]],
        # looked through, without finding any
        ["b", "", "", "", "field"],
        *[["a.wav", "x", "3", "tit", "wood"], ["lost.wav", "1", "3", "tit", "wood"]],
    )
    made = plan(TABLE)
    found = read(made)
    assert found["Species"].to_pylist() == ["tit|wren", "no box", "no box", "no box"]
    assert found["site"].to_pylist() == ["wood", "wood", "field", "field"]
    assert found["file"].to_pylist() == ["a.wav", "a.wav", "b.wav", "b.wav"]
    lost = reasons(made)
    assert len(lost) == 2 and "'x' is not a number" in lost[0] and "missing file" in lost[1]


def test_a_column_that_differs_between_boxes_of_a_recording_is_no_column_of_windows(here):
    table(here, ["a.wav", 1, 2, "wren", "x"], ["a.wav", 3, 4, "tit", "y"])
    site = {"site": {"target": "site", "group": None}}
    with pytest.raises(StratavoxError, match="no column 'site'.*one value in each recording"):
        plan(TABLE, BIRDS | site)


def test_times_of_another_unit_are_refused_with_the_unit_that_fits(here):
    table(here, *[["a.wav", 1000 * k, 1000 * k + 700, "wren", "x"] for k in range(1, 10)])
    with pytest.raises(StratavoxError, match=r"9 of 9 boxes begin after.*write units: ms"):
        plan(TABLE)
    table(here, *[["a.wav", f"{200 + k}", f"{200 + k}.01", "wren", "x"] for k in range(1, 10)])
    with pytest.raises(StratavoxError, match="9 of 9 boxes begin after.*correct units or"):
        plan(TABLE)


@pytest.mark.parametrize("label", ["wren|tit", "no box"])
def test_a_label_that_could_be_taken_for_others_is_refused(here, label):
    table(here, ["a.wav", 1, 2, "wren", "x"], ["a.wav", 1, 2, label, "x"])
    with pytest.raises(StratavoxError, match=r"boxes\.csv: row 3: found the label"):
        plan(TABLE)


def test_a_recording_shorter_than_a_window_is_listed(here):
    table(here, ["a.wav", 1, 2, "wren", "x"], ["b.wav", 3, 4, "tit", "y"])
    assert (
        "lasts 10 s, less than a window of 11 s"
        in reasons(plan(TABLE, windows_={"length_s": 11}))[0]
    )
    kept = plan(TABLE, windows_={"length_s": 11, "partial": "keep"})
    assert clips(kept) == {
        **{"a.wav@0.000000-11.000000": "wren", "a.wav@11.000000-12.000000": "no box"},
        "b.wav@0.000000-10.000000": "tit",
    }


def test_overlapping_windows_are_marked(here):
    table(here, ["a.wav", 1, 2, "wren", "x"])
    assert set(
        read(plan(TABLE, windows_={"length_s": 5, "hop_s": 2.5}))["overlaps"].to_pylist()
    ) == {"yes"}
    assert set(read(plan(TABLE))["overlaps"].to_pylist()) == {"no"}


def test_fields_of_names_are_columns_of_windows(here):
    put(here / "data", "wood_3.wav", tone(seconds=6, rate=8000), 8000)
    put_raven(here / "data", "wood_3.txt", [(1, 2, "wren")])
    made = plan(
        tasks={"birds": BIRDS["birds"] | {"group": "site"}},
        name="{site}_{night}",
        windows_={"length_s": 3},
    )
    assert read(made)["site"].to_pylist() == ["wood", "wood"]


def refused(entry: dict) -> str:
    changed = default_config()
    changed["datasets"]["birds"] = {"source": "folder", "path": "data"} | entry
    with pytest.raises(StratavoxError) as error:
        config.check(changed)
    return str(error.value)


def test_what_a_dataset_with_windows_may_say():
    one = {"windows": {"length_s": 5}, "tasks": BIRDS}
    assert "windows need boxes" in refused(one | {"table": "a.csv", "file": "file"})
    assert "not with windows" in refused(
        RAVEN | one | {"tasks": {"birds": BIRDS["birds"] | {"separator": ";"}}}
    )
    plain = {"birds": {"target": "Species", "group": None}}
    assert "no task has kind: multilabel" in refused(TABLE | one | {"tasks": plain})
    assert "beans_dcase" in refused(RAVEN | one | {"windows": "beans"})
    assert "length_s" in refused(RAVEN | one | {"windows": {}})


def test_the_schema_names_every_preset():
    dataset = yaml.safe_load(config.SCHEMA.read_text(encoding="utf-8"))["$defs"]["dataset"]
    named = dataset["properties"]["windows"]["oneOf"][0]["enum"]
    assert set(named) == set(window_keys.PRESETS)
