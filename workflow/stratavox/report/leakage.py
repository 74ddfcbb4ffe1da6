"""What the split changes: balanced accuracy over depth under each regime, a panel an encoder.

Beside the regimes stands the control task of Hewitt & Liang (2019, EMNLP, section 2): labels drawn
at random per recording, which a probe can only tell by telling recordings. The random split's score
less that of the control task is the selectivity.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import pandas as pd
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from plotly.subplots import make_subplots

from stratavox.report import style
from stratavox.report.results import INTERVALS, PROBE, Results
from stratavox.report.saving import RC
from stratavox.report.screen import HOVER, band, finish, hover_data, line, plain
from stratavox.report.static import fill_between, legend_and_notes

TITLE = "what the split changes"
X_TITLE = "block read out (zero-based); right of the curves: baselines"
Y_TITLE = "balanced accuracy"
LINE_HOVER = HOVER.replace("<extra>", "<br>%{customdata[5]}<extra>")

# panels in a row, and inches: of the figure, of a panel, above, between and below the panels
COLUMNS, WIDE_IN = 3, 7.2
PANEL_IN, ABOVE_IN, BETWEEN_IN, BELOW_IN = 1.9, 0.75, 0.65, 0.5
TICKS = 7


@dataclass(frozen=True)
class Line:
    """One curve of every panel: what it shows, and how, for matplotlib and for plotly."""

    control: str
    regime: str
    label: str
    colour: str
    dashes: str
    dash: str


def lines(results: Results) -> list[Line]:
    """The regimes that the task has, strictest first, and the control task where it was drawn."""
    facts, rows = results.facts, results.estimates
    looks = {
        "grouped": (f"grouped by {facts['group']}", style.BLUE, "-", "solid"),
        "recording": ("by recording", style.GREEN, "--", "dash"),
        "random": ("random split", style.VERMILION, "-.", "dashdot"),
    }
    found = [Line("none", regime, *looks[regime]) for regime in facts["regimes"]]
    if (rows["control"] == "control_task").any():
        label = "control task (random labels, random split)"
        found.append(Line("control_task", "random", label, style.PURPLE, ":", "dot"))
    return found


def notes(results: Results) -> list[str]:
    """What must be known to read the figure; printed on it."""
    facts = results.facts
    said = [results.counts_line(), results.group_line(), _intervals(results)]
    if "recording" in facts["regimes"] and results.regime != "recording":
        said.append("By recording: no recording is in training and test at once.")
    if facts["regimes"] == ["random"]:
        said.append(
            "Only the random split could be made: what it owes to animals or recordings that stand "
            "in training and test alike cannot be told here."
        )
    else:
        said.append("Random split: one animal or recording may stand in training and test alike.")
    said += [f"Not scored {name}: {why}" for name, why in facts["regimes_left_out"].items()]
    return said + _selectivity(results) + results.draws_line("Thin bars")


def _intervals(results: Results) -> str:
    kinds = {}
    for one in lines(results):
        rows = results.estimates
        here = (rows["regime"] == one.regime) & (rows["control"] == "none")
        found = rows[here & (rows["probe"] == PROBE)]["interval"].drop_duplicates()
        kinds[one.regime] = f"{one.regime}: {', '.join(INTERVALS[kind] for kind in found)}"
    return f"Bands and whiskers, {'; '.join(kinds.values())}."


def _selectivity(results: Results) -> list[str]:
    """Random-split score less the control task's, for each encoder's chosen or last block."""
    said = []
    for encoder in results.encoders:
        readout, why = results.spoken_for(encoder)
        real = results.one(encoder, readout, regime="random")
        control = results.one(encoder, readout, control="control_task", regime="random")
        if real is not None and control is not None:
            scores = f"{style.fraction(real['value'])} less {style.fraction(control['value'])}"
            said.append(
                f"{results.label(encoder)}, {why}: {real['value'] - control['value']:+.2f} "
                f"({scores})"
            )
    if not said:
        return ["There is no control task, so no selectivity."]
    return [
        "Control task: labels drawn at random per recording, mean over "
        f"{style.count(results.facts['control_tasks'], 'draw')} of labels. Selectivity, the random "
        f"split's score less the control task's: {'; '.join(said)}."
    ]


# ---- panels over depth, which other figures share ----


def panels(results: Results) -> list[str | None]:
    """The encoder of each panel; None for one panel of baselines alone."""
    return [*results.layered] or [None]


def ends(results: Results, encoder: str | None) -> tuple[float, float]:
    """The depths at which an encoder's curve starts and ends."""
    depths = [0.0] if encoder is None else results.curve(encoder)["depth"]
    return min(depths), max(depths)


