"""Shape of one dataset's embeddings over depth: effective rank, participation ratio, mean cosine.

Three panels with one x axis that counts blocks; baselines have no depth and are at its right. An
encoder's random draws are drawn as one curve, their mean.
"""

from __future__ import annotations

import pandas as pd

from stratavox import words
from stratavox.report import curves, style
from stratavox.report.figure import Axis, Figure, Panel, Points
from stratavox.report.results import Overview

FACTS = {
    "order": 90,
    "topic": "geometry",
    "title": "Shape of readouts: rank and anisotropy",
    "caption": "Shape of readouts on {dataset}: effective rank and participation ratio at an equal "
    "number of clips, also with each column permuted on its own, and the mean cosine between "
    "clips.",
    "scopes": ("dataset",),
    "needs": ("shape",),
}
# measure -> (title of its axis, whether the axis is logarithmic)
PANELS = {
    "effective_rank": ("effective rank\n(directions)", True),
    "participation_ratio": ("participation ratio\n(directions)", True),
    "mean_cosine": ("mean cosine\nbetween clips", False),
}
NULL = "each dimension permuted on its own"


def table(data: Overview, tables: dict[str, pd.DataFrame], unit: str, measure: str):
    """Readout, value (mean over draws), low, high, null and depth, where there is one."""
    names = data.units[unit]
    rows = pd.concat([tables[name] for name in names])
    how = {"value": "mean", "low": "min", "high": "max", "null": "mean"}
    rows = rows[rows["measure"] == measure].groupby("readout", sort=False).agg(how).reset_index()
    depths = curves.depths(data.encoders[names[0]])
    rows["depth"] = rows["readout"].map(depths).astype(float)
    return rows.sort_values("depth", kind="stable")


def notes(data: Overview, tables: dict[str, pd.DataFrame]) -> list[str]:
    """Notes for reading the figure."""
    rows = pd.concat(tables.values())
    drawn, clips = int(rows["n_drawn"].max()), int(rows["n_clips"].max())
    lines = [
        f"{data.heading}: {words.count(drawn, 'clip')} of {clips:,} at a time; ranks grow with "
        "the number of clips. No labels are used.",
        f"Thin dotted lines and hollow marks: {NULL}, which leaves no correlation; a rank below "
        "it is due to correlated dimensions. The mean cosine has no such null; it is 0 for evenly "
        "spread directions and 1 where all clips have the same direction.",
    ]
    if (rows["low"] < rows["high"]).any():
        lines.append("Bands and whiskers: range over draws of clips.")
    lines += [
        f"{unit}: mean over {len(names)} random draws of its weights; its bands hold the range "
        "over these draws as well."
        for unit, names in data.units.items()
        if len(names) > 1
    ]
    if rows["value"].isna().any():
        lines.append(
            "Gaps: not defined, because the embeddings are the same for all clips of a draw."
        )
    return lines


def figure(data: Overview, tables: dict[str, pd.DataFrame]) -> Figure:
    """Three panels, one below the other."""
    firsts = {unit: data.encoders[names[0]] for unit, names in data.units.items()}
    layered = [one for one in firsts.values() if one["blocks"]]
    baselines = [unit for unit, one in firsts.items() if not one["blocks"]]
    places = curves.baseline_places(layered, baselines)
    axis = curves.depth_axis(layered, baselines, 24)
    panels = []
    for measure, (title, log) in PANELS.items():
        series = []
        for unit, look in data.looks.items():
            rows = table(data, tables, unit, measure)
            if unit in places:
                rows = rows.head(1).assign(depth=places[unit])
            rows = rows[rows["depth"].notna()]
            series += _unit(unit, measure, rows, look, data.label(unit), unit in places)
        panels.append(Panel(series, (6.7, 1.65), axis, Axis(title, log=log)))
    null = {"dash": "dot", "width": 0.8, "marker": "o", "hollow": True}
    panels[0].series.append(Points([], [], style.GREY, legend=NULL, **null))
    return Figure(panels, notes(data, tables), shared="x", x_title=curves.X_TITLE)


def _unit(unit: str, measure: str, rows, look: style.Look, label: str, baseline: bool) -> list:
    hover = [
        f"{label}\n{words.readout(row.readout)}: {row.value:.3g}, range {row.low:.3g} to "
        f"{row.high:.3g}\n{NULL}: {row.null:.3g}"
        for row in rows.itertuples()
    ]
    own = {"colour": look.colour, "group": unit}
    dots = own | {"marker": look.marker, "hovers": hover}
    series = []
    if not baseline and (rows["low"] < rows["high"]).any():
        series.append(curves.band(rows, name=f"band {measure} {unit}", **own))
    curve = dots | {"legend": label, "dash": "" if baseline else "solid"}
    series.append(curves.points(rows, name=f"{measure} {unit}", **curve))
    if rows["null"].notna().any():
        null = {"hollow": True} if baseline else {"dash": "dot", "width": 0.9, "marker": ""}
        rows = rows.assign(value=rows["null"])
        name = f"null {measure} {unit}"
        series.append(curves.points(rows, ends=(), name=name, **(dots | null)))
    return series
