"""A further table of individuals: its columns join the dataset's, and mistakes in it are told."""

import re

import pytest

import stage_jobs
from corpus_data import put, put_table, settings, to_manifest
from stratavox import tables
from stratavox.corpus import generate, manifest
from stratavox.corpus.inspect import inspect_shard
from stratavox.corpus.labels import label_columns, labels_of
from stratavox.errors import StratavoxError
from stratavox.plan import Plan
from stratavox.settings import Settings

JOIN = {"table": "individuals.csv", "by": "file"}
TABLE = [["file", "call"], ["a.wav", "x"], ["b.wav", "y"], ["sub/a.wav", "x"]]
FURTHER = [["bird", "file", "age"], ["Möwe", "sub/a.wav", "7"], ["Ente", "a.wav", ""]]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a dataset of three clips; two of them are in the joined table."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav", "sub/a.wav"):
        put(tmp_path / "data", name)
    put_table(tmp_path / "data", TABLE)
    put_table(tmp_path, FURTHER, "individuals.csv")
    return tmp_path


def error_of(here, **more) -> str:
    """The message for a join that cannot be used."""
    with pytest.raises(StratavoxError) as caught:
        label_columns(settings(join=JOIN | more), here)
    return str(caught.value)


def test_columns_are_added_by_key_whatever_the_rows_order(here):
    labels = label_columns(settings(join=JOIN), here).to_pydict()
    assert labels == {
        **{"row": [2, 3, 4], "file": ["a.wav", "b.wav", "sub/a.wav"], "call": ["x", "y", "x"]},
        **{"bird": ["Ente", "", "Möwe"], "age": ["", "", "7"]},
    }


def test_one_row_of_a_tsv_may_serve_many_clips(here):
    put_table(here, [["call", "sense"], ["x", "alarm"], ["y", "contact"]], "calls.tsv")
    labels = label_columns(settings(join={"table": "calls.tsv", "by": "call"}), here)
    assert labels["sense"].to_pylist() == ["alarm", "contact", "alarm"]


def test_the_manifest_has_the_columns_and_counts_clips_that_are_not_mentioned(here):
    _, labels, hygiene = to_manifest(here, settings(join=JOIN))
    assert labels["clip_id"].to_pylist() == ["a.wav", "b.wav", "sub/a.wav"]
    assert labels["bird"].to_pylist() == ["Ente", "", "Möwe"]
    # an empty cell of a clip that is mentioned is no such clip
    assert hygiene["join"] == JOIN | {"clips_not_mentioned": 1}


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (
            [["file", "bird"], ["a.wav", "1"], ["b.wav", "2"], ["a.wav", "1"]],
            ["individuals.csv: row 4", "'a.wav' in column 'file' is also in row 2", "remove"],
        ),
        (
            [["file", "bird"], ["a.wav", "1"], ["sub/a.wave", "2"], ["zzz", "3"]],
            ["individuals.csv: no row of", "data/metadata.csv", "column 'file'"]
            + [
                "row 3: 'sub/a.wave' (did you mean 'sub/a.wav'?); row 4: 'zzz';",
                "correct or remove",
            ],
        ),
        (
            [["file", "call"], ["a.wav", "x"]],
            [
                "individuals.csv: the column 'call'",
                "is also in",
                "metadata.csv",
                "only 'file'",
                "rename",
            ],
        ),
        (
            [["name", "bird"], ["a.wav", "1"]],
            ["individuals.csv: there is no column 'file'", "'join.by'", "name, bird"],
        ),
        ([["file", "bird"], ["", "1"]], ["row 2: the cell of column 'file' is empty", "fill it"]),
        ([["file", "bird"], ["a.wav"]], ["row 2: 1 cells, but the header has 2; correct the row"]),
    ],
    ids=["twice", "typo", "in both", "no key column", "empty key", "ragged"],
)
def test_an_unusable_joined_table_is_refused_by_name(here, rows, parts):
    put_table(here, rows, "individuals.csv")
    message = error_of(here)
    for part in parts:
        assert part in message


def test_a_missing_table_and_a_key_that_the_dataset_lacks(here):
    assert "birds.csv: no such table; correct the config's key 'join.table'" in error_of(
        here, table="birds.csv"
    )
    message = error_of(here, by="bird")
    assert re.search(r"metadata.csv: there is no column 'bird' .*join.by.*: file, call;", message)


def test_many_strangers_are_counted(here):
    put_table(here, [["file", "bird"], *([f"{n}", "1"] for n in range(8))], "individuals.csv")
    message = error_of(here)
    assert "row 6" in message and "row 7" not in message and "and 3 more" in message


def test_a_joined_table_edited_since_the_scan_stops_the_stage(here):
    wanted = settings(join=JOIN)
    to_manifest(here, wanted)
    put_table(here, [*FURTHER, ["Ente", "b.wav", "3"]], "individuals.csv")
    with pytest.raises(StratavoxError, match=r"individuals\.csv: changed since .* run .* again"):
        manifest.make(wanted, here / "scan.parquet", [here / "inspect/part-000.parquet"], here)


# ---- what is stale ----


def planned(here, source=None, **more) -> Plan:
    tasks = {
        "call": {"target": "call", "group": "file"},
        "bird": {"target": "bird", "group": "file"},
        "age": {"target": "age", "group": None},
    }
    dataset = {"path": "data", "table": "metadata.csv", "file": "file"} if source is None else {}
    dataset |= {"source": source or "folder", "join": JOIN, "tasks": tasks, "shards": 1}
    config = {
        "run": {"datasets": ["zoo"], "encoders": ["logmel"]},
        "datasets": {"zoo": dataset | more},
        "encoders": {"logmel": {"family": "logmel"}},
    }
    return Plan(config, here)


