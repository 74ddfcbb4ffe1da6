"""`init` proposes tasks with several labels, numbers, windows, and data sets of Parquet files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from corpus_data import put, put_table, tone
from stratavox.init.command import start
from stratavox.plan import plan_of
from test_parquet_source import AUDIO, put_shard, row, sound


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def begun(folder: str, capsys) -> tuple[str, list[str]]:
    """The config's text, and the lines with look that end what is printed."""
    start(Path(folder), None, False)
    printed = capsys.readouterr().out
    looks = printed.partition("not sure of")[2].splitlines()
    return Path(f"{folder}.yaml").read_text(), [line for line in looks if "look:" in line]


def a_table(header: list[str], cells) -> None:
    """40 clips of two calls by five birds, with further columns: ``cells(number)``."""
    rows = []
    for number in range(40):
        name = f"{number:02d}.wav"
        put(Path("data"), name, tone(500 + number, 0.02))
        call = ("song", "alarm")[number % 2]
        rows.append([name, call, f"b{number // 2 % 5}", *cells(number)])
    put_table(Path("data"), [["file", "call", "bird", *header], *rows], "calls.csv")


def uncommented(text: str, start_: str) -> dict:
    """The task in the comment that begins with ``start_``."""
    line = next(line for line in text.splitlines() if f"# {start_}: {{" in line)
    (task,) = yaml.safe_load(line.strip().removeprefix("# ")).values()
    return task


def test_one_hot_columns_are_proposed_as_one_task(here, capsys):
    a_table(["wren", "tit", "site"], lambda n: [n % 3 == 0, n % 4 == 0, f"s{n % 4}"])
    text, looks = begun("data", capsys)
    assert any("wren, tit hold 0 and 1 alone" in line for line in looks)
    task = uncommented(text, "classes")
    assert task == {"kind": "multilabel", "target": ["wren", "tit"], "group": "bird"}


def test_a_separator_is_proposed_with_its_task(here, capsys):
    a_table(["species"], lambda n: ["robin;wren" if n % 3 == 0 else ("robin", "wren")[n % 2]])
    text, looks = begun("data", capsys)
    assert any("species: to probe its labels one by one" in line for line in looks)
    task = uncommented(text, "species_each")
    assert (task["kind"], task["separator"]) == ("multilabel", ";")
    line = next(line for line in text.splitlines() if "# species_each: {" in line)
    # sets says the same separator, so both keys may stand together
    plan = plan_of(text.replace(line, line.replace("# ", "")), here)
    assert "species_each" in plan.tasks("data")


def test_numbers_are_proposed_for_regression(here, capsys):
    a_table(["age", "take"], lambda n: [f"{n / 7:.1f}", n])
    text, looks = begun("data", capsys)
    assert [line for line in looks if "kind: regression" in line] == [
        line for line in looks if "look: age is a number" in line
    ]
    assert uncommented(text, "age")["kind"] == "regression"


def long_recordings(boxes) -> None:
    rows = [["file", "start", "end", "species", "bird"]]
    for number in range(5):
        put(Path("data"), f"{number}.wav", tone(500 + number, 12, 4000), 4000)
        for start_, end, species in boxes:
            rows.append([f"{number}.wav", start_, end, species, f"b{number}"])
    put_table(Path("data"), rows, "boxes.csv")


def test_boxes_that_overlap_are_proposed_as_windows(here, capsys):
    long_recordings(
        [(1, 3, "wren"), (2, 4, "robin"), (5, 6, "wren"), (7, 8, "robin"), (8, 9, "wren")]
    )
    text, looks = begun("data", capsys)
    assert any("10 of 25 boxes share time with a box of another label" in line for line in looks)
    assert "and for the dataset: windows: {length_s: 5}" in text
    config = yaml.safe_load(text)
    entry = config["datasets"]["data"]
    entry["windows"] = {"length_s": 5}
    entry["tasks"] = {"birds": uncommented(text, "species_in_windows")}
    plan = plan_of(yaml.safe_dump(config), here)
    assert plan.clip_count("data") == 10


def test_boxes_that_follow_each_other_are_clips(here, capsys):
    long_recordings(
        [(1, 3, "wren"), (3, 4, "robin"), (5, 6, "wren"), (7, 8, "robin"), (8, 9, "wren")]
    )
    text, looks = begun("data", capsys)
    assert "windows" not in text and not any("share time" in line for line in looks)


