"""A regression's held-out clips: the number that was predicted against the true one."""

from __future__ import annotations

import pandas as pd

from stratavox import words
from stratavox.report import curves, style
from stratavox.report.figure import Axis, Figure, Panel, Points
from stratavox.report.results import Results

FACTS = {
    "order": 25,
    "topic": "comparison",
    "title": "Predicted and true numbers",
    "caption": "Predicted and true numbers: {task} of {dataset}. Each point is a held-out clip; on "
    "the line, prediction and truth agree.",
    "scopes": ("regression",),
}
IN = 2.6


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    drawn = results.facts["draws"].keys() & results.encoders.keys()
    of_many = ["Random weights: mean prediction of the draws."] if drawn else []
    return [
        *results.about,
        "Predicted by the probe of the block chosen in training, or of the only readout; the mean "
        "over repeats. Titles: variance explained (R²) with its interval, and Spearman's rho (ρ).",
        *of_many,
    ]


def figure(results: Results) -> Figure:
    """A panel for each encoder, all with the same axes."""
    table, target = results.others["predicted"], results.facts["target"]
    values = [*table["value"], *table["predicted_value"]]
    ends = min(values), max(values)
    margin = 0.03 * (ends[1] - ends[0])
    limits = ends[0] - margin, ends[1] + margin
    looks = results.looks
    panels = []
    for encoder in results.listed:
        own = table[table["encoder"] == encoder]
        series = [Points(ends, ends, style.INK, dash="dot", width=1, legend="prediction = truth")]
        series.append(_clips(own, encoder, looks[encoder]))
        score = results.one(encoder, own["readout"].iloc[0])
        bounds = words.bounds(score["low"], score["high"], 2)
        numbers = f"R² {words.number(score['value'], 2)} ({bounds}), "
        numbers += f"ρ {words.number(own['rho'].iloc[0], 2)}"
        title = f"{results.label(encoder)}\n{numbers}"
        axes = Axis(f"true {target}", limits=limits), Axis(f"predicted {target}", limits=limits)
        panels.append(Panel(series, (IN, IN), *axes, title))
    return Figure(panels, notes(results), columns=curves.COLUMNS)


def _clips(own: pd.DataFrame, encoder: str, look: style.Look) -> Points:
    hover = [
        f"{row.clip_id}\ntrue {row.value:.4g}, predicted {row.predicted_value:.4g}"
        + ("" if words.missing(row.group) else f"\ngroup {row.group}")
        for row in own.itertuples()
    ]
    size = 3.5 if len(own) <= 500 else 2.5
    mark = {"marker": look.marker, "size": size, "opacity": 0.6, "cloud": True, "hover": hover}
    about = {"name": f"clips {encoder}", "ids": own["clip_id"], "group": encoder}
    return Points(own["value"], own["predicted_value"], look.colour, **mark, **about)
