"""What goes wrong costs itself only: killed runs, full disks, bad files, unusable tasks.

docs/faults.md lists them; the longer ones are in test_faults_long.py.
"""

import contextlib
import csv
import html
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

import ambush
from damage import damage_each_kind, flip_a_bit, same_tables
from stratavox import tables
from stratavox.audio import decode
from stratavox.corpus.identity import sha256_of, shard_of
from tiny_study import bare, call, jobs, make_dataset, set_up

SCRIPT = "</script><script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"
FORMULA = '=HYPERLINK("http://example.org")'


def wait_for(condition, seconds: float = 120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def works_in(folder: Path) -> bool:
    """Whether a process runs in a folder: Snakemake, a job, or what forks jobs."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            if (process / "cwd").samefile(folder):
                return True
    return False


def test_killed_again_and_again_then_the_same_command(finished, tmp_path):
    """kill -9 of all processes at once, then of workers; in the end the tables are the same.

    As far as the scores, to save time: what follows reads nothing else.
    """
    study = set_up(tmp_path)
    running = study.start("--until", "linear")
    logs = study.here / "results/logs/part"
    wait_for(lambda: list(logs.glob("tiny.*")) or running.poll() is not None)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert list((study.here / ".snakemake/locks").iterdir()), "it was not running any more"
    wait_for(lambda: not works_in(study.here), 10)
    # a shard is embedded when it was inspected, and Snakemake knew it
    done = {"inspect {1} {2}".format(*path.name.split(".")) for path in logs.glob("tiny.*")}
    left = ambush.lay(study, ambush.KILL, "embed.part", "embed.collect", "probe.linear")
    printed = study.snakemake("--until", "linear", ok=False)
    assert not list(left.iterdir()), "a worker was not killed"
    assert "its lock is removed" in printed
    assert done and not done & jobs(printed)
    assert not done & jobs(study.snakemake("--until", "linear"))
    assert same_tables(study.here, finished.here) > 30
    assert jobs(study.snakemake("--until", "linear", "--dry-run")) == set()
    assert not [path for path in (study.here / "results").rglob(".*.parquet")]


def test_a_second_run_on_the_same_folder_is_refused(tmp_path):
    study = set_up(tmp_path)
    first = study.start()
    try:
        wait_for(lambda: list((study.here / ".snakemake/locks").glob("*.lock")))
        assert "cannot be locked" in study.snakemake(ok=False)
        assert first.poll() is None
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()


@pytest.fixture
def small_disk(tmp_path):
    """A study of one dataset whose working directory is a disk of 8 MB of its own.

    It must be one: only a disk that is full answers "No space left on device", and root, who runs
    the tests of many a machine, may write to any folder that is not on a read-only disk.
    """
    study = bare(tmp_path)
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(study.here)]
    mounted = subprocess.run(words, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here, so none can be full: {mounted.stderr.strip()}")
    try:
        make_dataset(study.here / "data/wood", seed=0)
        entry = {"source": "folder", "path": "data/wood", "table": "calls.csv", "file": "name"}
        tasks = {"kind": {"target": "kind", "kind": "classification", "group": "bird"}}
        study.config = {
            "run": {"datasets": ["wood"], "encoders": ["logmel"]},
            "datasets": {"wood": entry | {"shards": 2, "tasks": tasks}},
        }
        yield study
    finally:
        subprocess.run(["umount", "--lazy", str(study.here)], check=True)


def test_a_full_disk_and_a_read_only_one(small_disk, finished):
    """Each is one sentence; once it is mended, the same command ends with the same tables."""
    study, room = small_disk, small_disk.here / "room"
    command = ("--until", "clips")
    (study.here / "results").mkdir()
    remount = ["mount", "-o", "remount,{}", str(study.here)]
    subprocess.run([word.format("ro") for word in remount], check=True)
    printed = study.snakemake(*command, ok=False)
    subprocess.run([word.format("rw") for word in remount], check=True)
    assert f"{study.here}: cannot be written to: it is read-only" in printed
    assert "Traceback" not in printed
    # room for one part of clips and not for two
    free = os.statvfs(study.here)
    room.write_bytes(bytes(free.f_bavail * free.f_bsize - 260_000))
    printed = study.snakemake(*command, ok=False)
    assert "cannot be written (No space left on device)" in printed
    assert "results/clips/wood/16000/part-00" in printed
    room.unlink()
    study.snakemake(*command)
    assert same_tables(study.here, finished.here) == 4
    assert not [path for path in (study.here / "results").rglob(".*.parquet")]


def test_a_recording_replaced_during_the_run_is_told_and_never_mixed(study):
    name = "audio/bird0_0_0.wav"
    old = study.here / "data/wood" / name
    generator = np.random.default_rng(99)
    soundfile.write(old, call(generator, 0, 0), 16000)
    new = study.folder / "new.wav"
    soundfile.write(new, call(generator, 1, 0), 16000)
    sound, sha256 = soundfile.read(new, dtype="float32")[0], sha256_of(new)
    replace = ambush.REPLACE.format(new=str(new), old=str(old))
    ambush.lay(study, replace, "corpus.clips")
    printed = study.snakemake("--until", "clips", ok=False)
    assert f"{name}: changed since it was scanned" in printed and not new.exists()
    study.snakemake("--until", "clips")
    shard = f"part-{shard_of(name, 2):03d}.parquet"
    for kind in ("corpus/wood/inspect", "clips/wood/16000"):
        rows = tables.read_table(study.here / "results" / kind / shard).to_pylist()
        (row,) = (row for row in rows if row["clip_id"] == name)
        if "audio" in row:
            np.testing.assert_array_equal(decode(row["audio"]["bytes"])[0], sound)
        else:
            assert row["sha256"] == sha256


def test_a_broken_table_of_any_kind_is_named_and_made_again(study, planned):
    """Whatever reads it, or nothing: the next run sees the end of each table of its own."""
    (study.here / "results/embeddings/tiny/wood/block_01.parquet").unlink()
    broken = damage_each_kind(study, planned)
    printed = study.snakemake("--dry-run")
    for path, stage in broken.items():
        assert f"{path}: not a whole Parquet file" in printed, stage
        assert any(job.split()[0] == stage for job in jobs(printed)), stage
    assert "results/embeddings/tiny/wood/block_01.parquet: no longer there" in printed
    assert "collect tiny wood" in jobs(printed)


def test_a_page_that_changed_on_the_disk_is_found_by_its_reader(study, finished):
    """It is named and set aside; the same command makes it anew, and no more than that is stale."""
    part = study.here / "results/corpus/wood/inspect/part-000.parquet"
    sound = part.read_bytes()
    flip_a_bit(part)
    study.write_rows("wood", [row | {"day": "a day"} for row in study.rows("wood")])
    printed = study.snakemake("--until", "manifest", ok=False)
    assert f"{part.relative_to(study.here)}: not a whole Parquet file" in printed
    assert "set aside as part-000.parquet.broken" in printed and "Traceback" not in printed
    assert jobs(study.snakemake("--until", "manifest")) == {"inspect wood 000", "manifest wood"}
    assert part.read_bytes() == sound
    assert study.stale() == {"summary"}


def test_a_bad_file_costs_itself_only(study):
    """A truncated recording is listed with its reason; every other clip stays."""
    bad = study.here / "data/wood/audio/bird0_0_0.wav"
    bad.write_bytes(bad.read_bytes()[:20])
    study.snakemake("--until", "collect", "manifest")
    hygiene = json.loads((study.here / "results/corpus/wood/hygiene.json").read_text())
    assert [row["file"] for row in hygiene["rejected"]] == ["audio/bird0_0_0.wav"]
    assert hygiene["clips"] == 35
    kept = tables.read_table(study.here / "results/embeddings/tiny/wood/block_00.parquet")
    assert len(kept) == 35 and "audio/bird0_0_0.wav" not in kept["clip_id"].to_pylist()
    assert "summary" in study.stale()


def test_too_many_bad_files_stop_the_run_and_keep_what_was_there(study):
    for path in sorted((study.here / "data/wood/audio").iterdir())[:5]:
        path.write_bytes(b"RIFF")
    before = (study.here / "results/scores/tiny/field/kind.parquet").read_bytes()
    printed = study.snakemake("--until", "manifest", ok=False)
    assert "5 of 36" in printed and "max_bad" in printed and "bird0_0_0.wav" in printed
    assert (study.here / "results/scores/tiny/field/kind.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (
            lambda c: c["datasets"]["wood"].update(path="data/wod"),
            ["datasets.wood", "data/wod", "no such folder"],
        ),
        (
            lambda c: c["datasets"]["wood"]["tasks"]["kind"].update(target="knid"),
            ["datasets.wood", "tasks.kind.target", "'knid'", "name, kind, bird, day"],
        ),
        (
            lambda c: c["datasets"]["wood"].update(file="nmae"),
            ["datasets.wood", "'nmae'", "name", "kind", "bird"],
        ),
        (
            lambda c: c["datasets"]["wood"].update(shrads=3),
            ["datasets.wood", "'shrads'", "did you mean 'shards'"],
        ),
        (
            lambda c: c["encoders"]["tiny"].update(path="encodr"),
            ["encoders.tiny", "encodr"],
        ),
    ],
    ids=["folder", "target", "file column", "key", "encoder"],
)
def test_config_is_refused_before_anything_runs(study, change, parts):
    config = study.config
    change(config)
    study.config = config
    printed = study.snakemake("--dry-run", ok=False)
    for part in parts:
        assert part in printed
    assert "Traceback" not in printed


def refused_task(study, parts):
    """The run ends in an error with these ``parts``; embeddings and the other dataset are kept."""
    paths = [
        study.here / f"results/{name}"
        for name in ("embeddings/tiny/wood/block_00.parquet", "scores/tiny/field/kind.parquet")
    ]
    before = [path.read_bytes() for path in paths]
    printed = study.snakemake("--until", "folds", ok=False)
    for part in parts:
        assert part in printed
    assert [path.read_bytes() for path in paths] == before


def test_more_folds_than_groups(study):
    config = study.config
    config["datasets"]["wood"]["probes"] = {"folds": 9}
    study.config = config
    refused_task(study, ["datasets.wood.tasks.kind", "9 folds", "'bird' has 6", "6 or fewer"])


def test_a_task_with_one_class(study):
    rows = study.rows("wood")
    study.write_rows("wood", [row | {"one": "the same"} for row in rows])
    config = study.config
    config["datasets"]["wood"]["tasks"]["kind"]["target"] = "one"
    study.config = config
    refused_task(study, ["datasets.wood.tasks.kind", "1 of 1 classes", "'one'", "at least 2"])


def test_names_that_a_shell_or_a_page_could_take_for_its_own(tmp_path):
    """Folders, a recording, labels, groups and an encoder named so as to run code somewhere."""
    shell = """it's a "b\u00fcrd" $(touch pwned) `touch pwned`; touch pwned"""
    (tmp_path / shell).mkdir()
    study = set_up(tmp_path / shell)
    shell += " {wildcards.here}"
    config = study.config
    config["run"] = {"datasets": ["wood"], "encoders": ["tiny"]}
    config["datasets"]["wood"] |= {
        "path": f"data/{shell}",
        "recording": "day",
        "confounds": ["day"],
    }
    config["encoders"]["tiny"]["path"] = f"{IMAGE} {shell}"
    study.config = config
    rows = study.rows("wood")
    odd = f"audio/{shell} <script>\n&& touch pwned.wav"
    (study.here / "data/wood" / rows[0]["name"]).rename(study.here / "data/wood" / odd)
    rows[0]["name"] = odd
    for row in rows:
        row["kind"] = row["kind"].replace("kind 1", SCRIPT).replace("kind 2", FORMULA)
        row["bird"] = row["bird"].replace("bird 1", IMAGE)
        row["day"] = row["day"].replace("day 1", f'"{IMAGE}')
    study.write_rows("wood", rows)
    (study.here / "data/wood").rename(study.here / config["datasets"]["wood"]["path"])
    (study.here / "encoder").rename(study.here / config["encoders"]["tiny"]["path"])
    study.snakemake()
    clips = tables.read_table(study.here / "results/corpus/wood/clips.parquet")
    assert odd in clips["clip_id"].to_pylist() and len(clips) == 36
    assert not list(tmp_path.rglob("pwned*"))
    pages = list((study.here / "results").rglob("*.html"))
    assert len(pages) > 5
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert SCRIPT not in text and IMAGE not in text, page
    summary = (study.here / "results/report/summary.html").read_text(encoding="utf-8")
    assert html.escape(SCRIPT) in summary and html.escape(IMAGE) in summary
    for drawing in (study.here / "results/figures/wood").rglob("*.svg"):
        for element in ElementTree.parse(drawing).iter():
            assert not element.tag.endswith(("script", "img", "foreignObject")), drawing
            assert not [name for name in element.attrib if name.startswith("on")], drawing
    for table in (study.here / "results/tables").iterdir():
        with open(table, newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(FORMULA[0])], table


def test_tables_for_people_equal_the_estimates(finished):
    """The CSVs that the report links hold the estimates, row by row."""
    with open(finished.here / "results/tables/wood.kind.estimates.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = tables.read_table(
        finished.here / "results/answers/wood/kind/estimates.parquet"
    ).to_pylist()
    assert len(rows) == len(kept) > 0
    for row, truth in zip(rows, kept, strict=True):
        assert row["readout"] == truth["readout"]
        assert float(row["value"]) == pytest.approx(truth["value"])
