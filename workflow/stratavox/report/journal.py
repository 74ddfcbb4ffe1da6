"""Stage: figures alone in a width of a journal, as SVG and PDF, with the caption as text.

Text has 8 points, numbers in cells 6; title and notes are in the caption. Narrow figures have one
panel a row.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from stratavox.report import export, paper
from stratavox.report.draw import figures_of
from stratavox.report.figure import Axis, Figure, Panel
from stratavox.report.layout import (
    Page,
    cells,
    gap,
    left_of,
    lines_of,
    right_of,
    rows,
    size_of,
    widest,
    wrapped,
)
from stratavox.stage import Job
from stratavox.tables import write_text

MM = 1 / 25.4
# mm: narrower pages have one panel a row
STACKED = 120
# so few ticks are all named
FEW = 4


def page(width: float) -> Page:
    """A page of a journal, ``width`` in mm."""
    return Page(width * MM, small=8, cells=6, alone=True, stacked=width < STACKED)


def run(job: Job) -> None:
    sheet = page(float(job.wildcards.width))
    for name, figure in figures_of(job).items():
        stem = getattr(job.output, name).with_suffix("")
        paper.save_vectors(fitted(figure, sheet), stem, job.provenance, sheet)
        write_text(export.caption(figure), f"{stem}.txt")


def fitted(figure: Figure, page: Page) -> Figure:
    """The figure for a page that it must fill: names wrapped, panels as wide as there is room."""
    figure = replace(figure, panels=[_names_wrapped(panel, page) for panel in figure.panels])
    left = max(left_of(panel, page) for panel in figure.panels)
    scales = []
    for row in rows(figure, page):
        room = page.width - left - right_of(row[-1], page)
        room -= sum(gap(figure, panel) for panel in row[:-1])
        scales.append(room / sum(panel.inches[0] for panel in row))
    if page.stacked and not any(map(cells, figure.panels)):
        each = scales
    else:
        each = [min(1, *scales)] * len(figure.panels)
    panels = [_scaled(panel, scale) for panel, scale in zip(figure.panels, each, strict=True)]
    return replace(figure, panels=[_thinned(panel, page) for panel in panels])


def _names_wrapped(panel: Panel, page: Page) -> Panel:
    """Names left of the panel on lines of two fifths of the page, rows as high as these need."""
    if not panel.y.ticks:
        return panel
    if panel.y.groups:  # a narrow page has them above the columns only
        groups = [] if page.stacked else panel.y.groups
        return replace(panel, y=replace(panel.y, groups=groups))
    room, size = 0.4 * page.width, size_of(panel, page)
    lines = {
        place: wrapped(name, size, room, place in panel.y.heads)
        for place, name in panel.y.ticks.items()
    }
    need = lines_of(size, max(map(len, lines.values())))
    tall = panel.inches[1] * max(1, need / _pitch(panel.y, panel.inches[1]))
    ticks = {place: "\n".join(some) for place, some in lines.items()}
    axis = replace(panel.y, ticks=ticks, opposite={} if page.stacked else panel.y.opposite)
    return replace(panel, inches=(panel.inches[0], tall), y=axis)


def _scaled(panel: Panel, scale: float) -> Panel:
    """A panel of another width; a square of cells stays one."""
    wide, tall = panel.inches
    return replace(panel, inches=(wide * scale, tall * scale if panel.x.groups else tall))


def _pitch(axis: Axis, inches: float) -> float:
    """Inches between the two nearest ticks."""
    places = sorted(axis.ticks)
    near = min((b - a for a, b in pairwise(places)), default=1)
    low, high = axis.limits or (places[0], places[-1] + 1)
    return inches * near / abs(high - low)


def _thinned(panel: Panel, page: Page) -> Panel:
    """Fewer names under and beside a panel where they would touch."""
    size = size_of(panel, page)
    room = lines_of(size)
    if panel.x.groups:
        panel = replace(panel, y=_every(panel.y, panel.inches[1], room))
    elif not cells(panel) and panel.x.ticks:
        room = 0.06 + widest(panel.x.ticks.values(), size)
    return replace(panel, x=_every(panel.x, panel.inches[0], room))


def _every(axis: Axis, inches: float, room: float) -> Axis:
    """An axis with so few of its ticks that each has ``room`` inches."""
    if len(axis.ticks or {}) <= FEW:
        return axis
    step = max(1, math.ceil(room / _pitch(axis, inches)))
    return replace(axis, ticks=dict(list(axis.ticks.items())[::step]))
