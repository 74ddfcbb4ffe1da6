"""Neighbours and clusters of one task in the native space of each readout, over depth.

Nothing is trained here but clusters: how clips lie beside their labels, by cosine.
"""

from __future__ import annotations

import matplotlib
import pandas as pd
import plotly.graph_objects as go
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from plotly.subplots import make_subplots

from stratavox.report import style
from stratavox.report.leakage import TICKS, whiskers
from stratavox.report.results import Results
from stratavox.report.saving import RC
from stratavox.report.screen import finish, plain
from stratavox.report.static import legend_and_notes

TITLE = "neighbours and clusters"
X_TITLE = "block read out (zero-based); right of the curves: baselines"
# (title, measures with their dashes, what chance is: a number, or the task's own)
PANELS = (
    ("retrieval, ROC-AUC", {"retrieval_roc_auc": "--", "retrieval_roc_auc_apart": "-"}, 0.5),
    ("clusters, AMI", {"clustering_ami": "-"}, 0.0),
    ("clusters, NMI (dashed) and ARI", {"clustering_nmi": "--", "clustering_ari": "-"}, 0.0),
    ("silhouette of the classes", {"silhouette": "-"}, 0.0),
    ("5 nearest, balanced accuracy", {"knn_balanced_accuracy": "-"}, None),
)
DASH = {"-": "solid", "--": "dash"}
COLUMNS, WIDE_IN, PANEL_IN = 3, 7.2, 1.9


def rows(results: Results, neighbours: dict, encoder: str, measure: str) -> pd.DataFrame:
    """readout, value, low, high, depth of a measure; of random draws mean and range."""
    names = results.facts["draws"].get(encoder, [encoder])
    told = pd.concat([neighbours[name] for name in names])
    told = told[told["measure"] == measure]
    found = told.groupby("readout", sort=False)["value"].agg(["mean", "min", "max"]).reset_index()
    found = found.set_axis(["readout", "value", "low", "high"], axis=1)
    depths = results.curve(encoder).set_index("readout")["depth"]
    return found.assign(depth=found["readout"].map(depths))


def notes(results: Results, neighbours: dict[str, pd.DataFrame]) -> list[str]:
    """What must be known to read the figure; printed on it."""
    told = pd.concat(neighbours.values())

    def apart(measure: str) -> str:
        kinds = sorted(set(told.loc[told["measure"] == measure, "excluded"]))
        return " or ".join(
            "with nothing kept apart" if kind == "none" else f"without clips of the same {kind}"
            for kind in kinds
        )

    clips = style.count(int(told["n_clips"].max()), "clip")
    unknown = [results.group_line()] if results.facts["group"] is None else []
    return [
        *unknown,
        f"{clips}, {style.count(results.n_classes, 'class')}; cosine, "
        "readouts as they are. No intervals: these are descriptions, the probes are the test.",
        "Retrieval: every clip a query, clips of its class to be ranked first (chance 0.5); dashed "
        f"with all other clips, as in avex; solid {apart('retrieval_roc_auc_apart')}.",
        "5 nearest: the vote of the 5 clips of highest cosine in the other folds, "
        f"{apart('knn_balanced_accuracy')}; chance {style.fraction(results.facts['chance'])}.",
        "Clusters: k-means with as many clusters as classes. AMI and ARI are 0 (dotted) where "
        "clusters and classes are unrelated; NMI is above 0 then, and grows with their number.",
        *results.draws_line("Random weights"),
    ]


