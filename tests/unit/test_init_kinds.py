"""`init` proposes tasks with several labels, numbers, windows, and data sets of Parquet files."""

from pathlib import Path

import pytest
import yaml

from corpus_data import put, put_table, tone
from stratavox.init.command import start
from stratavox.plan import plan_of
from test_parquet_source import put_shard, row


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
