"""A published archive as a dataset: planned offline, fetched once, stale for good reasons.

No encoder runs here: how scores follow from clips is the other tests' matter.
"""

import sys
from pathlib import Path

import pytest

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
