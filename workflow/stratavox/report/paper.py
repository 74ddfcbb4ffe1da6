"""The figures for paper: SVG, PDF and PNG by matplotlib.

The same figure gives the same bytes: no dates, no random ids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial, singledispatch
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import figure as canvas
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stratavox.report import style
from stratavox.report.figure import UNKNOWN, Axis, Band, Figure, Heat, Label, Panel, Points, Rule
from stratavox.report.layout import (
    BAR,
    BESIDE,
    EDGE,
    FAMILY,
    HANDLE,
    LEADING,
    REPORT,
    UNDER,
    Layout,
    Page,
    cells,
    lines_of,
    names,
    place,
    right_of,
    shortened,
    size_of,
    title_of,
    upright,
    widest,
    width_of,
    wrapped,
)
from stratavox.tables import atomic_path

RC = {
    "font.family": FAMILY,
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "xtick.labelsize": "medium",
    "ytick.labelsize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": "medium",
    # hinting makes text on pixels wider than measured
    "text.hinting": "none",
    # names come from users and may contain a dollar sign
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "stratavox",
    # TrueType (42) would take half of the time of a PDF
    "pdf.fonttype": 3,
}
DASHES = {"": "", "solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (5, 2))}
# points: the title, notes and the title of the colour scale
TITLE, NOTE = 9.5, 7
DPI = 200
# white on cells darker than this value
DARK = 0.55
# Past this many points they are drawn as pixels: thousands of shapes make a page slow.
VECTOR_POINTS = 1000


# in an SVG: a tag, coordinates with many decimals, ids and turns that matplotlib adds
TAG, INDENT, FONT = re.compile(r"<[^<>]+>"), re.compile(r"\n\s+"), f"; font-family: '{FAMILY}'"
PLACES, DECIMALS = re.compile(r' (?:d|x|y|transform)="[^"]*"'), re.compile(r"(\.\d\d)\d+")
MARKS = re.compile(
    r'<g([^<>]*)>\n(<use [^<>]*? style="([^"]*)"/>\n(?:<use [^<>]*? style="\3"/>\n)*)</g>'
)
NUMBERED = re.compile(r' (?:id="[A-Za-z0-9.]+_\d+"|transform="rotate\(-?0 [^"]*")')


def save(figure: Figure, stem: Path, provenance: dict) -> None:
    """Write STEM.svg (text as text), STEM.pdf and STEM.png with the provenance inside."""
    drawn, about = draw(figure), json.dumps(provenance, sort_keys=True)
    _vectors(drawn, stem, about, RC)
    with matplotlib.rc_context(RC), atomic_path(f"{stem}.png") as temporary:
        drawn.set_dpi(DPI)
        painted = FigureCanvasAgg(drawn)
        painted.draw()
        _few_colours(painted).save(temporary, pnginfo=_described(about), dpi=(DPI, DPI))


def save_vectors(figure: Figure, stem: Path, provenance: dict, page: Page) -> None:
    """Write STEM.svg and STEM.pdf for a page; text in the PDF can be edited (TrueType)."""
    about = json.dumps(provenance, sort_keys=True)
    _vectors(draw(figure, page), stem, about, RC | {"pdf.fonttype": 42})


def _vectors(drawn: canvas.Figure, stem: Path, about: str, settings: dict) -> None:
    metadata = {
        "svg": {"Date": None, "Description": about},
        "pdf": {"CreationDate": None, "Subject": about},
    }
    for kind, facts in metadata.items():
        with matplotlib.rc_context(settings), atomic_path(f"{stem}.{kind}") as temporary:
            drawn.savefig(temporary, dpi=DPI, metadata=facts)
            if kind == "svg":
                temporary.write_text(slim(temporary.read_text(encoding="utf-8")), encoding="utf-8")


def slim(svg: str) -> str:
    """An SVG of matplotlib's in fewer bytes, because the page holds it.

    Only tags change: places to a hundredth of a point, the font once, the style of marks once, no
    ids that nothing uses.
    """

    def tag(match: re.Match) -> str:
        text = NUMBERED.sub("", match[0]).replace(FONT, "")
        return PLACES.sub(lambda place: DECIMALS.sub(r"\1", place[0]), text)

    once = f"<svg font-family=\"'{FAMILY}', sans-serif\" "
    text = INDENT.sub("\n", TAG.sub(tag, svg)).replace("<svg ", once, 1)
    return MARKS.sub(_style_once, text)


def _style_once(marks: re.Match) -> str:
    group, listed, style = marks.groups()
    style = f' style="{style}"'
    return f"<g{group}{style}>\n{listed.replace(style, '')}</g>"


def _few_colours(painted: FigureCanvasAgg) -> Image.Image:
    """The picture in 256 colours, which is a third of its size in true colours."""
    pixels = np.asarray(painted.buffer_rgba())[:, :, :3]
    picture = Image.fromarray(pixels).quantize(256, Image.Quantize.FASTOCTREE)
    palette = np.array(picture.getpalette()).reshape(-1, 3)
    palette[palette.min(axis=1) > 250] = 255  # white is averaged with its neighbours
    picture.putpalette(palette.ravel().tolist())
    return picture


def _described(about: str) -> PngInfo:
    described = PngInfo()
    described.add_itxt("Description", about)
    return described


def draw(figure: Figure, page: Page = REPORT) -> canvas.Figure:
    """The figure on a page of its own."""
    title = [] if page.alone else wrapped(figure.title, TITLE, page.width - 2 * EDGE)
    start = EDGE + (lines_of(TITLE, len(title)) + 0.06 if title else 0)
    placed = place(figure, page, start)
    beyond = max(map(right_of, figure.panels, [page] * len(figure.panels)))
    width = page.width if page.alone else max(page.width, placed.right + beyond)
    under = _underneath(figure, page, placed)
    height = placed.bottom + sum(tall for _, tall in under) + EDGE
    axes = None
    with matplotlib.rc_context(RC | {"font.size": page.text}):
        drawn = canvas.Figure(figsize=(width, height))
        sheet = Sheet(drawn, width, height)
        sheet.text(EDGE, EDGE, "\n".join(title), fontsize=TITLE, linespacing=LEADING / 1.2)
        for panel, frame, first in zip(figure.panels, placed.frames, placed.first, strict=True):
            same = {f"share{axis}": axes for axis in figure.shared}
            axes = sheet.axes(*frame, **same)
            _panel(axes, panel, figure, page, first)
        top = placed.bottom
        for add, tall in under:
            add(sheet, top)
            top += tall
    return drawn


def _panel(axes: Axes, panel: Panel, figure: Figure, page: Page, first: bool) -> None:
    size = size_of(panel, page)
    for name in "xy":
        axis, own = getattr(panel, name), getattr(axes, f"{name}axis")
        if axis.log:
            getattr(axes, f"set_{name}scale")("log")
            own.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
            own.set_major_formatter("{x:g}")
            own.set_minor_formatter(NullFormatter())
        if axis.ticks is not None:
            shown = names(axis, BESIDE if name == "y" else UNDER)
            own.set_ticks(list(axis.ticks), shown, fontsize=size)
            for label, at in zip(own.get_ticklabels(), axis.ticks, strict=True):
                label.set_fontweight("bold" if at in axis.heads else "normal")
        if axis.limits:
            getattr(axes, f"set_{name}lim")(axis.limits)
        if axis.opposite:
            side = {"x": "top", "y": "right"}[name]
            other = getattr(axes, f"secondary_{name}axis")(side)
            getattr(other, f"set_{name}ticks")(list(axis.opposite), list(axis.opposite.values()))
            other.tick_params(length=0, labelsize=min(7, size))
            other.spines[:].set_visible(False)
    if panel.title:
        pad = 18 if panel.x.opposite else 4
        axes.set_title("\n".join(title_of(panel, page)), loc="left", pad=pad)
    axes.set_xlabel("\n".join(wrapped(panel.x.title, page.text, panel.inches[0])))
    if first or "y" not in figure.shared:
        axes.set_ylabel(panel.y.title)
    else:
        axes.tick_params(labelleft=False)
    if cells(panel):
        axes.tick_params(length=0, pad=2)
        axes.spines[:].set_visible(False)
    elif panel.x.ticks == {}:
        axes.spines[:].set(visible=True, color=style.PALE)
    else:
        # a list of rows has its grid along x, a curve along y
        axes.grid(axis="x" if panel.y.ticks else "y", color=style.PALE, lw=0.5)
        if panel.y.ticks:
            axes.tick_params(axis="y", length=0)
    if upright(panel, page):
        axes.tick_params(axis="x", rotation=90)
    _groups(axes, panel, page)
    for order, series in enumerate(panel.series):
        _add(series, axes, 2 + order / 1000, figure, page)


def _groups(axes: Axes, panel: Panel, page: Page) -> None:
    """Names of groups of cells: left of the rows' labels, slanted above the columns."""
    offset = -72 * (0.1 + widest(names(panel.y, BESIDE), page.small))
    shared = {"textcoords": "offset points", "fontsize": page.small, "annotation_clip": False}
    line = lines_of(page.small)
    for at, label in _apart(panel.y, panel.inches[1], line):
        at, where = (0, at), axes.get_yaxis_transform()
        left = {"ha": "right", "va": "center"}
        axes.annotate(label, at, (offset, 0), xycoords=where, **left, **shared)
    for at, label in _apart(panel.x, panel.inches[0], 1.41 * line):
        at, where = (at, 1), axes.get_xaxis_transform()
        slanted = {"rotation": 45, "rotation_mode": "anchor", "ha": "left", "va": "bottom"}
        axes.annotate(label, at, (0, 4), xycoords=where, **slanted, **shared)


