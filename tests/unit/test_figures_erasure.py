"""The figure of erasure: what is drawn is the table's, and what was not erased is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import report_tables as fake
from report_tables import by_gid, words
from stratavox.report.figures import erasure
from stratavox.report.results import load
from stratavox.report.screen import plain

COLUMN = fake.UMLAUT
ERASED, NOTHING, SHUFFLED = f"erased {COLUMN} deep", "nothing deep", f"shuffled {COLUMN} deep"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    index = fake.write(tmp_path_factory.mktemp("task"))
    answers = Path(index["datasets"]["zoo"]["tasks"]["call"]["answers"])
    return load("zoo", "call", "folder", answers, fake.folders(index))


def test_the_curves_are_the_tables_values_by_depth(results):
    figure = fake.on_paper(erasure, results)
    for name, values in (
        (ERASED, [0.41, 0.42, 0.43, 0.44]),
        (NOTHING, [0.5] * 4),
        (SHUFFLED, [0.45] * 4),
    ):
        line = by_gid(figure, name)
        assert list(line.get_xdata()) == [0, 1, 2, 3]
        assert list(line.get_ydata()) == pytest.approx(values)
    drawn = {trace.meta for trace in fake.on_screen(erasure, results).data}
    assert {plain(ERASED), plain(SHUFFLED), NOTHING} <= drawn


def test_a_column_that_was_not_erased_is_said(results):
    why = f"{fake.NASTY} was not erased for call."
    assert why in words(fake.on_paper(erasure, results))
    table = results.others["erasure"]
    none = replace(results, others={"erasure": table[table["encoder"].isna()]})
    printed = words(fake.on_paper(erasure, none))
    assert erasure.EMPTY in printed and why in printed
