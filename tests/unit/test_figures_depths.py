"""Trends and atlas: drawn values are the tables', what is not known is said, names are text."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from matplotlib import pyplot as plt

import report_tables as fake
from report_tables import words
from stratavox import columns
from stratavox.inference.answers.depths import BEST, ONSET
from stratavox.inference.answers.trends import (
    ACOUSTICS,
    FALLS,
    LEVEL,
    RISES,
    UNDETERMINED,
    UNTESTED,
)
from stratavox.report.figure import Band, Figure
from stratavox.report.figures import atlas, trends
from stratavox.report.results import Results
from stratavox.report.screen import plain

NASTY = "<b>%{x} $x^2$</b>"
BLOCKS = ["block_00", "block_01", "block_02", "block_03"]
CHANCE, MARGIN = 0.2, 0.02


def answer_columns(name: str) -> list[str]:
    return columns.schema(f"answers/{{dataset}}/{{task}}/{name}.parquet").names


def scores() -> pd.DataFrame:
    """Balanced accuracies of two encoders: .3 to .8 over depth, all blocks .9; the baseline .1."""
    depths = [*range(5), None, None]
    readouts = [*(("deep", name) for name in ("input", *BLOCKS, "concat")), (NASTY, "features")]
    values = [0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 0.1]
    rows = [
        {"encoder": encoder, "readout": readout, "depth": depth, "value": value, "regime": regime}
        for (encoder, readout), depth, value in zip(readouts, depths, values, strict=True)
        for regime in ("grouped", "random")
    ]
    more = {"probe": "linear", "control": "none", "metric": "balanced_accuracy", "n_clips": 50}
    table = pd.DataFrame(rows).assign(**more, n_groups=7, interval="t over groups")
    table.loc[table["regime"] == "random", "value"] += 0.04
    return table.assign(low=table["value"] - 0.05, high=table["value"] + 0.05)


def explained() -> pd.DataFrame:
    """Variance explained, with a number of its own in each cell; F0 on fewer clips, once below 0"""
    one = scores()
    one = one[one["regime"] == "grouped"]
    parts = [
        one.assign(target=target, value=one["value"] - 0.2 * place, n_clips=n_clips)
        for place, (target, n_clips) in enumerate({"level": 50, "f0": 31, "centroid": 50}.items())
    ]
    # concat and the nuisance come first, so that order is the figure's work
    table = pd.concat(parts).iloc[::-1]
    table = table.assign(low=table["value"] - 0.05, high=table["value"] + 0.05)
    return table[answer_columns("explained_variance")]


def trend_rows() -> pd.DataFrame:
    """The task rises; targets fall, are level or undetermined; the nuisance stands before them."""
    rows = [
        ("level", "nuisance", 0.06, 0.05, UNDETERMINED),
        (NASTY, "task", 0.35, 0.1, RISES),
        ("centroid", "acoustic", -0.31, 0.1, FALLS),
        ("f0", "acoustic", 0.002, 0.011, LEVEL),
        (ACOUSTICS, "acoustic", -0.15, 0.2, UNDETERMINED),
    ]
    table = pd.DataFrame(rows, columns=["target", "kind", "value", "half", "direction"])
    table = table.assign(low=table["value"] - table["half"], high=table["value"] + table["half"])
    table = table.assign(encoder="deep", margin=MARGIN, interval="t over groups", n_groups=7)
    return table.reindex(columns=answer_columns("trends"))


def depth_rows() -> pd.DataFrame:
    rows = [("deep", ONSET, "block_01"), ("deep", BEST, "block_01, block_02, block_03")]
    table = pd.DataFrame(rows, columns=["encoder", "measure", "readouts"])
    return table.reindex(columns=answer_columns("depths"))


def results(**changed) -> Results:
    facts = {"regimes": ["grouped", "random"], "group": "bird", "chance": CHANCE, "folds": 5}
    facts |= {"drawn_from": None, "clips": 50, "groups": 7}
    facts["classes"] = dict.fromkeys(range(round(1 / CHANCE)))
    encoders = {
        "deep": {"weights": "pretrained", "blocks": BLOCKS, "readouts": ["input", *BLOCKS]},
        NASTY: {"weights": "none", "blocks": [], "readouts": ["features"]},
    }
    default = Results(
        **{"dataset": "zoo", "task": NASTY, "source": "folder", "estimates": scores()},
        **{"explained_variance": explained(), "encoders": encoders},
        **{"trends": trend_rows(), "depths": depth_rows(), "robustness": pd.DataFrame()},
        **dict.fromkeys(("layer_weights", "contrasts", "claims", "recommendation"), pd.DataFrame()),
        facts={**facts, "repeats": 2, "permutations": 20, "draws": {}},
    )
    return replace(default, **changed)


def unknown() -> Results:
    """The same task with groups unknown: one regime, no trends, no depths, no intervals."""
    known = results()
    estimates = known.estimates[known.estimates["regime"] == "random"]
    bare = {"low": float("nan"), "high": float("nan"), "interval": "none", "n_groups": None}
    return replace(
        known,
        estimates=estimates.assign(**bare),
        explained_variance=known.explained_variance.assign(**bare),
        trends=known.trends.iloc[:0],
        depths=known.depths.iloc[:0],
        facts={**known.facts, "regimes": ["random"], "group": None, "groups": None},
    )


def lines(figure) -> dict[str, plt.Line2D]:
    return {line.get_gid(): line for line in figure.findobj(plt.Line2D) if line.get_gid()}


def ends(collection) -> list:
    """Both ends of each bar of a collection on paper; none of one that is no bar."""
    return [bar for bar in getattr(collection, "get_segments", list)() if len(bar)]


def shaded(figure: Figure, name: str, panel: int) -> list[tuple[float, float]]:
    """First and last x of each shaded area of this name in a panel."""
    bands = [one for one in figure.panels[panel].series if isinstance(one, Band)]
    return [(band.x[0], band.x[-1]) for band in bands if band.name == name]


# ---- trends ----


def test_trends_and_their_intervals_are_the_tables():
    figure, screen = fake.on_paper(trends, results()), fake.on_screen(trends, results())
    drawn = lines(figure)
    bars = [tuple(s[:, 0]) for c in figure.axes[0].collections for s in ends(c)]
    traces = {trace.meta: trace for trace in screen.data}
    for row in trend_rows().itertuples():
        assert list(drawn[f"deep {row.target}"].get_xdata()) == [row.value]
        assert (row.low, row.high) in bars
        trace = traces[plain(f"deep {row.target}")]
        assert list(trace.x) == [row.value]
        assert trace.x[0] + trace.error_x.array[0] == pytest.approx(row.high)
        assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(row.low)
    assert len(bars) == len(trend_rows())
    low, high = figure.axes[0].get_xlim()
    assert low < trend_rows()["low"].min() and high > trend_rows()["high"].max()


def test_labels_of_trends_are_the_tables_directions_with_nuisances_last():
    figure = fake.on_paper(trends, results())
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert [label.rpartition(": ")[2] for label in labels] == [
        *(RISES, UNDETERMINED, FALLS, LEVEL, UNDETERMINED)
    ]
    names = ["mean of the acoustic targets", "Spectral centroid", "Fundamental frequency (F0)"]
    assert [label.rpartition(": ")[0] for label in labels[1:4]] == names
    assert labels[4].startswith("Level")
    assert labels[0] == f"{NASTY}: {RISES}"
    # a label stands beside its own trend
    places = dict(zip(labels, figure.axes[0].get_yticks(), strict=True))
    drawn = lines(figure)
    assert drawn["deep f0"].get_ydata()[0] == places[f"{names[2]}: {LEVEL}"]
    assert drawn["deep level"].get_ydata()[0] == places[labels[4]] == 4 + trends.GAP


def test_a_long_name_of_a_task_leaves_room_for_its_direction():
    name = "identity of the individual that called"
    long = trend_rows().replace({"target": {NASTY: name}})
    ticks = fake.build(trends, results(task=name, trends=long)).panels[0].y.ticks
    assert ticks[0] == f"{name[: trends.NAME - 1]}…: {RISES}"
    assert max(map(len, ticks.values())) < 45


def test_the_margin_and_the_first_and_last_third_of_the_readouts_are_shaded():
    figure = fake.build(trends, results())
    assert shaded(figure, "margin", 0) == [(-MARGIN, MARGIN)]
    # a third of the five readouts is one of them
    assert shaded(figure, "third", 1) == [(-0.5, 0.5), (3.5, 4.5)]
    blocks = [f"block_{number:02d}" for number in range(8)]
    one = scores()[lambda table: table["readout"] == "input"]
    table = pd.concat(one.assign(readout=f"block_{n:02d}", depth=1.0 + n) for n in range(8))
    deeper = {**results().encoders, "deep": {"blocks": blocks, "readouts": ["input", *blocks]}}
    deeper["deep"]["weights"] = "pretrained"
    deep = results(estimates=pd.concat([one, table]), encoders=deeper)
    # of the nine readouts 0 to 8: three and three
    assert shaded(fake.build(trends, deep), "third", 1) == [(-0.5, 2.5), (5.5, 8.5)]


def test_the_curves_are_the_tasks_scores_and_the_mean_of_the_acoustic_targets():
    drawn = lines(fake.on_paper(trends, results()))
    own = scores()[lambda table: table["depth"].notna() & (table["regime"] == "grouped")]
    assert list(drawn["task deep"].get_xdata()) == own["depth"].tolist()
    assert list(drawn["task deep"].get_ydata()) == own["value"].tolist()
    table = explained()[lambda table: table["target"].isin(["f0", "centroid"])]
    # neither the nuisance nor all blocks together
    means = table.dropna(subset="depth").groupby("depth")["value"].mean()
    assert list(drawn["acoustics deep"].get_ydata()) == pytest.approx(means.tolist())


def test_onset_and_the_blocks_that_may_be_best_stand_at_their_depth():
    drawn = lines(fake.on_paper(trends, results()))
    assert list(drawn[f"deep {ONSET}"].get_xdata()) == [2.0]  # the input is 0, block 0 is 1
    assert list(drawn[f"deep {BEST}"].get_xdata()) == [2.0, 3.0, 4.0]
    traces = {trace.meta: trace for trace in fake.on_screen(trends, results()).data}
    assert list(traces[f"deep {BEST}"].x) == [2.0, 3.0, 4.0]
    values = [text.split(": ")[-1] for text in traces[f"deep {BEST}"].customdata]
    assert values == ["block 1", "block 2", "block 3"]
    printed = words(fake.on_paper(trends, results()))
    assert "block chosen in training): block 1." in printed
    assert "may be the best (95 %): block 1 to block 3." in printed
    none = depth_rows().assign(readouts=[None, "block_00, block_02, block_03"])
    without = fake.on_paper(trends, results(depths=none))
    assert f"deep {ONSET}" not in lines(without)
    assert "block chosen in training): no block." in words(without)
    assert "(95 %): block 0, block 2 to block 3." in words(without)


def test_a_trend_that_is_not_tested_has_no_whisker_and_says_so():
    few = trend_rows().assign(low=float("nan"), high=float("nan"), direction=UNTESTED)
    figure = fake.on_paper(trends, results(trends=few))
    assert not [s for c in figure.axes[0].collections for s in ends(c)]
    assert list(lines(figure)["deep centroid"].get_xdata()) == [-0.31]
    assert f"Spectral centroid: {UNTESTED}" in words(figure)
    assert trends.NO_TEST in words(figure) and "Whiskers, left" not in words(figure)
    assert trends.NO_TEST not in words(fake.on_paper(trends, results()))


def test_what_has_no_trend_says_why():
    figure = fake.on_paper(trends, unknown())
    assert "groups are unknown: no trend has an interval" in words(figure)
    assert "GROUP UNKNOWN" in words(figure) and "(group unknown)" in words(figure)
    # the curve of the task is there all the same
    assert list(lines(figure)["task deep"].get_ydata()) == pytest.approx(
        [0.34, 0.44, 0.64, 0.74, 0.84]
    )
    notes = [note.text for note in fake.on_screen(trends, unknown()).layout.annotations]
    assert "groups are unknown: no trend has an interval" in notes
    encoders = {NASTY: results().encoders[NASTY]}
    bare = results(encoders=encoders, trends=trend_rows().iloc[:0])
    assert trends.NO_DEPTH in words(fake.on_paper(trends, bare))


def test_encoders_share_the_scale_of_their_trends():
    more = trend_rows().assign(encoder="other", value=0.9, low=0.8, high=1.4)
    both = {**results().encoders, "other": results().encoders["deep"]}
    table = pd.concat([trend_rows(), more])
    rows = pd.concat([scores(), scores().replace({"encoder": {"deep": "other"}})])
    figure = fake.build(trends, results(trends=table, encoders=both, estimates=rows))
    first, _, second, _ = (panel.x.limits for panel in figure.panels)
    assert first == second and second[1] > 1.4


def test_the_alternative_text_has_the_trends_of_the_task_and_of_the_acoustics():
    text = trends.alt(results())
    assert f"deep: {NASTY} +0.350, rises; deep: acoustic targets -0.150, undetermined." in text
    assert trends.alt(unknown()).endswith("No encoder has a trend.")


# ---- atlas ----


def grid(figure, row: str) -> list[float]:
    """The colours' values in a row of the first panel."""
    meshes = {m.get_gid(): m for m in figure.axes[0].collections}
    return meshes[f"deep {row}"].get_array().ravel().tolist()


