"""Centres and atlas: drawn values are the tables', what is not known is said, names are text."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from matplotlib import pyplot as plt

import report_tables as fake
from report_tables import words
from stratavox import columns
from stratavox.inference.answers.claims import EARLY_LATE
from stratavox.inference.answers.depths import ACOUSTICS, APART, BEST, CENTRE, SATURATION
from stratavox.report.figures import atlas, centres
from stratavox.report.results import Results
from stratavox.report.screen import plain

NASTY = "<b>%{x} $x^2$</b>"
BLOCKS = ["block_00", "block_01", "block_02", "block_03"]
CHANCE = 0.2


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


def centre_rows() -> pd.DataFrame:
    rows = [
        ("centroid", "acoustic", CENTRE, 0.31, None),
        ("level", "nuisance", CENTRE, 0.27, None),
        ("f0", "acoustic", CENTRE, None, None),
        (ACOUSTICS, "acoustic", CENTRE, 0.36, None),
        (NASTY, "task", CENTRE, 0.66, None),
        (APART, "task", CENTRE, 0.3, None),
        (NASTY, "task", SATURATION, None, "block_01"),
        (NASTY, "task", BEST, None, "block_01, block_03"),
    ]
    table = pd.DataFrame(rows, columns=["target", "kind", "measure", "value", "readouts"])
    table = table.assign(low=table["value"] - 0.1, high=table["value"] + 0.12, encoder="deep")
    return table.assign(interval="t over groups", n_groups=7).reindex(
        columns=answer_columns("depths")
    )


def results(**changed) -> Results:
    verdict = {"claim": EARLY_LATE, "encoder": "deep", "value": 0.3, "low": 0.2, "high": 0.42}
    verdict |= {"detectable": 0.151, "verdict": "supported", "interval": "t over groups"}
    facts = {"regimes": ["grouped", "random"], "group": "bird", "chance": CHANCE, "folds": 5}
    facts |= {"drawn_from": None, "clips": 50, "groups": 7}
    facts["classes"] = dict.fromkeys(range(round(1 / CHANCE)))
    encoders = {
        "deep": {"weights": "pretrained", "blocks": BLOCKS, "readouts": ["input", *BLOCKS]},
        NASTY: {"weights": "none", "blocks": [], "readouts": ["features"]},
    }
    default = Results(
        **{"dataset": "zoo", "task": NASTY, "source": "folder", "estimates": scores()},
        **{"explained_variance": explained(), "depths": centre_rows(), "encoders": encoders},
        layer_weights=pd.DataFrame(),
        contrasts=pd.DataFrame(),
        claims=pd.DataFrame([verdict], columns=answer_columns("claims")),
        facts={**facts, "repeats": 2, "permutations": 20, "draws": {}},
    )
    return replace(default, **changed)


def unknown() -> Results:
    """The same task with groups unknown: one regime, no depths, no verdict, no intervals."""
    known = results()
    estimates = known.estimates[known.estimates["regime"] == "random"]
    bare = {"low": float("nan"), "high": float("nan"), "interval": "none", "n_groups": None}
    return replace(
        known,
        estimates=estimates.assign(**bare),
        explained_variance=known.explained_variance.assign(**bare),
        depths=known.depths.iloc[:0],
        claims=known.claims.iloc[:0],
        facts={**known.facts, "regimes": ["random"], "group": None, "groups": None},
    )


def lines(figure) -> dict[str, plt.Line2D]:
    return {line.get_gid(): line for line in figure.findobj(plt.Line2D) if line.get_gid()}


# ---- centres ----


def test_centres_and_their_intervals_are_the_tables():
    figure, screen = fake.on_paper(centres, results()), fake.on_screen(centres, results())
    drawn = lines(figure)
    bars = [tuple(s[:, 0]) for c in figure.axes[0].collections for s in c.get_segments()]
    traces = {trace.meta: trace for trace in screen.data}
    table = centre_rows()
    table = table[(table["measure"] == CENTRE) & (table["target"] != APART)]
    for row in table.dropna(subset="value").itertuples():
        assert list(drawn[f"deep {row.target}"].get_xdata()) == [row.value]
        assert (row.low, row.high) in bars
        trace = traces[plain(f"deep {row.target}")]
        assert list(trace.x) == [row.value]
        assert trace.x[0] + trace.error_x.array[0] == pytest.approx(row.high)
        assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(row.low)
    assert len(bars) == 4


def test_the_tasks_best_blocks_stand_at_their_depth_below_the_task():
    drawn = lines(fake.on_paper(centres, results()))
    assert list(drawn[f"deep {BEST}"].get_xdata()) == [0.5, 1.0]
    assert list(drawn[f"deep {SATURATION}"].get_xdata()) == [0.5]
    assert drawn[f"deep {BEST}"].get_ydata()[0] == drawn[f"deep {NASTY}"].get_ydata()[0] + 1
    traces = {trace.meta: trace for trace in fake.on_screen(centres, results()).data}
    assert list(traces[f"deep {BEST}"].x) == [0.5, 1.0]
    values = [text.split(": ")[1] for text in traces[f"deep {BEST}"].customdata]
    assert values == ["block 1", "block 3"]


def test_nuisances_stand_apart_and_a_flat_curve_is_called_so():
    figure = fake.on_paper(centres, results())
    drawn = {key: line.get_ydata()[0] for key, line in lines(figure).items()}
    # centroid and the flat f0, a gap, level, a gap, the mean
    assert drawn["deep level"] - drawn["deep centroid"] == 2 + centres.GAP
    assert drawn[f"deep {ACOUSTICS}"] - drawn["deep level"] == 1 + centres.GAP
    assert "no centre" in words(figure)
    assert "Fundamental frequency (F0), Hz" in words(figure)


def test_what_has_no_centre_says_why():
    figure = fake.on_paper(centres, unknown())
    assert "groups unknown: no centre has an interval" in words(figure)
    assert "GROUP UNKNOWN" in words(figure) and "(group unknown)" in words(figure)
    notes = [note.text for note in fake.on_screen(centres, unknown()).layout.annotations]
    assert "groups unknown: no centre has an interval" in notes
    bare = results(encoders={NASTY: results().encoders[NASTY]})
    assert centres.NO_DEPTH in words(fake.on_paper(centres, bare))


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


@pytest.mark.parametrize("module", [centres, atlas])
@pytest.mark.parametrize("task", [results, unknown])
def test_names_from_users_are_only_text(module, task):
    figure = fake.on_screen(module, task()).to_plotly_json()
    layout = figure["layout"]
    shown = [note["text"] for note in layout.get("annotations", [])]
    axes = [layout[key] for key in layout if key.startswith(("xaxis", "yaxis"))]
    shown += [name for axis in axes for name in axis.get("ticktext") or []]
    for trace in figure["data"]:
        # a name in a template would have its %{...} read
        assert NASTY not in trace["hovertemplate"] and "$x" not in trace["hovertemplate"]
        shown += [trace.get("name") or "", *_leaves(trace["customdata"])]
    assert not [text for text in shown if NASTY in text]
    assert task is unknown and module is centres or [t for t in shown if plain(NASTY) in t]


def _leaves(cells) -> list[str]:
    if isinstance(cells, str):
        return [cells]
    return [leaf for cell in cells for leaf in _leaves(cell)]
