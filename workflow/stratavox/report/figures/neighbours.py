"""Neighbours and clusters of one task in the unscaled space of each readout, over depth.

No probe is trained: clips are compared by their cosine, and clustered by k-means.
"""

from __future__ import annotations

import pandas as pd

from stratavox import words
from stratavox.report import curves, style
from stratavox.report.figure import Figure, Panel, Points, Rule
from stratavox.report.results import Results

FACTS = {
    "order": 60,
    "topic": "geometry",
    "title": "Neighbours and clusters",
    "caption": "Neighbours, {task} of {dataset}: retrieval, clustering and nearest neighbours in "
    "the unscaled space of each readout, without neighbours of the same recording where recordings "
    "are known.",
    "scopes": ("target",),
    "needs": ("neighbours",),
}
# (title, measures with their dashes, chance: a number, or None for that of the task)
PANELS = (
    ("retrieval, ROC-AUC", {"retrieval_roc_auc": "dash", "retrieval_roc_auc_apart": "solid"}, 0.5),
    ("clusters, AMI", {"clustering_ami": "solid"}, 0.0),
    ("clusters, NMI (dashed), ARI", {"clustering_nmi": "dash", "clustering_ari": "solid"}, 0.0),
    ("silhouette of the classes", {"silhouette": "solid"}, 0.0),
    ("5 nearest, balanced accuracy", {"knn_balanced_accuracy": "solid"}, None),
)
PANEL_IN = (1.85, 1.9)


def notes(results: Results, neighbours: dict[str, pd.DataFrame]) -> list[str]:
    """Notes for reading the figure."""
    table = pd.concat(neighbours.values())

    def excluded(measure: str) -> str:
        kinds = sorted(set(table.loc[table["measure"] == measure, "excluded"]))
        return " or ".join(
            "with no clip left out" if kind == "none" else f"without clips of the same {kind}"
            for kind in kinds
        )

    clips = words.count(int(table["n_clips"].max()), "clip")
    classes = words.count(len(results.facts["classes"]), "class")
    unknown = [results.group_line()] if results.facts["group"] is None else []
    return [
        *unknown,
        f"{clips}, {classes}; cosine of unscaled readouts. These measures are descriptive and have "
        "no intervals; the probes are the test.",
        "Retrieval: each clip is a query, and clips of its class should be ranked first (chance "
        "0.5). Dashed: with all other clips, as in avex; solid: "
        f"{excluded('retrieval_roc_auc_apart')}.",
        "5 nearest: the vote of the 5 clips of highest cosine in the other folds, "
        f"{excluded('knn_balanced_accuracy')}; chance {words.number(results.facts['chance'], 2)}.",
        "Clusters: k-means with as many clusters as classes. AMI and ARI are 0 (dotted) where "
        "clusters and classes are unrelated; NMI is above 0 then, and grows with their number.",
        *results.draws_line("Random weights"),
    ]


def figure(results: Results, neighbours: dict[str, pd.DataFrame]) -> Figure:
    """A panel per measure, or per two measures of one kind."""
    looks = results.looks
    layered = [results.encoders[name] for name in results.layered]
    places = curves.baseline_places(layered, results.baselines)
    axis = curves.depth_axis(layered, results.baselines, 7)
    panels = []
    for title, measures, chance in PANELS:
        level = results.facts["chance"] if chance is None else chance
        series = [Rule(level, style.INK, dash="dot", legend="chance")]
        for encoder, look in looks.items():
            for measure, dash in measures.items():
                rows = results.beside(neighbours, encoder, "value", measure)
                about = (f"{measure} {encoder}", results.label(encoder))
                series.append(_points(rows, places.get(encoder), *about, look, dash))
        panels.append(Panel(series, PANEL_IN, axis, title=title))
    about = {"columns": curves.COLUMNS, "x_title": curves.X_TITLE}
    return Figure(panels, notes(results, neighbours), **about)


def _points(rows: pd.DataFrame, x: float | None, name: str, label: str, look, dash: str) -> Points:
    hovers = [
        f"{label}\n{words.readout(row.readout)}\n{name.split()[0]}: {words.number(row.value)}"
        for row in rows.itertuples()
    ]
    line = {"colour": look.colour, "marker": look.marker, "size": 3, "width": 1.2, "dash": dash}
    line |= {"hollow": True} if dash == "dash" else {"legend": label}
    return curves.points(rows, x, hovers=hovers, name=name, group=label, bar=0.7, **line)
