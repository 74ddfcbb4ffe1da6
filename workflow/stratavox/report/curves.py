"""What the figures over depth share: ticks, places of baselines, hover texts, legend entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from stratavox import words
from stratavox.corpus.targets import TARGETS
from stratavox.report import style
from stratavox.report.figure import Axis, Band, Figure, Panel, Points, Rule
from stratavox.report.results import Results

# panels in a row; inches: of all panels of a row, between two, and their height
COLUMNS, ROOM_IN, APART_IN, TALL_IN = 3, 6.8, 0.17, 1.9
PERMUTED = "permuted labels: 95 % range"
X_TITLE = "block of the readout (zero-based); right of the curves: baselines"


def depths(encoder: dict) -> dict[str, float]:
    """Readout -> depth, as in the estimates: 0 for the input, 1 for the first block's output."""
    places = {readout: 1.0 + place for place, readout in enumerate(encoder["blocks"])}
    return {"input": 0.0, **places} if places and "input" in encoder["readouts"] else places


def depth_axis(encoders: Iterable[dict], baselines: Sequence[str], most: int, title="") -> Axis:
    """An x axis over the depth of ``encoders``, with at most ``most`` ticks and room at its right
    for baselines.
    """
    names: dict[float, str] = {}
    for encoder in encoders:
        for readout, depth in depths(encoder).items():
            names.setdefault(depth, words.tick(readout))
    ordered = sorted(names.items())
    step = baseline_step(names)
    low, high = min(names, default=0.0), max(names, default=0.0)
    limits = (low - 0.5 * step, high + (len(baselines) + 0.5) * step)
    return Axis(title, dict(ordered[:: max(1, -(-len(ordered) // most))]), limits)


def baseline_step(depth: Iterable[float]) -> float:
    """The distance between baselines on the depth axis."""
    depth = [*depth, 0.0]
    return max(0.6, (max(depth) - min(depth)) / 10)


def baseline_places(encoders: Iterable[dict], baselines: Sequence[str]) -> dict[str, float]:
    """The place of each baseline, right of the last block of ``encoders``."""
    depth = [place for encoder in encoders for place in depths(encoder).values()]
    step, end = baseline_step(depth), max(depth, default=0.0)
    return {name: end + step * number for number, name in enumerate(baselines, start=1)}


def target_label(target: str) -> str:
    """An acoustic target in words, with its unit."""
    if target == "padding":
        return "Padding, share of the input"
    return f"{TARGETS[target].label}, {TARGETS[target].unit}"


def hover(rows: pd.DataFrame, last: str = "") -> list[str]:
    """Encoder, readout, value, interval and its kind, and n of each row."""
    return [
        f"{row.encoder}\n{words.readout(row.readout)}: {words.number(row.value, 2)} "
        f"({words.bounds(row.low, row.high, 2)})\n{words.INTERVALS[row.interval]}\n{_n(row)}"
        + (f"\n{last}" if last else "")
        for row in rows.itertuples()
    ]


def _n(row: tuple) -> str:
    """Clips and groups behind a row: "n = 288 clips, 12 groups"."""
    groups = "" if words.missing(row.n_groups) else f", {words.count(int(row.n_groups), 'group')}"
    return f"n = {words.count(int(row.n_clips), 'clip')}{groups}"


def points(
    rows: pd.DataFrame,
    x: float | None = None,
    y: float | None = None,
    ends: Sequence[str] = ("low", "high"),
    hovers: Sequence[str] | None = None,
    **look,
) -> Points:
    """The column ``value`` of rows at their depth, with its interval in the columns ``ends``.

    With ``x`` all are at this x; with ``y`` the values run along x, at this y.
    """
    places = {"x": rows["depth"] if x is None else [x] * len(rows), "y": rows["value"]}
    if y is not None:
        places = {"x": rows["value"], "y": [y] * len(rows), "across": True}
    bars = {side: rows[end] for side, end in zip(("low", "high"), ends, strict=False)}
    return Points(**places, **bars, hover=hover(rows) if hovers is None else hovers, **look)


def band(rows: pd.DataFrame, ends: Sequence[str] = ("low", "high"), **look) -> Band:
    """The columns ``ends`` of rows along their depth."""
    return Band(rows["depth"], *(rows[end] for end in ends), **look)


def control_band(results: Results) -> Band:
    """The lowest and highest ends of the encoders' permutation ranges at each depth."""
    rows = results.estimates
    rows = rows[
        (rows["control"] == "permutation")
        & (rows["regime"] == results.regime)
        & rows["depth"].notna()
    ]
    ends = rows.groupby("depth").agg({"low": "min", "high": "max"})
    low, high = ends["low"].tolist(), ends["high"].tolist()
    return Band(ends.index.tolist(), low, high, style.GREY, "permutation range", legend=PERMUTED)


def chance(results: Results, **look) -> Rule:
    """The line at chance."""
    return Rule(results.facts["chance"], style.INK, legend="chance", **look)


def small_multiples(
    results: Results, y_title: str, series: Callable, entries: list[Points], notes: list[str]
) -> Figure:
    """A panel per encoder with blocks, with the baselines at its right; without any, one of these.

    ``series(results, encoder, places, step)`` gives what is drawn: ``places`` of the baselines,
    which are ``step`` apart. Colours are explained by ``entries`` of the legend, the baselines'
    markers by entries in grey.
    """
    panels, encoders = [], results.layered or [None]
    columns = min(COLUMNS, len(encoders))
    wide = (ROOM_IN + APART_IN) / columns - APART_IN
    for encoder in encoders:
        own = [] if encoder is None else [results.encoders[encoder]]
        step = baseline_step(place for one in own for place in depths(one).values())
        places = baseline_places(own, results.baselines)
        drawn = [chance(results), *series(results, encoder, places, step)]
        if own and places:
            drawn.append(Rule(min(places.values()) - step / 2, style.PALE, "x", width=1.2))
        axis = depth_axis(own, results.baselines, 7)
        title = "baselines" if encoder is None else results.label(encoder)
        panels.append(Panel(drawn, (wide, TALL_IN), axis, Axis(y_title), title))
    looks = results.looks
    panels[0].series.extend(entries)
    panels[0].series.extend(
        Points([], [], style.GREY, marker=looks[name].marker, legend=results.label(name))
        for name in results.baselines
    )
    return Figure(panels, notes, columns=COLUMNS, shared="y", x_title=X_TITLE)