def _ticks(results: Results) -> dict[float, str]:
    named = {}
    for encoder in results.layered:
        for row in results.curve(encoder).itertuples():
            named.setdefault(row.depth, style.readout_label(row.readout).removeprefix("block "))
    ordered = sorted(named.items())
    return dict(ordered[:: max(1, -(-len(ordered) // TICKS))])


def _places(results: Results) -> dict[str, float]:
    end = max((results.curve(name)["depth"].max() for name in results.layered), default=0.0)
    step = max(1.0, end / 8)
    return {name: end + step * place for place, name in enumerate(results.baselines, start=1)}


def static(results: Results, neighbours: dict[str, pd.DataFrame]) -> Figure:
    """The figure for paper."""
    looks = style.encoder_looks(list(results.encoders))
    named, stands = _ticks(results), _places(results)
    lines = -(-len(PANELS) // COLUMNS)
    with matplotlib.rc_context(RC):
        height = 0.7 + lines * (PANEL_IN + 0.65)
        figure, grid = plt.subplots(lines, COLUMNS, figsize=(WIDE_IN, height), squeeze=False)
        figure.subplots_adjust(
            left=0.06,
            right=0.99,
            top=1 - 0.6 / height,
            bottom=0.65 / height,
            wspace=0.28,
            hspace=0.42,
        )
        for axes in list(grid.flat)[len(PANELS) :]:
            axes.remove()
        for axes, (title, measures, chance) in zip(grid.flat, PANELS, strict=False):
            for encoder, look in looks.items():
                for measure, dashes in measures.items():
                    found = rows(results, neighbours, encoder, measure)
                    x = [stands[encoder]] * len(found) if encoder in stands else found["depth"]
                    axes.vlines(x, found["low"], found["high"], color=look.colour, lw=0.7)
                    axes.plot(
                        x,
                        found["value"],
                        color=look.colour,
                        ls=dashes,
                        marker=look.marker,
                        ms=3,
                        lw=1.2,
                        mfc="none" if dashes == "--" else look.colour,
                        gid=f"{measure} {encoder}",
                    )
            level = results.facts["chance"] if chance is None else chance
            axes.axhline(level, color=style.INK, lw=0.7, ls=":", zorder=1)
            axes.set_xticks(list(named), list(named.values()))
            axes.set_title(title, fontsize=8)
            axes.grid(axis="y", color=style.PALE, lw=0.5)
        left = 0.1 / WIDE_IN
        figure.suptitle(
            f"{results.heading}, {TITLE}",
            x=left,
            ha="left",
            y=1 - 0.05 / height,
            va="top",
            fontsize=9,
        )
        figure.text(0.5, 0.3 / height, X_TITLE, ha="center", va="top")
        handles = [
            Line2D(
                [],
                [],
                color=look.colour,
                marker=look.marker,
                ms=3,
                lw=1.2,
                label=results.label(name),
            )
            for name, look in looks.items()
        ]
        handles.append(Line2D([], [], color=style.INK, ls=":", lw=0.7, label="chance"))
        names = [handle.get_label() for handle in handles]
        told = notes(results, neighbours)
        legend_and_notes(figure, handles, names, told, left, -0.05 / height, 1 - left)
    return figure


def interactive(results: Results, neighbours: dict[str, pd.DataFrame]) -> go.Figure:
    """The figure for the screen."""
    looks = style.encoder_looks(list(results.encoders))
    named, stands = _ticks(results), _places(results)
    lines = -(-len(PANELS) // COLUMNS)
    figure = make_subplots(
        lines,
        COLUMNS,
        subplot_titles=[title for title, *_ in PANELS],
        horizontal_spacing=0.08,
        vertical_spacing=0.2,
    )
    for number, (_, measures, chance) in enumerate(PANELS):
        where = {"row": number // COLUMNS + 1, "col": number % COLUMNS + 1}
        for encoder, look in looks.items():
            for measure, dashes in measures.items():
                found = rows(results, neighbours, encoder, measure)
                x = [stands[encoder]] * len(found) if encoder in stands else found["depth"]
                label = plain(results.label(encoder))
                figure.add_scatter(
                    x=list(x),
                    y=found["value"],
                    error_y=whiskers(found["value"], found["low"], found["high"]),
                    mode="lines+markers",
                    name=label,
                    legendgroup=plain(encoder),
                    showlegend=number == 1,
                    line={"color": look.colour, "dash": DASH[dashes]},
                    marker={"symbol": look.symbol, "size": 7},
                    customdata=[plain(style.readout_label(name)) for name in found["readout"]],
                    hovertemplate=f"{label}<br>%{{customdata}}<br>{measure}: %{{y:.3f}}"
                    "<extra></extra>",
                    meta=f"{measure} {plain(encoder)}",
                    **where,
                )
        level = results.facts["chance"] if chance is None else chance
        figure.add_hline(y=level, line={"color": style.INK, "width": 0.8, "dash": "dot"}, **where)
        figure.update_xaxes(tickvals=list(named), ticktext=list(named.values()), **where)
    finish(figure, results, height=300 + 300 * lines)
    figure.update_layout(margin={"t": 90, "b": 120})
    if results.facts["group"] is None:
        # above the panels' titles
        figure.layout.annotations[-1].update(yshift=25)
    return figure
