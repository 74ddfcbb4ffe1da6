"""Similarity of one dataset's readouts: debiased linear CKA of every pair, as a heat map.

Readouts are in the run's order, encoder after encoder. Only the first random draw of an encoder is
shown; the notes give the similarity between draws.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from stratavox import words
from stratavox.report.figure import Axis, Figure, Heat, Panel, Rule
from stratavox.report.results import Overview

FACTS = {
    "order": 80,
    "topic": "geometry",
    "title": "Similarity of readouts (debiased linear CKA)",
    "caption": "Similarity of readouts on {dataset}: debiased linear CKA of every pair; it is "
    "about 0 for independent noise.",
    "scopes": ("dataset",),
    "needs": ("similarity",),
}
UNIT = "debiased linear CKA"
# inches: side of a cell, and the least side of the whole map
CELL_IN, LEAST_IN = 0.16, 2.4


def shown(data: Overview) -> list[tuple[str, str]]:
    """(encoder, readout) of each row and column; of random draws the first."""
    firsts = [names[0] for names in data.units.values()]
    return [(name, readout) for name in firsts for readout in data.encoders[name]["readouts"]]


def matrix(data: Overview, table: pd.DataFrame) -> np.ndarray:
    """CKA of `shown` by `shown`; not a number where it is undefined."""
    sides = [["a_encoder", "a_readout"], ["b_encoder", "b_readout"]]
    square = table.pivot(index=sides[0], columns=sides[1], values="cka")
    return square.loc[shown(data), shown(data)].to_numpy(dtype=float)


def notes(data: Overview, table: pd.DataFrame) -> list[str]:
    """Notes for reading the figure."""
    clips = words.count(int(table["n_clips"].max()), "clip")
    lines = [
        f"{clips}; no labels are used. The {UNIT} is 1 where one readout is the other rotated and "
        "scaled, and about 0 where they have nothing in common; values below 0 are drawn as 0. "
        "Encoders and readouts are in the run's order."
    ]
    for unit, names in data.units.items():
        if len(names) > 1:
            lines.append(f"{unit}: the first of {len(names)} random draws. {between(table, names)}")
    if np.isnan(matrix(data, table)).any():
        lines.append("Grey or blank: not defined, because a readout is the same for all clips.")
    return lines


def between(table: pd.DataFrame, names: list[str]) -> str:
    """How similar the same readout is in different draws."""
    rows = table[
        table["a_encoder"].isin(names)
        & table["b_encoder"].isin(names)
        & (table["a_encoder"] != table["b_encoder"])
        & (table["a_readout"] == table["b_readout"])
    ]
    values = rows["cka"].dropna()
    if values.empty:
        return "CKA between draws of the same readout is not defined."
    return (
        f"CKA between draws of the same readout: mean {words.number(values.mean(), 2)}, "
        f"range {words.bounds(values.min(), values.max(), 2)}."
    )


def figure(data: Overview, table: pd.DataFrame) -> Figure:
    """One square panel; the encoders' names are outside those of their readouts."""
    values, rows = matrix(data, table), shown(data)
    names = [f"{encoder}, {words.readout(readout)}" for encoder, readout in rows]
    hover = [
        [f"{a}\n{b}\n{_number(value)}" for b, value in zip(names, line, strict=True)]
        for a, line in zip(names, values, strict=True)
    ]
    series, groups, start = [Heat(list(range(len(rows))), values.tolist(), hover)], [], 0
    for unit, members in data.units.items():
        stop = start + len(data.encoders[members[0]]["readouts"])
        groups.append((unit, data.label(unit), start, stop - 1))
        if start:
            series += [Rule(start - 0.5, "white", axis, width=1.2) for axis in "xy"]
        start = stop
    ticks = {place: words.tick(readout) for place, (_, readout) in enumerate(rows)}
    across = Axis(
        ticks=ticks,
        limits=(-0.5, len(rows) - 0.5),
        groups=[(unit, *ends) for unit, _, *ends in groups],
    )
    down = Axis(
        ticks=ticks,
        limits=(len(rows) - 0.5, -0.5),
        groups=[(label, *ends) for _, label, *ends in groups],
    )
    side = max(LEAST_IN, CELL_IN * len(rows))
    panel = Panel(series, (side, side), across, down)
    return Figure([panel], notes(data, table), colours=("cividis", UNIT))


def _number(value: float) -> str:
    return "not defined" if words.missing(value) else words.number(value, 2)
