"""A figure as data: panels with axes and series, without a drawing library.

`stratavox.report.paper` draws it with matplotlib, `stratavox.report.screen` with plotly. All text
is plain; a line break is a newline. Later series of a panel are drawn over earlier ones.
Sizes are inches and points on paper; the screen scales them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# A note that starts with this is printed in bold, and repeated above the interactive figure.
UNKNOWN = "GROUP UNKNOWN"


@dataclass(frozen=True)
class Points:
    """Points with markers, a line through them, and intervals; each of these is optional.

    ``name`` identifies the series in the files; ``legend`` is its entry in the legend, one for all
    series with the same text, and ``group`` what a click on the entry switches with it.
    """

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    name: str = ""
    marker: str = ""  # as matplotlib calls it; none where empty
    size: float = 4
    hollow: bool = False
    dash: str = ""  # solid, dash, dot, dashdot or longdash; no line where empty
    width: float = 1.5
    opacity: float = 1
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    across: bool = False  # intervals run along x
    bar: float = 0.8  # width of an interval's bar
    shift: float = 0  # on paper: how far an interval is moved to the right of its point
    hover: Sequence[str] = ()
    ids: Sequence[str] = ()  # the clips that the points are, for the screen
    legend: str = ""
    group: str = ""
    cloud: bool = False  # many points: outlined, and on paper as pixels past a thousand


@dataclass(frozen=True)
class Band:
    """A pale area between ``low`` and ``high``, where both are known."""

    x: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: str
    name: str = ""
    legend: str = ""
    group: str = ""


@dataclass(frozen=True)
class Rule:
    """A straight line through the whole panel at a place on the x or the y axis."""

    at: float
    colour: str
    axis: str = "y"
    dash: str = "solid"
    width: float = 0.8
    legend: str = ""


@dataclass(frozen=True)
class Heat:
    """Rows of coloured cells, 0 to 1; cell n is at x = n, a row at its y.

    A missing value is None. ``text`` is printed in the cells.
    """

    y: Sequence[float]
    values: Sequence[Sequence[float | None]]
    hover: Sequence[Sequence[str]]
    name: str = ""
    text: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class Label:
    """Text in a panel, centred on its place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Axis:
    """``ticks`` maps places to labels; None leaves them to the library.

    ``heads`` are ticks in bold; ``opposite`` are further ticks on the other side, only on paper;
    ``groups`` are (label, first, last) of cells, the ticks on the screen.
    """

    title: str = ""
    ticks: Mapping[float, str] | None = None
    limits: tuple[float, float] | None = None
    log: bool = False
    heads: frozenset[float] = frozenset()
    opposite: Mapping[float, str] = field(default_factory=dict)
    groups: Sequence[tuple[str, int, int]] = ()


@dataclass(frozen=True)
class Panel:
    """One pair of axes; ``inches`` are its width and height on paper."""

    series: Sequence[Points | Band | Rule | Heat | Label]
    inches: tuple[float, float]
    x: Axis = Axis()
    y: Axis = Axis()
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """Panels from left to right and downwards, ``columns`` in a row of the screen.

    On paper a row has as many as fit. ``shared`` axes ("x", "y") have one scale; ``x_title``
    names the x axis of all panels; ``colours`` are the scale of `Heat` (a name of
    matplotlib's) and its title; ``caption`` and ``alt`` say what is shown.
    """

    panels: Sequence[Panel]
    notes: Sequence[str]
    title: str = ""
    columns: int = 1
    shared: str = ""
    x_title: str = ""
    colours: tuple[str, str] = ("", "")
    caption: str = ""
    alt: str = ""

    @property
    def legend(self) -> dict[str, Points | Band | Rule]:
        """Entry -> the first series with it; points before bands and rules."""
        every = [series for panel in self.panels for series in panel.series]
        every.sort(key=lambda series: not isinstance(series, Points))
        entries = {}
        for series in every:
            if text := getattr(series, "legend", ""):
                entries.setdefault(text, series)
        return entries

    @property
    def unknown(self) -> bool:
        """Whether the groups of the task are unknown."""
        return any(note.startswith(UNKNOWN) for note in self.notes)


def message(text: str) -> Panel:
    """A panel with a sentence only."""
    bare = Axis(ticks={}, limits=(0, 1))
    return Panel([Label(0.5, 0.5, text)], (6.0, 0.5), bare, bare)
