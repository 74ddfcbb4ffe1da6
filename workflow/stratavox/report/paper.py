"""The figures for paper: SVG, PDF and PNG by matplotlib.

The same figure gives the same bytes: no dates, no random ids.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from functools import singledispatch
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import figure as canvas
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter

from stratavox.report import style
from stratavox.report.figure import UNKNOWN, Band, Figure, Heat, Label, Panel, Points, Rule
from stratavox.tables import atomic_path

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    # names come from users and may contain a dollar sign
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "stratavox",
    "pdf.fonttype": 42,
}
DASHES = {"": "", "solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (5, 2))}
# inches
WIDTH_IN, TITLE_IN, LINE_IN, LEGEND_IN, HANDLE_IN = 7.5, 0.3, 0.15, 0.17, 0.45
# of a character in the legend and under an axis
CHARACTER_IN, TICK_IN = 0.06, 0.058
# a number fits a cell of this width; white on cells darker than this value
PRINTED_IN, DARK = 0.22, 0.55
# Past this many points they are drawn as pixels: thousands of shapes make a page slow.
VECTOR_POINTS = 1000


def save(figure: Figure, stem: Path, provenance: dict) -> None:
    """Write STEM.svg (text as text), STEM.pdf and STEM.png (200 dpi) with the provenance inside."""
    drawn = draw(figure)
    about = json.dumps(provenance, sort_keys=True)
    metadata = {
        "svg": {"Date": None, "Description": about},
        "pdf": {"CreationDate": None, "Subject": about},
        "png": {"Software": None, "Description": about},
    }
    for kind, facts in metadata.items():
        with matplotlib.rc_context(RC), atomic_path(f"{stem}.{kind}") as temporary:
            drawn.savefig(temporary, dpi=200, metadata=facts, bbox_inches="tight", pad_inches=0.08)


def draw(figure: Figure) -> canvas.Figure:
    """The figure; files include everything that is drawn, also outside the frame."""
    left = max(map(_left, figure.panels))
    places, shelf, top, x, right = [], [], TITLE_IN, left, 0.0
    for panel in figure.panels:
        if shelf and x + panel.inches[0] > WIDTH_IN + 0.01:
            top += _height(shelf)
            shelf, x = [], left
        shelf.append(panel)
        places.append((x, top, shelf))
        right = max(right, x + panel.inches[0])
        x += _taken(panel) + _gap(figure, panel)
    top += _height(shelf)
    width, axes = max(WIDTH_IN, right), None
    with matplotlib.rc_context(RC):
        drawn = canvas.Figure(figsize=(width, top))
        drawn.text(0, 1, figure.title, va="top", fontsize=9.5)
        for panel, (x, start, shelf) in zip(figure.panels, places, strict=True):
            wide, tall = panel.inches
            bottom = 1 - (start + max(map(_above, shelf)) + tall) / top
            same = {f"share{axis}": axes for axis in figure.shared}
            axes = drawn.add_axes((x / width, bottom, wide / width, tall / top), **same)
            _panel(axes, panel, figure, panel is shelf[0])
        _underneath(drawn, figure, left, right)
    return drawn


def _height(shelf: list[Panel]) -> float:
    """Inches of panels side by side, with the titles and labels above and below them."""
    return max(map(_above, shelf)) + max(p.inches[1] for p in shelf) + max(map(_below, shelf))


def _taken(panel: Panel) -> float:
    """Inches that a panel or its title takes, whichever is wider."""
    return max(panel.inches[0], 0.85 * CHARACTER_IN * max(map(len, _title(panel))))


def _gap(figure: Figure, panel: Panel) -> float:
    return 0.17 if "y" in figure.shared or panel.y.ticks == {} else 0.55


def _title(panel: Panel) -> list[str]:
    return textwrap.wrap(panel.title, max(32, int(panel.inches[0] / 0.065)), max_lines=2) or [""]


def _left(panel: Panel) -> float:
    """Inches left of a panel: labels of ticks and of groups, and the title of the axis."""
    if panel.y.ticks == {}:
        return 0
    names = shortened((panel.y.ticks or {0: "0.00"}).values())
    wide = 0.05 if _small(panel) else 0.066 if panel.y.heads else TICK_IN
    room = 0.1 + wide * max(map(len, names))
    groups = [len(label) for label, *_ in panel.y.groups]
    return room + 0.055 * max(groups, default=0) + 0.17 * len(panel.y.title.splitlines())


def _above(panel: Panel) -> float:
    lines = len(_title(panel)) if panel.title else 0
    groups = max((len(label) for label, *_ in panel.x.groups), default=0)
    return 0.16 * lines + 0.05 + (0.2 if panel.x.opposite else 0) + 0.045 * groups


def _below(panel: Panel) -> float:
    names = [name for name in (panel.x.ticks or {}).values() if name]
    room = 0.1 if panel.x.ticks is not None and not names else 0.32
    if _upright(panel):
        room = 0.2 + TICK_IN * max(map(len, shortened(names, 22)))
    return room + (0.22 if panel.x.title else 0)


def _upright(panel: Panel) -> bool:
    """Whether the cells are too narrow for the names under them."""
    names = [len(name) for name in shortened((panel.x.ticks or {}).values(), 22)]
    return _small(panel) and max(names) * TICK_IN > panel.inches[0] / len(names)


def _small(panel: Panel) -> bool:
    return any(isinstance(series, Heat) for series in panel.series)


def _panel(axes: Axes, panel: Panel, figure: Figure, first: bool) -> None:
    size = 6.5 if _small(panel) else 8
    for name in "xy":
        axis, own = getattr(panel, name), getattr(axes, f"{name}axis")
        if axis.log:
            getattr(axes, f"set_{name}scale")("log")
            own.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
            own.set_major_formatter("{x:g}")
            own.set_minor_formatter(NullFormatter())
        if axis.ticks is not None:
            names = shortened(axis.ticks.values(), 52 if name == "y" else 22)
            own.set_ticks(list(axis.ticks), names, fontsize=size)
            for label, place in zip(own.get_ticklabels(), axis.ticks, strict=True):
                label.set_fontweight("bold" if place in axis.heads else "normal")
        if axis.limits:
            getattr(axes, f"set_{name}lim")(axis.limits)
        if axis.opposite:
            side = {"x": "top", "y": "right"}[name]
            other = getattr(axes, f"secondary_{name}axis")(side)
            getattr(other, f"set_{name}ticks")(list(axis.opposite), list(axis.opposite.values()))
            other.tick_params(length=0, labelsize=7)
            other.spines[:].set_visible(False)
    if panel.title:
        pad = 18 if panel.x.opposite else 4
        axes.set_title("\n".join(_title(panel)), loc="left", pad=pad)
    axes.set_xlabel(panel.x.title)
    if first or "y" not in figure.shared:
        axes.set_ylabel(panel.y.title)
    else:
        axes.tick_params(labelleft=False)
    if _small(panel):
        axes.tick_params(length=0, pad=2)
        axes.spines[:].set_visible(False)
        if _upright(panel):
            axes.tick_params(axis="x", rotation=90)
    elif panel.x.ticks == {}:
        axes.spines[:].set(visible=True, color=style.PALE)
    else:
        # a list of rows has its grid along x, a curve along y
        axes.grid(axis="x" if panel.y.ticks else "y", color=style.PALE, lw=0.5)
        if panel.y.ticks:
            axes.tick_params(axis="y", length=0)
    _groups(axes, panel)
    for order, series in enumerate(panel.series):
        _add(series, axes, 2 + order / 1000, figure)


def _groups(axes: Axes, panel: Panel) -> None:
    """Names of groups of cells: left of the rows' labels, slanted above the columns."""
    offset = -4 - 4.2 * max(map(len, (panel.y.ticks or {0: ""}).values()))
    shared = {"textcoords": "offset points", "fontsize": 7, "annotation_clip": False}
    for label, start, stop in panel.y.groups:
        place, where = (0, (start + stop) / 2), axes.get_yaxis_transform()
        left = {"ha": "right", "va": "center"}
        axes.annotate(label, place, (offset, 0), xycoords=where, **left, **shared)
    for label, start, stop in panel.x.groups:
        place, where = ((start + stop) / 2, 1), axes.get_xaxis_transform()
        slanted = {"rotation": 45, "rotation_mode": "anchor", "ha": "left", "va": "bottom"}
        axes.annotate(label, place, (0, 4), xycoords=where, **slanted, **shared)