def places(results: Results, start: float, end: float) -> dict[str, float]:
    """Where each baseline stands, right of a curve that ends at ``end``."""
    step = max(1.0, (end - start) / 8)
    return {name: end + step * number for number, name in enumerate(results.baselines, start=1)}


def ticks(results: Results, encoder: str | None) -> dict[float, str]:
    """Depth -> "input" or the block's number, at most `TICKS` of them."""
    if encoder is None:
        return {}
    rows = results.curve(encoder)
    named = [
        (row.depth, style.readout_label(row.readout).removeprefix("block "))
        for row in rows.itertuples()
    ]
    return dict(named[:: -(-len(named) // TICKS)])


def panel_title(results: Results, encoder: str | None) -> list[str]:
    """An encoder's label in lines that fit a panel."""
    label = "baselines" if encoder is None else results.label(encoder)
    return textwrap.wrap(label, 32, max_lines=2, placeholder="…")


def small_multiples(number: int) -> tuple[Figure, list[Axes]]:
    """A figure of ``number`` panels, at most `COLUMNS` in a row, with one y axis."""
    columns = min(COLUMNS, number)
    rows = -(-number // columns)
    height = ABOVE_IN + rows * PANEL_IN + (rows - 1) * BETWEEN_IN + BELOW_IN
    figure, grid = plt.subplots(
        rows, columns, figsize=(WIDE_IN, height), sharey=True, squeeze=False
    )
    figure.subplots_adjust(
        left=0.55 / WIDE_IN,
        right=1 - 0.05 / WIDE_IN,
        top=1 - ABOVE_IN / height,
        bottom=BELOW_IN / height,
        wspace=0.08,
        hspace=BETWEEN_IN / PANEL_IN,
    )
    for axes in list(grid.flat)[number:]:
        axes.remove()
    return figure, list(grid.flat)[:number]


def dress(results: Results, axes: Axes, encoder: str | None) -> None:
    """Title, ticks, limits and the line between depth and baselines of one panel."""
    start, end = ends(results, encoder)
    stands = places(results, start, end)
    named = ticks(results, encoder)
    axes.set_xticks(list(named), list(named.values()))
    axes.set_title("\n".join(panel_title(results, encoder)), fontsize=8)
    step = max(1.0, (end - start) / 8)
    if stands and encoder is not None:
        axes.axvline(end + step / 2, color=style.PALE, lw=1.2, zorder=0)
    axes.set_xlim(start - 0.5 * step, max(stands.values(), default=end) + 0.6 * step)
    axes.grid(axis="y", color=style.PALE, lw=0.5)
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel(Y_TITLE)


def finish_static(figure: Figure, title: str, handles: list, said: list[str]) -> None:
    """The title above the panels; the axis' name, legend and notes below them."""
    height = figure.get_figheight()
    left = 0.1 / WIDE_IN
    figure.suptitle(title, x=left, ha="left", y=1 - 0.05 / height, va="top", fontsize=9)
    figure.text(0.5, 0.22 / height, X_TITLE, ha="center", va="top")
    labels = [handle.get_label() for handle in handles]
    legend_and_notes(figure, handles, labels, said, left, -0.1 / height, 1 - left)


def screens(results: Results) -> tuple[go.Figure, list[dict]]:
    """A plotly figure of `panels`, and the axes each is drawn on."""
    shown = panels(results)
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    titles = ["<br>".join(map(plain, panel_title(results, name))) for name in shown]
    cells = [[{}] * columns for _ in range(rows)]
    for empty in range(len(shown), rows * columns):
        cells[-1][empty % columns] = None
    figure = make_subplots(
        rows,
        columns,
        specs=cells,
        subplot_titles=titles,
        shared_yaxes="all",
        horizontal_spacing=0.03,
        vertical_spacing=0.3 / rows,
    )
    axes = [{"xaxis": f"x{n or ''}", "yaxis": f"y{n or ''}"} for n in (0, *range(2, 99))]
    for number, encoder in enumerate(shown):
        named = ticks(results, encoder)
        where = {"row": number // columns + 1, "col": number % columns + 1}
        figure.update_xaxes(tickvals=list(named), ticktext=list(named.values()), **where)
        figure.update_xaxes(zeroline=False, **where)
    figure.update_yaxes(title=Y_TITLE, col=1)
    return figure, axes[: len(shown)]


def finish_screen(figure: go.Figure, results: Results) -> None:
    """The shared layout; the word on unknown groups stands above the panels' titles."""
    rows = -(-len(panels(results)) // COLUMNS)
    finish(figure, results, height=180 + 340 * rows)
    figure.update_layout(margin={"t": 110, "b": 150})
    figure.add_annotation(
        text=plain(X_TITLE), xref="paper", yref="paper", x=0.5, y=0, yshift=-45, showarrow=False
    )
    if results.facts["group"] is None:
        figure.layout.annotations[-2].update(yshift=45)


# ---- this figure ----


def rows_of(results: Results, encoder: str, one: Line) -> pd.DataFrame:
    """The rows of a baseline's own readouts on one line."""
    rows = results.rows(encoder, one.control, one.regime)
    return rows[rows["readout"].isin(results.encoders[encoder]["readouts"])]


def baseline_marks(
    results: Results, encoder: str | None
) -> Iterator[tuple[str, float, Line, pd.DataFrame]]:
    """Baseline, x, line and rows of each mark; the lines of a baseline stand side by side."""
    shown = lines(results)
    start, end = ends(results, encoder)
    step = max(1.0, (end - start) / 8)
    for baseline, x in places(results, start, end).items():
        for number, one in enumerate(shown):
            shift = (number - (len(shown) - 1) / 2) * 0.17 * step
            yield baseline, x + shift, one, rows_of(results, baseline, one)


def static(results: Results) -> Figure:
    """The figure for paper."""
    looks = style.encoder_looks(list(results.encoders))
    shown = panels(results)
    with matplotlib.rc_context(RC):
        figure, grid = small_multiples(len(shown))
        for axes, encoder in zip(grid, shown, strict=True):
            if encoder is not None:
                for one in lines(results):
                    _draw_curve(axes, results, encoder, one)
            for baseline, x, one, rows in baseline_marks(results, encoder):
                for row in rows.itertuples():
                    if one.control == "none" and not style.missing(row.low):
                        axes.vlines(x, row.low, row.high, color=one.colour, lw=0.8)
                    mark = looks[baseline].marker
                    axes.plot(
                        [x],
                        [row.value],
                        mark,
                        color=one.colour,
                        ms=3.5,
                        gid=f"{one.control} {one.regime} {baseline} in {encoder}",
                    )
            axes.axhline(results.facts["chance"], color=style.INK, lw=0.7, zorder=1)
            dress(results, axes, encoder)
        handles = [
            Line2D([], [], color=one.colour, ls=one.dashes, lw=1.5, label=one.label)
            for one in lines(results)
        ]
        handles.append(Line2D([], [], color=style.INK, lw=0.7, label="chance"))
        handles += baseline_handles(results, looks)
        finish_static(figure, f"{results.heading}, {TITLE}", handles, notes(results))
    return figure


def baseline_handles(results: Results, looks: dict[str, style.Look]) -> list[Line2D]:
    """Legend entries of the baselines' marks."""
    return [
        Line2D([], [], color=style.GREY, marker=looks[name].marker, ms=4, ls="", label=label)
        for name in results.baselines
        for label in [results.label(name)]
    ]


def _draw_curve(axes: Axes, results: Results, encoder: str, one: Line) -> None:
    rows = results.curve(encoder, one.control, one.regime)
    if one.control == "none":
        fill_between(axes, rows["depth"], rows["low"], rows["high"], one.colour, None)
    if rows["draws_low"].notna().any():
        axes.vlines(rows["depth"], rows["draws_low"], rows["draws_high"], color=one.colour, lw=0.7)
    axes.plot(
        rows["depth"],
        rows["value"],
        color=one.colour,
        ls=one.dashes,
        lw=1.5,
        gid=f"{one.control} {one.regime} {encoder}",
        zorder=3,
    )


def interactive(results: Results) -> go.Figure:
    """The figure for the screen: values under the pointer, regimes switched in the legend."""
    looks = style.encoder_looks(list(results.encoders))
    figure, grid = screens(results)
    for axes, encoder in zip(grid, panels(results), strict=True):
        before = len(figure.data)
        start, end = ends(results, encoder)
        last = max(places(results, start, end).values(), default=end)
        chance = line(figure, [start, last], [results.facts["chance"]] * 2, style.INK, "solid", "")
        chance.update(name="chance", legendgroup="chance", line_width=0.8)
        if encoder is not None:
            for one in lines(results):
                _add_curve(figure, results, encoder, one)
        for baseline, x, one, rows in baseline_marks(results, encoder):
            _add_marks(figure, results, baseline, x, one, rows, looks[baseline].symbol)
        for trace in figure.data[before:]:
            trace.update(**axes)
    once_in_legend(figure)
    finish_screen(figure, results)
    return figure


def once_in_legend(figure: go.Figure) -> None:
    """Show each legend group by its first named trace."""
    seen = set()
    for trace in figure.data:
        trace.update(showlegend=bool(trace.name) and trace.legendgroup not in seen)
        if trace.name:
            seen.add(trace.legendgroup)


def _add_curve(figure: go.Figure, results: Results, encoder: str, one: Line) -> None:
    rows = results.curve(encoder, one.control, one.regime)
    if one.control == "none":
        band(figure, rows["depth"], rows["low"], rows["high"], one.colour, group=one.label)
    trace = line(
        figure, rows["depth"], rows["value"], one.colour, one.dash, plain(one.label), one.label
    )
    trace.update(mode="lines+markers", marker_size=5, line_width=2, hoverinfo=None)
    trace.update(customdata=_hover_data(rows, one), hovertemplate=LINE_HOVER)
    trace.update(meta=f"{one.control} {one.regime} {plain(encoder)}")
    if rows["draws_low"].notna().any():
        trace.update(error_y=whiskers(rows["value"], rows["draws_low"], rows["draws_high"]))


def whiskers(value: pd.Series, low: pd.Series, high: pd.Series) -> dict:
    """Plotly's error bars from ``low`` to ``high``; none where these are empty."""
    reach = {"array": (high - value).tolist(), "arrayminus": (value - low).tolist()}
    return {"type": "data", "symmetric": False, "thickness": 1, "width": 0, **reach}


def _hover_data(rows: pd.DataFrame, one: Line) -> list[list[str]]:
    """As `hover_data`, and the line's name: data, as plotly would fill in a template's braces."""
    return [[*cells, plain(one.label)] for cells in hover_data(rows)]


def _add_marks(figure, results: Results, baseline: str, x: float, one: Line, rows, symbol) -> None:
    for row in rows.itertuples():
        error = None
        if one.control == "none" and not style.missing(row.low):
            error = {"type": "data", "symmetric": False, "thickness": 1}
            error |= {"array": [row.high - row.value], "arrayminus": [row.value - row.low]}
        figure.add_scatter(
            x=[x],
            y=[row.value],
            mode="markers",
            marker={"color": one.colour, "symbol": symbol, "size": 8},
            error_y=error,
            legendgroup=plain(one.label),
            customdata=_hover_data(pd.DataFrame([row._asdict()]), one),
            hovertemplate=LINE_HOVER,
            meta=f"{one.control} {one.regime} {plain(baseline)}",
        )
