"""Label sets of a multilabel task, from one-hot columns and from cells that hold several labels."""

import re

import numpy as np
import pyarrow as pa
import pytest

from stage_jobs import default_config
from stratavox import config
from stratavox.corpus import values
from stratavox.corpus.label_sets import matrix
from stratavox.errors import StratavoxError


def labels(**columns) -> pa.Table:
    first = next(iter(columns.values()))
    return pa.table({"clip_id": [f"{number}.wav" for number in range(len(first))]} | columns)


def held(sets) -> list[set[str] | None]:
    """The classes of each clip; None where they are unknown."""
    rows = zip(sets.present, sets.known, strict=True)
    return [
        {name for name, there in zip(sets.classes, row, strict=True) if there} if known else None
        for row, known in rows
    ]


def of_cells(cells: list[str], separator: str, **more) -> list:
    return held(matrix(labels(birds=cells), {"target": "birds", "separator": separator} | more))


def test_one_hot_columns_in_every_spelling():
    table = labels(
        wren=["1", "no", "TRUE", "0.0"], robin=["0", "Yes", "true", "0"], tit=["1.0", "no", "0", ""]
    )
    sets = matrix(table, {"target": ["wren", "robin", "tit"]})
    assert sets.classes == ("robin", "tit", "wren")
    assert sets.present.dtype == sets.known.dtype == bool
    assert held(sets) == [{"tit", "wren"}, {"robin"}, {"robin", "wren"}, None]
    assert not sets.present[~sets.known].any()


def test_a_one_hot_row_without_a_class_is_a_negative():
    sets = matrix(labels(a=["0", "1"], b=["0", "0"]), {"target": ["a", "b"]})
    assert held(sets) == [set(), {"a"}]
    assert np.array_equal(sets.present, [[False, False], [True, False]])


@pytest.mark.parametrize("cell", ["2", "present", "0.5", "-1", "nan"])
def test_another_value_is_refused_with_its_row(cell):
    with pytest.raises(
        StratavoxError, match=re.escape(f"clip 1.wav: found {cell!r} in column 'b'")
    ):
        matrix(labels(a=["0", "1"], b=["0", cell]), {"target": ["a", "b"]})


@pytest.mark.parametrize("separator", ["|", ",", ";", " ", " & "])
def test_cells_with_a_separator(separator):
    cells = [separator.join(names) for names in (["wren", "robin"], ["robin"], [])]
    assert of_cells(cells, separator) == [{"wren", "robin"}, {"robin"}, None]


def test_an_empty_cell_is_unknown_unless_the_task_says_that_it_is_negative():
    assert of_cells(["a|b", ""], "|") == [{"a", "b"}, None]
    assert of_cells(["a|b", ""], "|", negative="") == [{"a", "b"}, set()]
    assert of_cells(["a|b", "", "nocall"], "|", negative="nocall") == [{"a", "b"}, None, set()]


def test_a_negative_that_is_also_something_else_is_refused():
    with pytest.raises(StratavoxError, match=r"found 'a\|nocall' in column 'birds'.*mark of no"):
        of_cells(["a", "a|nocall"], "|", negative="nocall")


@pytest.mark.parametrize(
    "cell", ['["a", "b, c"]', "['b, c', 'a']", "['a', \"b, c\"]", ' [ "a","b, c", "a"] ']
)
def test_lists_as_json_and_python_write_them(cell):
    assert of_cells([cell, "[]", "", "[7]"], "json") == [{"a", "b, c"}, set(), None, {"7"}]


@pytest.mark.parametrize("cell", ["a", "['a' 'b']", "[a, b]", "{'a': 1}", "[['a']]", "['a'"])
def test_a_broken_list_is_refused(cell):
    with pytest.raises(StratavoxError, match=re.escape(f"found {cell!r} in column 'birds'")):
        of_cells(["['x']", cell], "json")


def test_a_column_without_any_label_is_refused():
    with pytest.raises(StratavoxError, match="'birds' holds no label"):
        of_cells(["", ""], "|")


def multilabel(**task) -> dict:
    changed = default_config()
    entry = {"kind": "multilabel", "group": None} | task
    changed["datasets"]["chorus"]["tasks"]["birds"] = entry
    return changed


def refusal(**task) -> str:
    with pytest.raises(StratavoxError) as error:
        config.check(multilabel(**task))
    return str(error.value)


def test_the_separator_of_a_task_levels_the_cells_of_its_column():
    dataset = config.check(multilabel(target="birds", separator="|"))["datasets"]["chorus"]
    cells, _ = values.of_settings({"birds": ["b|a", "a | b|?", "NA"]}, dataset)
    assert cells == {"birds": ["a|b", "a|b", ""]}


def test_what_a_multilabel_task_may_say():
    config.check(multilabel(target=["a", "b"]))
    config.check(multilabel(target="a", separator="json"))
    config.check(multilabel(target="a", separator=";", negative=""))
    task = "datasets.chorus.tasks.birds"
    assert f"{task}: the key 'separator' is missing" in refusal(target="a")
    assert f"{task}.separator: only with one column" in refusal(target=["a", "b"], separator="|")
    assert f"{task}.target: several columns only with kind: multilabel" in refusal(
        target=["a", "b"], kind="classification"
    )
    assert f"{task}.separator: only with kind: multilabel" in refusal(
        target="a", separator="|", kind="classification"
    )


def test_two_separators_of_one_column_are_refused():
    changed = multilabel(target="birds", separator="|")
    changed["datasets"]["chorus"]["sets"] = {"birds": ";"}
    with pytest.raises(StratavoxError, match="found '|', but the labels of column 'birds'"):
        config.check(changed)
