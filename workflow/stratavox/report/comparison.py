"""Comparison of one task: last block, block chosen in the training folds, all blocks, baselines.

A row an encoder and readout, with its interval, what permuted labels give, and chance; then a row
a probe on tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stratavox.report import style
from stratavox.report.results import Results
from stratavox.report.saving import RC
from stratavox.report.screen import HOVER, finish, hover_data, line, plain, point
from stratavox.report.static import below, shortened

TITLE = "encoders compared"
TOKEN_PROBES = ("attention", "attention_mean", "attention_pool", "attention_order", "mlp")
X_TITLE = "balanced accuracy"


@dataclass(frozen=True)
class Row:
    """A line of the figure: what was read out of which encoder, by which probe."""

    encoder: str
    readout: str | None
    probe: str
    label: str


def listed(results: Results) -> list[Row]:
    """The rows from top to bottom; an encoder with several has a header, without a readout."""
    found: list[Row] = []
    for row in lines(results):
        if results.encoders[row.encoder]["blocks"] and row.encoder not in {
            r.encoder for r in found
        }:
            found.append(Row(row.encoder, None, "linear", results.label(row.encoder)))
        found.append(row)
    return found


def lines(results: Results) -> list[Row]:
    """The rows that have a value; an encoder's probes on tokens after its linear ones."""
    found = []
    for encoder in [*results.layered, *results.baselines]:
        for readout in results.compared(encoder):
            label = row_label(results, encoder, readout)
            found.append(Row(encoder, readout, "linear", label))
        for probe in TOKEN_PROBES:
            for readout in results.rows(encoder, probe=probe)["readout"]:
                label = row_label(results, encoder, readout)
                found.append(Row(encoder, readout, probe, f"{label}, {style.probe_label(probe)}"))
    return found


def value(results: Results, row: Row, control: str = "none", regime: str | None = None):
    """The estimate of a row under a control and a regime, or None."""
    rows = results.rows(row.encoder, control, regime, row.probe)
    rows = rows[rows["readout"] == row.readout]
    return None if rows.empty else rows.iloc[0]


def row_label(results: Results, encoder: str, readout: str) -> str:
    """What a row is called: the readout, or the encoder where it has but one."""
    blocks = results.encoders[encoder]["blocks"]
    if not blocks:
        return results.label(encoder)
    last = f"last block ({style.readout_label(readout)})"
    return last if readout in blocks else style.readout_label(readout)


def notes(results: Results) -> list[str]:
    """What must be known to read the figure; printed on it."""
    return [
        results.counts_line(),
        results.group_line(),
        results.interval_line("Whiskers, and numbers in brackets"),
        *results.random_line("Hollow marks"),
        results.control_line(),
        *results.draws_line("Thick pale bars"),
        *_token_lines(results),
    ]


def _token_lines(results: Results) -> list[str]:
    said = []
    if (results.estimates["control"] == "shuffled").any():
        said.append(
            "Crosses: the same probe on tokens in random order; equal where it cannot know order."
        )
    if (results.estimates["probe"] == "attention_mean").any():
        said.append(
            "Attention on one pooled vector is the notebook's case: its queries and keys do "
            "nothing."
        )
    return said


def static(results: Results) -> Figure:
    """The figure for paper."""
    looks = style.encoder_looks(list(results.encoders))
    shown = listed(results)
    with matplotlib.rc_context(RC):
        figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.27 * len(shown)))
        longest = max(len(row.label) for row in shown)
        figure.subplots_adjust(left=min(0.52, 0.0086 * longest), right=0.82)
        chance = results.facts["chance"]
        axes.axvline(chance, color=style.INK, lw=0.8, ls=":", label="chance", zorder=1)
        for y, row in enumerate(shown):
            if row.readout is not None:
                _draw_row(axes, results, row, looks[row.encoder], y)
        axes.plot([], [], color=style.GREY, lw=5, alpha=0.3, label="permuted labels: 95 % range")
        if results.regime != "random":
            axes.plot([], [], "o", ms=5, mfc="none", mec=style.GREY, ls="", label="random split")
        if any(row.probe != "linear" for row in shown):
            axes.plot([], [], "x", ms=5, color=style.GREY, ls="", label="tokens shuffled")
        axes.set_yticks(range(len(shown)), shortened([row.label for row in shown], 60))
        for name, row in zip(axes.get_yticklabels(), shown, strict=True):
            name.set_fontweight("bold" if row.readout is None else "normal")
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set(xlabel=X_TITLE)
        axes.set_title(results.heading, loc="left")
        axes.grid(axis="x", color=style.PALE, lw=0.5)
        below(figure, axes, notes(results), left=0.0)
    return figure


