"""What goes wrong costs itself only: a killed run, bad files, a task that cannot be tested."""

import csv
import html
import json
import os
import signal
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from stratavox import tables
from tiny_study import jobs, set_up

SCRIPT = "</script><script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"
FORMULA = '=HYPERLINK("http://example.org")'


def same_tables(one: Path, other: Path) -> int:
    """Assert that the tables of ``one`` hold the rows of ``other``'s; return how many."""
    paths = sorted(path.relative_to(one) for path in (one / "results").rglob("*.parquet"))
    paths = [path for path in paths if path.name != "scan.parquet"]  # it holds the files' times
    for path in paths:
        first, second = tables.read_table(one / path), tables.read_table(other / path)
        assert first.column_names == second.column_names, path
        for name in first.column_names:
            if name == "embedding" or str(first[name].type).startswith("fixed_size_list"):
                a, b = (tables.embedding_matrix(table[name]) for table in (first, second))
                np.testing.assert_allclose(a, b, atol=1e-5, err_msg=f"{path} {name}")
            elif str(first[name].type) in ("double", "float"):
                a, b = (np.array(table[name].to_pylist(), dtype=float) for table in (first, second))
                np.testing.assert_allclose(a, b, atol=1e-4, err_msg=f"{path} {name}")
            else:
                assert first[name].equals(second[name]), f"{path} {name}"
    return len(paths)


def wait_for(condition, seconds: float = 120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_killed_while_embedding_then_the_same_command(finished, tmp_path):
    """kill -9 of Snakemake and its children; the same command ends with the same tables.

    As far as the scores, to save time: what follows reads nothing else.
    """
    study = set_up(tmp_path)
    running = study.start("--until", "linear")
    logs = study.here / "results/logs/part"
    wait_for(lambda: list(logs.glob("tiny.*")) or running.poll() is not None)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert list((study.here / ".snakemake/locks").iterdir()), "it was not running any more"
    # a dataset's clips are embedded when all of them were inspected, and Snakemake knew it
    embedding = {path.name.split(".")[1] for path in logs.glob("tiny.*")}
    done = {f"inspect {dataset} {shard}" for dataset in embedding for shard in ("000", "001")}
    printed = study.snakemake("--until", "linear")
    assert "its lock is removed" in printed
    assert done and not done & jobs(printed)
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
    config["run"]["datasets"] = ["wood"]
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
        text = page.read_text(encoding="utf-8").replace(get_plotlyjs(), "")
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
        told = list(csv.DictReader(file))
    kept = tables.read_table(
        finished.here / "results/answers/wood/kind/estimates.parquet"
    ).to_pylist()
    assert len(told) == len(kept) > 0
    for row, truth in zip(told, kept, strict=True):
        assert row["readout"] == truth["readout"]
        assert float(row["value"]) == pytest.approx(truth["value"])
