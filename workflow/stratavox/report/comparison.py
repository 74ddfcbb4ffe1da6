"""Comparison of one task: last block, block chosen in the training folds, all blocks, baselines.

A row an encoder and readout, with its interval, what permuted labels give, and chance. Run as
``python -m stratavox.report.comparison``.
"""

from __future__ import annotations

import matplotlib
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stratavox.errors import run
from stratavox.report import style
from stratavox.report.options import figure_options
from stratavox.report.results import Results
from stratavox.report.saving import RC, save_interactive, save_static
from stratavox.report.screen import HOVER, finish, hover_data, line, plain, point
from stratavox.report.static import below

X_TITLE = "balanced accuracy"


def lines(results: Results) -> list[tuple[str, str, str]]:
    """(encoder, readout, label) of each row, top to bottom."""
    found = []
    for encoder in [*results.layered, *results.baselines]:
        for readout in results.compared(encoder):
            found.append((encoder, readout, row_label(results, encoder, readout)))
    return found


def row_label(results: Results, encoder: str, readout: str) -> str:
    """What a row is called: the readout, and the encoder in front."""
    blocks = results.encoders[encoder]["blocks"]
    if not blocks:
        return results.label(encoder)
    last = f"last block ({style.readout_label(readout)})"
    return (
        f"{results.label(encoder)}: {last if readout in blocks else style.readout_label(readout)}"
    )


def notes(results: Results) -> list[str]:
    """What must be known to read the figure; printed on it."""
    return [
        results.counts_line(),
        results.group_line(),
        results.interval_line("Whiskers, and numbers in brackets"),
        *results.random_line("Hollow marks"),
        results.control_line(),
    ]


def static(results: Results) -> Figure:
    """The figure for paper."""
    looks = style.encoder_looks(list(results.encoders))
    shown = lines(results)
    with matplotlib.rc_context(RC):
        figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.27 * len(shown)))
        longest = max(len(label) for *_, label in shown)
        figure.subplots_adjust(left=min(0.6, 0.0086 * longest), right=0.82)
        chance = results.facts["chance"]
        axes.axvline(chance, color=style.INK, lw=0.8, ls=":", label="chance", zorder=1)
        for y, (encoder, readout, _) in enumerate(shown):
            _draw_row(axes, results, encoder, readout, looks[encoder], y)
        axes.plot([], [], color=style.GREY, lw=5, alpha=0.3, label="permuted labels: 95 % range")
        if results.regime == "grouped":
            axes.plot([], [], "o", ms=5, mfc="none", mec=style.GREY, ls="", label="random split")
        axes.set_yticks(range(len(shown)), [label for *_, label in shown])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set(xlabel=X_TITLE)
        axes.set_title(results.heading, loc="left")
        axes.grid(axis="x", color=style.PALE, lw=0.5)
        below(figure, axes, notes(results), left=0.0)
    return figure


def _draw_row(axes, results: Results, encoder: str, readout: str, look: style.Look, y: int) -> None:
    control = results.one(encoder, readout, control="permutation")
    if control is not None:
        axes.hlines(y, control.low, control.high, color=style.GREY, alpha=0.3, lw=5, zorder=1.5)
        axes.plot([control.value], [y], "|", color=style.GREY, ms=6)
    other = results.one(encoder, readout, regime="random")
    if results.regime == "grouped" and other is not None:
        axes.plot([other.value], [y], look.marker, mfc="none", mec=look.colour, ms=4.5, alpha=0.5)
    row = results.one(encoder, readout)
    if not style.missing(row.low):
        axes.hlines(y, row.low, row.high, color=look.colour, lw=1.4, zorder=3)
    mark = axes.plot([row.value], [y], look.marker, color=look.colour, ms=5.5, zorder=4)
    mark[0].set_gid(f"value {encoder} {readout}")
    axes.text(
        1.02,
        y,
        f"{style.fraction(row.value)} ({style.interval(row.low, row.high)})",
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=7.5,
    )


def interactive(results: Results) -> go.Figure:
    """The figure for the screen."""
    looks = style.encoder_looks(list(results.encoders))
    shown = lines(results)
    figure = go.Figure()
    chance = results.facts["chance"]
    line(figure, [chance, chance], [-0.6, len(shown) - 0.4], style.INK, "dot", name="chance")
    for y, (encoder, readout, _) in enumerate(shown):
        control = results.rows(encoder, "permutation")
        control = control[control["readout"] == readout]
        if not control.empty:
            first = control.iloc[0]
            figure.add_scatter(
                x=[first["low"], first["value"], first["high"]],
                y=[y] * 3,
                mode="lines",
                line={"color": "rgba(110,110,110,.35)", "width": 8},
                name="permuted labels: 95 % range",
                legendgroup="permuted",
                showlegend=not any(trace.meta == "permutation" for trace in figure.data),
                customdata=hover_data(control) * 3,
                hovertemplate=HOVER,
                meta="permutation",
            )
        if results.regime == "grouped":
            _add_points(figure, results, encoder, readout, y, looks[encoder], "random")
        _add_points(figure, results, encoder, readout, y, looks[encoder], results.regime)
    finish(figure, results, height=200 + 46 * len(shown))
    figure.update_xaxes(title=X_TITLE)
    figure.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[plain(label).replace(": ", ":<br>", 1) for *_, label in shown],
        range=[len(shown) - 0.4, -0.6],
        automargin=True,
        zeroline=False,
    )
    return figure


def _add_points(figure, results: Results, encoder: str, readout: str, y: int, look, regime) -> None:
    rows = results.rows(encoder, regime=regime)
    for row in rows[rows["readout"] == readout].itertuples():
        trace = point(figure, results, encoder, row, row.value, y, look, "x")
        trace.update(showlegend=False)
        if regime != results.regime:
            hollow = f"{look.symbol}-open"
            trace.update(marker_symbol=hollow, opacity=0.5, error_x=None, meta="random split")


def main() -> None:
    """Command line of the stage."""
    results, options = figure_options(__doc__)
    save_static(static(results), options.out_stem, options.provenance)
    title = f"{results.heading}, encoders compared"
    figure = interactive(results)
    save_interactive(figure, options.out_stem, title, notes(results), options.provenance)


if __name__ == "__main__":
    run(main)
