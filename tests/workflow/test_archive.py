"""A published archive as a dataset: planned offline, fetched once, stale for good reasons.

No encoder runs here: how scores follow from clips is the other tests' matter.
"""

import io
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
import soxr

from tiny_study import bare, jobs

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))
import archive_data as data  # noqa: E402

CLIPS = "results/corpus/otters/clips.parquet"
CORPUS = {"fetch otters", "arrange otters", "inspect otters 000", "inspect otters 001"}


@pytest.fixture
def otters(tmp_path):
    """A working directory whose dataset is an archive that a server on loopback has."""
    study = bare(tmp_path)
    data.otter_archive(tmp_path / "site/giant_otters.zip", most=2)
    study.config = {
        "run": {"datasets": ["otters"], "encoders": ["logmel"]},
        "datasets": {
            "otters": {
                "source": "archive",
                "archive": "giant_otter",
                "shards": 2,
                "tasks": {"call": {"target": "call_type", "kind": "classification", "group": None}},
            }
        },
        "downloads": {"folder": "cache", "archives": "own.yaml"},
    }
    with data.serving(tmp_path / "site") as server:
        file = server.file("giant_otters.zip")
        entry = data.entry("giant_otter", [file])
        data.write_table(study.here / "own.yaml", giant_otter=entry)
        yield study, server


def test_planned_offline_fetched_once_and_stale_with_its_content_alone(otters):
    study, server = otters
    planned = study.stale()
    assert CORPUS | {"manifest otters", "folds otters call", "summary"} <= planned
    assert server.requests == [] and not (study.here / "cache").exists()

    assert jobs(study.snakemake(CLIPS)) == CORPUS | {"manifest otters"}
    assert len(server.requests) == 1
    cached = study.here / "cache/archives/giant_otter/giant_otters.zip"
    assert cached.stat().st_mode & 0o777 == 0o444

    # the archive stands elsewhere now, its address too, and a part of it was left
    (study.here / "cache").rename(study.here / "elsewhere")
    study.config = study.config | {"downloads": {"folder": "elsewhere", "archives": "own.yaml"}}
    file = server.file("giant_otters.zip")
    moved = data.entry("giant_otter", [file | {"address": "http://127.0.0.1:9/otters.zip"}])
    data.write_table(study.here / "own.yaml", giant_otter=moved)
    part = study.here / "elsewhere/archives/giant_otter/giant_otters.zip.part"
    part.write_bytes(b"left by a killed run")
    assert jobs(study.snakemake("--dry-run", CLIPS)) == set()

    # a new archive at the address
    changed = data.entry("giant_otter", [file | {"checksum": "md5:" + "0" * 32}])
    data.write_table(study.here / "own.yaml", giant_otter=changed)
    assert jobs(study.snakemake("--dry-run", CLIPS)) == CORPUS | {"manifest otters"}
    assert len(server.requests) == 1


def test_syllables_of_an_archive_are_clips_within_its_songs(tmp_path):
    study = bare(tmp_path)
    notes = [(640 * n, 480, "ab"[n % 2]) for n in range(12)]
    birds = {bird: [("0.wav", 3200, notes), ("1.wav", 0, notes)] for bird in ("Bird0", "Bird1")}
    data.bengalese_archive(tmp_path / "site/article.zip", birds)
    task = {"target": "label", "group": "song", "min_clips": 2}
    study.config = {
        "run": {"datasets": ["birds"], "encoders": ["logmel"]},
        "datasets": {
            "birds": {
                **{"source": "archive", "archive": "bengalese_finch", "shards": 1},
                "tasks": {"syllable": task},
            }
        },
        "downloads": {"folder": "cache", "archives": "own.yaml"},
    }
    with data.serving(tmp_path / "site") as server:
        entry = data.entry("bengalese_finch", [server.file("article.zip")])
        data.write_table(study.here / "own.yaml", bengalese_finch=entry)
        clips, audio = (
            "results/corpus/birds/clips.parquet",
            "results/clips/birds/16000/part-000.parquet",
        )
        study.snakemake(clips, audio)
    rows = pq.read_table(study.here / clips).to_pylist()
    assert len(rows) == 48 and {row["duration_s"] for row in rows} == {0.015}
    # a clip's audio is the song's between the note's samples, at the encoder's rate
    first = next(row for row in rows if row["file"] == "Bird0/0.wav" and row["start_s"] == 0.1)
    song, rate = soundfile.read(study.here / "results/corpus/birds/raw/Bird0/0.wav")
    made = {
        row["clip_id"]: row["audio"]["bytes"]
        for row in pq.read_table(study.here / audio).to_pylist()
    }
    wave, _ = soundfile.read(io.BytesIO(made[first["clip_id"]]))
    assert rate == 32000 and len(wave) == 240
    own = soxr.resample(song[3200:3680], 32000, 16000, quality="HQ")
    assert abs(wave - own[: len(wave)]).max() < 1e-4
