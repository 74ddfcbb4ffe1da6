"""Where the parts of a figure stand on paper, in inches, from the widths of its text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font, LoadFlags

from stratavox.report.figure import Axis, Figure, Heat, Panel

FAMILY = "DejaVu Sans"
# inches: around everything, between a tick and its name, between two panels with and without names
EDGE, TICK, APART, NAMED = 0.08, 0.1, 0.17, 0.55
# the handle of an entry of the legend with the space around it; the bar of a colour scale
HANDLE, BAR = 0.45, 0.1
# height of a line in sizes of its text
LEADING = 1.35
# characters of a name under an axis, and of any other name, that are printed at most
UNDER, BESIDE = 22, 52


@dataclass(frozen=True)
class Page:
    """A width in inches; sizes of text in points: of most of it, of ticks beside cells, in cells.

    ``alone`` figures have no title and no notes, and fill the width; ``stacked`` panels stand one
    under another.
    """

    width: float
    text: float = 8
    small: float = 6.5
    cells: float = 5.6
    alone: bool = False
    stacked: bool = False


REPORT = Page(7.9)


@dataclass(frozen=True)
class Layout:
    """Frames of the panels as (left, top, width, height), top is the distance from the upper edge.

    ``first`` says which panels begin a row; ``left`` and ``right`` are the panels' edges.
    """

    frames: list[tuple[float, float, float, float]]
    first: list[bool]
    left: float
    right: float
    bottom: float


@cache
def _font(bold: bool) -> FT2Font:
    return get_font(findfont(FontProperties(family=FAMILY, weight="bold" if bold else "normal")))


@cache
def _advance(character: str, bold: bool) -> float:
    """Width of a character in sizes of its text; 1 where the font lacks it."""
    font = _font(bold)
    font.set_size(100, 72)
    glyph = font.get_char_index(ord(character))
    if not glyph:
        return 1
    return font.load_glyph(glyph, LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 100


@cache
def width_of(text: str, size: float, bold: bool = False) -> float:
    """Inches of the widest line of a text of ``size`` points."""
    return max(sum(_advance(each, bold) for each in line) for line in text.split("\n")) * size / 72


def widest(texts: Iterable[str], size: float, bold: bool = False) -> float:
    """Inches of the widest of some texts; 0 without any."""
    return max((width_of(text, size, bold) for text in texts), default=0)


def lines_of(size: float, number: int = 1) -> float:
    """Inches of so many lines."""
    return number * LEADING * size / 72


def wrapped(text: str, size: float, room: float, bold: bool = False) -> list[str]:
    """Lines of at most ``room`` inches; a longer word is cut."""
    lines: list[str] = []
    for part in text.split("\n"):
        lines.append("")
        for word in part.split():
            longer = f"{lines[-1]} {word}".strip()
            if width_of(longer, size, bold) <= room:
                lines[-1] = longer
                continue
            while width_of(word, size, bold) > room and len(word) > 1:
                word = f"{word[:-2]}…"
            lines[-1:] = [line for line in (lines[-1], word) if line]
    return lines


def shortened(names: Iterable[str], most: int = BESIDE) -> list[str]:
    """Names cut to ``most`` characters for paper; the interactive figure has the full names."""
    return [name if len(name) <= most else f"{name[: most - 1]}…" for name in names]


def cells(panel: Panel) -> bool:
    """Whether a panel has cells, whose names are smaller."""
    return any(isinstance(series, Heat) for series in panel.series)


def names(axis: Axis, most: int) -> list[str]:
    """The names of an axis's ticks as they are printed."""
    return shortened((axis.ticks or {}).values(), most)


def size_of(panel: Panel, page: Page) -> float:
    """Points of the names of a panel's ticks."""
    return page.small if cells(panel) else page.text


def upright(panel: Panel, page: Page) -> bool:
    """Whether the names under a panel would run into each other."""
    if not panel.x.ticks:
        return False
    if cells(panel):
        wide = widest(names(panel.x, UNDER), page.small) + 0.02
        return wide > panel.inches[0] / len(panel.x.ticks)
    if not panel.x.limits:
        return False
    low, high = panel.x.limits
    scale = panel.inches[0] / (high - low)
    halves = [width_of(name, page.text) / 2 for name in names(panel.x, UNDER)]
    ends = sorted(
        (scale * place - half, scale * place + half)
        for place, half in zip(panel.x.ticks, halves, strict=True)
        if half
    )
    return any(right + 0.02 > left for (_, right), (left, _) in pairwise(ends))


