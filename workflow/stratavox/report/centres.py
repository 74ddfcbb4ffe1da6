"""Centres of gravity of one task: where along each encoder's depth what is decoded.

A row each for the acoustic descriptors, for nuisances, for the mean of the former and for the
task, then the task's best blocks; a panel an encoder with blocks. Depth runs from the first readout
(0) to the last block (1).
"""

from __future__ import annotations

import matplotlib
import pandas as pd
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stratavox.inference.answers.claims import EARLY_LATE
from stratavox.inference.answers.depths import ACOUSTICS, BEST, CENTRE, SATURATION
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
# measure of the depths table -> (words, marker, plotly's, size); drawn at blocks, not centres
MARKS = {
    BEST: ("block that may be the best (95 %)", "|", "line-ns-open", 9),
    SATURATION: ("first block within one standard error of the chosen", "v", "triangle-down", 5),
}
NOTHING = "Groups are unknown: no centre has an interval, so none is told."
NO_DEPTH = "No encoder has blocks: nothing has a depth."
NOT_TOLD = "no block can be named"
HOVER = "%{customdata[0]}<br>%{customdata[1]}: %{customdata[2]}<extra></extra>"
ROW_IN, WIDTH_IN, LEFT_IN, APART_IN = 0.2, 7.2, 2.3, 0.95
# rows of space around the nuisances
GAP = 0.5


def curve(results: Results, encoder: str) -> list[str]:
    """The readouts that have a depth, in its order."""
    made = results.encoders[encoder]
    return [name for name in ("input", *made["blocks"]) if name in made["readouts"]]


def marks(results: Results, encoder: str) -> dict[str, list[tuple[float, str]]]:
    """Measure of `MARKS` -> (relative depth, block) of each block that the table names."""
    readouts, table = curve(results, encoder), results.depths
    table = table[(table["encoder"] == encoder) & table["measure"].isin(MARKS)]
    return {
        row["measure"]: [
            (readouts.index(name) / (len(readouts) - 1), name)
            for name in row["readouts"].split(", ")
        ]
        for _, row in table.iterrows()
    }


def places(rows: list) -> list[float]:
    """Where each of `lines` stands, downwards; nuisances set apart."""
    found, y = [], 0.0
    for place, (_, kind, _) in enumerate(rows):
        if place and "nuisance" in (kind, rows[place - 1][1]) and kind != rows[place - 1][1]:
            y += GAP
        found.append(y)
        y += 1
    return found


def why_none(results: Results, encoder: str) -> str:
    """What a panel without a centre says."""
    if results.facts["group"] is None:
        return "groups unknown: no centre has an interval"
    if len(curve(results, encoder)) < 2:
        return "one readout only: no depth to speak of"
    return "not scored at every block: no centre"


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
    if not results.layered:
        return [*told, NO_DEPTH]
    if results.facts["group"] is None:
        return [*told, NOTHING]
    centres = results.depths[results.depths["measure"] == CENTRE]
    kinds = centres.loc[centres["value"].notna(), "interval"].drop_duplicates()
    whiskers = [f"Whiskers: {'; '.join(INTERVALS[kind] for kind in kinds)}."] if len(kinds) else []
    return [
        *told,
        *whiskers,
        "A curve is corrected for chance and normalised by its own range; one that is flat, or "
        "above chance by a single group, has no centre, and what all blocks together do not "
        "explain has no row.",
        *filter(None, (said(results, encoder) for encoder in results.layered)),
    ]


def static(results: Results) -> Figure:
    """The figure for paper."""
    shown = {encoder: lines(results, encoder) for encoder in results.layered}
    with matplotlib.rc_context(RC):
        height = 0.7 + sum(_tall(rows) + APART_IN for rows in shown.values())
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
        top = height - 0.7
        for encoder, rows in shown.items():
            tall = _tall(rows)
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
        ] + [
            plt.Line2D([], [], color=style.VERMILION, marker=marker, ls="", ms=size, label=label)
            for label, marker, _, size in MARKS.values()
        ]
        names = [handle.get_label() for handle in handles]
        legend_and_notes(
            figure, handles, names, notes(results), left, (top + 0.4) / height, 1 - left
        )
    return figure


def _tall(rows: list) -> float:
    """Inches of a panel: its rows, and one for the best blocks."""
    return ROW_IN * (places(rows)[-1] + 2 if rows else 1)


