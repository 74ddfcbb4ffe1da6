"""What the matplotlib figures share: legend and notes under the axes, bands that skip gaps."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stratavox.report import style

# inches: from the frame down to the legend, a line of notes, a line of the legend, its parts
DROP_IN = 0.5
LINE_IN = 0.15
LEGEND_IN = 0.17
HANDLE_IN, CHARACTER_IN = 0.45, 0.06


def fill_between(axes: Axes, x, low, high, colour: str, label: str | None) -> None:
    """A pale band, where the table has both ends; a lone point gets a bar."""
    x, low, high = (np.asarray(values, dtype=float) for values in (x, low, high))
    there = np.isfinite(low) & np.isfinite(high)
    if there.sum() == 1:
        axes.vlines(x[there], low[there], high[there], color=colour, alpha=0.35, lw=4, label=label)
    elif there.any():
        axes.fill_between(x, low, high, where=there, color=colour, alpha=0.14, lw=0, label=label)


def below(figure: Figure, axes: Axes, notes: list[str], left: float | None = None) -> None:
    """Put the legend and the notes under ``axes``, from ``left`` (default: its frame) on.

    Files are cropped to what is drawn, so nothing that stands outside the figure is lost.
    """
    box = axes.get_position()
    left = box.x0 if left is None else left
    top = box.y0 - DROP_IN / figure.get_figheight()
    legend_and_notes(figure, *axes.get_legend_handles_labels(), notes, left, top, box.x1 - left)


def legend_and_notes(
    figure: Figure,
    handles: list,
    names: list[str],
    notes: list[str],
    left: float = 0.0,
    top: float = 0.0,
    wide: float = 1.0,
    markerscale: float = 1.0,
) -> None:
    """A legend of as many columns as fit, then wrapped notes; places in figure fractions."""
    width, height = figure.get_size_inches()
    labels = shortened(names)
    columns = fitting_columns(labels, wide * width)
    figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(left, top),
        ncol=columns,
        borderaxespad=0,
        borderpad=0,
        columnspacing=1.2,
        handlelength=2.2,
        markerscale=markerscale,
    )
    top -= (-(-len(labels) // columns) * LEGEND_IN + 0.08) / height
    for note in notes:
        loud = note.startswith("GROUP UNKNOWN")
        for line in textwrap.wrap(note, int(wide * width / (0.062 if loud else 0.055))):
            figure.text(
                left,
                top,
                line,
                va="top",
                fontsize=7,
                color=style.VERMILION if loud else style.INK,
                fontweight="bold" if loud else "normal",
            )
            top -= LINE_IN / height


def fitting_columns(labels: Sequence[str], width_in: float) -> int:
    """The most legend columns that fit; matplotlib fills one after the other."""
    for columns in range(min(8, len(labels)), 1, -1):
        taken, start = 0.0, 0
        for column in range(columns):
            stop = start + len(labels) // columns + (column < len(labels) % columns)
            taken += HANDLE_IN + CHARACTER_IN * max(map(len, labels[start:stop]))
            start = stop
        if taken <= width_in:
            return columns
    return 1


def shortened(names: Sequence[str], most: int = 52) -> list[str]:
    """Names cut to ``most`` characters for paper; the interactive figure has them whole."""
    return [name if len(name) <= most else f"{name[: most - 1]}…" for name in names]