def keys(plan: Plan) -> dict[str, str]:
    files = {task: f"results/folds/zoo/{task}.parquet" for task in plan.tasks("zoo")}
    files |= {
        "manifest": "results/corpus/zoo/labels.parquet",
        "inspect": "results/corpus/zoo/inspect/part-000.parquet",
    }
    confounded = [task for task in plan.tasks("zoo") if plan.confound_columns("zoo", task)]
    files |= {f"{task} confounds": f"results/confounds/zoo/{task}.json" for task in confounded}
    return stage_jobs.keys(plan.config, plan.root, files)


def changed(old: dict[str, str], after: Plan) -> set[str]:
    new = keys(after)
    return {name for name in old if old[name] != new[name]}


def test_a_changed_cell_reruns_the_tasks_that_use_its_column(here):
    before = keys(planned(here))
    put_table(here, [FURTHER[0], ["Möwe", "sub/a.wav", "8"], FURTHER[2]], "individuals.csv")
    assert changed(before, planned(here)) == {"age", "manifest"}


def test_which_columns_are_erased(here):
    """The task's group, the recording and the confounds, but never the target; or those named."""
    plan = planned(here, recording=["bird"], confounds=["age", "file"])
    columns = {task: plan.erased_columns("zoo", task) for task in plan.tasks("zoo")}
    assert columns == {
        "call": ["file", "bird", "age"],
        "bird": ["file", "age"],
        "age": ["bird", "file"],
    }
    named = planned(here, confounds=["age"], probes={"erase": ["bird"]})
    assert named.erased_columns("zoo", "call") == ["bird"]
    assert named.erased_columns("zoo", "bird") == []
    none = planned(here, confounds=["age"], probes={"erase": []})
    assert none.erased_columns("zoo", "call") == [] == none.erased("zoo", "call")
    with pytest.raises(StratavoxError, match=r"zoo: probes\.erase: no column 'brid'"):
        planned(here, probes={"erase": ["brid"]})


def test_a_changed_cell_of_a_confound_leaves_the_folds(here):
    before = keys(planned(here, confounds=["age"]))
    put_table(here, [FURTHER[0], ["Möwe", "sub/a.wav", "8"], FURTHER[2]], "individuals.csv")
    changes = changed(before, planned(here, confounds=["age"]))
    # of age itself only the folds: a target is no confound of its own
    assert changes == {"age", "manifest", "call confounds", "bird confounds"}


def test_adding_or_reordering_a_join_reruns_no_task_of_the_datasets_own_columns(here):
    with_join = keys(planned(here))
    put_table(here, [FURTHER[0], FURTHER[2], FURTHER[1]], "individuals.csv")
    assert changed(with_join, planned(here)) == {"manifest"}
    put_table(here / "data", TABLE)
    dataset = planned(here).config["datasets"]["zoo"]
    alone = {key: value for key, value in dataset.items() if key != "join"}
    alone["tasks"] = {"call": dataset["tasks"]["call"]}
    config = planned(here).config | {"datasets": {"zoo": alone}}
    assert keys(Plan(config, here))["call"] == with_join["call"]


def test_an_empty_row_still_changes_the_count_in_the_manifest(here):
    before = keys(planned(here))
    put_table(here, [*FURTHER, ["", "b.wav", ""]], "individuals.csv")
    assert changed(before, planned(here)) == {"manifest"}


def test_missing_columns_are_refused_with_those_of_both_tables(here):
    put_table(here, [["file", "bird"], ["a.wav", "1"]], "individuals.csv")
    with pytest.raises(StratavoxError) as caught:
        planned(here)
    assert str(caught.value) == (
        "datasets.zoo: tasks.age.target: no column 'age' in data/metadata.csv with "
        "individuals.csv; columns: file, call, bird"
    )


def test_a_missing_confound_is_refused_before_anything_runs(here):
    with pytest.raises(StratavoxError, match=r"zoo: confounds: no column 'site' .* bird, age$"):
        planned(here, confounds=["age", "site"])


def test_a_set_that_a_rule_makes_has_the_joins_content_in_its_keys(here):
    sizes = {"species": 1, "individuals": 2, "call_types": 2, "renditions": 1, "sessions": 2}
    more = {"source": "chorus", "chorus": sizes}
    generated = sizes | {"seed": 0, "confounded": False, "shards": 1}
    generate.run(stage_jobs.job({}, {"raw": "raw", "scan": "scan.parquet"}, generated))
    files = [row["file"] for row in tables.read_table(here / "scan.parquet").to_pylist()]
    put_table(here, [["file", "bird", "age"], [files[0], "Möwe", "7"]], "individuals.csv")
    before = planned(here, **more)
    old = keys(before)
    put_table(here, [["file", "bird", "age"], [files[0], "Ente", "7"]], "individuals.csv")
    after = planned(here, **more)
    assert changed(old, after) == {"bird", "age", "manifest"}
    # the stage reads the joined columns, and sees that the table is another than was planned with
    inspect_shard(settings(path="raw"), here / "scan.parquet", 0, here / "part.parquet", {})
    clips = tables.read_table(here / "part.parquet")
    of = Settings(after)
    wanted = of.folds("zoo", "bird") | of.tables("zoo") | {"path": "raw"}
    labels = labels_of(wanted, here / "scan.parquet", clips, here)
    assert [cell for cell in labels["bird"].to_pylist() if cell] == ["Ente"]
    of = Settings(before)
    wanted = of.folds("zoo", "bird") | of.tables("zoo") | {"path": "raw"}
    with pytest.raises(StratavoxError, match="changed since it was scanned"):
        labels_of(wanted, here / "scan.parquet", clips, here)