def _draw(axes, results: Results, encoder: str, rows: list) -> None:
    heights = places(rows)
    for y, (_, kind, row) in zip(heights, rows, strict=True):
        _, colour, marker, _ = KINDS[kind]
        if style.missing(row["value"]):
            axes.text(0.5, y, "no centre", ha="center", va="center", fontsize=7)
            continue
        if not style.missing(row["low"]):
            axes.hlines(y, row["low"], row["high"], color=colour, lw=1.4)
        axes.plot([row["value"]], [y], marker, color=colour, ms=5, gid=f"{encoder} {row['target']}")
    if not rows:
        why = why_none(results, encoder)
        axes.text(0.5, 0, why, ha="center", va="center", fontsize=7)
    names = [label for label, *_ in rows]
    if rows:
        heights.append(heights[-1] + 1)
        names.append("its best blocks")
        _mark(axes, results, encoder, heights[-1])
    axes.set_yticks(heights, shortened(names, 38))
    axes.set_ylim((heights[-1] if rows else 0) + 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    readouts = curve(results, encoder)
    every = -(-len(readouts) // 7)
    above = axes.secondary_xaxis("top")
    last = max(len(readouts) - 1, 1)
    above.set_xticks(
        [place / last for place in range(0, len(readouts), every)],
        [style.readout_label(name).removeprefix("block ") for name in readouts[::every]],
        fontsize=6.5,
    )
    title = shortened([results.label(encoder)], 70)[0]
    axes.set_title(title, fontsize=8, loc="left", pad=20)
    axes.set_xlabel(X_TITLE, fontsize=7)
    axes.grid(axis="x", color=style.PALE, lw=0.5)
    axes.tick_params(axis="y", length=0)


def _mark(axes, results: Results, encoder: str, y: float) -> None:
    found = marks(results, encoder)
    for measure, blocks in found.items():
        _, marker, _, size = MARKS[measure]
        axes.plot(
            [depth for depth, _ in blocks],
            [y] * len(blocks),
            marker,
            color=style.VERMILION,
            ms=size,
            mew=1.6 if marker == "|" else 0,
            gid=f"{encoder} {measure}",
        )
    if not found:
        axes.text(0.5, y, NOT_TOLD, ha="center", va="center", fontsize=7)


def interactive(results: Results) -> go.Figure:
    """The figure for the screen: all encoders in one list."""
    figure = go.Figure()
    labels, heights, y = [], [], 0.0
    for encoder in results.layered:
        rows, start = lines(results, encoder), y
        name = plain(results.label(encoder))
        for place, (label, kind, row) in zip(places(rows), rows, strict=True):
            y = start + place
            heights.append(y)
            labels.append(plain(label) if place else f"<b>{name}</b><br>{plain(label)}")
            told, colour, _, symbol = KINDS[kind]
            if style.missing(row["value"]):
                figure.add_annotation(text="no centre", x=0.5, y=y, showarrow=False)
                continue
            trace = _dots(figure, [row["value"]], y, told, colour, symbol, 9)
            if not style.missing(row["low"]):
                error = {"type": "data", "symmetric": False, "color": colour}
                error |= {"array": [row["high"] - row["value"]]}
                trace.error_x = error | {"arrayminus": [row["value"] - row["low"]]}
            score = f"{fine(row['value'])} ({bounds(row['low'], row['high'])})"
            trace.customdata = [[name, plain(label), score]]
            trace.meta = f"{encoder} {row['target']}"
        y += 1 if rows else 0
        heights.append(y)
        labels.append("its best blocks" if rows else f"<b>{name}</b>")
        found = marks(results, encoder)
        for measure, blocks in found.items():
            words, _, symbol, size = MARKS[measure]
            depths = [depth for depth, _ in blocks]
            trace = _dots(figure, depths, y, words, style.VERMILION, symbol, size + 4)
            trace.customdata = [[name, words, plain(style.readout_label(b))] for _, b in blocks]
            trace.meta = f"{encoder} {measure}"
        if not found:
            text = plain(NOT_TOLD if rows else why_none(results, encoder))
            figure.add_annotation(text=text, x=0.5, y=y, showarrow=False)
        y += 1.5
    if not labels:
        figure.add_annotation(text=NO_DEPTH, showarrow=False, xref="paper", yref="paper")
    finish(figure, results, height=200 + 34 * max(len(labels), 1))
    figure.update_xaxes(title=X_TITLE, range=[-0.02, 1.02])
    figure.update_yaxes(
        tickvals=heights, ticktext=labels, range=[y - 1, -0.5], automargin=True, zeroline=False
    )
    return figure


def _dots(figure: go.Figure, x: list, y: float, name: str, colour: str, symbol: str, size: int):
    """Markers at one height; the trace, to be refined."""
    figure.add_scatter(
        x=x,
        y=[y] * len(x),
        mode="markers",
        marker={
            "color": colour,
            "symbol": symbol,
            "size": size,
            "line": {"width": 2, "color": colour},
        },
        name=name,
        legendgroup=name,
        showlegend=not any(trace.name == name for trace in figure.data),
        hovertemplate=HOVER,
    )
    return figure.data[-1]
