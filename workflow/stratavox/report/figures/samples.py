"""Samples to accuracy: the score against the number of labelled clips of each class.

The first panel has one line for each encoder: the block chosen in training, or the only readout of
a baseline. The others show all readouts of an encoder over depth, a line for each number of clips.
"""

from __future__ import annotations

import math

import pandas as pd

from stratavox import words
from stratavox.report import curves, style
from stratavox.report.figure import Axis, Figure, Panel, message
from stratavox.report.results import Results

FACTS = {
    "order": 35,
    "topic": "comparison",
    "title": "Samples to accuracy",
    "caption": "Samples to accuracy: {task} of {dataset}. Balanced accuracy on held-out groups of "
    "the linear probe that was given 1, 2, 4, ... labelled clips of each class, by encoder and by "
    "block.",
    "scopes": ("target",),
    "probes": "samples",
}
NOTHING = "Scores with few clips were not requested (probes.samples is null)."
ALL = "all training clips"
# Pale to dark, for more and more clips: every fourth number of clips has a line over depth.
SHADES = ("#9ECAE1", "#6BAED6", "#3182BD", "#08519C", "#08306B", "#4A1486", "#2D004B")
STEP = 4


def figure(results: Results) -> Figure:
    """The panel of encoders, and a panel for each encoder that has blocks."""
    table = results.others["samples"]
    if table.empty:
        return Figure([message(NOTHING)], results.about)
    columns = min(curves.COLUMNS, 1 + len(results.layered))
    size = (curves.ROOM_IN + curves.APART_IN) / columns - curves.APART_IN, curves.TALL_IN
    panels = [_encoders(results, table, size)]
    panels += [_depth(results, table, encoder, size) for encoder in results.layered]
    return Figure(panels, notes(results, table), columns=curves.COLUMNS, shared="y")


def notes(results: Results, table: pd.DataFrame) -> list[str]:
    """Notes for reading the figure."""
    top = int(table["clips_a_class"].max())
    kinds = "; ".join(words.INTERVALS[kind] for kind in table["interval"].drop_duplicates())
    drawn = words.count(int(table["draws"].iloc[0]), "draw")
    return [
        *results.about,
        f"Clips are drawn from the training clips of each outer fold, {drawn} a fold"
        + (", groups in turn." if results.facts["group"] else "."),
        f"The numbers of clips end at {top}: some class has fewer than {2 * top} in a training "
        "set.",
        f"Bands and whiskers, first panel: {kinds}.",
        f"{ALL[0].upper()}{ALL[1:]}: the linear probe of the other figures. There classes are as "
        "frequent as in the data, here equally frequent, so more clips need not score higher.",
        "The block chosen in training is chosen with all training clips.",
    ]


def _encoders(results: Results, table: pd.DataFrame, size: tuple[float, float]) -> Panel:
    looks = results.looks
    sizes = sorted(table["clips_a_class"].unique())
    last = math.log2(sizes[-1]) + 1
    series = [curves.chance(results)]
    for place, encoder in enumerate(results.listed):
        rows = table[table["encoder"] == encoder]
        blocks = results.encoders[encoder]["blocks"]
        rows = rows[rows["readout"] == "nested"] if blocks else rows
        rows = rows.sort_values("clips_a_class")
        # the columns that are drawn over depth elsewhere
        rows = rows.assign(depth=[math.log2(number) for number in rows["clips_a_class"]])
        hovers = [
            f"{text}\n{words.count(number, 'clip')} of each class"
            for text, number in zip(curves.hover(rows), rows["clips_a_class"], strict=True)
        ]
        own = {"colour": looks[encoder].colour, "group": encoder}
        series.append(curves.band(rows, name=f"band {encoder}", **own))
        own["marker"] = looks[encoder].marker
        line = own | {"dash": "solid" if blocks else "dashdot", "legend": results.label(encoder)}
        series.append(curves.points(rows, name=encoder, ends=(), hovers=hovers, **line))
        every = results.rows(encoder)
        every = every[every["readout"] == ("nested" if blocks else rows["readout"].iloc[0])]
        beside = last + 0.12 * (place - (len(results.listed) - 1) / 2)
        series.append(curves.points(every, beside, name=f"all {encoder}", **own))
    ticks = {math.log2(number): f"{number}" for number in sizes} | {last: "all"}
    title = "block chosen in training" if results.layered else "baselines"
    axis = Axis("labelled clips of each class", ticks, (-0.3, last + 0.5))
    return Panel(series, size, axis, Axis(results.metric), title)


def _depth(results: Results, table: pd.DataFrame, encoder: str, size: tuple[float, float]) -> Panel:
    rows = table[(table["encoder"] == encoder) & table["depth"].notna()].sort_values("depth")
    series = [curves.chance(results)]
    shown = [
        n for n in sorted(rows["clips_a_class"].unique()) if math.log2(n) % math.log2(STEP) == 0
    ]
    for number, shade in zip(shown, SHADES, strict=False):
        label = f"{words.count(number, 'clip')} of each class"
        own = rows[rows["clips_a_class"] == number]
        line = {"colour": shade, "dash": "solid", "group": label, "legend": label, "width": 1.1}
        hovers = curves.hover(own, label)
        name = f"{number} {encoder}"
        series.append(curves.points(own, name=name, ends=(), hovers=hovers, **line))
    line = {"colour": style.INK, "dash": "dash", "group": ALL, "legend": ALL, "width": 1.1}
    series.append(
        curves.points(results.curve(encoder), name=f"all {encoder} over depth", ends=(), **line)
    )
    axis = curves.depth_axis([results.encoders[encoder]], [], 7, "block")
    return Panel(series, size, axis, Axis(results.metric), results.label(encoder))
