"""Acoustic atlas of one task: how much of each descriptor's variance each readout explains.

Targets are rows, readouts columns in the order of depth, all blocks together last. The task's own
score stands below on the same scale, from chance (0) to perfect (1).
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from plotly.subplots import make_subplots

from stratavox.corpus.targets import NUISANCE, TARGETS
from stratavox.encoders.sites import branches
from stratavox.report import style
from stratavox.report.results import INTERVALS, Results
from stratavox.report.saving import RC
from stratavox.report.screen import finish, plain
from stratavox.report.static import legend_and_notes, shortened

TITLE = "acoustic atlas"
SCALE = "YlGnBu"
X_TITLE = "block"
COLOUR_TITLE = "share of variance explained on held-out clips (task: of the way from chance to 1)"
BASELINES = "baselines"
NOTHING = "No acoustic descriptor could be measured on these clips: the atlas table has no rows."
HOVER = (
    "%{customdata[0]}<br>%{customdata[1]}: %{customdata[2]} (%{customdata[3]})"
    "<br>%{customdata[4]}<extra></extra>"
)
# rows of space between acoustic targets, nuisance targets and the task
GAP = 0.4
# inches
ROW_IN, CELL_IN, ROOM_IN = 0.19, 0.32, 0.22
LEFT_IN, WIDTH_IN, TOP_IN, APART_IN = 2.5, 7.5, 0.4, 0.3
# of a character under a column, and of one in a title
TICK_IN, TITLE_IN = 0.058, 0.068
# white on dark cells, ink on pale ones
DARK = 0.55


@dataclass(frozen=True)
class Panel:
    """A heat map: ``columns`` are (encoder, readout, what stands under it)."""

    title: str
    columns: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Row:
    """A line of every heat map: ``target`` is None for the task; ``y`` its centre, downwards."""

    target: str | None
    label: str
    y: float


def target_label(target: str) -> str:
    """A target in words, with its unit."""
    if target == "padding":
        return "Padding, share of the input"
    return f"{TARGETS[target].label}, {TARGETS[target].unit}"


def targets(results: Results) -> list[str]:
    """The table's targets, acoustic ones before nuisances."""
    there = set(results.explained_variance["target"])
    order = [name for name in TARGETS if name not in NUISANCE] + list(NUISANCE)
    return [name for name in order if name in there]


def panels(results: Results) -> list[Panel]:
    """A panel an encoder that has blocks, less what is read inside them, and one of baselines."""
    table = results.explained_variance
    found = []
    for encoder in results.layered:
        own = table[table["encoder"] == encoder].drop_duplicates("readout").sort_values("depth")
        inside = [name for names in branches(list(own["readout"])).values() for name in names]
        own = own[~own["readout"].isin(inside)]
        named = [(encoder, readout, column_label(readout)) for readout in own["readout"]]
        if named:
            found.append(Panel(results.label(encoder), named))
    own = table[table["encoder"].isin(results.baselines)].drop_duplicates(["encoder", "readout"])
    named = [(row.encoder, row.readout, row.encoder) for row in own.itertuples()]
    return [*found, Panel(BASELINES, named)] if named else found


def column_label(readout: str) -> str:
    """What stands under a column: a block's number, "input" or "all"."""
    return "all" if readout == "concat" else style.readout_label(readout).removeprefix("block ")


def rows(results: Results) -> list[Row]:
    """The lines from top to bottom, with how many clips each is about."""
    table, y, kind, found = results.explained_variance, 0.0, None, []
    for target in targets(results):
        if kind not in (None, target in NUISANCE):
            y += GAP
        kind = target in NUISANCE
        counts = sorted(set(table.loc[table["target"] == target, "n_clips"]))
        counted = " to ".join(f"{number:,}" for number in {counts[0]: 0, counts[-1]: 0})
        found.append(Row(target, f"{target_label(target)} (n {counted})", y))
        y += 1
    return [*found, Row(None, f"{results.task}, above chance (n {results.n_clips:,})", y + GAP)]


def cells(results: Results, panel: Panel, row: Row) -> list[tuple[float, list[str]] | None]:
    """For each column the number, and its words under the pointer; None where there is no row."""
    return [cell(results, encoder, readout, row) for encoder, readout, _ in panel.columns]


def cell(results: Results, encoder: str, readout: str, row: Row) -> tuple[float, list[str]] | None:
    """One readout's number for a line: variance explained, or the task's score above chance."""
    chance = results.facts["chance"]
    if row.target is None:
        found = results.one(encoder, readout, regime=regime(results))
    else:
        table = results.explained_variance
        table = table[
            (table["encoder"] == encoder)
            & (table["readout"] == readout)
            & (table["target"] == row.target)
        ]
        found = None if table.empty else table.iloc[0]
    if found is None or style.missing(found["value"]):
        return None
    value, low, high = found[["value", "low", "high"]].astype(float)
    if row.target is None:
        value, low, high = ((end - chance) / (1 - chance) for end in (value, low, high))
    where = f"{results.label(encoder)}, {style.readout_label(readout)}"
    words = [where, row.label, style.fraction(value + 0.0), style.interval(low, high)]
    return float(value), [plain(word) for word in [*words, INTERVALS[found["interval"]]]]


