"""The figures: what is drawn is what the tables say, and names are only ever text."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import QuadMesh

import report_tables as fake
import stage_jobs
from report_tables import by_gid, words
from stratavox import words as labels
from stratavox.errors import StratavoxError
from stratavox.report import draw, figures, layout, paper, screen, style
from stratavox.report.curves import control_band
from stratavox.report.figure import Band, Heat, Points, Rule
from stratavox.report.figures import (
    atlas,
    comparison,
    layers,
    leakage,
    neighbours,
    protocol,
    umap,
)
from stratavox.report.results import load
from stratavox.report.screen import plain
from stratavox.tables import write_table


def results(root: Path, grouped: bool = True, rows: pd.DataFrame | None = None, **more):
    index = fake.write(root, grouped, rows, **more)
    answers = Path(index["datasets"]["zoo"]["tasks"]["call"]["answers"])
    source = index["datasets"]["zoo"]["source"]
    return load("zoo", "call", source, answers, fake.folders(index))


def expected(rows: pd.DataFrame, encoder: str, control="none", regime="grouped") -> pd.DataFrame:
    rows = rows[(rows["metric"] == "balanced_accuracy") & (rows["encoder"] == encoder)]
    return rows[(rows["control"] == control) & (rows["regime"] == regime)]


def segments(figure) -> list[np.ndarray]:
    """Ends (2, 2) of every bar that is drawn; matplotlib keeps empty ones for missing values."""
    collections = figure.axes[0].collections
    bars = [one for c in collections for one in getattr(c, "get_segments", list)()]
    return [one for one in bars if len(one)]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The results of a task with groups, which no test changes."""
    return results(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def unknown(tmp_path_factory):
    """The same with groups unknown."""
    return results(tmp_path_factory.mktemp("unknown"), grouped=False)


@pytest.fixture(scope="module")
def curves(task):
    """Its layer curves on paper."""
    return fake.on_paper(layers, task)


# ---- layer curves ----


@pytest.mark.parametrize(
    ("gid", "control", "regime"),
    [
        ("curve deep", "none", "grouped"),
        ("random deep", "none", "random"),
        ("permutation deep", "permutation", "grouped"),
    ],
)
def test_static_curves_are_the_tables_values(curves, gid, control, regime):
    rows = expected(fake.estimates(), "deep", control, regime).dropna(subset="depth")
    line = by_gid(curves, gid)
    assert list(line.get_xdata()) == rows["depth"].tolist() == [0, 1, 2, 3]
    assert list(line.get_ydata()) == rows["value"].tolist()


def test_static_bands_and_whiskers_are_the_tables_intervals(curves):
    rows = expected(fake.estimates(), "deep").dropna(subset="depth")
    corners = [
        path.vertices
        for band in curves.axes[0].collections
        if not hasattr(band, "get_segments")
        and np.allclose(band.get_facecolor()[:, :3], plt.matplotlib.colors.to_rgb(style.BLUE))
        for path in band.get_paths()
    ][0]
    assert set(corners[:, 1]) == {*rows["band_low"], *rows["band_high"]}
    baseline = expected(fake.estimates(), "logmel").iloc[0]
    assert list(by_gid(curves, "baseline logmel").get_ydata()) == [baseline["value"]]
    bars = segments(curves)
    for row in [baseline, *(row for _, row in rows.iterrows())]:
        assert any(set(bar[:, 1]) == {row["low"], row["high"]} for bar in bars)


def test_random_draws_are_one_curve_with_their_range(tmp_path):
    rows = fake.estimates()
    drawn = (rows["encoder"] == "noise") & (rows["readout"] == "block_00")
    rows.loc[drawn, ["draws_low", "draws_high"]] = [0.111, 0.777]
    task = results(tmp_path, rows=rows)
    task.facts["draws"] = {"noise": ["noise_seed0", "noise_seed1"]}
    figure = fake.on_paper(layers, task)
    bars = segments(figure)
    assert any(set(bar[:, 1]) == {0.111, 0.777} for bar in bars)
    printed = words(figure)
    assert "noise (random weights, 2 draws)" in printed
    assert "mean and range over 2 random draws of noise" in printed


def test_what_is_read_inside_blocks_is_a_thin_line_and_no_block(tmp_path, curves):
    rows = fake.estimates()
    like = rows[(rows["encoder"] == "deep") & (rows["readout"] == "block_00")].copy()
    inside = [
        like.assign(readout=f"ffn_{number:02d}", value=0.7 + number / 100, depth=np.nan)
        for number in (2, 0, 1)
    ]
    inner = results(tmp_path, rows=pd.concat([rows, *inside], ignore_index=True))
    there = inner.encoders["deep"]["readouts"]
    inner.encoders["deep"]["readouts"] = [*there, "ffn_00", "ffn_01", "ffn_02"]
    figure = fake.on_paper(layers, inner)
    thin = by_gid(figure, "ffn deep")
    assert list(thin.get_xdata()) == [1, 2, 3] and list(thin.get_ydata()) == [0.7, 0.71, 0.72]
    wanted = expected(fake.estimates(), "deep").dropna(subset="depth")["value"].tolist()
    assert list(by_gid(figure, "curve deep").get_ydata()) == wanted
    assert "ffn: output of the feed-forward part of a block" in words(figure)
    assert "readouts inside the blocks" in words(figure)
    (trace,) = [trace for trace in fake.on_screen(layers, inner).data if trace.meta == "ffn deep"]
    assert list(trace.x) == [1, 2, 3] and list(trace.y) == [0.7, 0.71, 0.72]
    assert trace.customdata[0].split("<br>")[1].startswith("ffn 0: ")
    assert "ffn" not in words(curves)


def test_what_follows_the_blocks_is_a_mark_of_its_own_right_of_the_curve(tmp_path, curves):
    rows = fake.estimates()
    like = rows[(rows["encoder"] == "deep") & (rows["readout"] == "block_00")]
    later = [
        like.assign(readout=name, value=value, depth=np.nan)
        for name, value in (("logits", 0.6), ("embedding", 0.8))
    ]
    task = results(tmp_path, rows=pd.concat([rows, *later], ignore_index=True))
    deep = task.encoders["deep"]
    deep["readouts"] = [*deep["readouts"], "embedding", "logits"]
    figure = fake.on_paper(layers, task)
    marks = by_gid(figure, "after deep")
    assert list(marks.get_ydata()) == [0.8, 0.6]
    (baseline,) = by_gid(figure, "baseline logmel").get_xdata()
    first, second = marks.get_xdata()
    assert 3 < first < second < baseline
    axes = figure.axes[0]
    ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    labels = {label.get_text(): place for place, label in ticks}
    assert [labels["embedding"], labels["logits"]] == [first, second]
    wanted = expected(fake.estimates(), "deep").dropna(subset="depth")["value"].tolist()
    assert list(by_gid(figure, "curve deep").get_ydata()) == wanted
    assert "after the last block, embedding, logits" in words(figure)
    assert "after the last block" not in words(curves)


def test_a_width_matched_curve_is_hollow_and_explained(tmp_path, curves):
    rows = fake.estimates()
    own = expected(rows, "deep").dropna(subset="depth")
    cut = own.assign(control="width_matched", value=own["value"] - 0.11)
    figure = fake.on_paper(layers, results(tmp_path, rows=pd.concat([rows, cut])))
    line = by_gid(figure, "width_matched deep")
    assert list(line.get_ydata()) == cut["value"].tolist()
    assert line.get_markerfacecolor() != by_gid(figure, "curve deep").get_markerfacecolor()
    assert by_gid(figure, "curve deep").get_ydata().tolist() == own["value"].tolist()
    assert "as many as the narrowest readout" in words(figure) and "width-matched" in words(figure)
    assert "width-matched" not in words(curves)


def test_interactive_curves_are_the_tables_values(task):
    shown = fake.on_screen(layers, task)
    rows = expected(fake.estimates(), "deep").dropna(subset="depth")
    trace = next(t for t in json.loads(shown.to_json())["data"] if t["meta"] == "curve deep")
    assert trace["name"] == "deep"
    curve = shown.data
    drawn = next(t for t in curve if t.meta == "curve deep")
    assert list(drawn.y) == rows["value"].tolist()
    assert trace["customdata"][0].startswith("deep<br>input: ")
    assert trace["customdata"][1] == (
        "deep<br>block 0: 0.42 (0.37 to 0.48)<br>95 % t interval over groups, given these fits"
        "<br>n = 40 clips, 8 groups"
    )
    point = next(t for t in curve if t.meta == "baseline logmel")
    baseline = expected(fake.estimates(), "logmel").iloc[0]
    assert point.y[0] == baseline["value"]
    assert point.y[0] + point.error_y.array[0] == pytest.approx(baseline["high"])
    assert point.y[0] - point.error_y.arrayminus[0] == pytest.approx(baseline["low"])


def test_the_control_band_is_the_widest_range_of_all_encoders(task):
    band = control_band(task)
    rows = fake.estimates()
    rows = rows[(rows["control"] == "permutation") & (rows["metric"] == "balanced_accuracy")]
    for depth, lowest, highest in zip(band.x, band.low, band.high, strict=True):
        here = rows[rows["depth"] == depth]
        assert (lowest, highest) == (here["low"].min(), here["high"].max())
    assert band.x == [0, 1, 2, 3]


def test_ticks_are_the_numbers_in_the_readouts_names(curves):
    axes = curves.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["input", "0", "1", "2"]


def test_the_figure_prints_its_counts_split_and_intervals(task, curves):
    printed = words(curves)
    assert "40 clips, 8 groups, 4 classes, chance 0.25; 5 folds × 2 repeats" in printed
    sample = {"drawn_from": {"clips": 9100, "groups": 90, "seed": 0}}
    sampled = dataclasses.replace(task, facts=task.facts | sample)
    assert "40 of 9,100 clips, drawn by class, 8 groups of 90, 4 classes" in sampled.counts_line()
    assert "no bird is in both training and test data" in printed
    assert "95 % t interval over groups" in printed
    assert "random split, optimistic where training and test share recordings" in printed
    assert "95 % range over 10 permutations" in printed
    assert "noise (random weights)" in printed and "logmel (baseline)" in printed
    assert "unknown" not in printed.lower()


@pytest.mark.parametrize("module", [layers, comparison])
def test_a_range_over_few_groups_is_not_called_an_interval(tmp_path, module):
    rows = fake.estimates(interval="range over groups")
    printed = words(fake.on_paper(module, results(tmp_path, rows=rows)))
    assert "range over groups, lowest to highest (too few groups for an interval)" in printed
    assert "t interval" not in printed


@pytest.mark.parametrize("module", [layers, comparison])
def test_an_unknown_group_is_printed_on_every_figure(task, unknown, module):
    printed = words(fake.on_paper(module, unknown))
    assert "zoo: call (group unknown)" in printed
    assert (
        "GROUP UNKNOWN: clips of one animal or recording may be in both training and test"
        in printed
    )
    shown = fake.on_screen(module, unknown)
    assert any("group unknown" in note.text for note in shown.layout.annotations)
    known = fake.on_screen(module, task)
    assert not known.layout.annotations


def test_without_groups_the_random_split_is_the_curve_and_is_not_drawn_twice(unknown):
    figure = fake.on_paper(layers, unknown)
    rows = expected(fake.estimates(grouped=False), "deep", regime="random").dropna(subset="depth")
    assert list(by_gid(figure, "curve deep").get_ydata()) == rows["value"].tolist()
    assert not [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]


def test_synthetic_data_are_called_so(tmp_path):
    assert "zoo (synthetic): call" in words(
        fake.on_paper(layers, results(tmp_path, source="chorus"))
    )


# ---- comparison ----


def test_comparison_draws_and_prints_the_tables_values(task):
    figure, shown = fake.on_paper(comparison, task), fake.on_screen(comparison, task)
    rows = fake.estimates()
    order = [(row.encoder, row.readout) for row in comparison.listed(task) if row.readout]
    assert order == [
        *[("deep", readout) for readout in ("block_02", "nested", "concat")],
        *[("noise", readout) for readout in ("block_00", "nested", "concat")],
        ("logmel", "features"),
    ]
    points = [t for t in shown.data if t.meta.startswith("value")]
    for place, (encoder, readout) in enumerate(order):
        row = expected(rows, encoder).set_index("readout").loc[readout]
        assert list(by_gid(figure, f"value {encoder} {readout}").get_xdata()) == [row["value"]]
        assert f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})" in words(figure)
        assert list(points[place].x) == [row["value"]]
        split = expected(rows, encoder, regime="random").set_index("readout").loc[readout]
        hollow = [t for t in shown.data if t.meta.startswith("random split")][place]
        assert list(hollow.x) == [split["value"]]
        if readout != "nested":
            null = expected(rows, encoder, "permutation").set_index("readout").loc[readout]
            bar = next(t for t in shown.data if t.meta == f"permutation {encoder} {readout}")
            assert list(bar.x) == [null["value"]]
            assert bar.x[0] + bar.error_x.array[0] == pytest.approx(null["high"])
            assert bar.x[0] - bar.error_x.arrayminus[0] == pytest.approx(null["low"])


