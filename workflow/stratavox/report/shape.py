"""Shape of one dataset's embeddings over depth: effective rank, participation ratio, mean cosine.

Three panels under one x axis that counts blocks; baselines, which have no depth, stand at its
right. The curves of an encoder's random draws are one curve, their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import pandas as pd
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from plotly.subplots import make_subplots

from stratavox.report import style
from stratavox.report.saving import RC
from stratavox.report.screen import plain
from stratavox.report.static import DROP_IN, fill_between, legend_and_notes

TITLE = "shape of the embeddings"
X_TITLE = "block read out (zero-based; a curve ends at its encoder's last block)"
# measure -> (title of its axis, whether the axis is logarithmic)
PANELS = {
    "effective_rank": ("effective rank\n(directions)", True),
    "participation_ratio": ("participation ratio\n(directions)", True),
    "mean_cosine": ("mean cosine\nbetween clips", False),
}
NULL = "each dimension permuted on its own"
HOVER = "%{customdata}<extra></extra>"


@dataclass(frozen=True)
class Shape:
    """The shape tables of one dataset.

    ``dataset`` is the dataset's label; ``encoders`` maps every encoder's name, in the run's order,
    to its ``encoder.json`` and ``tables`` to its shape table; ``draws`` maps the name that random
    draws share to their names.
    """

    dataset: str
    encoders: dict[str, dict]
    draws: dict[str, list[str]]
    tables: dict[str, pd.DataFrame]

    @property
    def units(self) -> dict[str, list[str]]:
        """What is drawn, in the run's order -> the encoders it stands for."""
        return members(self.encoders, self.draws)

    def rows(self, unit: str, measure: str) -> pd.DataFrame:
        """Readout, value (mean over draws), low, high, null and x; x is null without a depth."""
        names = self.units[unit]
        tables = pd.concat([self.tables[name] for name in names])
        tables = tables[tables["measure"] == measure]
        how = {"value": "mean", "low": "min", "high": "max", "null": "mean"}
        found = tables.groupby("readout", sort=False).agg(how).reset_index()
        own = depths(self.encoders[names[0]])
        found["x"] = [own.get(readout) for readout in found["readout"]]
        return found.sort_values("x", kind="stable")


def members(encoders: dict[str, dict], draws: dict[str, list[str]]) -> dict[str, list[str]]:
    """What figures of a dataset call an encoder -> its names: random draws share one."""
    shared = {name: unit for unit, names in draws.items() for name in names}
    found: dict[str, list[str]] = {}
    for name in encoders:
        found.setdefault(shared.get(name, name), []).append(name)
    return found


def label(encoders: dict[str, dict], unit: str, names: list[str]) -> str:
    """The unit's name with "random weights", its draws or "baseline" where it applies."""
    return style.encoder_label(unit, encoders[names[0]]["weights"], len(names))


def depths(encoder: dict) -> dict[str, float]:
    """Readout -> depth, as in the estimates: 0 for the input, 1 for the first block's output."""
    blocks = encoder["blocks"]
    found = {readout: 1.0 + place for place, readout in enumerate(blocks)}
    return {"input": 0.0, **found} if blocks and "input" in encoder["readouts"] else found


def notes(data: Shape) -> list[str]:
    """What must be known to read the figure; printed on it."""
    table = pd.concat(data.tables.values())
    drawn, clips = int(table["n_drawn"].max()), int(table["n_clips"].max())
    said = [
        f"{data.dataset}: {style.count(drawn, 'clip')} of {clips:,} at a time; ranks grow with "
        "the number of clips. No labels are used.",
        f"Thin dotted lines and hollow marks: {NULL}, which leaves no correlation; a rank below "
        "it is due to correlated dimensions. The mean cosine has no such null; it is 0 where "
        "directions are even, 1 where all clips point one way.",
    ]
    if (table["low"] < table["high"]).any():
        said.append("Bands and whiskers: range over draws of clips.")
    for unit, names in data.units.items():
        if len(names) > 1:
            said.append(
                f"{unit}: mean over {len(names)} random draws of its weights; its bands hold the "
                "range over these draws as well."
            )
    undefined = table[table["value"].isna()]["readout"].nunique()
    if undefined:
        said.append(
            "Gaps: not defined, because the embeddings are the same for all clips of a draw."
        )
    return said


def ticks(data: Shape) -> dict[float, str]:
    """Depth -> what stands under it: "input", or a block's number."""
    named: dict[float, str] = {}
    for encoder in data.encoders.values():
        for readout, depth in depths(encoder).items():
            named.setdefault(depth, style.readout_label(readout).removeprefix("block "))
    return dict(sorted(named.items()))


def baseline_places(data: Shape) -> dict[str, float]:
    """Unit without blocks -> its place on the x axis, right of the last block."""
    end = max(ticks(data), default=0.0)
    found = [unit for unit, names in data.units.items() if not data.encoders[names[0]]["blocks"]]
    return {unit: end + 0.6 * place for place, unit in enumerate(found, start=1)}


