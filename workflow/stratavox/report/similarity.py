"""Similarity of one dataset's readouts: debiased linear CKA of every two, as a heat map.

Readouts stand in the run's order, encoder after encoder; of random draws of one encoder the first
stands for all, and the notes say how alike the draws are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from stratavox.report import style
from stratavox.report.saving import RC
from stratavox.report.screen import plain
from stratavox.report.shape import label, members
from stratavox.report.static import legend_and_notes

TITLE = "similarity of readouts"
UNIT = "debiased linear CKA"
# inches: side of a cell, and the least side of the whole map
CELL_IN, LEAST_IN = 0.16, 2.4


@dataclass(frozen=True)
class Similarity:
    """The similarity table of one dataset.

    ``dataset`` is the dataset's label; ``encoders`` maps every encoder's name, in the run's order,
    to its ``encoder.json``; ``draws`` maps the name that random draws share to their names.
    """

    dataset: str
    encoders: dict[str, dict]
    draws: dict[str, list[str]]
    table: pd.DataFrame

    @property
    def units(self) -> dict[str, list[str]]:
        """What is drawn, in the run's order -> the encoders it stands for."""
        return members(self.encoders, self.draws)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """(encoder, readout) of each row and column; of random draws the first."""
        firsts = [names[0] for names in self.units.values()]
        return [(name, readout) for name in firsts for readout in self.encoders[name]["readouts"]]

    @property
    def values(self) -> np.ndarray:
        """CKA of ``shown`` by ``shown``; not a number where it is undefined."""
        sides = [["a_encoder", "a_readout"], ["b_encoder", "b_readout"]]
        square = self.table.pivot(index=sides[0], columns=sides[1], values="cka")
        return square.loc[self.shown, self.shown].to_numpy(dtype=float)

    @property
    def blocks(self) -> list[tuple[str, str, int, int]]:
        """(name, label, first, one past the last row) of each encoder in ``shown``."""
        found, start = [], 0
        for unit, names in self.units.items():
            stop = start + len(self.encoders[names[0]]["readouts"])
            found.append((unit, label(self.encoders, unit, names), start, stop))
            start = stop
        return found


def notes(data: Similarity) -> list[str]:
    """What must be known to read the figure; printed on it."""
    clips = style.count(int(data.table["n_clips"].max()), "clip")
    said = [
        f"{clips}; no labels are used. The {UNIT} is "
        "1 where one readout is the other rotated and scaled, about 0 where they have nothing in "
        "common; values below 0 are drawn as 0. Encoders and readouts stand in the run's order."
    ]
    for unit, names in data.units.items():
        if len(names) > 1:
            said.append(f"{unit}: the first of {len(names)} random draws. {between(data, names)}")
    if np.isnan(data.values).any():
        said.append("Hatched: not defined, because a readout is the same for all clips.")
    return said


def between(data: Similarity, names: list[str]) -> str:
    """How alike the same readout is in different draws, in words."""
    rows = data.table
    rows = rows[
        rows["a_encoder"].isin(names)
        & rows["b_encoder"].isin(names)
        & (rows["a_encoder"] != rows["b_encoder"])
        & (rows["a_readout"] == rows["b_readout"])
    ]
    found = rows["cka"].dropna()
    if found.empty:
        return "CKA between draws of the same readout is not defined."
    return (
        f"CKA between draws of the same readout: mean {style.fraction(found.mean())}, "
        f"range {style.interval(found.min(), found.max())}."
    )


def static(data: Similarity) -> Figure:
    """The figure for paper."""
    values, shown = data.values, data.shown
    n = len(shown)
    side = max(LEAST_IN, CELL_IN * n)
    with matplotlib.rc_context(RC):
        figure = plt.figure(figsize=(side + 0.5, side))
        axes = figure.add_axes((0, 0, side / (side + 0.5), 1))
        bar = figure.add_axes(((side + 0.12) / (side + 0.5), 0, 0.12 / (side + 0.5), 1))
        axes.patch.set(facecolor=style.PALE, edgecolor=style.GREY, hatch="////", linewidth=0)
        image = axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        figure.colorbar(image, cax=bar, label=UNIT)
        names = [_short(readout) for _, readout in shown]
        axes.set_xticks(range(n), names, rotation=90, fontsize=6)
        axes.set_yticks(range(n), names, fontsize=6)
        axes.tick_params(length=1.5, width=0.4, pad=1.5)
        axes.spines[:].set_visible(False)
        for name, marked, start, stop in data.blocks:
            middle = (start + stop - 1) / 2
            # offsets in points: left of the map clear of the readouts, and above it
            axes.annotate(
                marked,
                (0, middle),
                (-30, 0),
                xycoords=axes.get_yaxis_transform(),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=7,
            )
            axes.annotate(
                name,
                (middle, 1),
                (0, 4),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                rotation=45,
                rotation_mode="anchor",
                ha="left",
                va="bottom",
                fontsize=7,
            )
            if stop < n:
                axes.axhline(stop - 0.5, color="white", lw=1.2)
                axes.axvline(stop - 0.5, color="white", lw=1.2)
        wide = max(side, 4.0)
        # the dataset below the readouts' names, where no encoder's name reaches
        said = [data.dataset, *notes(data)]
        legend_and_notes(figure, [], [], said, 0.0, -0.45 / side, wide / (side + 0.5))
    return figure


def _short(readout: str) -> str:
    return style.readout_label(readout).removeprefix("block ")


def interactive(data: Similarity) -> go.Figure:
    """The figure for the screen: the two readouts and their CKA under the pointer."""
    values, shown = data.values, data.shown
    names = [plain(f"{encoder}, {style.readout_label(readout)}") for encoder, readout in shown]
    told = [
        [
            f"{a}<br>{b}<br>{'not defined' if math.isnan(value) else style.fraction(value)}"
            for b, value in zip(names, row, strict=True)
        ]
        for a, row in zip(names, values, strict=True)
    ]
    figure = go.Figure()
    figure.add_heatmap(
        z=values,
        text=told,
        hovertemplate="%{text}<extra></extra>",
        colorscale="Cividis",
        zmin=0,
        zmax=1,
        colorbar={"title": {"text": UNIT, "side": "right"}, "thickness": 14},
        hoverongaps=True,
    )
    middles = [(start + stop - 1) / 2 for *_, start, stop in data.blocks]
    labels = [plain(marked) for _, marked, *_ in data.blocks]
    for *_, stop in data.blocks[:-1]:
        figure.add_hline(stop - 0.5, line={"color": "white", "width": 2})
        figure.add_vline(stop - 0.5, line={"color": "white", "width": 2})
    axis = {"tickvals": middles, "ticktext": labels, "showgrid": False, "zeroline": False}
    figure.update_xaxes(**axis, side="top", tickangle=-45, automargin=True)
    figure.update_yaxes(**axis, range=[len(shown) - 0.5, -0.5], automargin=True)
    figure.update_layout(
        template="plotly_white",
        plot_bgcolor=style.PALE,
        margin={"t": 30, "r": 20},
        height=max(420, 200 + 14 * len(shown)),
    )
    return figure