@singledispatch
def _add(series, axes: Axes, order: float, figure: Figure) -> None:
    raise TypeError(f"{type(series).__name__}: no kind of series that a figure can hold")


@_add.register
def _points(series: Points, axes: Axes, order: float, figure: Figure) -> None:
    if len(series.low):
        place = (series.y if series.across else series.x, series.low, series.high)
        place, low, high = _known(*place)
        bars = axes.hlines if series.across else axes.vlines
        shown = {"color": series.colour, "alpha": series.opacity, "lw": series.bar}
        bars(place + series.shift, low, high, zorder=order, **shown)
    line = _line(series)
    line.set_data(series.x, series.y)
    line.set(gid=series.name or None, zorder=order)
    line.set_rasterized(series.cloud and len(series.x) > VECTOR_POINTS)
    axes.add_line(line)
    axes.autoscale_view()


def _line(series: Points) -> Line2D:
    edge = style.INK if series.cloud else series.colour
    thick = 1.6 if series.marker == "|" else 1.0
    return Line2D(
        [],
        [],
        color=series.colour,
        ls=DASHES[series.dash],
        lw=series.width,
        marker=series.marker,
        ms=series.size,
        mfc="none" if series.hollow else series.colour,
        mec=edge,
        mew=0.15 if series.cloud else thick,
        alpha=series.opacity,
    )


@_add.register
def _band(series: Band, axes: Axes, order: float, figure: Figure) -> None:
    ends = (series.x, series.low, series.high)
    known, shown = _known(*ends), {"color": series.colour, "zorder": order}
    shown["gid"] = series.name or None
    if known.shape[1] == 1:
        axes.vlines(*known, alpha=0.35, lw=4, **shown)
    elif known.size:  # all of it, so that gaps stay gaps
        axes.fill_between(*np.array(ends, dtype=float), alpha=0.14, lw=0, **shown)


