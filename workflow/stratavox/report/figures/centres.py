"""Centres of gravity of one task: at which depth of each encoder a target is decoded.

A panel per encoder with blocks. Its rows are the acoustic descriptors, the nuisances, the mean of
the descriptors, the task, and the task's best blocks. Depth runs from the first readout (0) to the
last block (1).
"""

from __future__ import annotations

import pandas as pd

from stratavox import words
from stratavox.inference.answers.depths import ACOUSTICS, BEST, CENTRE, SATURATION
from stratavox.report import curves, findings, style
from stratavox.report.figure import Axis, Figure, Label, Panel, Points, message
from stratavox.report.results import Results

FACTS = {
    "order": 30,
    "title": "Where along the depth: centres of gravity",
    "caption": "Centres of gravity: {task} of {dataset}. Where along the depth of each encoder the "
    "acoustic targets are decoded, and where the task.",
    "scopes": ("target",),
}
X_TITLE = "centre of gravity: relative depth, 0 the first readout, 1 the last block"
KINDS = {
    "acoustic": ("acoustic target", style.BLUE, "o"),
    "nuisance": ("nuisance", style.GREY, "s"),
    "mean": ("mean of the acoustic targets", style.BLUE, "D"),
    "task": ("task", style.VERMILION, "^"),
}
# measure of the depths table -> (words, marker, size); drawn at blocks, not centres
MARKS = {
    BEST: ("block that may be the best (95 %)", "|", 9),
    SATURATION: ("earliest sufficient block (one standard error)", "v", 5),
}
NOTHING = "Groups are unknown: centres would have no interval, so none is given."
NO_DEPTH = "No encoder has blocks: nothing has a depth."
NOT_NAMED = "no block can be named"
# rows of space around the nuisances
GAP = 0.5
ROW_IN, WIDE_IN = 0.2, 4.6


def places(rows: list) -> list[float]:
    """The place of each of `lines`, downwards, with space around the nuisances."""
    heights, y = [], 0.0
    for place, (_, kind, _) in enumerate(rows):
        before = rows[place - 1][1] if place else kind
        y += GAP if "nuisance" in (kind, before) and kind != before else 0
        heights.append(y)
        y += 1
    return heights


def why_none(results: Results, encoder: str) -> str:
    """Why a panel has no centre."""
    if results.facts["group"] is None:
        return "groups unknown: no centre has an interval"
    if len(curves.depths(results.encoders[encoder])) < 2:
        return "only one readout: no depth"
    return "not scored at every block: no centre"


def lines(results: Results, encoder: str) -> list[tuple[str, str, pd.Series]]:
    """(label, kind, row) of each centre: acoustic targets, nuisances, their mean, the task."""
    rows = results.depths
    rows = rows[(rows["encoder"] == encoder) & (rows["measure"] == CENTRE)]
    listed = {kind: [] for kind in KINDS}
    for _, row in rows.iterrows():
        if row["target"] == ACOUSTICS:
            listed["mean"].append((KINDS["mean"][0], "mean", row))
        elif row["kind"] != "task":
            listed[row["kind"]].append((curves.target_label(row["target"]), row["kind"], row))
        elif row["target"] == results.task:
            listed["task"].append((results.task, "task", row))
    return [line for kind in listed.values() for line in kind]


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    first = results.about
    if not results.layered:
        return [*first, NO_DEPTH]
    if results.facts["group"] is None:
        return [*first, NOTHING]
    centres = results.depths[results.depths["measure"] == CENTRE]
    kinds = centres.loc[centres["value"].notna(), "interval"].drop_duplicates()
    intervals = "; ".join(words.INTERVALS[kind] for kind in kinds)
    return [
        *first,
        *([f"Whiskers: {intervals}."] if intervals else []),
        "A curve is corrected for chance and normalised by its own range. A curve that is flat, or "
        "above chance because of a single group, has no centre. A target that all blocks together "
        "do not explain has no row.",
        *findings.verdicts(results),
        *(f"{sentence}." for sentence in findings.depths(results)),
    ]


def figure(results: Results) -> Figure:
    """A panel per encoder with blocks."""
    panels = [_panel(results, encoder) for encoder in results.layered] or [message(NO_DEPTH)]
    panels[0].series.extend(
        [Points([], [], colour, marker=mark, legend=text) for text, colour, mark in KINDS.values()]
        + [
            Points([], [], style.VERMILION, marker=mark, size=size, legend=text)
            for text, mark, size in MARKS.values()
        ]
    )
    return Figure(panels, notes(results))


def _panel(results: Results, encoder: str) -> Panel:
    rows, series = lines(results, encoder), []
    heights = places(rows)
    for y, (label, kind, row) in zip(heights, rows, strict=True):
        if words.missing(row["value"]):
            series.append(Label(0.5, y, "no centre"))
            continue
        text, colour, marker = KINDS[kind]
        score = f"{words.number(row['value'])} ({words.bounds(row['low'], row['high'])})"
        look = {"marker": marker, "size": 5, "bar": 1.4, "across": True, "group": text}
        look |= {"hover": [f"{results.label(encoder)}\n{label}: {score}"]}
        look |= {"name": f"{encoder} {row['target']}", "low": [row["low"]], "high": [row["high"]]}
        series.append(Points([row["value"]], [y], colour, **look))
    names = [label for label, *_ in rows]
    if rows:
        heights.append(heights[-1] + 1)
        names.append("its best blocks")
        series += _best_blocks(results, encoder, heights[-1])
    else:
        series.append(Label(0.5, 0, why_none(results, encoder)))
    bottom = heights[-1] if rows else 0
    readouts = list(curves.depths(results.encoders[encoder]))
    every, last = -(-len(readouts) // 7), max(len(readouts) - 1, 1)
    above = {n / last: words.tick(readouts[n]) for n in range(0, len(readouts), every)}
    return Panel(
        series,
        (WIDE_IN, ROW_IN * (bottom + 1)),
        Axis(X_TITLE, limits=(-0.02, 1.02), opposite=above),
        Axis(ticks=dict(zip(heights, names, strict=True)) or {0: ""}, limits=(bottom + 0.5, -0.5)),
        results.label(encoder),
    )


def _best_blocks(results: Results, encoder: str, y: float) -> list:
    """Marks of the blocks that the depths table names."""
    readouts, table = list(curves.depths(results.encoders[encoder])), results.depths
    table = table[(table["encoder"] == encoder) & table["measure"].isin(MARKS)]
    series = []
    for measure, named in zip(table["measure"], table["readouts"], strict=True):
        text, marker, size = MARKS[measure]
        blocks = named.split(", ")
        x = [readouts.index(name) / (len(readouts) - 1) for name in blocks]
        hover = [f"{results.label(encoder)}\n{text}: {words.readout(name)}" for name in blocks]
        look = {"marker": marker, "size": size, "group": text, "name": f"{encoder} {measure}"}
        series.append(Points(x, [y] * len(x), style.VERMILION, hover=hover, **look))
    return series or [Label(0.5, y, NOT_NAMED)]
