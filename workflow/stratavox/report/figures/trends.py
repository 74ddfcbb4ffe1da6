"""Trends of one task: does the task rise with depth, and do the acoustic targets fall?

Two panels per encoder with blocks. In the first each row is a trend: the mean of the last third of
the readouts minus that of the first. The second has the curve of the task and the mean curve of the
acoustic targets, with the first and the last third shaded.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from stratavox import words
from stratavox.inference.answers.depths import BEST, ONSET
from stratavox.inference.answers.trends import ACOUSTIC, ACOUSTICS, NUISANCE_KIND, TASK
from stratavox.inference.measures import third
from stratavox.report import curves, findings, style
from stratavox.report.figure import Axis, Band, Figure, Label, Panel, Points, Rule, message
from stratavox.report.results import Results

FACTS = {
    "order": 15,
    "topic": "curves",
    "title": "What rises and what falls with depth",
    "caption": "Trends: {task} of {dataset}. Whether the task and the acoustic targets rise, fall "
    "or stay level with depth: mean score of the last third of the readouts minus that of the "
    "first third.",
    "scopes": ("target",),
}
X_TITLE = "last third minus first third"
KINDS = {
    ACOUSTIC: ("acoustic target (share of variance explained)", style.BLUE, "o"),
    NUISANCE_KIND: ("nuisance (share of variance explained)", style.GREY, "s"),
    ACOUSTICS: ("mean of the acoustic targets", style.BLUE, "D"),
    TASK: ("task ({metric})", style.VERMILION, "^"),
}
# measure of the depths table -> (words, marker, size)
MARKS = {
    BEST: ("block that may be the best (95 %)", "|", 9),
    ONSET: ("onset: first block that suffices", "v", 6),
}
NO_DEPTH = "No encoder has blocks: nothing has a depth."
WHISKERS = (
    "Whiskers, left: 95 %, for all acoustic targets (all nuisances) at once; that of the mean also "
    "counts the targets as a sample of others."
)
NO_TEST = "Too few groups: no trend has an interval, and none is tested."
GAP = 0.5  # rows of space around the nuisances
NAME = 28  # characters of the task's name before its direction
ROW_IN, WIDE_IN, CURVE_IN = 0.19, 2.0, 2.0


def alt(results: Results) -> str:
    """The trends of the task and of the acoustic targets together."""
    rows = results.trends
    rows = rows[(rows["kind"] == TASK) | (rows["target"] == ACOUSTICS)]
    parts = [
        f"{results.label(row.encoder)}: {row.target} {words.difference(row.value)}, {row.direction}"
        for row in rows.itertuples()
    ]
    listed = "; ".join(parts) or "No encoder has a trend"
    return f"Trends with depth, {results.heading}. {listed}."


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    if not results.layered:
        return [*results.about, NO_DEPTH]
    tested = results.trends["low"].notna().any()
    return [
        *results.about,
        "Left: the trend, which is the mean of the last third of the readouts minus that of the "
        "first; shaded: the margin within which a trend is level. Right: curves over depth; "
        "shaded: the first and the last third. Acoustic targets that all blocks together do not "
        "explain are left out.",
        WHISKERS if tested or results.trends.empty else NO_TEST,
        *(f"{sentence}." for sentence in findings.depths(results)),
    ]


def figure(results: Results) -> Figure:
    """Two panels per encoder with blocks."""
    panels = [
        panel
        for encoder in results.layered
        if len(results.curve(encoder)) > 1
        for panel in _panels(results, encoder)
    ]
    if not panels:
        return Figure([message(NO_DEPTH)], notes(results))
    panels[0].series.extend(
        [
            *(
                Points([], [], colour, marker=mark, legend=text.format(metric=results.metric))
                for text, colour, mark in KINDS.values()
            ),
            *(
                Points([], [], style.VERMILION, marker=mark, size=size, legend=text)
                for text, mark, size in MARKS.values()
            ),
        ]
    )
    return Figure(panels, notes(results), columns=2)


def lines(results: Results, encoder: str) -> list[tuple[str, str, pd.Series]]:
    """(label, kind, row) of each trend: the task, the mean, acoustic targets, nuisances."""
    rows = results.trends[results.trends["encoder"] == encoder]
    listed = {kind: [] for kind in (TASK, ACOUSTICS, ACOUSTIC, NUISANCE_KIND)}
    for _, row in rows.iterrows():
        kind, label = row["kind"], row["target"]
        if label == ACOUSTICS:
            kind, label = ACOUSTICS, KINDS[ACOUSTICS][0]
        elif kind != TASK:
            label = curves.target_label(label).split(",")[0]
        elif len(label) > NAME:  # the direction must stay readable; the title has the whole name
            label = f"{label[: NAME - 1]}…"
        listed[kind].append((f"{label}: {row['direction']}", kind, row))
    return [line for kind in listed.values() for line in kind]


def acoustic_means(results: Results, encoder: str) -> tuple[pd.Series, int]:
    """Depth -> mean of the acoustic targets that the verdict is about, and their number."""
    own, table = results.trends, results.explained_variance
    own = own[(own["encoder"] == encoder) & (own["kind"] == ACOUSTIC)]
    targets = own.loc[own["target"] != ACOUSTICS, "target"]
    rows = table[(table["encoder"] == encoder) & table["target"].isin(targets)]
    return rows[rows["depth"].notna()].groupby("depth")["value"].mean(), len(targets)


def _panels(results: Results, encoder: str) -> list[Panel]:
    rows = lines(results, encoder)
    tall = ROW_IN * max(8, len(rows) + 1)
    return [_trends(results, encoder, rows, tall), _curves(results, encoder, tall)]


def _curves(results: Results, encoder: str, tall: float) -> Panel:
    task, facts = results.curve(encoder), results.encoders[encoder]
    means, targets = acoustic_means(results, encoder)
    low, high = min(-0.12, *means - 0.1, *task["value"] - 0.1), 1.03
    depth = task["depth"].tolist()
    size = third(len(depth))
    # half the way to the next readout on both sides: a third may be a single readout
    series = [
        Band([first - 0.5, last + 0.5], [low] * 2, [high] * 2, style.GREY, "third")
        for first, last in ((depth[0], depth[size - 1]), (depth[-size], depth[-1]))
    ]
    look = {"marker": KINDS[TASK][2], "size": 4, "dash": "solid"}
    series += [
        curves.chance(results, dash="dot"),
        curves.points(task, name=f"task {encoder}", colour=style.VERMILION, **look),
    ]
    if len(means):
        hover = [f"mean of {targets} acoustic targets: {value:.2f}" for value in means]
        look = {"marker": KINDS[ACOUSTICS][2], "size": 4, "dash": "dash", "hover": hover}
        series.append(Points(means.index, means, style.BLUE, f"acoustics {encoder}", **look))
    series += _blocks(results, encoder, low + 0.04)
    axis = curves.depth_axis([facts], [], 7, "block (zero-based)")
    return Panel(series, (CURVE_IN, tall), axis, Axis("score", limits=(low, high)))


def _blocks(results: Results, encoder: str, y: float) -> list[Points]:
    """Marks of the blocks that the depths table names."""
    places, table = curves.depths(results.encoders[encoder]), results.depths
    table = table[(table["encoder"] == encoder) & table["readouts"].notna()]
    series = []
    for measure, named in zip(table["measure"], table["readouts"], strict=True):
        text, marker, size = MARKS[measure]
        blocks = named.split(", ")
        hover = [f"{text}: {words.readout(name)}" for name in blocks]
        look = {"marker": marker, "size": size, "group": text, "name": f"{encoder} {measure}"}
        x = [places[name] for name in blocks]
        series.append(Points(x, [y] * len(x), style.VERMILION, hover=hover, **look))
    return series


def _trends(results: Results, encoder: str, rows: list, tall: float) -> Panel:
    if not rows:
        text = "groups are unknown: no trend has an interval"
        bare = Axis(ticks={0: ""}, limits=(0, 1))
        # so wide that the next encoder starts a row of its own
        inches = (WIDE_IN + 1.6, tall)
        return Panel([Label(0.5, 0.5, text)], inches, bare, bare, results.label(encoder))
    heights, series, y = [], [], 0.0
    margin = rows[0][2]["margin"]
    for place, (_, kind, _) in enumerate(rows):
        before = rows[place - 1][1] if place else kind
        y += GAP if kind != before and NUISANCE_KIND in (kind, before) else 0
        heights.append(y)
        y += 1
    bottom = heights[-1] + 0.5
    series += [
        Band([-margin, margin], [-0.5] * 2, [bottom] * 2, style.GREY, "margin"),
        Rule(0, style.INK, "x"),
    ]
    for height, (label, kind, row) in zip(heights, rows, strict=True):
        text, colour, marker = KINDS[kind]
        text = text.format(metric=results.metric)
        score = f"{words.difference(row['value'])} ({words.bounds(row['low'], row['high'])})"
        look = {"marker": marker, "size": 5, "bar": 1.2, "across": True, "group": text}
        look |= {"hover": [f"{results.label(encoder)}\n{label}\n{score}"]}
        look |= {"name": f"{encoder} {row['target']}", "low": [row["low"]], "high": [row["high"]]}
        series.append(Points([row["value"]], [height], colour, **look))
    names = [label for label, *_ in rows]
    return Panel(
        series,
        (WIDE_IN, tall),
        Axis(X_TITLE, limits=_limits(results)),
        Axis(ticks=dict(zip(heights, names, strict=True)), limits=(bottom, -0.5)),
        results.label(encoder),
    )


def _limits(results: Results) -> tuple[float, float]:
    """One scale for the trends of all encoders, so that they can be compared."""
    rows = results.trends
    ends = rows[["value", "low", "high"]].to_numpy(float)
    low = min(np.nanmin(ends), -rows["margin"].max())
    high = max(np.nanmax(ends), rows["margin"].max())
    room = 0.05 * (high - low)
    return float(low - room), float(high + room)