def _known(place: Sequence, low: Sequence, high: Sequence) -> np.ndarray:
    """Those of the three, as rows, where both ends are known."""
    values = np.array([place, low, high], dtype=float)
    return values[:, np.isfinite(values[1:]).all(axis=0)]


@_add.register
def _rule(series: Rule, axes: Axes, order: float, figure: Figure) -> None:
    draw_rule = axes.axhline if series.axis == "y" else axes.axvline
    draw_rule(series.at, color=series.colour, ls=DASHES[series.dash], lw=series.width, zorder=order)


@_add.register
def _heat(series: Heat, axes: Axes, order: float, figure: Figure) -> None:
    values = np.array(series.values, dtype=float)
    gaps = bool(series.text)
    cell = axes.get_position().width * axes.figure.get_figwidth() / values.shape[1]
    axes.pcolormesh(
        np.arange(values.shape[1] + 1) - 0.5,
        [series.y[0] - 0.5, *(y + 0.5 for y in series.y)],
        np.ma.masked_invalid(np.clip(values, 0, None)),
        cmap=figure.colours[0],
        vmin=0,
        vmax=1,
        edgecolors="white" if gaps else "none",
        linewidth=0.4 if gaps else 0,
        rasterized=not gaps,
        gid=series.name or None,
        zorder=order,
    )
    for row, column in zip(*np.nonzero(np.isnan(values)), strict=True):
        place = (column - 0.5, series.y[row] - 0.5)
        axes.add_patch(Rectangle(place, 1, 1, fc=style.PALE, ec="white", lw=0.4, zorder=order))
    for y, texts, row in zip(series.y, series.text, values, strict=False):
        for x, text in enumerate(texts if cell >= PRINTED_IN else ()):
            colour = "white" if row[x] > DARK else style.INK
            axes.text(x, y, text, size=5.6, ha="center", va="center", color=colour, zorder=order)


@_add.register
def _label(series: Label, axes: Axes, order: float, figure: Figure) -> None:
    axes.text(series.x, series.y, series.text, ha="center", va="center", fontsize=7)


def _underneath(drawn: canvas.Figure, figure: Figure, left: float, right: float) -> None:
    """Name of the x axis, colour scale, legend and notes, from the panels' lower edge down."""
    top, (width, height) = 0.02, drawn.get_size_inches()
    if figure.x_title:
        middle = (left + right) / 2 / width
        drawn.text(middle, top / height, figure.x_title, ha="center", va="top")
        top -= 0.22
    if figure.colours[0]:
        top -= 0.12
        frame = (left / width, top / height, max(right - left, 4.5) / width, 0.1 / height)
        scale = matplotlib.cm.ScalarMappable(cmap=figure.colours[0])
        bar = drawn.colorbar(scale, cax=drawn.add_axes(frame), orientation="horizontal")
        bar.set_label(figure.colours[1], fontsize=7)
        top -= 0.42
    _legend_and_notes(drawn, figure, top - 0.03)


def _legend_and_notes(drawn: canvas.Figure, figure: Figure, top: float) -> None:
    """A legend of as many columns as fit, then wrapped notes."""
    width, height = drawn.get_size_inches()
    if figure.legend:
        labels = shortened(figure.legend)
        columns = max(1, int(WIDTH_IN / (HANDLE_IN + CHARACTER_IN * max(map(len, labels)))))
        drawn.legend(
            [_handle(series) for series in figure.legend.values()],
            labels,
            loc="upper left",
            bbox_to_anchor=(0, top / height),
            ncol=columns,
            borderaxespad=0,
            borderpad=0,
            columnspacing=1.2,
            handlelength=2.2,
        )
        top -= -(-len(labels) // columns) * LEGEND_IN + 0.08
    for note in figure.notes:
        bold = note.startswith(UNKNOWN)
        for line in textwrap.wrap(note, int(WIDTH_IN / (0.062 if bold else 0.055))):
            drawn.text(
                0,
                top / height,
                line,
                va="top",
                fontsize=7,
                color=style.VERMILION if bold else style.INK,
                fontweight="bold" if bold else "normal",
            )
            top -= LINE_IN


def _handle(series: Points | Band | Rule) -> Line2D | Rectangle:
    """The symbol of an entry of the legend."""
    if isinstance(series, Band):
        return Rectangle((0, 0), 1, 1, fc=series.colour, alpha=0.3, lw=0)
    if isinstance(series, Rule):
        return Line2D([], [], color=series.colour, ls=DASHES[series.dash], lw=series.width)
    handle = _line(series)
    if not series.marker and not series.dash:  # a bar alone
        handle.set(linestyle="-", linewidth=series.bar)
    if series.cloud:
        handle.set_markersize(5)
    return handle


def shortened(names: Iterable[str], most: int = 52) -> list[str]:
    """Names cut to ``most`` characters for paper; the interactive figure has the full names."""
    return [name if len(name) <= most else f"{name[: most - 1]}…" for name in names]