def test_probes_on_tokens_stand_beside_with_tokens_shuffled(tmp_path):
    rows = fake.estimates()
    like = rows[(rows["readout"] == "block_02") & (rows["control"] == "none")]
    like = like[(like["regime"] == "grouped")].assign(probe="attention_order", value=0.612)
    both = [rows, like, like.assign(control="shuffled", value=0.333)]
    task = results(tmp_path, rows=pd.concat(both, ignore_index=True))
    figure, shown = fake.on_paper(comparison, task), fake.on_screen(comparison, task)
    assert list(by_gid(figure, "value deep block_02 attention_order").get_xdata()) == [0.612]
    assert "last block (block 2), attention on tokens in order" in words(figure)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [0.333] in [list(line.get_xdata()) for line in crosses]
    crosses = [t for t in shown.data if t.meta.startswith("tokens shuffled")]
    assert [list(t.x) for t in crosses] == [[0.333]]


# ---- atlas, leakage, protocol, neighbours; trends and more of the atlas: test_figures_depths ----


def test_the_atlas_has_a_cell_for_each_target_and_readout(task):
    drawn = [text.get_text() for text in fake.on_paper(atlas, task).findobj(plt.Text)]
    for value in fake.atlas()["value"]:
        assert f"{value:.2f}" in drawn
    # the task's row: the score above chance
    one = task.one("deep", "block_01")["value"]
    assert f"{(one - 0.25) / 0.75:.2f}" in drawn
    assert any("Fundamental frequency (F0), Hz (n 40)" in text for text in drawn)