def _draw_row(axes, results: Results, row: Row, look: style.Look, y: int) -> None:
    control = value(results, row, control="permutation")
    if control is not None:
        axes.hlines(y, control.low, control.high, color=style.GREY, alpha=0.3, lw=5, zorder=1.5)
        axes.plot([control.value], [y], "|", color=style.GREY, ms=6)
    other = value(results, row, regime="random")
    if results.regime != "random" and other is not None:
        axes.plot([other.value], [y], look.marker, mfc="none", mec=look.colour, ms=4.5, alpha=0.5)
    shuffled = value(results, row, control="shuffled")
    if shuffled is not None:
        axes.plot([shuffled.value], [y], "x", color=look.colour, ms=5, zorder=5)
    found = value(results, row)
    if not style.missing(found.draws_low):
        axes.hlines(y, found.draws_low, found.draws_high, color=look.colour, lw=4, alpha=0.35)
    if not style.missing(found.low):
        axes.hlines(y, found.low, found.high, color=look.colour, lw=1.4, zorder=3)
    mark = axes.plot([found.value], [y], look.marker, color=look.colour, ms=5.5, zorder=4)
    tail = "" if row.probe == "linear" else f" {row.probe}"
    mark[0].set_gid(f"value {row.encoder} {row.readout}{tail}")
    axes.text(
        1.02,
        y,
        f"{style.fraction(found.value)} ({style.interval(found.low, found.high)})",
        transform=axes.get_yaxis_transform(),
        va="center",
        fontsize=7.5,
    )


def interactive(results: Results) -> go.Figure:
    """The figure for the screen."""
    looks = style.encoder_looks(list(results.encoders))
    shown = listed(results)
    figure = go.Figure()
    chance = results.facts["chance"]
    line(figure, [chance, chance], [-0.6, len(shown) - 0.4], style.INK, "dot", name="chance")
    for y, row in enumerate(shown):
        if row.readout is None:
            continue
        control = value(results, row, control="permutation")
        if control is not None:
            figure.add_scatter(
                x=[control["low"], control["value"], control["high"]],
                y=[y] * 3,
                mode="lines",
                line={"color": "rgba(110,110,110,.35)", "width": 8},
                name="permuted labels: 95 % range",
                legendgroup="permuted",
                showlegend=not any(trace.meta == "permutation" for trace in figure.data),
                customdata=hover_data(control.to_frame().T) * 3,
                hovertemplate=HOVER,
                meta="permutation",
            )
        if results.regime != "random":
            _add_point(figure, results, row, y, looks[row.encoder], regime="random")
        _add_point(figure, results, row, y, looks[row.encoder], control="shuffled")
        _add_point(figure, results, row, y, looks[row.encoder])
    finish(figure, results, height=200 + 46 * len(shown))
    figure.update_xaxes(title=X_TITLE)
    figure.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[
            f"<b>{plain(row.label)}</b>" if row.readout is None else plain(row.label)
            for row in shown
        ],
        range=[len(shown) - 0.4, -0.6],
        automargin=True,
        zeroline=False,
    )
    return figure


def _add_point(figure, results: Results, row: Row, y: int, look, **where) -> None:
    found = value(results, row, **where)
    if found is None:
        return
    (given,) = found.to_frame().T.itertuples()
    trace = point(figure, results, row.encoder, given, given.value, y, look, "x")
    trace.update(showlegend=False)
    if where:
        shuffled = "control" in where
        told = "tokens shuffled" if shuffled else "random split"
        first = not any(trace.meta == told for trace in figure.data)
        trace.update(marker_symbol="x" if shuffled else f"{look.symbol}-open", opacity=0.5)
        trace.update(error_x=None, meta=told, name=told, legendgroup=told, showlegend=first)
