"""Erasure: balanced accuracy over depth with each column erased from the readouts."""

from __future__ import annotations

import pandas as pd

from stratavox import words
from stratavox.inference.answers.erasure import NOTHING, SHUFFLED
from stratavox.report import curves, style
from stratavox.report.figure import Figure, Points, message
from stratavox.report.results import Results

FACTS = {
    "order": 55,
    "topic": "leakage",
    "title": "Erasure: what the score depends on",
    "caption": "Erasure: {task} of {dataset}. Balanced accuracy of the linear probe on each "
    "readout after a column, such as the individual, was erased, so that no linear probe can "
    "predict it in the training clips. Dotted: the same with the column's values shuffled within "
    "classes.",
    "scopes": ("target",),
}
EMPTY = "No column was erased."
SHUFFLED_LABEL = "values shuffled within classes, erased"


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    table = results.others["erasure"]
    not_erased = table.loc[table["encoder"].isna(), "sentence"].tolist()
    if not len(_curve(table)):
        return [*results.about, *not_erased]
    kinds = "; ".join(words.INTERVALS[kind] for kind in _curve(table)["interval"].unique())
    return [
        *results.about,
        f"Whiskers: {kinds}.",
        "Erased: the map that leaves no linear trace of the column in the training clips (LEACE) "
        "is applied to all clips, and the probe is fitted anew. Values that occur in test clips "
        "alone, such as other individuals, may differ in further directions, which stay.",
        "Dotted: the column's values are shuffled among the training clips of each class and then "
        "erased, mean over shuffles: what erasing as many directions costs anyway.",
        *not_erased,
    ]


def figure(results: Results) -> Figure:
    """A panel per encoder with blocks."""
    rows = _curve(results.others["erasure"])
    if rows.empty:
        return Figure([message(EMPTY)], notes(results))
    entries = [Points([], [], style.INK, dash="solid", marker="o", legend=NOTHING)]
    entries += [
        Points([], [], look.colour, dash="solid", marker=look.marker, legend=f"{column} erased")
        for column, look in _looks(rows).items()
    ]
    entries.append(Points([], [], style.GREY, dash="dot", width=1, legend=SHUFFLED_LABEL))
    return curves.small_multiples(results, results.metric, _series, entries, notes(results))


def _curve(table: pd.DataFrame) -> pd.DataFrame:
    """The rows along the depth, in its order."""
    return table[table["depth"].notna()].sort_values("depth", kind="stable")


def _looks(rows: pd.DataFrame) -> dict[str, style.Look]:
    return style.encoder_looks(list(rows["column"].unique()))


def _series(results: Results, encoder: str | None, places: dict[str, float], step: float) -> list:
    rows = _curve(results.others["erasure"])
    looks, own = _looks(rows), rows[rows["encoder"] == encoder]
    series = []
    for number, (column, look) in enumerate(looks.items()):
        of_column = own[own["column"] == column]
        against = {name: of_column[of_column["against"] == name] for name in (NOTHING, SHUFFLED)}
        line = {"colour": look.colour, "group": f"{column} erased"}
        control = against[SHUFFLED].assign(value=against[SHUFFLED]["against_value"])
        hovers = _hover(control, f"{column} shuffled within classes, erased")
        dotted = line | {"dash": "dot", "width": 1, "hovers": hovers}
        series.append(
            curves.points(control, ends=(), name=f"shuffled {column} {encoder}", **dotted)
        )
        # columns side by side, so that whiskers do not hide each other
        shift = 0.12 * (number - (len(looks) - 1) / 2)
        solid = line | {"dash": "solid", "marker": look.marker, "size": 3, "shift": shift}
        hovers = curves.hover(against[NOTHING], f"{column} erased")
        name = f"erased {column} {encoder}"
        series.append(curves.points(against[NOTHING], hovers=hovers, name=name, **solid))
    whole = own[own["against"] == NOTHING].drop_duplicates("readout")
    whole = whole.assign(value=whole["against_value"])
    black = {"colour": style.INK, "group": NOTHING, "dash": "solid", "marker": "o", "size": 2.5}
    hovers = _hover(whole, NOTHING)
    series.append(curves.points(whole, ends=(), hovers=hovers, name=f"nothing {encoder}", **black))
    baselines = results.looks
    for baseline, x in places.items():
        mark = {"colour": style.GREY, "marker": baselines[baseline].marker, "size": 4}
        name = f"baseline {baseline} in {encoder}"
        series.append(curves.points(results.own(baseline), x, name=name, **mark))
    return series


def _hover(rows: pd.DataFrame, what: str) -> list[str]:
    return [
        f"{row.encoder}\n{words.readout(row.readout)}: {words.number(row.value, 2)}\n{what}"
        for row in rows.itertuples()
    ]
