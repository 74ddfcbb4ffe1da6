"""The figures for the screen: a page that holds its data and draws them with plotly.

All pages share one plotly.min.js and need no network. `draw` says what is drawn, as a plotly
figure without its look; templates/figure.js places panels and legend, and sets the colours.
"""

from __future__ import annotations

import html
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from urllib.parse import quote

import numpy as np
from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.colors import to_hex

from stratavox import words
from stratavox.errors import StratavoxError
from stratavox.report import style
from stratavox.report.figure import Band, Figure, Heat, Label, Panel, Points, Rule
from stratavox.report.templating import TEMPLATES, environment, script_json
from stratavox.tables import write_text

# matplotlib's marker -> plotly's
SYMBOLS = {
    **{"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down"},
    **{"P": "cross", "X": "x", "*": "star", "p": "pentagon", "x": "x-thin", "|": "line-ns"},
}
HOVER = "%{customdata}<extra></extra>"
# A browser keeps 16 WebGL contexts, and a figure takes several: SVG as long as it is quick.
MOST_AS_SVG = 1500
# pixels of an inch of a panel
INCH = 150
# significant digits of numbers in a spec: more than a screen can show
DIGITS = 5
SPEC = re.compile(r'<script type="application/json" id="spec">(.*?)</script>', re.DOTALL)


def plain(text: str) -> str:
    """Text for plotly, which otherwise reads some HTML in titles, names and hover labels."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def save(figure: Figure, stem: Path, provenance: dict, plotlyjs: Path) -> None:
    """Write STEM.html: the figure's spec, the notes as text below; ``plotlyjs`` is loaded."""
    text = (
        environment()
        .get_template("interactive.html.j2")
        .render(
            title=figure.title,
            alt=figure.alt,
            notes=figure.notes,
            plotlyjs=quote(os.path.relpath(plotlyjs, stem.parent)),
            svg=quote(f"{stem.name}.svg"),
            spec=Markup(as_json(draw(figure))),
            script=Markup((TEMPLATES / "figure.js").read_text(encoding="utf-8")),
            provenance=json.dumps(provenance, sort_keys=True),
        )
    )
    write_text(text, f"{stem}.html")


def spec(stem: Path) -> str:
    """The spec in STEM.html as JSON text, which may stand inside a script element."""
    path = Path(f"{stem}.html")
    held = SPEC.search(path.read_text(encoding="utf-8")) if path.exists() else None
    if not held:
        raise StratavoxError(f"{path}: holds no figure; remove it and run the workflow again")
    return held[1]


def as_json(drawn: dict) -> str:
    """Compact JSON with rounded numbers, safe inside a script element; a missing value is null."""
    return script_json(_short(drawn))


