"""Layer curve of one task: balanced accuracy of the linear probe over depth, per encoder.

The x axis counts blocks, so that a curve can be read block by block; curves of encoders of unlike
depth end at their own last block.
"""

from __future__ import annotations

import matplotlib
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stratavox.report import style
from stratavox.report.results import Results
from stratavox.report.saving import RC
from stratavox.report.screen import HOVER, band, finish, hover_data, line, plain, point
from stratavox.report.static import below, fill_between

TITLE = "layer by layer"
X_TITLE = "block read out (zero-based; a curve ends at its encoder's last block)"
Y_TITLE = "balanced accuracy"


def notes(results: Results) -> list[str]:
    """What must be known to read the figure; printed on it."""
    return [
        results.counts_line(),
        results.group_line(),
        results.interval_line("Whiskers"),
        *_band_line(results),
        *results.draws_line("Thick pale bars"),
        *results.random_line("Dashed lines"),
        *_branches_line(results),
        results.control_line() + " Dotted: the mean; grey band: the widest range of all encoders.",
    ]


def _band_line(results: Results) -> list[str]:
    if not results.estimates["band_low"].notna().any():
        return []
    return ["Bands: hold along the whole curve at once with 95 %."]


def _branches_line(results: Results) -> list[str]:
    if not _sites(results):
        return []
    return [
        "Thin broken lines without marks: inside the blocks, before the residual sum, at their "
        "block's place; they are no blocks."
    ]


def _sites(results: Results) -> list[str]:
    """The sites inside blocks that some encoder was read at."""
    there = {site for encoder in results.layered for site in results.branches(encoder)}
    return [site for site in style.BRANCHES if site in there]


def ticks(results: Results) -> dict[float, str]:
    """Depth -> what stands under it: "input", or a block's number."""
    named = {}
    for encoder in results.layered:
        for row in results.curve(encoder).itertuples():
            named.setdefault(row.depth, style.readout_label(row.readout).removeprefix("block "))
    return dict(sorted(named.items()))


def control_band(results: Results) -> tuple[list[float], list[float], list[float]]:
    """Depths, and the lowest and highest ends of the encoders' permutation ranges there."""
    rows = results.estimates
    rows = rows[
        (rows["control"] == "permutation")
        & (rows["regime"] == results.regime)
        & rows["depth"].notna()
    ]
    ends = rows.groupby("depth").agg({"low": "min", "high": "max"})
    return ends.index.tolist(), ends["low"].tolist(), ends["high"].tolist()


def static(results: Results) -> Figure:
    """The figure for paper."""
    looks = style.encoder_looks(list(results.encoders))
    named = ticks(results)
    end = max(named, default=0.0)
    with matplotlib.rc_context(RC):
        figure, axes = plt.subplots(figsize=(7.2, 4.0))
        for encoder in results.layered:
            _draw_curve(axes, results, encoder, looks[encoder])
        for place, encoder in enumerate(results.baselines, start=1):
            _draw_baseline(axes, results, encoder, looks[encoder], end + 0.6 * place)
        if results.regime != "random":
            axes.plot([], [], color=style.GREY, ls="--", lw=1, alpha=0.6, label="random split")
        for site in _sites(results):
            dashes, _, label = style.BRANCHES[site]
            axes.plot([], [], color=style.GREY, ls=dashes, lw=0.7, label=label)
        fill_between(axes, *control_band(results), style.GREY, "permuted labels: 95 % range")
        chance = results.facts["chance"]
        axes.axhline(chance, color=style.INK, lw=0.8, ls=":", label="chance", zorder=1.5)
        axes.set_xticks(list(named), list(named.values()))
        axes.set(xlabel=X_TITLE, ylabel=Y_TITLE, title=results.heading)
        axes.set_xlim(min(named, default=0.0) - 0.4, end + 0.6 * len(results.baselines) + 0.4)
        axes.grid(axis="y", color=style.PALE, lw=0.5)
        below(figure, axes, notes(results))
    return figure


def _draw_curve(axes, results: Results, encoder: str, look: style.Look) -> None:
    rows = results.curve(encoder)
    fill_between(axes, rows["depth"], rows["band_low"], rows["band_high"], look.colour, None)
    # encoders side by side, or their whiskers would hide each other
    step = 0.08 * (results.layered.index(encoder) - (len(results.layered) - 1) / 2)
    axes.vlines(rows["depth"] + step, rows["low"], rows["high"], color=look.colour, lw=0.7)
    drawn = rows[["draws_low", "draws_high"]]
    axes.vlines(rows["depth"] + step, *drawn.T.to_numpy(), color=look.colour, lw=2.4, alpha=0.5)
    axes.plot(
        rows["depth"],
        rows["value"],
        color=look.colour,
        marker=look.marker,
        ms=4,
        lw=1.5,
        label=results.label(encoder),
        gid=f"curve {encoder}",
        zorder=3,
    )
    for site, found in results.branches(encoder).items():
        (thin,) = axes.plot(found["depth"], found["value"], color=look.colour, lw=0.7, zorder=2)
        thin.set(linestyle=style.BRANCHES[site][0], gid=f"{site} {encoder}")
    control = results.curve(encoder, control="permutation")
    axes.plot(
        control["depth"],
        control["value"],
        color=look.colour,
        marker=look.marker,
        ms=2,
        lw=0.5,
        ls=":",
        alpha=0.8,
        gid=f"permutation {encoder}",
        zorder=2,
    )
    if results.regime != "random":
        other = results.curve(encoder, regime="random")
        axes.plot(
            other["depth"],
            other["value"],
            color=look.colour,
            ls="--",
            lw=1,
            alpha=0.45,
            gid=f"random {encoder}",
            zorder=2,
        )