def title_of(panel: Panel, page: Page) -> list[str]:
    """At most two lines, as wide as the panel; in the report not less than some words."""
    least = 0 if page.alone else 2.1
    room = max(least, panel.inches[0])
    lines = wrapped(panel.title, page.text, room)
    if len(lines) <= 2:
        return lines
    second = lines[1]
    while width_of(f"{second}…", page.text) > room:
        second = second[:-1]
    return [lines[0], f"{second}…"]


def title_width(panel: Panel, page: Page) -> float:
    """Inches of a panel's title."""
    return widest(title_of(panel, page), page.text)


def groups_left(panel: Panel, page: Page) -> float:
    """Inches of names of groups left of the rows' names."""
    return widest((label for label, *_ in panel.y.groups), page.small)


def left_of(panel: Panel, page: Page) -> float:
    """Inches left of a panel: names of ticks and of groups, and the title of the axis."""
    if panel.y.ticks == {}:
        return EDGE
    size, bold = size_of(panel, page), bool(panel.y.heads)
    ticks = names(panel.y, BESIDE) if panel.y.ticks else ["−0.000"]
    room = EDGE + TICK + widest(ticks, size, bold)
    if panel.y.groups:
        room += TICK + groups_left(panel, page)
    return room + lines_of(page.text, len(panel.y.title.splitlines()))


def right_of(panel: Panel, page: Page) -> float:
    """Inches right of a panel: names of ticks on that side, slanted names, half a name below."""
    room = [EDGE, EDGE + title_width(panel, page) - panel.inches[0]]
    if panel.y.opposite:
        room.append(EDGE + TICK + widest(panel.y.opposite.values(), page.text))
    if panel.x.ticks and not upright(panel, page):
        room.append(0.5 * width_of(names(panel.x, UNDER)[-1], size_of(panel, page)))
    for label, start, stop in panel.x.groups:
        low, high = panel.x.limits
        beyond = panel.inches[0] * (high - (start + stop) / 2) / (high - low)
        room.append(EDGE + 0.75 * width_of(label, page.small) + 0.1 - beyond)
    return max(room)


def above(panel: Panel, page: Page) -> float:
    """Inches above a panel: its title, and names on that side."""
    room = 0.06 + (lines_of(page.text, len(title_of(panel, page))) if panel.title else 0)
    slanted = widest((label for label, *_ in panel.x.groups), page.small)
    return room + (0.2 if panel.x.opposite else 0) + (0.75 * slanted + 0.1 if slanted else 0)


def below(panel: Panel, page: Page) -> float:
    """Inches below a panel: names of ticks, and the title of the axis."""
    shown = [name for name in names(panel.x, UNDER) if name]
    size = size_of(panel, page)
    room = 0.1 if panel.x.ticks is not None and not shown else TICK + lines_of(size) + 0.03
    if upright(panel, page):
        room = TICK + widest(shown, size) + 0.05
    title = wrapped(panel.x.title, page.text, panel.inches[0]) if panel.x.title else []
    return room + lines_of(page.text, len(title)) + 0.04


def gap(figure: Figure, panel: Panel) -> float:
    """Inches between a panel and the next one of its row."""
    return APART if "y" in figure.shared or panel.y.ticks == {} else NAMED


def rows(figure: Figure, page: Page) -> list[list[Panel]]:
    """The panels of each row, from left to right: as many as the width of the report holds."""
    left = max(left_of(panel, page) for panel in figure.panels)
    split: list[list[Panel]] = []
    x = left
    for panel in figure.panels:
        if page.stacked or not split or x + panel.inches[0] > REPORT.width + 0.01:
            split.append([])
            x = left
        split[-1].append(panel)
        x += max(panel.inches[0], title_width(panel, page)) + gap(figure, panel)
    return split


def place(figure: Figure, page: Page, top: float) -> Layout:
    """Panels from ``top`` on."""
    left = max(left_of(panel, page) for panel in figure.panels)
    frames, first, right = [], [], 0.0
    for row in rows(figure, page):
        top += max(above(panel, page) for panel in row)
        x = left
        for panel in row:
            frames.append((x, top, *panel.inches))
            first.append(panel is row[0])
            right = max(right, x + panel.inches[0])
            x += max(panel.inches[0], title_width(panel, page)) + gap(figure, panel)
        top += max(panel.inches[1] for panel in row) + max(below(panel, page) for panel in row)
    return Layout(frames, first, left, right, top)