def _short(value):
    if isinstance(value, Mapping):
        return {str(key): _short(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_short(each) for each in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if not math.isfinite(value):
        return None
    number = float(f"{value:.{DIGITS}g}")
    return int(number) if number.is_integer() else number


def draw(figure: Figure) -> dict:
    """The figure as plotly's ``data`` and ``layout``; each series has its entry in the legend."""
    panels = figure.panels
    drawn = {"data": [], "layout": {"annotations": [], "shapes": []}}
    layout, shown = drawn["layout"], set()
    widest = max(panel.inches[0] for panel in panels)
    for place, panel in enumerate(panels):
        number = str(place + 1) if place else ""
        x, y = f"x{number}", f"y{number}"
        stretch = widest / panel.inches[0] if figure.columns == 1 else 1
        layout[f"xaxis{number}"] = _axis(panel, "x", stretch) | {"anchor": y}
        layout[f"yaxis{number}"] = _axis(panel, "y") | {"anchor": x}
        for name in figure.shared if place else ():
            layout[f"{name}axis{number}"]["matches"] = name
        if panel.title:
            title = {"name": "title", "text": plain(panel.title), "x": 0.5, "y": 1}
            title |= {"xref": f"{x} domain", "yref": f"{y} domain", "yanchor": "bottom"}
            layout["annotations"].append(title)
        for series in panel.series:
            _add(series, drawn, (x, y), shown)
    layout["meta"] = {
        "columns": min(figure.columns, len(panels)),
        "heights": [INCH * panel.inches[1] for panel in panels],
        "shared": figure.shared,
        "dark": style.DARK,
    }
    paper = {"xref": "paper", "yref": "paper", "showarrow": False}
    if figure.x_title:
        name = {"name": "x title", "text": plain(figure.x_title), "x": 0.5, "y": 0}
        layout["annotations"].append(name | paper | {"yanchor": "top", "yshift": -30})
    if figure.unknown:
        text = "<b>group unknown (see the notes below)</b>"
        name = {"text": text, "x": 0, "y": 1, "yanchor": "bottom"}
        name |= {"font": {"color": style.VERMILION}, "yshift": 45 if len(panels) > 1 else 5}
        layout["annotations"].append(name | paper)
        layout["meta"]["top"] = 25
    if figure.colours[0]:
        bar = {"title": {"text": plain(figure.colours[1]), "side": "bottom"}}
        colours = map(to_hex, colormaps[figure.colours[0]](np.linspace(0, 1, 11)))
        scale = [[place / 10, colour] for place, colour in enumerate(colours)]
        layout["coloraxis"] = {"colorscale": scale, "cmin": 0, "cmax": 1, "colorbar": bar}
    return drawn


def _axis(panel: Panel, name: str, stretch: float = 1) -> dict:
    """Settings of an axis; a panel narrower than the widest keeps the scale of its cells."""
    axis = getattr(panel, name)
    listed = panel.y.ticks is not None
    settings = {"title": {"text": plain(axis.title)}} if axis.title else {}
    settings |= {"type": "log", "dtick": "D2"} if axis.log else {}
    settings |= {"showgrid": name == "x"} if listed else {}
    ticks = axis.ticks
    if axis.groups:
        ticks = {(start + stop) / 2: label for label, start, stop in axis.groups}
        settings |= {"side": "top"} if name == "x" else {}
    if ticks is not None:
        texts = [
            f"<b>{plain(text)}</b>" if place in axis.heads else plain(text)
            for place, text in ticks.items()
        ]
        settings |= {"tickvals": list(ticks), "ticktext": texts}
    if axis.limits:
        low, high = axis.limits
        settings["range"] = [low, low + (high - low) * stretch]
    if any(isinstance(series, Heat) for series in panel.series):
        settings |= {"showgrid": False}
    return settings


def _entry(series: Points | Band | Rule, shown: set[str]) -> dict:
    """Name, group and whether the legend lists a series: each text once."""
    first = bool(series.legend) and series.legend not in shown
    shown.add(series.legend)
    group = getattr(series, "group", "") or series.legend
    return {"name": plain(series.legend), "showlegend": first, "legendgroup": plain(group)}


def _trace(drawn: dict, kind: str, axes: tuple[str, str], **settings) -> None:
    drawn["data"].append({"type": kind, "xaxis": axes[0], "yaxis": axes[1], **settings})


@singledispatch
def _add(series, drawn: dict, axes: tuple[str, str], shown: set[str]) -> None:
    raise TypeError(f"{type(series).__name__}: no kind of series that a figure can hold")


@_add.register
def _points(series: Points, drawn: dict, axes: tuple[str, str], shown: set[str]) -> None:
    symbol = SYMBOLS.get(series.marker, "circle")
    if series.hollow or symbol in ("x-thin", "line-ns"):
        symbol += "-open"
    marker = {
        "symbol": symbol,
        "size": 2 * series.size if series.marker else 1,
        "color": series.colour,
        "line": {"color": style.INK if series.cloud else series.colour},
    }
    marker["line"]["width"] = 0.4 if series.cloud else 1.5 if symbol.endswith("open") else 0
    if not series.marker:
        marker["opacity"] = 0
    more = {}
    if len(series.low):
        x, y = list(series.x), list(series.y)
        ends = list(zip(x if series.across else y, series.low, series.high, strict=True))
        more[f"error_{'x' if series.across else 'y'}"] = {
            **{"type": "data", "symmetric": False, "width": 0, "thickness": series.bar * 1.4},
            **{"color": series.colour, "array": [high - value for value, _, high in ends]},
            "arrayminus": [value - low for value, low, _ in ends],
        }
    if series.dash:
        line = {"color": series.colour, "width": series.width * 1.4, "dash": series.dash}
        more["line"] = line
    if len(series.hover):
        more |= {"customdata": list(map(plain, series.hover)), "hovertemplate": HOVER}
    else:
        more["hoverinfo"] = "skip"
    if len(series.ids):
        more["ids"] = list(series.ids)
    _trace(
        drawn,
        "scattergl" if len(series.x) > MOST_AS_SVG else "scatter",
        axes,
        x=list(series.x) or [None],
        y=list(series.y) or [None],
        mode="lines+markers" if series.dash else "markers",
        marker=marker,
        opacity=series.opacity,
        meta=plain(series.name),
        **more,
        **_entry(series, shown),
    )


@_add.register
def _band(series: Band, drawn: dict, axes: tuple[str, str], shown: set[str]) -> None:
    ends = zip(series.x, series.low, series.high, strict=True)
    known = [row for row in ends if not any(map(words.missing, row[1:]))]
    if not known:
        return
    x, low, high = (list(values) for values in zip(*known, strict=True))
    _trace(
        drawn,
        "scatter",
        axes,
        x=x + x[::-1],
        y=high + low[::-1],
        fill="toself",
        fillcolor=series.colour,
        line={"color": series.colour, "width": 6 if len(known) == 1 else 0},
        opacity=0.16,
        mode="lines",
        hoverinfo="skip",
        meta=plain(series.name),
        **_entry(series, shown),
    )


@_add.register
def _rule(series: Rule, drawn: dict, axes: tuple[str, str], shown: set[str]) -> None:
    x, y = axes
    along = {"xref": f"{x} domain", "x0": 0, "x1": 1, "yref": y, "y0": series.at, "y1": series.at}
    if series.axis == "x":
        along = {"yref": f"{y} domain", "y0": 0, "y1": 1, "xref": x}
        along |= {"x0": series.at, "x1": series.at}
    line = {"color": series.colour, "width": series.width * 1.4, "dash": series.dash}
    drawn["layout"]["shapes"].append(
        {"type": "line", "line": line, **along, **_entry(series, shown)}
    )


@_add.register
def _heat(series: Heat, drawn: dict, axes: tuple[str, str], shown: set[str]) -> None:
    values = [
        [None if words.missing(value) else max(value, 0.0) for value in row]
        for row in series.values
    ]
    gap = 1 if series.text else 0
    printed = {"text": _escaped(series.text), "texttemplate": "%{text}"} if series.text else {}
    _trace(
        drawn,
        "heatmap",
        axes,
        x=[place - 0.5 for place in range(len(values[0]) + 1)],
        y=[series.y[0] - 0.5, *(y + 0.5 for y in series.y)],
        z=values,
        customdata=_escaped(series.hover),
        hovertemplate=HOVER,
        hoverongaps=True,
        coloraxis="coloraxis",
        xgap=gap,
        ygap=gap,
        meta=plain(series.name),
        **printed,
    )


def _escaped(rows: Sequence[Iterable[str]]) -> list[list[str]]:
    return [list(map(plain, row)) for row in rows]


@_add.register
def _label(series: Label, drawn: dict, axes: tuple[str, str], shown: set[str]) -> None:
    x, y = axes
    place = {"x": series.x, "y": series.y, "xref": x, "yref": y, "showarrow": False}
    drawn["layout"]["annotations"].append({"text": plain(series.text), **place})