def test_a_folder_of_parquet_files_becomes_a_config(here, capsys):
    rows = [row(n, [n % 3] if n % 4 else [0, 2]) for n in range(40)]
    put_shard(Path("hsn/data/test_5s-00000-of-00002.parquet"), rows[:30])
    put_shard(Path("hsn/data/train-00000-of-00001.parquet"), rows[30:])
    text, looks = begun("hsn", capsys)
    entry = yaml.safe_load(text)["datasets"]["hsn"]
    assert (entry["source"], entry["path"]) == ("parquet", "hsn")
    assert entry["tasks"]["ebird_code"]["target"] == "ebird_code"
    for part in ("test_5s-00001-of-00002.parquet", "all splits are read", "the group is unknown"):
        assert any(part in line for line in looks), part
    assert uncommented(text, "ebird_code_multilabel_each") == {
        **{"kind": "multilabel", "target": "ebird_code_multilabel", "separator": "json"},
        "group": None,
    }


def sites(clips: int, header: str, cell) -> None:
    """Clips of six sites, with a further column: ``cell(number)``."""
    rows = []
    for number in range(clips):
        put(Path("data"), f"{number:02d}.wav", tone(500 + number, 0.02))
        rows.append([f"{number:02d}.wav", f"s{number % 6}", cell(number)])
    put_table(Path("data"), [["file", "site", header], *rows], "calls.csv")


HEARD = ("wren", "tit", "wren;tit", "tit;robin", "nocall", "robin", "wren;robin")


def test_a_proposed_task_has_a_group_of_its_own_where_the_first_task_has_none(here, capsys):
    """Each set is rare, so the site becomes the first label; of the sets it is the group."""
    sites(63, "heard", lambda n: HEARD[n % 7])
    text, _ = begun("data", capsys)
    assert yaml.safe_load(text)["datasets"]["data"]["tasks"]["site"]["group"] is None
    task = uncommented(text, "heard_each")
    # a word for nothing heard is no class
    assert task["group"] == "site" and task["negative"] == "nocall"


@pytest.mark.parametrize(
    ("header", "cell", "task"),
    [
        (
            "heard",
            lambda n: HEARD[n % 7],
            {"kind": "multilabel", "separator": ";", "negative": "nocall"},
        ),
        (
            "heard",
            lambda n: str(HEARD[n % 7].split(";")),
            {"kind": "multilabel", "separator": "json"},
        ),
        ("mass", lambda n: 20 + n % 17 / 4, {"kind": "regression"}),
    ],
)
def test_without_classes_the_task_is_of_another_kind(here, capsys, header, cell, task):
    """42 clips of six sites: no value of any column has the clips of a class."""
    sites(42, header, cell)
    text, looks = begun("data", capsys)
    tasks = yaml.safe_load(text)["datasets"]["data"]["tasks"]
    wanted = {"target": header, "group": "site"} | task
    assert wanted.items() <= tasks[header].items()
    assert any(f"the label is {header}: no column holds one class" in line for line in looks)
    assert f"# {header}" not in text.partition("tasks of other kinds")[2]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("train", "train", "valid", "test"), "split"),
        (
            ("train", "train", "Dev", "test"),
            {"column": "split", "train": ["train"], "test": ["test"]},
        ),
        (("train", "valid"), None),
    ],
)
def test_the_official_split_is_proposed_where_both_sides_are_named(here, capsys, cells, expected):
    a_table(["split"], lambda n: [cells[n // 10 % len(cells)]])
    text, _ = begun("data", capsys)
    lines = [line.strip().removeprefix("# ") for line in text.splitlines() if "# split: " in line]
    assert [yaml.safe_load(line)["split"] for line in lines] == ([expected] if expected else [])
    given = yaml.safe_load(text)
    if expected:
        given["datasets"]["data"]["tasks"]["call"]["split"] = expected
    plan_of(yaml.safe_dump(given), Path())


def test_boxes_in_parquet_files_become_windows(here, capsys):
    boxes = pa.list_(pa.struct({"ed": pa.float64(), "label": pa.string(), "st": pa.float64()}))
    rows = [
        {
            "path": {"bytes": sound(500 + n, "WAV"), "path": f"{n}.wav"},
            "annotations": [{"st": 0.0, "ed": 0.1, "label": ("wren", "tit")[n % 2]}][: n % 3],
        }
        for n in range(12)
    ]
    schema = pa.schema({"path": AUDIO, "annotations": boxes})
    for name, windows in (("beans_dcase", "beans_dcase"), ("mine", "birdset")):
        Path(name).mkdir()
        pq.write_table(pa.Table.from_pylist(rows, schema), f"{name}/train-00000-of-00001.parquet")
        text, looks = begun(name, capsys)
        entry = yaml.safe_load(text)["datasets"][name]
        assert entry["windows"] == windows and any("holds boxes" in line for line in looks)
        task = entry["tasks"]["label"]
        assert (task["kind"], task["target"], task["group"]) == ("multilabel", "label", "file")
        plan_of(text, Path())