def regime(results: Results) -> str:
    """The split that the atlas is made on, and so the task's row."""
    return "grouped" if results.regime == "grouped" else "random"


def printed(value: float) -> str:
    """A number that fits a cell."""
    if value < -9.95:
        return "<-9"
    return f"{value:.1f}" if value <= -0.995 else style.fraction(round(value, 2) + 0.0)


def notes(results: Results) -> list[str]:
    """What must be known to read the figure; printed on it."""
    said = [results.counts_line(), results.group_line()]
    if results.regime == "recording":
        said.append("This figure is of the random split, with the task's row: recordings mix.")
    if results.explained_variance.empty:
        return [*said, NOTHING]
    averaged = [
        f"{results.label(name)}: squared errors and scores are means over the draws."
        for name in results.facts["draws"]
        if name in results.encoders
    ]
    return [
        *said,
        "Cells: variance of the descriptor that ridge regression on the readout explains on "
        "held-out clips (1: all; 0: no better than the training mean; below 0: worse, coloured as "
        "0). n: clips on which the descriptor is defined. Columns: zero-based blocks; all: all "
        "blocks together. " + transforms(results),
        "Duration, level and padding are nuisances: cutting and recording decide them too. "
        f"Last row: balanced accuracy of {results.task} as (score - chance) / (1 - chance); not "
        "the same measure as the rows above.",
        "Grey or blank: not measured. Intervals stand in the table and in the interactive figure.",
        *averaged,
    ]


def transforms(results: Results) -> str:
    """Which descriptors the regression takes as logarithms, and which by rank."""
    named = {"log": [], "rank": []}
    for target in targets(results):
        if target in TARGETS and TARGETS[target].transform in named:
            named[TARGETS[target].transform].append(TARGETS[target].label)
    words = {"log": "Taken as logarithms", "rank": "By rank"}
    return " ".join(f"{words[how]}: {', '.join(some)}." for how, some in named.items() if some)


def static(results: Results) -> Figure:
    """The figure for paper."""
    with matplotlib.rc_context(RC):
        drawn, lines = panels(results), rows(results)
        if not drawn:
            return _in_words(results)
        shelves = _shelves(drawn)
        tall = (lines[-1].y + 1) * ROW_IN
        under = [max(_depth_of_ticks(panel, width) for panel in shelf) for shelf, width in shelves]
        height = sum(TOP_IN + tall + space for space in under) + 0.75
        figure = plt.figure(figsize=(WIDTH_IN, height))
        figure.text(0, 1, f"{results.heading}, {TITLE}", va="top", fontsize=9)
        top, mesh = height, None
        for (shelf, width), space in zip(shelves, under, strict=True):
            top -= TOP_IN + tall
            left = LEFT_IN
            for panel in shelf:
                wide = width * len(panel.columns)
                place = (left / WIDTH_IN, top / height, wide / WIDTH_IN, tall / height)
                mesh = _draw(
                    figure.add_axes(place), results, panel, lines, width, panel is shelf[0]
                )
                left += _taken(panel, width) + APART_IN
            top -= space
        bar = figure.add_axes(
            (
                LEFT_IN / WIDTH_IN,
                (top + 0.05) / height,
                (WIDTH_IN - LEFT_IN) / WIDTH_IN,
                0.1 / height,
            )
        )
        figure.colorbar(mesh, cax=bar, orientation="horizontal").set_label(COLOUR_TITLE, fontsize=7)
        legend_and_notes(figure, [], [], notes(results), top=(top - 0.4) / height)
    return figure


def _in_words(results: Results) -> Figure:
    figure = plt.figure(figsize=(WIDTH_IN, 1.0))
    figure.text(0, 1, f"{results.heading}, {TITLE}", va="top", fontsize=9)
    legend_and_notes(figure, [], [], notes(results), top=0.7)
    return figure


def _shelves(drawn: list[Panel]) -> list[tuple[list[Panel], float]]:
    """Panels side by side while they fit, with the width of a cell in inches."""
    room = WIDTH_IN - LEFT_IN
    widths = [len(panel.columns) for panel in drawn]
    width = min(CELL_IN, room / max(widths))
    # baselines beside the last encoder rather than alone, where cells get little smaller by it
    beside = (room - APART_IN) / sum(widths[-2:])
    if len(drawn) > 1 and beside > 0.8 * width:
        width = min(width, beside)
    shelves: list[list[Panel]] = [[]]
    for panel in drawn:
        taken = sum(_taken(p, width) + APART_IN for p in shelves[-1])
        if shelves[-1] and taken + len(panel.columns) * width > room + 1e-6:
            shelves.append([])
        shelves[-1].append(panel)
    return [(shelf, width) for shelf in shelves]


