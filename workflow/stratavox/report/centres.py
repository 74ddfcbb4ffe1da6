"""Centres of gravity of one task: where along each encoder's depth what is decoded.

A row each for the acoustic descriptors, for their mean, for nuisances and for the task, a panel an
encoder with blocks. Depth runs from the first readout (0) to the last block (1).
"""

from __future__ import annotations

import matplotlib
import pandas as pd
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stratavox.inference.claims import EARLY_LATE
from stratavox.inference.depths import ACOUSTICS, BEST, CENTRE, SATURATION
from stratavox.report import style
from stratavox.report.atlas import target_label
from stratavox.report.findings import bounds, fine
from stratavox.report.results import INTERVALS, Results
from stratavox.report.saving import RC
from stratavox.report.screen import finish, plain
from stratavox.report.static import legend_and_notes, shortened

TITLE = "centres of gravity"
X_TITLE = "centre of gravity: relative depth, 0 the first readout, 1 the last block"
KINDS = {
    "acoustic": ("acoustic target", style.BLUE, "o", "circle"),
    "nuisance": ("nuisance", style.GREY, "s", "square"),
    "mean": ("mean of the acoustic targets", style.BLUE, "D", "diamond"),
    "task": ("task", style.VERMILION, "^", "triangle-up"),
}
NOTHING = "Groups are unknown: no centre has an interval, so none is told."
ROW_IN, WIDTH_IN, LEFT_IN, APART_IN = 0.2, 7.2, 2.3, 0.85


def lines(results: Results, encoder: str) -> list[tuple[str, str, pd.Series]]:
    """(label, kind, row) of each centre: acoustic targets, nuisances, their mean, the task."""
    rows = results.depths
    rows = rows[(rows["encoder"] == encoder) & (rows["measure"] == CENTRE)]
    found = {"acoustic": [], "nuisance": [], "mean": [], "task": []}
    for _, row in rows.iterrows():
        if row["target"] == ACOUSTICS:
            found["mean"].append(("mean of the acoustic targets", "mean", row))
        elif row["kind"] == "task":
            if row["target"] == results.task:
                found["task"].append((results.task, "task", row))
        else:
            found[row["kind"]].append((target_label(row["target"]), row["kind"], row))
    return [line for kind in found.values() for line in kind]


def said(results: Results, encoder: str) -> str:
    """The verdict on the encoder, and its blocks that saturate or may be the best."""
    rows = results.claims
    rows = rows[(rows["claim"] == EARLY_LATE) & (rows["encoder"] == encoder)]
    parts = []
    for row in rows.to_dict("records"):
        text = f"{row['claim']}: {row['verdict']}"
        if not style.missing(row["value"]):
            text += f" ({row['value']:+.3f}, {bounds(row['low'], row['high'])}"
            text += f"; detectable {fine(row['detectable'])})"
        parts.append(text)
    rows = results.depths[results.depths["encoder"] == encoder]
    for measure, words in (
        (SATURATION, "within one standard error of the chosen block from"),
        (BEST, "may be the best (95 %)"),
    ):
        for named in rows.loc[rows["measure"] == measure, "readouts"].dropna():
            blocks = ", ".join(style.readout_label(name) for name in named.split(", "))
            parts.append(f"{words}: {blocks}")
    return f"{results.label(encoder)}: {'; '.join(parts)}." if parts else ""


def notes(results: Results) -> list[str]:
    """What must be known to read the figure; printed on it."""
    told = [results.counts_line(), results.group_line()]
    if results.depths.empty:
        return [*told, NOTHING]
    kinds = results.depths.loc[results.depths["measure"] == CENTRE, "interval"].drop_duplicates()
    return [
        *told,
        f"Whiskers: {'; '.join(INTERVALS[kind] for kind in kinds)}. A curve is corrected for "
        "chance and normalised by its own range; what no readout decodes has no centre and no row.",
        *filter(None, (said(results, encoder) for encoder in results.layered)),
    ]


