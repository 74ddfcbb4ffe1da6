"""The notebook's protocol and the sound one on the same embeddings: a panel per encoder.

The notebook is Earth Species's BEATs layer notebook. Only the methods differ. Notebook: unscaled,
C = 1, one random split, accuracy. Sound: standardised, C chosen in training, groups held out,
balanced accuracy.
"""

from __future__ import annotations

import pandas as pd

from stratavox import words
from stratavox.report import curves, style
from stratavox.report.figure import Figure, Points
from stratavox.report.results import Results

FACTS = {
    "order": 70,
    "topic": "leakage",
    "title": "The notebook's protocol and the sound one",
    "caption": "Protocol of {task} on {dataset}: accuracy by the protocol of Earth Species's BEATs "
    "layer notebook (unscaled, C = 1, one random split), and balanced accuracy with groups held "
    "out and the penalty chosen in the training folds. The readouts are the same.",
    "scopes": ("target",),
    "needs": ("notebook",),
}
SOUND = {"colour": style.BLUE, "group": "sound protocol"}
NOTEBOOK = {"colour": style.VERMILION, "group": "notebook's protocol"}
HOLLOW = {"dash": "dash", "marker": "o", "hollow": True, "size": 3.5, "width": 1}


def notes(results: Results, notebook: dict[str, pd.DataFrame]) -> list[str]:
    """Notes for reading the figure."""
    table = pd.concat(notebook.values())
    stopped = int(table["max_iter_reached"].sum())
    tests = " or ".join(f"{number:,}" for number in sorted(set(table["n_test"])))
    return [
        *results.about,
        f"Notebook's protocol: logistic regression without scaling, C = 1, one random split of 80 "
        f"to 20 % (seed 42), accuracy on {tests} clips, no interval. {stopped} of {len(table)} "
        "fits stopped before they converged.",
        results.interval_line("Sound protocol, balanced accuracy; bands and whiskers"),
        *results.draws_line("Random weights"),
    ]


def figure(results: Results, notebook: dict[str, pd.DataFrame]) -> Figure:
    """A panel per encoder with blocks, the baselines in each."""
    looks = results.looks

    def series(results, encoder, places, step) -> list:
        drawn, inside = [], f"in {encoder}"
        if encoder is not None:
            rows = results.curve(encoder)
            drawn.append(curves.band(rows, name=f"band {encoder}", **SOUND))
            line = {"name": f"sound {encoder}", "dash": "solid", "ends": ()}
            drawn.append(curves.points(rows, **line, **SOUND))
            rows = results.beside(notebook, encoder, "accuracy").dropna(subset="depth")
            drawn.append(_notebook(rows, encoder, name=f"notebook {encoder}", **HOLLOW))
        for baseline, x in places.items():
            mark, rows = {"marker": looks[baseline].marker}, results.own(baseline)
            name = f"sound {baseline} {inside}"
            drawn.append(curves.points(rows, x, name=name, size=3.5, **mark, **SOUND))
            rows = results.beside(notebook, baseline, "accuracy")
            mark |= {"name": f"notebook {baseline} {inside}", "hollow": True, "size": 4.5}
            drawn.append(_notebook(rows, baseline, x=x, **mark))
        return drawn

    entries = [
        Points([], [], dash="solid", legend=SOUND["group"], **SOUND),
        Points([], [], legend=NOTEBOOK["group"], **HOLLOW, **NOTEBOOK),
    ]
    about = ("(balanced) accuracy", series, entries, notes(results, notebook))
    return curves.small_multiples(results, *about)


def _notebook(rows: pd.DataFrame, encoder: str, **look) -> Points:
    hovers = [
        f"{encoder}\n{words.readout(row.readout)}: {words.number(row.value)}\nnotebook's protocol"
        for row in rows.itertuples()
    ]
    return curves.points(rows, hovers=hovers, bar=0.7, **look, **NOTEBOOK)
