"""The figures of one kind of task: each class of a multilabel task, numbers of a regression."""

import csv
from dataclasses import replace

import pandas as pd
import plotly.graph_objects as go
import pytest

import report_tables as fake
from stratavox.report import export, figures, paper, screen
from stratavox.report.figure import Points
from test_report import loaded


def classes(encoder, shift):
    rows = [("robin", 0.4, 0.9, 30), ("wren", 0.1, 0.2, 6)]
    shared = {"encoder": encoder, "interval": "t over groups", "auroc": 0.7, "sentence": None}
    return [
        shared
        | {"class": name, "prevalence": chance, "chance": chance, "n_clips": clips}
        | {"value": value + shift, "low": value - 0.1, "high": value + 0.1}
        for name, chance, value, clips in rows
    ]


def predicted(encoder, shift):
    readout = "features" if encoder == "logmel" else "nested"
    shared = {"encoder": encoder, "readout": readout, "group": "bird 1", "rho": 0.8}
    numbers = [(900.0, 950.0), (1200.0, 1100.0), (700.0, 720.0)]
    return [
        shared | {"clip_id": f"clip {n}", "value": value, "predicted_value": guess + shift}
        for n, (value, guess) in enumerate(numbers)
    ]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    results = loaded(tmp_path_factory.mktemp("task"))
    others = {
        name: pd.DataFrame(
            [row for n, one in enumerate(fake.ENCODERS) for row in rows(one, n / 50)]
        )
        for name, rows in (("classes", classes), ("predicted", predicted))
    }
    return replace(results, others=results.others | others)


def points(figure) -> dict[str, Points]:
    """The series of points by name."""
    every = [one for panel in figure.panels for one in panel.series if isinstance(one, Points)]
    return {one.name: one for one in every if one.name}


@pytest.mark.parametrize("name", ["classes", "predicted"])
def test_both_renderers_and_the_csv_have_every_point(task, name, tmp_path):
    figure = figures.build(name, task, {}, fake.PLACES)
    assert len(figure.panels) == len(paper.draw(figure).axes)
    assert go.Figure(screen.draw(figure)).data
    export.save(figure, tmp_path / name)
    with open(tmp_path / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "point"]
    every = [one for panel in figure.panels for one in panel.series]
    assert len(rows) == sum(len(one.x) for one in every)


def test_a_class_stands_at_its_average_precision_beside_that_of_guessing(task):
    figure = figures.build("classes", task, {}, fake.PLACES)
    drawn = points(figure)
    assert drawn["deep"].x.tolist() == [0.9, 0.2] and drawn["deep"].low.tolist() == [0.8, 0.1]
    assert [drawn[f"guessing {name}"].x for name in ("robin", "wren")] == [[0.4] * 2, [0.1] * 2]
    assert list(figure.panels[0].y.ticks.values()) == [
        "robin (0.40, 30 clips)",
        "wren (0.10, 6 clips)",
    ]
    assert all(abs(y - round(y)) < 0.4 for one in fake.ENCODERS for y in drawn[one].y)


def test_clips_stand_at_their_truth_and_prediction_on_axes_of_one_scale(task):
    figure = figures.build("predicted", task, {}, fake.PLACES)
    drawn = points(figure)["clips deep"]
    assert drawn.x.tolist() == [900, 1200, 700] and drawn.y.tolist() == [950, 1100, 720]
    assert {(panel.x.limits, panel.y.limits) for panel in figure.panels} == {
        (figure.panels[0].x.limits,) * 2
    }
    assert "ρ 0.80" in figure.panels[0].title and "R² " in figure.panels[0].title


def test_a_task_with_some_of_the_encoders_has_the_colours_of_the_run(task):
    names = list(fake.ENCODERS)
    some = replace(task, encoders={names[2]: task.encoders[names[2]]}, run=names)
    assert some.looks == {names[2]: task.looks[names[2]]}
