"""The figures for the screen: a page by plotly that holds its data and needs no network."""

from __future__ import annotations

import html
import json
from functools import singledispatch
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from stratavox import words
from stratavox.report import style
from stratavox.report.figure import Band, Figure, Heat, Label, Panel, Points, Rule
from stratavox.report.templating import environment
from stratavox.tables import write_text

# matplotlib's marker -> plotly's
SYMBOLS = {
    **{"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down"},
    **{"P": "cross", "X": "x", "*": "star", "p": "pentagon", "x": "x-thin", "|": "line-ns"},
}
HOVER = "%{customdata}<extra></extra>"
# pixels: of an inch of a panel, between rows of panels, above them, of a row of the legend
INCH, BETWEEN, ABOVE, LEGEND = 150, 90, 60, 22


def plain(text: str) -> str:
    """Text for plotly, which otherwise reads some HTML in titles, names and hover labels."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def save(figure: Figure, stem: Path, provenance: dict) -> None:
    """Write STEM.html: plotly and the data inside it, the notes as text below the figure."""
    page = environment().get_template("interactive.html.j2")
    body = draw(figure).to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id="figure",
        config={
            "displaylogo": False,
            "responsive": True,
            # uploads the figure's data to a server
            "modeBarButtonsToRemove": ["sendChartToCloud"],
        },
    )
    text = page.render(
        title=figure.title,
        plotlyjs=get_plotlyjs(),
        body=body,
        notes=figure.notes,
        provenance=json.dumps(provenance, sort_keys=True),
    )
    write_text(text, f"{stem}.html")


def draw(figure: Figure) -> go.Figure:
    """The figure, each series switched by its entry in the legend."""
    panels, columns = figure.panels, min(figure.columns, len(figure.panels))
    heights = [
        INCH * max(panel.inches[1] for panel in panels[start : start + columns])
        for start in range(0, len(panels), columns)
    ]
    between = BETWEEN * (len(heights) - 1)
    below = 80 + LEGEND * -(-len(figure.legend) // 4) + (60 if figure.colours[0] else 0)
    whole = sum(heights) + between
    screen = make_subplots(
        len(heights),
        columns,
        specs=_cells(len(panels), columns),
        row_heights=heights,
        subplot_titles=[plain(panel.title) for panel in panels],
        shared_xaxes="all" if "x" in figure.shared else False,
        shared_yaxes="all" if "y" in figure.shared else False,
        horizontal_spacing=(0.03 if figure.shared or panels[0].y.ticks == {} else 0.08),
        vertical_spacing=BETWEEN / whole if len(heights) > 1 else 0,
    )
    shown: set[str] = set()
    for place, panel in enumerate(panels):
        where = {"row": place // columns + 1, "col": place % columns + 1}
        for series in panel.series:
            _add(series, screen, where, shown)
        widest = max(panel.inches[0] for panel in panels) if columns == 1 else panel.inches[0]
        screen.update_xaxes(**_axis(panel, "x", widest / panel.inches[0]), **where)
        screen.update_yaxes(**_axis(panel, "y"), **where)
        if "y" in figure.shared and where["col"] > 1:
            screen.update_yaxes(title=None, **where)
    above = ABOVE + 50 * (len(panels) > 1)
    screen.update_layout(
        template="plotly_white",
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0},
        margin={"t": above, "r": 20, "b": below},
        height=whole + above + below,
    )
    paper = {"xref": "paper", "yref": "paper", "showarrow": False}
    if figure.x_title:
        screen.add_annotation(text=plain(figure.x_title), x=0.5, y=0, yshift=-45, **paper)
    if figure.unknown:
        text = "<b>group unknown (see the notes below)</b>"
        raised = {"yanchor": "bottom", "yshift": 45 if len(panels) > 1 else 5}
        colour = {"color": style.VERMILION}
        screen.add_annotation(text=text, x=0, y=1.0, font=colour, **raised, **paper)
    if figure.colours[0]:
        bar = {"title": {"text": plain(figure.colours[1]), "side": "bottom"}, "thickness": 12}
        bar |= {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0.0}
        scale = {"colorscale": figure.colours[0], "cmin": 0, "cmax": 1, "colorbar": bar}
        screen.update_layout(coloraxis=scale)
    return screen


def _cells(number: int, columns: int) -> list[list[dict | None]]:
    """The grid of panels; None where the last row has no panel."""
    cells = [{} if place < number else None for place in range(-(-number // columns) * columns)]
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]


def _axis(panel: Panel, name: str, stretch: float = 1) -> dict:
    """Settings of an axis; a panel narrower than the widest keeps the scale of its cells."""
    axis = getattr(panel, name)
    listed = panel.y.ticks is not None
    settings = {"title": plain(axis.title), "zeroline": False, "automargin": True}
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


@singledispatch
def _add(series, screen: go.Figure, where: dict, shown: set[str]) -> None:
    raise TypeError(f"{type(series).__name__}: no kind of series that a figure can hold")


@_add.register
def _points(series: Points, screen: go.Figure, where: dict, shown: set[str]) -> None:
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
    reach = {}
    if len(series.low):
        x, y = list(series.x), list(series.y)
        ends = list(zip(x if series.across else y, series.low, series.high, strict=True))
        reach[f"error_{'x' if series.across else 'y'}"] = {
            **{"type": "data", "symmetric": False, "width": 0, "thickness": series.bar * 1.4},
            **{"color": series.colour, "array": [high - value for value, _, high in ends]},
            "arrayminus": [value - low for value, low, _ in ends],
        }
    kind = go.Scattergl if series.cloud else go.Scatter
    trace = kind(
        x=list(series.x) or [None],
        y=list(series.y) or [None],
        mode="lines+markers" if series.dash else "markers",
        marker=marker,
        line={"color": series.colour, "width": series.width * 1.4, "dash": series.dash or None},
        opacity=series.opacity,
        customdata=list(map(plain, series.hover)),
        ids=list(series.ids) or None,
        hovertemplate=HOVER if len(series.hover) else "",
        hoverinfo=None if len(series.hover) else "skip",
        meta=plain(series.name),
        **reach,
        **_entry(series, shown),
    )
    screen.add_trace(trace, **where)


@_add.register
def _band(series: Band, screen: go.Figure, where: dict, shown: set[str]) -> None:
    ends = zip(series.x, series.low, series.high, strict=True)
    known = [row for row in ends if not any(map(words.missing, row[1:]))]
    if not known:
        return
    x, low, high = (list(values) for values in zip(*known, strict=True))
    trace = go.Scatter(
        x=x + x[::-1],
        y=high + low[::-1],
        fill="toself",
        fillcolor=series.colour,
        line={"color": series.colour, "width": 6 if len(known) == 1 else 0},
        opacity=0.16,
        mode="lines",
        hoverinfo="skip",
        hovertemplate="",
        customdata=[],
        meta=plain(series.name),
        **_entry(series, shown),
    )
    screen.add_trace(trace, **where)


@_add.register
def _rule(series: Rule, screen: go.Figure, where: dict, shown: set[str]) -> None:
    add = screen.add_hline if series.axis == "y" else screen.add_vline
    line = {"color": series.colour, "width": series.width * 1.4, "dash": series.dash}
    add(series.at, line=line, exclude_empty_subplots=False, **_entry(series, shown), **where)


@_add.register
def _heat(series: Heat, screen: go.Figure, where: dict, shown: set[str]) -> None:
    values = [
        [None if words.missing(value) else max(value, 0.0) for value in row]
        for row in series.values
    ]
    gap = 1 if series.text else 0
    trace = go.Heatmap(
        x=[place - 0.5 for place in range(len(values[0]) + 1)],
        y=[series.y[0] - 0.5, *(y + 0.5 for y in series.y)],
        z=values,
        text=[list(map(plain, row)) for row in series.text] or None,
        texttemplate="%{text}" if series.text else None,
        customdata=[list(map(plain, row)) for row in series.hover],
        hovertemplate=HOVER,
        hoverongaps=True,
        coloraxis="coloraxis",
        xgap=gap,
        ygap=gap,
        meta=plain(series.name),
    )
    screen.add_trace(trace, **where)


@_add.register
def _label(series: Label, screen: go.Figure, where: dict, shown: set[str]) -> None:
    screen.add_annotation(text=plain(series.text), x=series.x, y=series.y, showarrow=False, **where)
