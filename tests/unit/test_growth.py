"""Planning and the corpus stages grow with a study, not with its square: calls are counted."""

import contextlib
import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from snakemake.iocontainers import Wildcards

import corpus_data
import stage_jobs
from stratavox import snakemake_internals
from stratavox.corpus import labels, scan, user_table, windows

# Twice the size may take this many times the calls of any function.
GROWTH = 2.5
STUB = {
    "family": "module",
    "factory": "stub.build",
    "path": str(stage_jobs.ROOT / "benchmarks/stub"),
    "arguments": {"blocks": 2, "width": 8},
    "weights": "random",
    "seed": 0,
    "rate": 16000,
    "context_s": 10,
    "grid": {"size": 800, "hop": 800},
    "blocks": "blocks",
    "layout": "batch tokens width",
}


def calls(work: Callable[[], object]) -> dict[tuple, int]:
    """How often ``work`` calls each function of this project."""
    profile = cProfile.Profile()
    profile.runcall(work)
    counted = {where: n for where, (_, n, *_) in pstats.Stats(profile).stats.items()}
    own = (str(stage_jobs.ROOT / "workflow"), str(stage_jobs.ROOT / "rules"))
    return {where: n for where, n in counted.items() if where[0].startswith(own)}


def superlinear(small: dict[tuple, int], large: dict[tuple, int]) -> dict[tuple, tuple]:
    """The functions of which the larger work has too many calls, with both numbers."""
    return {
        where: (small.get(where, 0), number)
        for where, number in large.items()
        if number > 100 and number > GROWTH * small.get(where, 0)
    }


def study(folder: Path, tasks: int) -> Path:
    """A folder with the config of a study of eight recordings."""
    folder.mkdir()
    rows = [[f"{n}.wav", f"kind {n % 2}", f"bird {n % 4}"] for n in range(8)]
    corpus_data.put_table(folder / "data", [["file", "kind", "bird"], *rows])
    for name, *_ in rows:
        corpus_data.put(folder / "data", name)
    entry = {"source": "folder", "path": "data", "table": "metadata.csv", "file": "file"}
    entry["tasks"] = {f"task_{n}": {"target": "kind", "group": "bird"} for n in range(tasks)}
    run = {"datasets": ["birds"], "encoders": ["stub"]}
    text = yaml.safe_dump({"run": run, "datasets": {"birds": entry}, "encoders": {"stub": STUB}})
    (folder / "run.yaml").write_text(text, encoding="utf-8")
    return folder


def describe(folder: Path) -> None:
    """Describe all jobs of a study: their keys, commands, threads and memory."""
    with contextlib.chdir(folder):
        names = snakemake_internals.load(stage_jobs.ROOT / "Snakefile", folder / "run.yaml", folder)
        rules, described = names["JOBS"]._rules, set()
        for path in sorted(names["JOBS"].outputs):
            rule, values = rules.producer(path)
            if (job := (rule.name, *values.values())) in described:
                continue
            described.add(job)
            wildcards = Wildcards(fromdict=values)
            read, *_ = rule.expand_input(wildcards)
            written, _ = rule.expand_output(wildcards)
            rule.params.job(wildcards, input=read, output=written)
            rule.expand_resources(wildcards, read, 1)


def of(counted: dict[tuple, int], function: Callable) -> int:
    code = function.__code__
    return counted.get((code.co_filename, code.co_firstlineno, code.co_name), 0)


def test_twice_the_tasks_are_planned_with_twice_the_calls(tmp_path):
    folders = study(tmp_path / "small", 5), study(tmp_path / "large", 10)
    describe(folders[0])  # fills caches of what is the same in all runs
    small, large = (calls(lambda folder=folder: describe(folder)) for folder in folders)
    assert not superlinear(small, large)
    # labels are hashed for each set of columns, not for each job: they may be of 20,000 clips
    assert 0 < of(large, labels.label_digest) == of(small, labels.label_digest) < 10


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """A function that lists ``count`` clips of one recording; ``bounded`` or without bounds."""
    monkeypatch.chdir(tmp_path)
    corpus_data.put(tmp_path / "data", "long.wav", corpus_data.tone(seconds=4))

    def listed(count: int, bounded: bool) -> tuple[dict[tuple, int], list[str | None]]:
        rows = [
            ["long.wav", f"{n * 0.001:.3f}", f"{n * 0.001 + 0.05:.3f}", f"call {n}"]
            for n in range(count)
        ]
        corpus_data.put_table(tmp_path / "data", [["file", "start", "end", "call"], *rows])
        bounds = {"start": "start", "end": "end"} if bounded else {}
        wanted = corpus_data.settings(used=["call"], **bounds)
        (tmp_path / "scan.parquet").unlink(missing_ok=True)

        def stages():
            if bounded:
                corpus_data.to_manifest(tmp_path, wanted)
            else:
                scan.scan(wanted, tmp_path, tmp_path / "scan.parquet")

        counted = calls(stages)
        table = scan.scan(wanted, tmp_path, tmp_path / "scan.parquet")
        return counted, table["reason"].to_pylist()

    return listed


def test_twice_the_clips_of_a_recording_take_twice_the_calls(recording):
    recording(10, True)
    (small, _), (large, reasons) = recording(500, True), recording(1000, True)
    assert not superlinear(small, large)
    assert not any(reasons)


def test_rows_of_one_clip_have_short_reasons(recording):
    """As where the keys start and end were forgotten: each reason listed all rows and values."""
    _, reasons = recording(2000, False)
    (reason,) = set(reasons)
    assert reason.startswith("rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 1990 more give one clip")
    assert "'call 0', 'call 1', 'call 10'," in reason and reason.endswith(" and 1990 more)")


class Counted(list):
    """A list that counts how often its places are read."""

    reads = 0

    def __getitem__(self, place):
        self.reads += 1
        return super().__getitem__(place)


def test_an_empty_column_is_read_as_often_for_few_windows_as_for_many(tmp_path):
    """Windows share the cells that all boxes of their recording have."""
    boxes = [["long.wav", f"{n / 100}", f"{n / 100 + 0.05}", "jay", ""] for n in range(100)]
    corpus_data.put_table(tmp_path, [["file", "start", "end", "call", "note"], *boxes])
    corpus_data.put(tmp_path, "long.wav", corpus_data.tone(seconds=2))

    def reads(length_s: float) -> int:
        keys = {"length_s": length_s, "hop_s": length_s, "labels": ["call"]}
        keys |= {"overlap": 0, "of": "shorter", "partial": "drop"}
        settings = {"path": ".", "missing": [], "table": "metadata.csv", "windows": keys}
        settings |= {"file": "file", "start": "start", "end": "end"}
        table = user_table.read(tmp_path / "metadata.csv")
        notes = table.columns["note"] = Counted(table.columns["note"])
        cut = windows.cut(windows.as_table(settings), table, tmp_path)
        assert len(cut.rows) == 2 / length_s
        return notes.reads

    assert reads(0.1) == reads(1) > 0
