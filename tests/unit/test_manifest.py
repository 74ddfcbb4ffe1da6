"""Clips and labels of what can be used, and the report on what cannot."""

import json
from pathlib import Path

import numpy as np
import pytest

import stage_jobs
from corpus_data import put, put_table, settings, to_manifest, tone
from stratavox import tables
from stratavox.corpus import clips as storing
from stratavox.corpus import inspect, manifest
from stratavox.corpus.labels import label_columns, label_digest
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The folder `data`: two good files, a silent one, a stereo one and three bad rows."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    put(data, "b.wav", tone(seconds=1))
    put(data, "a.wav", tone(2000, rate=44100), 44100)
    put(data, "silent.wav", np.zeros(16000))
    put(data, "stereo.wav", np.stack([tone(), 0.5 * tone()], axis=1))
    put(data, "loud.wav", np.clip(tone(level=2), -1, 1))
    (data / "text.wav").write_text("no audio")
    names = ["b", "gone", "a", "silent", "text", "stereo", "loud", ""]
    rows = [[f"{n}.wav" if n else "", n.upper(), str(i)] for i, n in enumerate(names)]
    put_table(data, [["file", "call", "bird"], *rows, rows[0]])
    return data


def test_clips_are_the_good_rows_sorted_with_what_inspection_measured(data):
    clips, _, _ = to_manifest(data.parent, settings(shards=3))
    kept = ["a.wav", "b.wav", "loud.wav", "silent.wav", "stereo.wav"]
    assert clips["clip_id"].to_pylist() == kept
    assert clips["sample_rate"].to_pylist() == [44100, 16000, 16000, 16000, 16000]
    assert clips["duration_s"].to_pylist() == [0.5, 1.0, 0.5, 1.0, 0.5]
    assert "reason" not in clips.column_names
    assert all(clips["sha256"].to_pylist())


def test_labels_are_those_of_the_kept_clips_in_their_order(data):
    clips, labels, _ = to_manifest(data.parent, settings(shards=3))
    assert labels.column_names == ["clip_id", "file", "call", "bird"]
    assert labels["clip_id"].equals(clips["clip_id"])
    assert labels["call"].to_pylist() == ["A", "B", "LOUD", "SILENT", "STEREO"]
    assert labels["bird"].to_pylist() == ["2", "0", "6", "3", "5"]


def test_the_hygiene_report_counts_and_names(data):
    _, _, hygiene = to_manifest(data.parent, settings(shards=3))
    assert hygiene["rejected"] == [
        {"row": 3, "file": "gone.wav", "reason": "missing file"},
        {
            "row": 6,
            "file": "text.wav",
            "reason": "not audio that can be read (Format not recognised.)",
        },
        {"row": 9, "file": "", "reason": "no file is named in column 'file'"},
    ]
    rest = {key: value for key, value in hygiene.items() if key != "rejected"}
    share = rest.pop("share_above_8khz")
    assert share["median"] == share["max"] < 1e-4
    assert rest == {
        "rows": 9,
        "clips": 5,
        "duplicate_rows": 1,
        "shared_files": ["b.wav"],
        "silent": ["silent.wav"],
        "clipped": 1,
        "longer_than_header": {"files": 0, "first": []},
        "time_expansion": {},
        "sample_rates": {"16000": 4, "44100": 1},
        "channels": {"1": 4, "2": 1},
        "duration_s": {"min": 0.5, "median": 0.5, "max": 1.0, "total": 3.5},
        "channel_policy": "mean",
        "channels_differ": 1,
        "cut_at_file_end": [],
        "trimmed": None,
        "join": None,
        "identical_audio": {"sets": 0, "clips": 0, "differing": {}, "first": []},
        "missing": {},
        "spellings": {},
    }
    json.dumps(hygiene, allow_nan=False)


def test_files_that_segments_share_are_listed_and_no_rate_above_16_khz_is_null(data):
    table = [["file", "on", "off"], ["b.wav", "0", "0.5"], ["b.wav", "0.5", "1"]]
    put_table(data, [*table, ["stereo.wav", "0", "0.5"]])
    clips, _, hygiene = to_manifest(data.parent, settings(start="on", end="off"))
    assert len(clips) == 3
    assert hygiene["shared_files"] == ["b.wav"]
    assert hygiene["share_above_8khz"] is None