def _apart(axis: Axis, inches: float, line: float) -> list[tuple[float, str]]:
    """Places and names of groups, moved apart by ``line`` inches for each line of a name."""
    cells = abs(axis.limits[1] - axis.limits[0]) / inches if axis.groups else 0
    placed: list[tuple[float, str]] = []
    end = -float("inf")
    for label, start, stop in axis.groups:
        half = 0.5 * cells * line * (label.count("\n") + 1)
        at = max((start + stop) / 2, end + half)
        placed.append((at, label))
        end = at + half
    return placed


@singledispatch
def _add(series, axes: Axes, order: float, figure: Figure, page: Page) -> None:
    raise TypeError(f"{type(series).__name__}: no kind of series that a figure can hold")


@_add.register
def _points(series: Points, axes: Axes, order: float, figure: Figure, page: Page) -> None:
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
def _band(series: Band, axes: Axes, order: float, figure: Figure, page: Page) -> None:
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
def _rule(series: Rule, axes: Axes, order: float, figure: Figure, page: Page) -> None:
    draw_rule = axes.axhline if series.axis == "y" else axes.axvline
    draw_rule(series.at, color=series.colour, ls=DASHES[series.dash], lw=series.width, zorder=order)


@_add.register
def _heat(series: Heat, axes: Axes, order: float, figure: Figure, page: Page) -> None:
    values = np.array(series.values, dtype=float)
    gaps = bool(series.text)
    cell = axes.get_position().width * axes.figure.get_figwidth() / values.shape[1]
    fits = widest(_printed(figure), page.cells) < 0.95 * cell
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
        for x, text in enumerate(texts if fits else ()):
            colour = "white" if row[x] > DARK else style.INK
            axes.text(
                x, y, text, size=page.cells, ha="center", va="center", color=colour, zorder=order
            )