def _taken(panel: Panel, width: float) -> float:
    """Inches that a panel or its title takes, whichever is wider."""
    return max(len(panel.columns) * width, TITLE_IN * len(_title(panel)))


def _title(panel: Panel) -> str:
    return shortened([panel.title], 70)[0]


def _ticks(panel: Panel) -> list[str]:
    return shortened([name for *_, name in panel.columns], most=22)


def _upright(panel: Panel, width: float) -> bool:
    return max(map(len, _ticks(panel))) * TICK_IN > width


def _depth_of_ticks(panel: Panel, width: float) -> float:
    """Inches that the names under a panel and the axis title take."""
    return 0.4 + (TICK_IN * max(map(len, _ticks(panel))) if _upright(panel, width) else 0.1)


def _draw(axes, results: Results, panel: Panel, lines: list[Row], width: float, first: bool):
    mesh = None
    for row in lines:
        found = cells(results, panel, row)
        values = np.array([[np.nan if one is None else one[0] for one in found]])
        mesh = axes.pcolormesh(
            np.arange(len(found) + 1),
            [row.y - 0.5, row.y + 0.5],
            np.ma.masked_invalid(np.clip(values, 0, None)),
            cmap=SCALE,
            vmin=0,
            vmax=1,
            edgecolors="white",
            linewidth=0.4,
            gid=f"{panel.title} {row.target or results.task}",
        )
        for place, value in enumerate(values[0]):
            if np.isnan(value):
                axes.add_patch(
                    plt.Rectangle((place, row.y - 0.5), 1, 1, fc=style.PALE, ec="white", lw=0.4)
                )
            elif width >= ROOM_IN:
                colour = "white" if value > DARK else style.INK
                text = printed(value)
                axes.text(
                    place + 0.5, row.y, text, size=5.6, ha="center", va="center", color=colour
                )
    axes.set(xlim=(0, len(panel.columns)), ylim=(lines[-1].y + 0.5, -0.5))
    names = _ticks(panel)
    turned = 90 if _upright(panel, width) else 0
    axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=turned, fontsize=6.5)
    labels = shortened([row.label for row in lines]) if first else [""] * len(lines)
    axes.set_yticks([row.y for row in lines], labels, fontsize=7)
    axes.tick_params(length=0, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(_title(panel), fontsize=8, loc="left", pad=3)
    if panel.title != BASELINES:
        axes.set_xlabel(X_TITLE, fontsize=7, loc="left")
    return mesh


def interactive(results: Results) -> go.Figure:
    """The figure for the screen: values, intervals and clips under the pointer."""
    drawn, lines = panels(results), rows(results)
    if not drawn:
        figure = go.Figure()
        finish(figure, results, height=200)
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
        return figure.add_annotation(text=NOTHING, showarrow=False, xref="paper", yref="paper")
    tall = 22 * (lines[-1].y + 1)
    height = len(drawn) * (tall + 110) + 160
    titles = [plain(panel.title) for panel in drawn]
    most = max(len(panel.columns) for panel in drawn)
    figure = make_subplots(
        len(drawn), 1, subplot_titles=titles, vertical_spacing=110 / (height - 160)
    )
    for number, panel in enumerate(drawn, start=1):
        for row in lines:
            found = cells(results, panel, row)
            figure.add_trace(_heat(results, panel, row, found), row=number, col=1)
        names = [plain(name) for *_, name in panel.columns]
        middles = np.arange(len(names)) + 0.5
        figure.update_xaxes(tickvals=middles, ticktext=names, row=number, col=1)
    finish(figure, results, height=height)
    figure.update_xaxes(range=[0, most], showgrid=False, zeroline=False)
    figure.update_yaxes(
        tickvals=[row.y for row in lines],
        ticktext=[plain(row.label) for row in lines],
        range=[lines[-1].y + 0.5, -0.5],
        showgrid=False,
        zeroline=False,
        automargin=True,
    )
    bar = {"title": {"text": COLOUR_TITLE, "side": "bottom"}, "orientation": "h", "thickness": 12}
    bar |= {"yref": "container", "yanchor": "bottom", "y": 0.0}
    figure.update_layout(coloraxis={"colorscale": SCALE, "cmin": 0, "cmax": 1, "colorbar": bar})
    return figure


def _heat(results: Results, panel: Panel, row: Row, found: list) -> go.Heatmap:
    absent = ["", plain(row.label), "not measured", "", ""]
    return go.Heatmap(
        x=np.arange(len(found) + 1),
        y=[row.y - 0.5, row.y + 0.5],
        z=[[None if one is None else max(one[0], 0.0) for one in found]],
        text=[["" if one is None else printed(one[0]) for one in found]],
        texttemplate="%{text}",
        customdata=[[absent if one is None else one[1] for one in found]],
        hovertemplate=HOVER,
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
        meta=f"{panel.title} {row.target or results.task}",
    )
