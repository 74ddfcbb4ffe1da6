"""The card's figure shows what its sentences say, and nothing but the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import report_tables as fake
from stratavox.inference.answers.trends import ACOUSTICS
from stratavox.report.figure import Points
from stratavox.report.figures import card
from stratavox.report.results import load


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    index = fake.write(tmp_path_factory.mktemp("card"))
    answers = Path(index["datasets"]["zoo"]["tasks"]["call"]["answers"])
    return load("zoo", "call", "folder", answers, fake.folders(index))


def named(panel, name: str) -> Points:
    return next(one for one in panel.series if getattr(one, "name", "") == name)


def test_curves_bands_controls_and_baselines_are_the_tables(results):
    above, _ = fake.build(card, results).panels
    rows = results.curve("deep")
    assert list(named(above, "curve deep").y) == rows["value"].tolist()
    assert list(named(above, "band deep").low) == rows["band_low"].tolist()
    assert named(above, "curve noise").marker == ""  # a control: no marks, no whiskers
    assert list(named(above, "curve noise").low) == []
    assert named(above, "permutation range").legend.startswith("permuted labels")
    assert list(named(above, "baseline logmel").y) == results.own("logmel")["value"].tolist()
    assert [one.at for one in above.series if getattr(one, "legend", "") == "chance"] == [0.25]


def test_the_star_stands_on_the_readout_of_the_recommendation(results):
    above, _ = fake.build(card, results).panels
    star, row = named(above, "recommended"), results.one("deep", "block_01")
    assert (star.x, star.y) == ([row["depth"]], [row["value"]])
    none = results.recommendation.assign(recommended=False)
    above, _ = fake.build(card, replace(results, recommendation=none)).panels
    assert not [one for one in above.series if getattr(one, "name", "") == "recommended"]


def test_a_recommended_baseline_has_the_star_at_its_place(results):
    rows = results.recommendation.assign(recommended=[False, True])
    above, _ = fake.build(card, replace(results, recommendation=rows)).panels
    star, mark = named(above, "recommended"), named(above, "baseline logmel")
    assert (list(star.x), list(star.y)) == (list(mark.x), list(mark.y))


def test_below_is_the_mean_of_the_targets_that_the_verdict_is_about(results):
    _, below = fake.build(card, results).panels
    kinds = results.trends[results.trends["kind"] == "acoustic"]["target"]
    rows = results.explained_variance
    rows = rows[rows["target"].isin(kinds) & (rows["target"] != ACOUSTICS)]
    assert list(named(below, "acoustics deep").y) == rows.groupby("depth")["value"].mean().tolist()


def test_without_acoustic_targets_there_is_one_panel(results):
    bare = replace(results, explained_variance=results.explained_variance.iloc[:0])
    assert len(fake.build(card, bare).panels) == 1