def test_leakage_draws_every_regime_there_is(task, unknown):
    figure = fake.on_paper(leakage, task)
    for regime in ("grouped", "random"):
        rows = expected(fake.estimates(), "deep", regime=regime).dropna(subset="depth")
        line = by_gid(figure, f"none {regime} deep")
        assert list(line.get_ydata()) == rows["value"].tolist()
    alone = words(fake.on_paper(leakage, unknown))
    assert "Only the random split could be made" in alone


def test_the_notebooks_accuracies_stand_beside_the_sound_scores(task):
    tables = {name: fake.beside("notebook", name) for name in fake.ENCODERS}
    figure = fake.on_paper(protocol, task, tables)
    assert list(by_gid(figure, "notebook deep").get_ydata()) == tables["deep"]["accuracy"].tolist()
    rows = expected(fake.estimates(), "deep").dropna(subset="depth")
    assert list(by_gid(figure, "sound deep").get_ydata()) == rows["value"].tolist()
    printed = words(figure)
    assert (
        "accuracy on 8 clips" in printed and "3 of 7 fits stopped before they converged" in printed
    )
    shown = fake.on_screen(protocol, task, tables)
    drawn = next(t for t in shown.data if t.meta == "notebook deep")
    assert list(drawn.y) == tables["deep"]["accuracy"].tolist()


