"""A figure's data as a tidy table, and its caption as text, for papers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import singledispatch
from pathlib import Path

from stratavox import words
from stratavox.report.figure import Axis, Band, Figure, Heat, Label, Panel, Points, Rule
from stratavox.tables import write_text

# A place is empty where a line runs through the whole panel; ``low`` and ``high`` are the ends of
# an interval along ``interval_along``; ``value`` is that of a cell.
COLUMNS = (
    *("panel", "kind", "series", "legend", "x", "x_name", "y", "y_name"),
    *("interval_along", "low", "high", "value", "text"),
)


def save(figure: Figure, stem: Path) -> None:
    """Write STEM.csv and STEM.txt."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(figure))
    write_text(table.getvalue(), f"{stem}.csv")
    write_text(caption(figure), f"{stem}.txt")


def caption(figure: Figure) -> str:
    """What the figure shows, then its notes: counts, groups, chance, intervals, methods."""
    notes = [note if note.endswith((".", ")")) else f"{note}." for note in figure.notes]
    return " ".join(" ".join([figure.caption, *notes]).split()) + "\n"


def rows(figure: Figure) -> Iterator[dict]:
    """One row for each point, end of a band, line, cell and text of every series."""
    for number, panel in enumerate(figure.panels, start=1):
        named = {"panel": panel.title or number}
        for series in panel.series:
            about = {"series": getattr(series, "name", ""), "legend": getattr(series, "legend", "")}
            for row in _rows(series):
                yield named | about | _places(panel, row) | _known(row)


def _places(panel: Panel, row: dict) -> dict:
    """The names of the ticks where a row stands."""
    return {
        "x_name": _tick(panel.x, row.get("x")),
        "y_name": _tick(panel.y, row.get("y")),
    }


def _tick(axis: Axis, place: float | None) -> str:
    return (axis.ticks or {}).get(place, "")


def _known(row: dict) -> dict:
    """A row without what is missing, its text on one line."""
    known = {key: value for key, value in row.items() if not words.missing(value)}
    return known | {"text": "; ".join(str(row.get("text", "")).splitlines())}


@singledispatch
def _rows(series) -> Iterator[dict]:
    raise TypeError(f"{type(series).__name__}: no kind of series that a figure can hold")


@_rows.register
def _points(series: Points) -> Iterator[dict]:
    for place, (x, y) in enumerate(zip(series.x, series.y, strict=True)):
        row = {"kind": "point", "x": x, "y": y}
        if len(series.hover):
            row["text"] = list(series.hover)[place]
        if len(series.low):
            ends = {"low": list(series.low)[place], "high": list(series.high)[place]}
            row |= {"interval_along": "x" if series.across else "y", **ends}
        yield row


@_rows.register
def _band(series: Band) -> Iterator[dict]:
    for x, low, high in zip(series.x, series.low, series.high, strict=True):
        yield {"kind": "band", "x": x, "interval_along": "y", "low": low, "high": high}


@_rows.register
def _rule(series: Rule) -> Iterator[dict]:
    yield {"kind": "line", series.axis: series.at}


@_rows.register
def _heat(series: Heat) -> Iterator[dict]:
    for y, values, texts in zip(series.y, series.values, series.hover, strict=True):
        for x, (value, text) in enumerate(zip(values, texts, strict=True)):
            yield {"kind": "cell", "x": x, "y": y, "value": value, "text": text}


@_rows.register
def _label(series: Label) -> Iterator[dict]:
    yield {"kind": "text", "x": series.x, "y": series.y, "text": series.text}
