"""The synthetic set: the same bytes for the same seed, sizes as asked, truth as told."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from corpus_data import settings, to_manifest
from stratavox import stage, tables
from stratavox.corpus import chorus
from stratavox.corpus.generate import generate

SMALL = {"individuals": 3, "call_types": 4, "renditions": 2}


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def table_of(raw):
    with open(raw / "metadata.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        chorus.write(tmp_path / name, seed=seed, **SMALL)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_more_renditions_and_individuals_leave_the_others_as_they_were(tmp_path):
    chorus.write(tmp_path / "a", **SMALL)
    chorus.write(tmp_path / "b", individuals=4, call_types=4, renditions=3)
    few, many = contents(tmp_path / "a"), contents(tmp_path / "b")
    few.pop("metadata.csv")
    assert few.items() <= many.items()


def test_the_default_set_is_288_calls_of_48_conditions(tmp_path):
    chorus.write(tmp_path)
    rows = table_of(tmp_path)
    assert len(rows) == 288
    cells = {(r["call_type"], r["individual"]) for r in rows}
    assert len(cells) == 48
    assert {r["call_type"] for r in rows} == set(chorus.CALLS)
    sessions = {(r["individual"], r["session"]) for r in rows}
    assert len(sessions) == 24
    assert len({r["session"] for r in rows}) == 24


def test_files_are_as_the_table_says(tmp_path):
    chorus.write(tmp_path, **SMALL)
    for row in table_of(tmp_path):
        samples, rate = sf.read(tmp_path / row["file"])
        assert (rate, sf.info(tmp_path / row["file"]).subtype) == (44100, "PCM_16")
        assert len(samples) / rate == pytest.approx(float(row["duration_s"]), abs=1e-4)
        assert 0.3 <= len(samples) / rate <= 1.5
        assert np.abs(samples).max() < 0.99
        assert samples.std() > 0.003


def loudest_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 16))
    return np.argmax(spectrum) * 44100 / (1 << 16)


def test_pitch_moves_as_the_call_type_says(tmp_path):
    chorus.write(tmp_path, **SMALL)
    moves = {name: [] for name in chorus.CALLS}
    for row in table_of(tmp_path):
        samples, _ = sf.read(tmp_path / row["file"])
        parts = np.array_split(samples, 5)
        start, middle, end = (loudest_hz(parts[n]) for n in (0, 2, 4))
        moves[row["call_type"]].append((np.log2(end / start), np.log2(middle / start)))
        assert middle == pytest.approx(float(row["f0_hz"]), rel=0.25)
    assert all(end > 0.3 for end, _ in moves["rise"])
    assert all(end < -0.3 for end, _ in moves["fall"])
    assert all(abs(end) < 0.15 and middle > 0.15 for end, middle in moves["arch"])
    assert all(abs(end) < 0.05 and abs(middle) < 0.05 for end, middle in moves["trill"])


def test_the_stage_makes_a_set_that_passes_the_other_stages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = Path("results/corpus/chorus/raw")
    generate(SMALL | {"seed": 0, "shards": 2}, raw, tmp_path / "scan.parquet", Path())
    found = tables.read_table("scan.parquet")
    assert found.num_rows == 24
    assert found["reason"].null_count == 24
    assert tables.read_provenance("scan.parquet")["path"] == "results/corpus/chorus/raw"
    clips, labels, hygiene = to_manifest(tmp_path, settings(path=str(raw), shards=2))
    assert len(clips) == 24
    assert {"call_type", "individual", "session", "species", "f0_hz"} <= set(labels.column_names)
    assert (hygiene["rejected"], hygiene["silent"], hygiene["clipped"]) == ([], [], 0)


def test_the_stage_as_a_command(tmp_path):
    line = [sys.executable, "-m", "stratavox.corpus.generate", "--raw", "raw", "--scan"]
    made = subprocess.run(
        [*line, "scan.parquet", "--settings", json.dumps(SMALL | {"shards": 1})],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(stage.__file__).parents[1])},
    )
    assert made.returncode == 0, made.stderr
    chorus.write(tmp_path / "same", **SMALL)
    assert contents(tmp_path / "raw") == contents(tmp_path / "same")
    assert len(tables.read_table(tmp_path / "scan.parquet")) == 24