def test_neighbours_are_the_tables_and_say_what_was_excluded(task):
    tables = {name: fake.beside("neighbours", name) for name in fake.ENCODERS}
    figure = fake.on_paper(neighbours, task, tables)
    for measure in fake.NEIGHBOURS:
        rows = tables["deep"][tables["deep"]["measure"] == measure]
        drawn = by_gid(figure, f"{measure} deep")
        assert list(drawn.get_ydata()) == pytest.approx(rows["value"].tolist())
    assert "solid: without clips of the same recording" in words(figure)


# ---- UMAP panels ----


def umap_panels(
    root: Path, grouped: bool = True, lost: int = 0, whole: int | None = None
) -> tuple[umap.Labels, tuple[pd.DataFrame, dict]]:
    index = fake.write(root, grouped)
    folds_json = Path(index["datasets"]["zoo"]["tasks"]["call"]["folds_json"])
    clips = [f"clip-{number:03d}" for number in range(44)][lost:]
    generator = np.random.default_rng(0)
    table = pa.table(
        {
            "readout": [name for name in ("block_00", "block_02") for _ in clips],
            "clip_id": clips * 2,
            "x": generator.normal(size=2 * len(clips)).astype(np.float32),
            "y": generator.normal(size=2 * len(clips)).astype(np.float32),
        }
    )
    facts = {
        **{"clips": len(clips), "whole": whole or len(clips)},
        **{"n_neighbors": 7, "trustworthiness_clips": len(clips)},
        "trustworthiness": {"block_00": 0.8123, "block_02": 0.9345},
        "statements": ["n_neighbors reduced from 15 to 7"],
    }
    settings = {"min_dist": 0.1, "seed": 0, "n_neighbors": 15}
    path = root / "umap.parquet"
    write_table(table, path, {"umap": facts, "settings": settings})
    clips = umap.labels("deep on zoo: call", "call", folds_json.with_suffix(".parquet"), folds_json)
    return clips, umap.read_map(path, clips)