def test_cells_are_the_table_in_the_order_of_depth_with_all_blocks_last():
    figure, table = (
        fake.on_paper(atlas, results()),
        explained().set_index(["target", "readout"])["value"],
    )
    for target in ("centroid", "f0", "level"):
        values = [table[target, readout] for readout in ("input", *BLOCKS, "concat")]
        assert grid(figure, target) == pytest.approx([max(value, 0) for value in values])
        for value in values:
            assert f"{value:.2f}" in words(figure)
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["input", "0", "1", "2", "3", "all"]
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels[0].startswith("Spectral centroid") and labels[-2].startswith("Level")
    assert "Fundamental frequency (F0), Hz (n 31)" in labels


def test_the_tasks_row_is_the_score_above_chance_of_the_atlas_own_split():
    above = [(value - CHANCE) / (1 - CHANCE) for value in (0.3, 0.4, 0.6, 0.7, 0.8, 0.9)]
    assert grid(fake.on_paper(atlas, results()), NASTY) == pytest.approx(above)
    mixed = results(
        facts={**results().facts, "regimes": ["recording", "random"], "group": None, "groups": None}
    )
    figure = fake.on_paper(atlas, mixed)
    assert grid(figure, NASTY) == pytest.approx([v + 0.04 / (1 - CHANCE) for v in above])
    assert "use the random split" in words(figure)


