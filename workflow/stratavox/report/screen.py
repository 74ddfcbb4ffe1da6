"""What the plotly figures share: escaped text, bands, points with their interval."""

from __future__ import annotations

import html
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from stratavox.report import style
from stratavox.report.results import INTERVALS, Results

HOVER = (
    "%{customdata[0]}<br>%{customdata[1]}: %{customdata[2]} (%{customdata[3]})"
    "<br>%{customdata[4]}<extra></extra>"
)


def plain(text: str) -> str:
    """Text for plotly, which otherwise reads some HTML in titles, names and hover labels."""
    return html.escape(text, quote=False)


def hover_data(rows: pd.DataFrame) -> list[list[str]]:
    """Encoder, readout, value, interval and what the interval is, for `HOVER`."""
    return [
        [
            plain(row.encoder),
            plain(style.readout_label(row.readout)),
            style.fraction(row.value),
            style.interval(row.low, row.high),
            INTERVALS[row.interval],
        ]
        for row in rows.itertuples()
    ]


def band(figure: go.Figure, x, low, high, colour: str, name=None, group=None) -> None:
    """A pale band over the points where both ends are known."""
    known = [row for row in zip(x, low, high, strict=True) if not any(map(style.missing, row[1:]))]
    if not known:
        return
    x, low, high = (list(values) for values in zip(*known, strict=True))
    figure.add_scatter(
        x=x + x[::-1],
        y=high + low[::-1],
        fill="toself",
        fillcolor=colour,
        line={"color": colour, "width": 6 if len(known) == 1 else 0},
        opacity=0.16,
        mode="lines",
        hoverinfo="skip",
        name=name,
        showlegend=name is not None,
        legendgroup=plain(group) if group else None,
        meta="band",
    )


def line(
    figure: go.Figure, x: Sequence, y: Sequence, colour: str, dash: str, name, group=None
) -> go.Scatter:
    """A thin line without markers; returned so that the caller may refine it."""
    figure.add_scatter(
        x=list(x),
        y=list(y),
        mode="lines",
        line={"color": colour, "width": 1.2, "dash": dash},
        name=name,
        legendgroup=plain(group) if group else None,
        hoverinfo="skip" if group else None,
    )
    return figure.data[-1]


def point(figure, results: Results, encoder: str, row, x, y, look: style.Look, along: str):
    """One estimate with its interval along ``x`` or ``y``; the trace, to be refined."""
    error = None
    if not style.missing(row.low):
        error = {
            "type": "data",
            "symmetric": False,
            "array": [row.high - row.value],
            "arrayminus": [row.value - row.low],
            "color": look.colour,
        }
    seen = any(
        trace.meta == "point" and trace.legendgroup == plain(encoder) for trace in figure.data
    )
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        marker={"color": look.colour, "symbol": look.symbol, "size": 10},
        name=plain(results.label(encoder)),
        legendgroup=plain(encoder),
        showlegend=not seen,
        customdata=hover_data(pd.DataFrame([row._asdict()])),
        hovertemplate=HOVER,
        meta="point",
        **{f"error_{along}": error},
    )
    return figure.data[-1]


def finish(figure: go.Figure, results: Results, height: int) -> None:
    """Layout that reads on a phone too; a task whose groups are unknown says so in the figure."""
    figure.update_layout(
        template="plotly_white",
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0},
        margin={"t": 60, "r": 20},
        height=height,
    )
    if results.facts["group"] is None:
        figure.add_annotation(
            text="<b>group unknown: scores may be optimistic</b>",
            xref="paper",
            yref="paper",
            x=0,
            y=1.0,
            yanchor="bottom",
            showarrow=False,
            font={"color": style.VERMILION},
        )