@pytest.fixture(scope="module")
def panels(tmp_path_factory) -> tuple[umap.Labels, tuple[pd.DataFrame, dict]]:
    """The panels of a task with groups."""
    return umap_panels(tmp_path_factory.mktemp("umap"))


@pytest.fixture(scope="module")
def panels_on_paper(panels):
    return fake.on_paper(umap, *panels)


def test_each_clip_stands_at_its_coordinates_under_its_class(panels, panels_on_paper):
    figure, shown = panels_on_paper, fake.on_screen(umap, *panels)
    points, _ = panels[1]
    for name in fake.CLASSES:
        for number, readout in enumerate(("block_00", "block_02")):
            here = points[(points["target"] == name) & (points["readout"] == readout)]
            dots = [line for line in figure.axes[number].lines if line.get_gid() == f"class {name}"]
            assert np.array_equal(dots[0].get_xydata(), here[["x", "y"]])
            trace = [t for t in shown.data if t.meta == plain(f"class {name}")][number]
            texts = [text.split("<br>") for text in trace.customdata]
            assert [lines[0] for lines in texts] == here["clip_id"].tolist() == list(trace.ids)
            assert {lines[1] for lines in texts} == {f"class: {plain(name)}"}
            assert [lines[2] for lines in texts] == [f"group: {group}" for group in here["group"]]
            assert list(trace.x) == here["x"].tolist()


def test_panels_print_their_trustworthiness(tmp_path, panels, panels_on_paper):
    printed = words(panels_on_paper)
    assert "block 0, trustworthiness 0.81" in printed and "block 2, trustworthiness 0.93" in printed
    assert "are no evidence" in printed
    assert "n_neighbors reduced from 15 to 7" in printed
    assert "44 clips, coloured by call; 4 outside the task in pale grey" in printed
    titles = [note.text for note in fake.on_screen(umap, *panels).layout.annotations]
    assert titles == ["block 0, trustworthiness 0.81", "block 2, trustworthiness 0.93"]
    assert "GROUP UNKNOWN" in words(fake.on_paper(umap, *umap_panels(tmp_path, grouped=False)))


def test_a_map_of_a_sample_is_labelled_and_may_lack_clips_of_the_task(tmp_path):
    panels = umap_panels(tmp_path, lost=1, whole=9000)
    assert (
        "43 clips of 9,000, drawn at random, coloured by call; 4 outside"
        in umap.notes(panels[0], *panels[1])[0]
    )
    sampled = dataclasses.replace(panels[0], drawn=True)
    assert "4 outside the task or its sample in pale grey" in umap.notes(sampled, *panels[1])[0]


def test_every_class_has_an_entry_in_the_legend(panels_on_paper):
    shown = [text.get_text() for text in panels_on_paper.legends[0].get_texts()]
    assert shown == ["outside the task", *sorted(fake.CLASSES)]


def test_a_map_that_lacks_a_clip_of_the_task_is_an_error(tmp_path):
    with pytest.raises(StratavoxError, match="no coordinates of 1 clips.*'clip-000'"):
        umap_panels(tmp_path, lost=1)