def static(results: Results) -> Figure:
    """The figure for paper."""
    shown = {encoder: lines(results, encoder) for encoder in results.layered}
    with matplotlib.rc_context(RC):
        height = 0.7 + sum(max(len(rows), 1) * ROW_IN + APART_IN for rows in shown.values())
        figure = plt.figure(figsize=(WIDTH_IN, height))
        left = 0.1 / WIDTH_IN
        figure.suptitle(
            f"{results.heading}, {TITLE}",
            x=left,
            ha="left",
            y=1 - 0.05 / height,
            va="top",
            fontsize=9,
        )
        top = height - 0.65
        for encoder, rows in shown.items():
            tall = max(len(rows), 1) * ROW_IN
            place = (
                LEFT_IN / WIDTH_IN,
                (top - tall) / height,
                1 - LEFT_IN / WIDTH_IN - 0.02,
                tall / height,
            )
            _draw(figure.add_axes(place), results, encoder, rows)
            top -= tall + APART_IN
        handles = [
            plt.Line2D([], [], color=colour, marker=marker, ls="", ms=5, label=label)
            for label, colour, marker, _ in KINDS.values()
        ]
        names = [handle.get_label() for handle in handles]
        legend_and_notes(
            figure, handles, names, notes(results), left, (top + 0.3) / height, 1 - left
        )
    return figure


def _draw(axes, results: Results, encoder: str, rows: list) -> None:
    for y, (_, kind, row) in enumerate(rows):
        _, colour, marker, _ = KINDS[kind]
        if style.missing(row["value"]):
            axes.text(0.5, y, "flat: no centre", ha="center", va="center", fontsize=7)
            continue
        if not style.missing(row["low"]):
            axes.hlines(y, row["low"], row["high"], color=colour, lw=1.4)
        axes.plot([row["value"]], [y], marker, color=colour, ms=5, gid=f"{encoder} {row['target']}")
    if not rows:
        axes.text(0.5, 0, "no centre can be told", ha="center", va="center", fontsize=7)
    axes.set_yticks(range(len(rows)), shortened([label for label, *_ in rows], 38))
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    readouts = [
        name
        for name in ("input", *results.encoders[encoder]["blocks"])
        if name in results.encoders[encoder]["readouts"]
    ]
    every = -(-len(readouts) // 7)
    above = axes.secondary_xaxis("top")
    last = max(len(readouts) - 1, 1)
    above.set_xticks(
        [place / last for place in range(0, len(readouts), every)],
        [style.readout_label(name).removeprefix("block ") for name in readouts[::every]],
        fontsize=6.5,
    )
    axes.set_title(results.label(encoder), fontsize=8, loc="left", pad=16)
    axes.set_xlabel(X_TITLE, fontsize=7)
    axes.grid(axis="x", color=style.PALE, lw=0.5)
    axes.tick_params(axis="y", length=0)


def interactive(results: Results) -> go.Figure:
    """The figure for the screen: all encoders in one list."""
    figure = go.Figure()
    labels, y = [], 0
    for encoder in results.layered:
        for label, kind, row in lines(results, encoder):
            told, colour, _, symbol = KINDS[kind]
            labels.append(f"{plain(results.label(encoder))}<br>{plain(label)}")
            if not style.missing(row["value"]):
                error = None
                if not style.missing(row["low"]):
                    error = {"type": "data", "symmetric": False, "color": colour}
                    error |= {"array": [row["high"] - row["value"]]}
                    error |= {"arrayminus": [row["value"] - row["low"]]}
                figure.add_scatter(
                    x=[row["value"]],
                    y=[y],
                    error_x=error,
                    mode="markers",
                    marker={"color": colour, "symbol": symbol, "size": 9},
                    name=told,
                    legendgroup=told,
                    showlegend=not any(trace.name == told for trace in figure.data),
                    hovertemplate=f"{labels[-1]}: {fine(row['value'])} "
                    f"({bounds(row['low'], row['high'])})<extra></extra>",
                    meta=f"{plain(encoder)} {plain(row['target'])}",
                )
            y += 1
    if not labels:
        figure.add_annotation(text=plain(NOTHING), showarrow=False, xref="paper", yref="paper")
    finish(figure, results, height=200 + 34 * max(y, 1))
    figure.update_xaxes(title=X_TITLE, range=[-0.02, 1.02])
    figure.update_yaxes(
        tickvals=list(range(y)), ticktext=labels, range=[y - 0.5, -0.5], automargin=True
    )
    return figure