def _printed(figure: Figure) -> Iterator[str]:
    """What the cells of a figure hold: where one number does not fit, none is printed."""
    heats = [one for panel in figure.panels for one in panel.series if isinstance(one, Heat)]
    return (text for heat in heats for row in heat.text for text in row)


@_add.register
def _label(series: Label, axes: Axes, order: float, figure: Figure, page: Page) -> None:
    axes.text(series.x, series.y, series.text, ha="center", va="center", fontsize=7)


class Sheet:
    """A page; places are inches from its left and its upper edge."""

    def __init__(self, drawn: canvas.Figure, width: float, height: float):
        self.drawn, self.width, self.height = drawn, width, height

    def axes(self, x: float, top: float, wide: float, tall: float, **more) -> Axes:
        up = 1 - (top + tall) / self.height
        return self.drawn.add_axes(
            (x / self.width, up, wide / self.width, tall / self.height), **more
        )

    def text(self, x: float, top: float, text: str, **more) -> None:
        if text:
            more = {"va": "top"} | more
            self.drawn.text(x / self.width, 1 - top / self.height, text, **more)


def _underneath(
    figure: Figure, page: Page, placed: Layout
) -> list[tuple[Callable[[Sheet, float], None], float]]:
    """What stands below the panels, from above downwards, each with its height."""
    blocks = []
    if figure.x_title:
        lines = wrapped(figure.x_title, page.text, page.width - placed.left - EDGE)
        blocks.append((partial(_x_title, placed, lines), lines_of(page.text, len(lines)) + 0.05))
    if figure.colours[0]:
        left, wide = placed.left, max(placed.right - placed.left, min(4.5, 0.6 * page.width))
        left = min(left, page.width - wide - 0.2)
        lines = wrapped(figure.colours[1], NOTE, page.width - 2 * EDGE)
        tall = 0.12 + BAR + 0.06 + lines_of(page.text) + lines_of(NOTE, len(lines)) + 0.06
        blocks.append((partial(_scale, figure.colours[0], page, left, wide, lines), tall))
    if figure.legend:
        room = page.width - HANDLE - 2 * EDGE
        labels = ["\n".join(wrapped(name, page.text, room)) for name in shortened(figure.legend)]
        columns = int((page.width - 2 * EDGE) / (HANDLE + 0.14 + widest(labels, page.text)))
        columns = min(max(1, columns), len(labels))
        most = max(label.count("\n") + 1 for label in labels)
        rows = -(-len(labels) // columns)
        blocks.append(
            (
                partial(_legend, figure, labels, columns),
                0.05 + rows * (lines_of(page.text, most) + 0.03) + 0.06,
            )
        )
    for note in () if page.alone else figure.notes:
        bold = note.startswith(UNKNOWN)
        lines = wrapped(note, NOTE, page.width - 2 * EDGE, bold)
        blocks.append((partial(_note, lines, bold), lines_of(NOTE, len(lines)) + 0.02))
    return blocks


def _x_title(placed: Layout, lines: list[str], sheet: Sheet, top: float) -> None:
    middle = (placed.left + placed.right) / 2
    room = max(width_of(line, 8) for line in lines) / 2 + EDGE
    middle = min(max(middle, room), sheet.width - room)
    sheet.text(middle, top, "\n".join(lines), ha="center", linespacing=LEADING / 1.2)


def _scale(
    name: str, page: Page, left: float, wide: float, lines: list[str], sheet: Sheet, top: float
) -> None:
    frame = sheet.axes(left, top + 0.12, wide, BAR)
    scale = matplotlib.cm.ScalarMappable(cmap=name)
    sheet.drawn.colorbar(scale, cax=frame, orientation="horizontal")
    below = top + 0.12 + BAR + 0.06 + lines_of(page.text)
    room = widest(lines, NOTE) / 2 + EDGE
    middle = min(max(left + wide / 2, room), sheet.width - room)
    sheet.text(middle, below, "\n".join(lines), ha="center", fontsize=NOTE)


def _legend(figure: Figure, labels: list[str], columns: int, sheet: Sheet, top: float) -> None:
    sheet.drawn.legend(
        [_handle(series) for series in figure.legend.values()],
        labels,
        loc="upper left",
        bbox_to_anchor=(EDGE / sheet.width, 1 - (top + 0.05) / sheet.height),
        ncol=columns,
        borderaxespad=0,
        borderpad=0,
        columnspacing=1.2,
        handlelength=2.2,
        labelspacing=0.4,
    )


def _note(lines: list[str], bold: bool, sheet: Sheet, top: float) -> None:
    look = {"color": style.VERMILION, "fontweight": "bold"} if bold else {"color": style.INK}
    for number, line in enumerate(lines):
        sheet.text(EDGE, top + lines_of(NOTE, number), line, fontsize=NOTE, **look)


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
