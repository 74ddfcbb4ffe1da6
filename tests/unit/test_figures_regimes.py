"""Leakage, protocol and neighbours: draws, unknown groups, and names that are only ever text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

import report_tables as fake
from report_tables import by_gid, words
from stratavox.report.figures import leakage, neighbours, protocol
from stratavox.report.results import Results
from stratavox.report.screen import plain

BLOCKS = [f"block_{number:02d}" for number in range(3)]
DRAWS = ["noise_seed0", "noise_seed1"]
NASTY = "<b>bird</b> %{x} $y$"
KNN, APART = "knn_balanced_accuracy", "retrieval_roc_auc_apart"
MEASURES = ["retrieval_roc_auc", APART, KNN, "silhouette"]
MEASURES += ["clustering_nmi", "clustering_ami", "clustering_ari"]
LEVEL = {"grouped": 0.3, "recording": 0.4, "random": 0.5, "control_task": 0.28}
LEVEL["official"] = 0.6


def encoder_facts(weights: str) -> dict:
    blocks = [] if weights == "none" else BLOCKS
    return {"weights": weights, "blocks": blocks, "readouts": blocks or ["features"]}


def task(*regimes: str) -> Results:
    """An encoder, two random draws of one and a baseline; no control task without groups."""
    grouped = regimes[0] == "grouped"
    encoders = {
        "deep": encoder_facts("file"),
        "noise": encoder_facts("random"),
        "logmel": encoder_facts("none"),
    }
    rows = []
    for step, (name, encoder) in enumerate(encoders.items()):
        for place, readout in enumerate(encoder["readouts"]):
            for kind in (*regimes, *(["control_task"] if grouped else [])):
                control = kind == "control_task"
                value = LEVEL[kind] + step / 100 + place / 10
                bounded = kind in ("grouped", "recording")
                rows.append(
                    {
                        **{"encoder": name, "readout": readout, "probe": "linear"},
                        "depth": place + 1.0 if encoder["blocks"] else None,
                        "control": kind if control else "none",
                        "regime": "random" if control else kind,
                        **{"metric": "balanced_accuracy", "value": value},
                        "low": value - 0.05 if bounded else None,
                        "high": value + 0.06 if bounded else None,
                        "interval": "t over groups" if bounded else "none",
                        "draws_low": value - 0.01 if name == "noise" else None,
                        "draws_high": value + 0.02 if name == "noise" else None,
                        **{"n_clips": 40, "n_groups": 8 if grouped else None},
                    }
                )
    left_out = {} if "recording" in regimes else {"recording": f"class {NASTY} has one"}
    facts = {
        **{"regimes": list(regimes), "regimes_left_out": left_out, "chance": 0.25},
        **{"group": NASTY if grouped else None, "draws": {"noise": DRAWS}, "control_tasks": 5},
        **{"nested": {"deep": {"block_00": 1, "block_01": 9}}, "folds": 5, "repeats": 2},
        **{"drawn_from": None, "clips": 40, "groups": 8 if grouped else None},
        "recordings": None,
        "classes": dict.fromkeys("abcd"),
    }
    number = ["value", "low", "high", "draws_low", "draws_high", "depth"]
    estimates = pd.DataFrame(rows).astype(dict.fromkeys(number, float))
    none = pd.DataFrame()
    return Results("zoo", "call", "folder", estimates, *[none] * 8, facts, encoders)


def singles() -> dict[str, list[str]]:
    return {"deep": BLOCKS, **dict.fromkeys(DRAWS, BLOCKS), "logmel": ["features"]}


def notebook() -> dict[str, pd.DataFrame]:
    return {
        name: pd.DataFrame(
            {
                "readout": readouts,
                "accuracy": [0.6 + place / 10 + step / 50 for place in range(len(readouts))],
                **{"n_train": 32, "n_test": 8, "classes": 4, "chance": 0.25},
                "max_iter_reached": [name == "deep"] * len(readouts),
            }
        )
        for step, (name, readouts) in enumerate(singles().items())
    }


def beside(excluded: str) -> dict[str, pd.DataFrame]:
    return {
        name: pd.DataFrame(
            [
                {
                    **{"readout": readout, "measure": measure, "n_clips": 40, "n_classes": 4},
                    "value": 0.1 * place + step / 50,
                    "excluded": excluded if measure in (KNN, APART) else "none",
                }
                for place, readout in enumerate(readouts)
                for measure in MEASURES
            ]
        )
        for step, (name, readouts) in enumerate(singles().items())
    }


def by_meta(screen, meta: str):
    return next(trace for trace in screen.data if trace.meta == meta)


def bars(figure) -> set[tuple[float, ...]]:
    """Ends of all upright bars."""
    lines = figure.findobj(LineCollection)
    return {tuple(np.round(s[:, 1], 6).tolist()) for drawn in lines for s in drawn.get_segments()}


def test_the_official_split_is_a_line_with_its_sides_and_its_sentence():
    results = task("grouped", "random", "official")
    sides = {"column": "split", "train": 30, "test": 10, "groups": 1, "groups_on_both": 1}
    said = pd.DataFrame({"sentence": ["deep: 0.84 on the official split, 0.61 grouped by bird."]})
    facts = results.facts | {"official": sides | {"chance": 0.25}}
    results = replace(results, facts=facts, others={"official_split": said})
    line = by_meta(fake.on_screen(leakage, results), "none official deep")
    assert list(line.y) == pytest.approx([0.6, 0.7, 0.8])
    printed = words(fake.on_paper(leakage, results))
    for part in (
        "trained on 30 clips, tested on 10 clips",
        "also in training",
        "No interval, as one",
    ):
        assert part in printed
    assert "0.84 on the official split, 0.61 grouped by bird." in printed
    assert "official" not in words(fake.on_paper(leakage, task("grouped", "random")))


@pytest.mark.parametrize("kind", ["none grouped", "none recording", "none random", "control"])
def test_each_regime_and_the_control_task_are_the_tables_values(kind):
    results = task("grouped", "recording", "random")
    kind = "control_task random" if kind == "control" else kind
    control, regime = kind.split()
    figure, screen = fake.on_paper(leakage, results), fake.on_screen(leakage, results)
    for encoder in ("deep", "noise"):
        values = results.curve(encoder, control, regime)["value"].tolist()
        assert list(by_gid(figure, f"{kind} {encoder}").get_ydata()) == values
        assert list(by_meta(screen, f"{kind} {encoder}").y) == values
    base = results.one("logmel", "features", control, regime)["value"]
    assert list(by_gid(figure, f"{kind} logmel in deep").get_ydata()) == [base]
    assert list(by_meta(screen, f"{kind} logmel in deep").y) == [base]


def test_selectivity_is_estimates_of_the_block_chosen_in_training_or_the_last():
    printed = words(fake.on_paper(leakage, task("grouped", "random")))
    # 0.60 - 0.38 of block 1; noise has no choice, so its last block
    assert (
        "deep, block 1 (chosen most often in training folds): +0.220 (0.600 minus 0.380)" in printed
    )
    assert "noise (random weights, 2 draws), block 2 (last): +0.220 (0.710 minus 0.490)" in printed
    assert "logmel (baseline), features: +0.220 (0.520 minus 0.300)" in printed
    assert f"Not scored recording: class {NASTY} has one" in printed


@pytest.mark.parametrize(
    ("recordings", "groups", "why"),
    [
        (3, 8, "with 3 recordings and 4 classes, not every class can get one"),
        (None, 1, f"with 1 group ({NASTY}; recordings unknown) and 4 classes, not"),
        (None, None, "neither recordings nor groups are known"),
    ],
)
def test_the_figure_says_why_there_is_no_selectivity(recordings, groups, why):
    results = task("grouped", "random")
    estimates = results.estimates[results.estimates["control"] == "none"]
    facts = results.facts | {"recordings": recordings, "groups": groups}
    printed = words(fake.on_paper(leakage, replace(results, estimates=estimates, facts=facts)))
    assert f"No selectivity: {why}" in printed


def test_draws_are_drawn_with_their_mean_and_range():
    results = task("grouped", "random")
    first = results.curve("noise")["value"].iloc[0]
    assert (round(first - 0.01, 6), round(first + 0.02, 6)) in bars(fake.on_paper(leakage, results))
    bar = by_meta(fake.on_screen(leakage, results), "none grouped noise").error_y
    assert (bar.array[0], bar.arrayminus[0]) == pytest.approx((0.02, 0.01))
    # accuracies of the two draws: 0.62 and 0.64 in the first block
    figure, screen = (
        fake.on_paper(protocol, results, notebook()),
        fake.on_screen(protocol, results, notebook()),
    )
    assert by_gid(figure, "notebook noise").get_ydata()[0] == pytest.approx(0.63)
    assert (0.62, 0.64) in bars(figure)
    trace = by_meta(screen, "notebook noise")
    assert trace.y[0] == pytest.approx(0.63) and trace.error_y.array[0] == pytest.approx(0.01)
    tables = beside("group")
    figure, screen = (
        fake.on_paper(neighbours, results, tables),
        fake.on_screen(neighbours, results, tables),
    )
    assert list(by_gid(figure, f"{KNN} noise").get_ydata()) == pytest.approx([0.03, 0.13, 0.23])
    assert (0.02, 0.04) in bars(figure)
    assert by_meta(screen, f"{KNN} noise").error_y.arrayminus[2] == pytest.approx(0.01)


def test_the_interactive_protocol_has_the_sound_scores_intervals():
    results = task("grouped", "random")
    screen = fake.on_screen(protocol, results, notebook())
    rows = results.curve("deep")
    band = next(trace for trace in screen.data if trace.meta == "band deep")
    assert set(band.y) == {*rows["low"], *rows["high"]}
    row, mark = results.one("logmel", "features"), by_meta(screen, "sound logmel in deep")
    assert mark.y[0] + mark.error_y.array[0] == pytest.approx(row["high"])
    assert mark.y[0] - mark.error_y.arrayminus[0] == pytest.approx(row["low"])
    assert "accuracy on 8 clips" in words(fake.on_paper(protocol, results, notebook()))
    assert "3 of 10 fits stopped" in words(fake.on_paper(protocol, results, notebook()))


def figures(results: Results, excluded: str):
    yield leakage, [results]
    yield protocol, [results, notebook()]
    yield neighbours, [results, beside(excluded)]


def test_an_unknown_group_is_printed_on_every_figure():
    for module, arguments in figures(task("random"), "none"):
        printed = words(fake.on_paper(module, *arguments))
        assert "zoo: call (group unknown)" in printed and "GROUP UNKNOWN" in printed
        notes = [note.text for note in fake.on_screen(module, *arguments).layout.annotations]
        assert any("group unknown" in note for note in notes)
    assert "Only the random split could be made" in words(fake.on_paper(leakage, task("random")))
    printed = " ".join(neighbours.notes(task("random"), beside("none")))
    assert "solid: with no clip left out" in printed and "without clips" not in printed


def test_what_retrieval_leaves_out_is_printed():
    printed = words(fake.on_paper(neighbours, task("grouped", "random"), beside("recording")))
    assert "solid: without clips of the same recording" in printed and "UNKNOWN" not in printed


def test_names_from_users_are_never_markup():
    results = task("grouped", "random")
    for module, arguments in figures(results, "group"):
        screen = fake.on_screen(module, *arguments)
        assert "<b>bird" not in str(screen.to_plotly_json())
        # plotly fills in what stands in braces in a template, but not in data
        assert all("bird" not in (trace.hovertemplate or "") for trace in screen.data)
    cells = by_meta(fake.on_screen(leakage, results), "none grouped deep").customdata[0]
    assert cells.endswith(f"<br>grouped by {plain(NASTY)}")
    assert f"grouped by {NASTY}" in words(fake.on_paper(leakage, results))