def static(data: Shape) -> Figure:
    """The figure for paper."""
    units, places, named = data.units, baseline_places(data), ticks(data)
    looks = style.encoder_looks(list(units))
    with matplotlib.rc_context(RC):
        figure, panels = plt.subplots(3, 1, figsize=(7.2, 6.4), sharex=True)
        for axes, (measure, (title, log)) in zip(panels, PANELS.items(), strict=True):
            if log:
                axes.set_yscale("log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
                axes.yaxis.set_major_formatter("{x:g}")
                axes.yaxis.set_minor_formatter(NullFormatter())
            for unit in units:
                rows = data.rows(unit, measure)
                if unit in places:
                    _draw_marks(axes, rows, unit, measure, looks[unit], places[unit])
                else:
                    _draw_curve(axes, rows, unit, measure, looks[unit])
            axes.set_ylabel(title)
            axes.grid(axis="y", color=style.PALE, lw=0.5)
        panels[0].set_title(data.dataset)
        panels[2].set_xticks(list(named), list(named.values()))
        panels[2].set_xlabel(X_TITLE)
        panels[2].set_xlim(
            min(named, default=0.0) - 0.4, max([*named, *places.values()], default=0.0) + 0.4
        )
        handles = [_handle(looks[unit], unit in places) for unit in units]
        names = [label(data.encoders, unit, whole) for unit, whole in units.items()]
        null = plt.Line2D([], [], color=style.GREY, ls=":", lw=0.8, marker="o", mfc="none", ms=4)
        box = panels[2].get_position()
        top = box.y0 - DROP_IN / figure.get_figheight()
        handles, names = [*handles, null], [*names, NULL]
        legend_and_notes(figure, handles, names, notes(data), box.x0, top, box.width)
    return figure


def _handle(look: style.Look, baseline: bool) -> plt.Line2D:
    return plt.Line2D(
        [], [], color=look.colour, marker=look.marker, ms=4, lw=0 if baseline else 1.5
    )


def _draw_curve(axes, rows: pd.DataFrame, unit: str, measure: str, look: style.Look) -> None:
    rows = rows[rows["x"].notna()]
    spread = rows[rows["low"] < rows["high"]]
    if not spread.empty:
        fill_between(axes, rows["x"], rows["low"], rows["high"], look.colour, None)
    (curve,) = axes.plot(rows["x"], rows["value"], color=look.colour, marker=look.marker, ms=4)
    curve.set(gid=f"{measure} {unit}", linewidth=1.5, zorder=3)
    if rows["null"].notna().any():
        (null,) = axes.plot(rows["x"], rows["null"], color=look.colour, ls=":", lw=0.9)
        null.set(gid=f"null {measure} {unit}", zorder=2)


def _draw_marks(axes, rows: pd.DataFrame, unit: str, measure: str, look: style.Look, x) -> None:
    row = rows.iloc[0]
    if row["low"] < row["high"]:
        axes.vlines(x, row["low"], row["high"], color=look.colour, lw=1.2)
    (mark,) = axes.plot([x], [row["value"]], look.marker, color=look.colour, ms=5)
    mark.set_gid(f"{measure} {unit}")
    if not style.missing(row["null"]):
        (null,) = axes.plot([x], [row["null"]], look.marker, mfc="none", mec=look.colour, ms=5)
        null.set_gid(f"null {measure} {unit}")


def interactive(data: Shape) -> go.Figure:
    """The figure for the screen: values under the pointer, encoders switched in the legend."""
    units, places, named = data.units, baseline_places(data), ticks(data)
    looks = style.encoder_looks(list(units))
    figure = make_subplots(3, 1, shared_xaxes=True, vertical_spacing=0.04)
    for number, (measure, (title, log)) in enumerate(PANELS.items(), start=1):
        for unit in units:
            rows = data.rows(unit, measure)
            if unit in places:
                rows = rows.head(1).assign(x=places[unit])
            _add(figure, data, rows[rows["x"].notna()], unit, measure, looks[unit], number)
        title = title.replace("\n", "<br>")
        figure.update_yaxes(title=title, type="log" if log else "linear", row=number, col=1)
        if log:
            figure.update_yaxes(dtick="D2", row=number, col=1)
    figure.update_layout(
        template="plotly_white",
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0},
        margin={"t": 30, "r": 20},
        height=900,
    )
    figure.update_xaxes(tickvals=list(named), ticktext=list(named.values()))
    figure.update_xaxes(title=X_TITLE, row=3, col=1)
    return figure


def _add(figure, data: Shape, rows: pd.DataFrame, unit: str, measure: str, look, number) -> None:
    name = plain(label(data.encoders, unit, data.units[unit]))
    alone = {"symmetric": False, "thickness": 1, "width": 0}
    alone |= {"array": rows["high"] - rows["value"], "arrayminus": rows["value"] - rows["low"]}
    told = [
        f"{name}<br>{plain(style.readout_label(row.readout))}: {row.value:.3g}, range "
        f"{row.low:.3g} to {row.high:.3g}<br>{NULL}: {row.null:.3g}"
        for row in rows.itertuples()
    ]
    shared = {"x": rows["x"], "customdata": told, "hovertemplate": HOVER}
    shared |= {"legendgroup": plain(unit), "name": name}
    figure.add_scatter(
        **shared,
        y=rows["value"],
        error_y=alone,
        mode="lines+markers",
        line={"color": look.colour},
        marker={"symbol": look.symbol, "size": 8},
        showlegend=number == 1,
        meta=measure,
        row=number,
        col=1,
    )
    if rows["null"].notna().any():
        figure.add_scatter(
            **shared,
            y=rows["null"],
            mode="lines+markers" if len(rows) == 1 else "lines",
            line={"color": look.colour, "width": 1, "dash": "dot"},
            marker={"symbol": f"{look.symbol}-open", "size": 8},
            showlegend=False,
            meta=f"null {measure}",
            row=number,
            col=1,
        )