def test_a_job_draws_the_map_of_an_encoder(tmp_path):
    index = fake.write(tmp_path)
    umap_panels(tmp_path)
    task = index["datasets"]["zoo"]["tasks"]["call"]
    read = {"umap": tmp_path / "umap.parquet", "summary": task["folds_json"]}
    read["folds"] = Path(task["folds_json"]).with_suffix(".parquet")
    read["encoder"] = Path(fake.folders(index)["deep"]) / "encoder.json"
    settings = {"scope": "map", "source": "folder", "figures": ["umap"], "draws": {}}
    settings |= {"plotlyjs": str(tmp_path / "plotly.min.js")}
    wildcards = {"dataset": "zoo", "task": "call", "encoder": "deep"}
    out = {"umap": tmp_path / "out/umap_call.svg"}
    draw.run(stage_jobs.job(read, out, settings, wildcards=wildcards))
    page = (tmp_path / "out/umap_call.html").read_text(encoding="utf-8")
    assert "UMAP panels, deep on zoo: call" in page and fake.NASTY not in page


# ---- looks ----


def test_forty_classes_and_sixty_encoders_each_have_a_look_of_their_own():
    names = [f"n{number}" for number in range(63)]
    classes = style.class_looks(names)
    assert len(classes) == 40 == len(set(classes.values()))
    encoders = style.encoder_looks(names)
    assert len(set(encoders.values())) == 63
    assert len({look.marker for look in list(encoders.values())[:9]}) == 9


def test_an_encoder_has_one_colour_in_all_figures(task, curves):
    curve = by_gid(curves, "curve noise").get_color()
    mark = by_gid(fake.on_paper(comparison, task), "value noise nested").get_color()
    assert curve == mark == style.encoder_looks(list(fake.ENCODERS))["noise"].colour


def test_readouts_are_named_with_their_own_number():
    names = ["input", "patch", "block_00", "block_11", "ffn_03"]
    assert [labels.readout(name) for name in names] == [
        "input",
        "patch",
        "block 0",
        "block 11",
        "ffn 3",
    ]


# ---- both renderers ----


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("name", figures.of("target"))
def test_each_renderer_draws_all_that_the_data_has(task, unknown, name, grouped):
    tables = {
        kind: {encoder: fake.beside(kind, encoder) for encoder in fake.ENCODERS}
        for kind in ("neighbours", "notebook")
    }
    figure = figures.build(name, task if grouped else unknown, tables, fake.PLACES)
    on_paper, on_screen = paper.draw(figure), go.Figure(screen.draw(figure))
    series = [one for panel in figure.panels for one in panel.series]
    kinds = {
        kind: [s for s in series if isinstance(s, kind)] for kind in (Points, Band, Rule, Heat)
    }
    # paper
    drawn = [line for axes in on_paper.axes for line in axes.lines]
    for one in kinds[Points]:
        assert any(
            np.array_equal(line.get_xdata(), one.x)
            and np.array_equal(line.get_ydata(), one.y, equal_nan=True)
            and (line.get_gid() or "") == one.name
            and (not one.dash or line.get_color() == one.colour)
            for line in drawn
        ), one.name
    assert len(drawn) == len(kinds[Points]) + len(kinds[Rule])
    meshes = [m.get_gid() for m in on_paper.findobj(QuadMesh) if m.get_gid()]
    assert meshes == [heat.name for heat in kinds[Heat]]
    if figure.legend:
        entries = [text.get_text() for text in on_paper.legends[0].get_texts()]
        assert entries == layout.shortened(figure.legend)
    printed = words(on_paper)
    assert figure.title in printed and all(
        " ".join(note.split()) in printed for note in figure.notes
    )
    # screen
    metas = [trace.meta for trace in on_screen.data]
    known = [band for band in kinds[Band] if np.isfinite(np.array(band.low, float)).any()]
    wanted = [*kinds[Points], *kinds[Heat], *known]
    assert sorted(metas) == sorted(plain(one.name) for one in wanted)
    assert len(on_screen.layout.shapes) == len(kinds[Rule])
    listed = [one for one in (*on_screen.data, *on_screen.layout.shapes) if one.showlegend]
    assert sorted(one.name for one in listed) == sorted(map(plain, figure.legend))
    for one in kinds[Points]:
        (trace,) = (
            [t for t in on_screen.data if t.meta == plain(one.name) and list(t.x) == list(one.x)]
            if one.name and len(one.x)
            else [None]
        )
        if trace is not None:
            assert np.array_equal(trace.y, one.y, equal_nan=True)
            assert list(trace.customdata or ()) == list(map(plain, one.hover))