def test_below_zero_is_coloured_as_zero_and_printed_as_it_is():
    assert atlas.printed(-0.0004) == "0.00" and atlas.printed(-0.25) == "-0.25"
    assert atlas.printed(-1.24) == "-1.2" and atlas.printed(-123.0) == "<-9"
    heat = {trace.meta: trace for trace in fake.on_screen(atlas, results()).data}
    below = heat["baselines centroid"]
    assert below.z[0][0] == 0.0 and below.text[0][0] == "-0.30"
    assert ": -0.30 (-0.35 to -0.25)<br>" in below.customdata[0][0]


def test_a_target_that_an_encoder_lacks_is_not_measured_rather_than_zero():
    table = explained()
    some = table[~((table["target"] == "level") & (table["encoder"] == "deep"))]
    heat = {
        trace.meta: trace for trace in fake.on_screen(atlas, results(explained_variance=some)).data
    }
    assert set(heat["deep level"].z[0]) == {None}
    assert heat["deep level"].customdata[0][0].endswith(": not measured")


def test_an_atlas_without_rows_says_so():
    empty = results(explained_variance=explained().iloc[:0])
    assert atlas.NOTHING in words(fake.on_paper(atlas, empty))
    assert atlas.NOTHING in [n.text for n in fake.on_screen(atlas, empty).layout.annotations]
    assert "GROUP UNKNOWN" in words(fake.on_paper(atlas, unknown()))


# ---- both ----


@pytest.mark.parametrize("module", [trends, atlas])
@pytest.mark.parametrize("task", [results, unknown])
def test_names_from_users_are_only_text(module, task):
    figure = fake.on_screen(module, task()).to_plotly_json()
    layout = figure["layout"]
    shown = [note["text"] for note in layout.get("annotations", [])]
    axes = [layout[key] for key in layout if key.startswith(("xaxis", "yaxis"))]
    shown += [name for axis in axes for name in axis.get("ticktext") or []]
    for trace in figure["data"]:
        # a name in a template would have its %{...} read
        template = trace.get("hovertemplate", "")
        assert NASTY not in template and "$x" not in template
        shown += [trace.get("name") or "", *_leaves(trace.get("customdata", []))]
    assert not [text for text in shown if NASTY in text]
    assert task is unknown and module is trends or [t for t in shown if plain(NASTY) in t]


def _leaves(cells) -> list[str]:
    if isinstance(cells, str):
        return [cells]
    return [leaf for cell in cells for leaf in _leaves(cell)]