def _own(results: Results, baseline: str):
    """The rows of a baseline's own readouts."""
    rows = results.rows(baseline)
    return rows[rows["readout"].isin(results.encoders[baseline]["readouts"])]


def _draw_baseline(axes, results: Results, encoder: str, look: style.Look, x: float) -> None:
    for row in _own(results, encoder).itertuples():
        axes.axhline(row.value, color=look.colour, lw=1, ls="-.", alpha=0.7, zorder=2)
        if not style.missing(row.low):
            axes.vlines(x, row.low, row.high, color=look.colour, lw=1.2)
        axes.plot(
            [x],
            [row.value],
            color=look.colour,
            marker=look.marker,
            ms=5,
            lw=1,
            ls="-.",
            label=results.label(encoder),
            gid=f"baseline {encoder}",
        )


def interactive(results: Results) -> go.Figure:
    """The figure for the screen: values under the pointer, encoders switched in the legend."""
    looks = style.encoder_looks(list(results.encoders))
    named = ticks(results)
    start, end = min(named, default=0.0), max(named, default=0.0)
    figure = go.Figure()
    band(figure, *control_band(results), style.GREY, name="permuted labels: 95 % range")
    last = end + 0.6 * len(results.baselines)
    chance = results.facts["chance"]
    line(figure, [start, last], [chance, chance], style.INK, "dot", name="chance")
    for encoder in results.layered:
        _add_curves(figure, results, encoder, looks[encoder])
    for place, encoder in enumerate(results.baselines, start=1):
        _add_baseline(figure, results, encoder, looks[encoder], start, end + 0.6 * place)
    finish(figure, results, height=560)
    figure.update_xaxes(title=X_TITLE, tickvals=list(named), ticktext=list(named.values()))
    figure.update_yaxes(title=Y_TITLE)
    return figure


def _add_curves(figure: go.Figure, results: Results, encoder: str, look: style.Look) -> None:
    label = plain(results.label(encoder))
    rows = results.curve(encoder)
    band(figure, rows["depth"], rows["band_low"], rows["band_high"], look.colour, group=encoder)
    figure.add_scatter(
        x=rows["depth"],
        y=rows["value"],
        mode="lines+markers",
        line={"color": look.colour},
        marker={"symbol": look.symbol, "size": 8},
        error_y=_error(rows, "low", "high", look.colour, 1),
        name=label,
        legendgroup=plain(encoder),
        customdata=hover_data(rows),
        hovertemplate=HOVER,
        meta="curve",
    )
    if rows["draws_low"].notna().any():
        figure.add_scatter(
            x=rows["depth"],
            y=rows["value"],
            mode="markers",
            marker={"size": 1, "color": look.colour},
            error_y=_error(rows, "draws_low", "draws_high", look.colour, 5),
            opacity=0.5,
            legendgroup=plain(encoder),
            showlegend=False,
            hoverinfo="skip",
            meta="draws",
        )
    for site, found in results.branches(encoder).items():
        dash = style.BRANCHES[site][1]
        trace = line(
            figure, found["depth"], found["value"], look.colour, dash, f"{label}, {site}", encoder
        )
        trace.update(opacity=0.7, showlegend=False, customdata=hover_data(found))
        trace.update(hovertemplate=HOVER, hoverinfo=None, meta=site)
    shown = [("permutation", results.regime, "dot", f"{label}, permuted labels")]
    if results.regime != "random":
        shown.append(("none", "random", "dash", f"{label}, random split"))
    for control, regime, dash, name in shown:
        rows = results.curve(encoder, control, regime)
        trace = line(figure, rows["depth"], rows["value"], look.colour, dash, name, group=encoder)
        trace.update(opacity=0.5, showlegend=False, customdata=hover_data(rows))
        trace.update(hovertemplate=HOVER, hoverinfo=None, meta=f"{control} {regime}")


def _error(rows, low: str, high: str, colour: str, thickness: float) -> dict:
    """Bars from ``low`` to ``high``; none where the table has none."""
    up, down = rows[high] - rows["value"], rows["value"] - rows[low]
    bars = {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
    return bars | {"color": colour, "thickness": thickness, "width": 0}


def _add_baseline(
    figure: go.Figure, results: Results, encoder: str, look: style.Look, start: float, x: float
) -> None:
    for row in _own(results, encoder).itertuples():
        ends = [start, x]
        trace = line(figure, ends, [row.value] * 2, look.colour, "dashdot", None, group=encoder)
        trace.update(showlegend=False)
        point(figure, results, encoder, row, x, row.value, look, "y")