# ---- files ----


class Loads(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self):
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = {"src", "href", "srcset", "data", "poster"}
        if tag != "a":
            self.addresses += [value for name, value in attrs if name in names]


def test_the_same_table_gives_the_same_bytes(tmp_path):
    stems = [tmp_path / "one" / "layers", tmp_path / "two" / "layers"]
    for stem in stems:
        task = results(tmp_path)
        figure = fake.build(layers, task)
        paper.save(figure, stem, {"key": "k"})
        screen.save(figure, stem, {"key": "k"}, tmp_path / "plotly.min.js")
    for kind in ("svg", "pdf", "png", "html"):
        one, two = [Path(f"{stem}.{kind}").read_bytes() for stem in stems]
        assert one == two, kind


def test_svg_text_is_text_and_names_are_escaped(tmp_path, panels):
    paper.save(fake.build(umap, *panels), tmp_path / "umap", {"key": "kept"})
    text = (tmp_path / "umap.svg").read_text(encoding="utf-8")
    assert "trustworthiness 0.81</text>" in text
    assert ">&lt;script&gt;alert(1)&lt;/script&gt;</text>" in text and fake.NASTY not in text
    assert ">$x^2$</text>" in text and ">_hidden</text>" in text
    assert "kept" in text


def test_interactive_pages_are_self_contained_and_escape_names(tmp_path, panels):
    figure = fake.on_screen(umap, *panels)
    named = dataclasses.replace(fake.build(umap, *panels), title=fake.NASTY, notes=[fake.UMLAUT])
    screen.save(named, tmp_path / "maps/umap", {"key": fake.NASTY}, tmp_path / "plotly.min.js")
    page = (tmp_path / "maps/umap.html").read_text(encoding="utf-8")
    loads = Loads()
    loads.feed(page)
    assert loads.addresses == ["../plotly.min.js", "umap.svg"]
    assert "plotly.js v" not in page and len(page) < 30_000
    assert 'modeBarButtonsToRemove: ["sendChartToCloud"]' in page  # it uploads
    assert fake.NASTY not in page and "<b>Täubchen" not in page
    held = json.loads(screen.spec(tmp_path / "maps/umap"))
    assert [trace["name"] for trace in held["data"]] == [trace.name for trace in figure.data]
    names = {trace.name for trace in figure.data}
    # plotly itself renders some HTML in names, so they must reach it escaped
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in names
    assert 'Grünes "Ö" &amp; &lt;b&gt;Täubchen&lt;/b&gt;' in names
    texts = [text.replace("<br>", "") for trace in figure.data for text in trace.customdata or ()]
    assert texts and all("<" not in text for text in texts)


def test_one_job_draws_all_figures_of_a_task_or_of_a_dataset(tmp_path):
    index = fake.write(tmp_path)
    zoo = index["datasets"]["zoo"]
    task = zoo["tasks"]["call"]
    shared = {"encoders": [f"{path}/encoder.json" for path in fake.folders(index).values()]}
    drawn = {"target": [*task["stems"]], "dataset": [*zoo["stems"]]}
    own = {
        "target": {"answers": f"{task['answers']}/summary.json"}
        | {kind: [*task[kind].values()] for kind in ("neighbours", "notebook")},
        "dataset": {"similarity": zoo["similarity"], "shape": [*zoo["shape"].values()]},
    }
    about = {"wildcards": {"dataset": "zoo", "task": "call"}, "provenance": {"key": "kept"}}
    for scope, names in drawn.items():
        settings = {
            "scope": scope,
            "source": "folder",
            "figures": names,
            "draws": {},
            "encoders": [],
        }
        settings |= {"plotlyjs": str(tmp_path / "plotly.min.js")}
        out = {name: tmp_path / f"out/{name}.svg" for name in names}
        if scope == "target":
            done = stage_jobs.run("report.draw", shared | own[scope], out, settings, **about)
            assert done.returncode == 0, done.stderr
        else:
            draw.run(stage_jobs.job(shared | own[scope], out, settings, **about))
        for figure in names:
            sizes = [(tmp_path / f"out/{figure}.{kind}").stat().st_size for kind in figures.FORMATS]
            assert min(sizes) > 100 and sum(sizes) < 500_000
            page = (tmp_path / f"out/{figure}.html").read_text(encoding="utf-8")
            assert fake.NASTY not in page and "kept" in page
            assert re.search(rb"PNG", (tmp_path / f"out/{figure}.png").read_bytes()[:8])