def test_too_many_bad_rows_stop_the_run_and_are_listed(data):
    # 3 of 9: the merged repeat is not bad
    to_manifest(data.parent, settings(max_bad=3 / 9))
    with pytest.raises(StratavoxError) as caught:
        to_manifest(data.parent, settings(max_bad=0.33))
    message = str(caught.value)
    assert "data/metadata.csv: 3 of 9 rows cannot be used (33.3%; max_bad allows 33.0%" in message
    assert "row 3: 'gone.wav': missing file" in message
    assert "row 6: 'text.wav': not audio" in message
    assert "raise max_bad" in message


def test_reasons_are_counted_and_the_first_row_of_each_is_named(data):
    put_table(data, [["file"], ["a.wav"], *([f"gone{n}.wav"] for n in range(12))])
    with pytest.raises(StratavoxError) as caught:
        to_manifest(data.parent, settings(max_bad=0.05))
    assert "\n  row 3: 'gone0.wav': missing file (and 11 more like it)\n" in str(caught.value)


def test_a_dataset_without_a_usable_clip_stops_whatever_max_bad_says(data):
    put_table(data, [["file"], ["gone.wav"]])
    with pytest.raises(StratavoxError, match="1 of 1 rows cannot be used .* one clip must be left"):
        to_manifest(data.parent, settings(max_bad=1.0))


def test_a_table_edited_since_the_scan_stops_the_stage(data):
    wanted = settings()
    to_manifest(data.parent, wanted)
    with open(data / "metadata.csv", "a") as file:
        file.write("a.wav,other,1\n")
    with pytest.raises(StratavoxError, match=r"metadata\.csv: changed since .* run .* again"):
        manifest.make(
            wanted,
            data.parent / "scan.parquet",
            [data.parent / "inspect/part-000.parquet"],
            data.parent,
        )


def test_labels_scanned_anew_during_the_run_stop_the_stage(data):
    """They would be written under the key of those that were there when the run began."""
    wanted = settings()
    to_manifest(data.parent, wanted)
    scanned = tables.read_table(data.parent / "scan.parquet")
    columns = label_columns(wanted, data.parent)
    digest = label_digest(scanned, columns, ["file"])
    begun = wanted | {"cells": {"columns": ["file"], "sha256": digest}}
    to_manifest(data.parent, begun)
    put(data, "late.wav")
    with open(data / "metadata.csv", "a") as file:
        file.write("late.wav,other,1\n")
    with pytest.raises(StratavoxError, match="labels changed since the run began; run it again"):
        to_manifest(data.parent, begun)


def test_parts_of_another_scan_stop_the_stage(data):
    wanted = settings()
    to_manifest(data.parent, wanted)
    put_table(data, [["file"], ["a.wav"]])
    scan(wanted, data.parent, data.parent / "scan.parquet")
    with pytest.raises(StratavoxError, match="do not belong to the last scan; delete"):
        manifest.make(
            wanted,
            data.parent / "scan.parquet",
            [data.parent / "inspect/part-000.parquet"],
            data.parent,
        )


def test_the_stages_on_jobs(data):
    """Each as the workflow runs it; a refusal by its command, in a process of its own."""
    wanted, kept = settings(shards=2), {"provenance": {"key": "k"}}
    scan(wanted, data.parent, data.parent / "scan.parquet")
    for shard in ("000", "001"):
        out = {"part": f"part-{shard}.parquet"}
        read = {"scan": "scan.parquet"}
        inspect.run(stage_jobs.job(read, out, wanted, wildcards={"shard": shard}, **kept))
    read = {"scan": "scan.parquet", "inspect": ["part-000.parquet", "part-001.parquet"]}
    outs = {"clips": "c.parquet", "labels": "l.parquet", "hygiene": "h.json"}
    refused = stage_jobs.run("corpus.manifest", read, outs, wanted | {"max_bad": 0.1}, **kept)
    assert refused.returncode == 1
    assert refused.stderr.startswith("stratavox: error: data/metadata.csv: 3 of 9 rows")
    assert "Traceback" not in refused.stderr
    assert not any(Path(name).exists() for name in outs.values())
    manifest.run(stage_jobs.job(read, outs, wanted, **kept))
    assert len(tables.read_table("c.parquet")) == len(tables.read_table("l.parquet")) == 5
    assert tables.read_provenance("l.parquet") == {"key": "k"}
    assert tables.read_json("h.json")["clips"] == 5
    of_one, rate = {"inspect": "part-001.parquet"}, {"rate": "16000"}
    storing.run(stage_jobs.job(of_one, {"clips": "s.parquet"}, wanted, wildcards=rate, **kept))
    assert 0 < len(tables.read_table("s.parquet")) < 5