TOY = """
FACTS = {
    "order": 12, "topic": "curves", "title": "Toy", "scopes": ("target",),
    "caption": "A toy: {task} of {dataset}.",
}


def figure(results):
    from stratavox.report.figure import Figure, Panel, Points

    rows = results.curve("deep")
    points = Points(rows["depth"], rows["value"], "#0072B2", dash="solid", legend="deep")
    return Figure([Panel([points], (3, 2))], [results.counts_line()])
"""
DRAW_TOY = """
import sys
from pathlib import Path
from stratavox.report import draw, figures, results
root, dataset, answers, encoders = Path(sys.argv[1]), "zoo", sys.argv[2], eval(sys.argv[3])
assert figures.of("target")[1:4] == ["layers", "toy", "trends"], figures.of("target")
loaded = results.load(dataset, "call", "folder", Path(answers), encoders)
figure = figures.build("toy", loaded, {}, {"dataset": dataset, "task": "call"})
draw.save(figure, root / "toy", {"key": "k"}, root / "plotly.min.js")
"""


def test_a_new_figure_is_one_new_file(tmp_path):
    index = fake.write(tmp_path)
    package = stage_jobs.copied_package(tmp_path)
    new = package / "stratavox/report/figures/toy.py"
    new.write_text(TOY, encoding="utf-8")
    answers = index["datasets"]["zoo"]["tasks"]["call"]["answers"]
    folders = repr(fake.folders(index))
    stage_jobs.python(package, "-c", DRAW_TOY, str(tmp_path), answers, folders)
    for kind in figures.FORMATS:
        assert (tmp_path / f"toy.{kind}").stat().st_size > 50
    assert (tmp_path / "toy.txt").read_text(encoding="utf-8").startswith("A toy: call of zoo.")
    assert "Toy, zoo: call" in (tmp_path / "toy.html").read_text(encoding="utf-8")


def test_facts_are_read_without_loading_a_library():
    script = (
        "import sys; from stratavox.report import figures; print(*figures.of('target'));"
        "print(*{'numpy', 'pandas', 'matplotlib', 'plotly', 'pyarrow'} & set(sys.modules))"
    )
    printed = stage_jobs.python(stage_jobs.ROOT / "workflow", "-c", script)
    names, loaded = printed.split("\n")[:2]
    assert names.split() == figures.of("target") and loaded == ""


def test_every_figure_has_facts_that_can_be_filled_in():
    facts = figures.facts()
    assert len(facts) == 16
    topics = [list(figures.TOPICS).index(entry.topic) for entry in facts.values()]
    assert topics == sorted(topics) and set(topics) == set(range(len(figures.TOPICS)))
    for entry in facts.values():
        assert set(entry.scopes) <= set(figures.SCOPES) and entry.scopes
        caption = entry.caption.format(task="call", dataset="zoo", encoder="deep", metric="Score")
        assert "zoo" in caption and "{" not in caption


def test_a_figure_without_facts_is_refused(tmp_path):
    (tmp_path / "bare.py").write_text("X = 1\n", encoding="utf-8")
    with pytest.raises(StratavoxError, match="bare.py: has no FACTS"):
        figures._read(tmp_path / "bare.py")


def test_estimates_of_other_encoders_are_refused(tmp_path):
    index = fake.write(tmp_path)
    answers = Path(index["datasets"]["zoo"]["tasks"]["call"]["answers"])
    some = {"deep": fake.folders(index)["deep"]}
    with pytest.raises(StratavoxError, match=r"\['deep', 'logmel', 'noise'\].*\['deep'\]"):
        load("zoo", "call", "folder", answers, some)


def test_an_interval_of_unknown_meaning_is_refused(tmp_path):
    with pytest.raises(StratavoxError, match="guesswork.*t over groups"):
        results(tmp_path, rows=fake.estimates(interval="guesswork"))
