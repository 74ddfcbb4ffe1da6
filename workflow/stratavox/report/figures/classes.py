"""The classes of a multilabel task: the average precision of each, by encoder.

A row for each class, those that the first encoder ranks best at the top. A tick marks what
guessing scores, which grows with how many clips have the class.
"""

from __future__ import annotations

from stratavox import words
from stratavox.report import style
from stratavox.report.figure import Axis, Figure, Panel, Points
from stratavox.report.results import Results

FACTS = {
    "order": 25,
    "topic": "comparison",
    "title": "Each class",
    "caption": "Each class: {task} of {dataset}. Average precision of held-out clips for each "
    "class, with what guessing scores.",
    "scopes": ("multilabel",),
}
ROW_IN, MOST = 0.3, 60


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    table = results.others["classes"]
    kinds = "; ".join(words.INTERVALS[kind] for kind in table["interval"].drop_duplicates())
    left = table["class"].nunique() - MOST
    return [
        *results.about,
        f"Whiskers: {kinds}. They are not adjusted for the number of classes.",
        "Guessing: the average precision of a random order; about the share of clips with the "
        "class, in brackets with its number of clips.",
        *([f"The {words.count(left, 'class')} with fewest clips: in the table."] * (left > 0)),
    ]


def figure(results: Results) -> Figure:
    """One panel: a list of classes, with a mark for each encoder."""
    table, looks = results.others["classes"], results.looks
    first = table[table["encoder"] == results.listed[0]]
    shown = first.nlargest(MOST, "n_clips").sort_values("value", ascending=False)
    rows = {name: y for y, name in enumerate(shown["class"])}
    guessed = [
        {"x": [one, one], "y": [y - 0.4, y + 0.4]}
        for one, y in zip(shown["chance"], rows.values(), strict=True)
    ]
    look = {"colour": style.INK, "dash": "dot", "width": 1.4, "group": "guessing"}
    series = [
        Points(**place, **look, name=f"guessing {name}", legend="guessing")
        for name, place in zip(rows, guessed, strict=True)
    ]
    for number, encoder in enumerate(results.listed):
        own = table[(table["encoder"] == encoder) & table["class"].isin(rows)]
        beside = (number - (len(results.listed) - 1) / 2) * 0.6 / len(results.listed)
        hover = [
            f"{results.label(encoder)}\n{row['class']}: {words.number(row['value'], 2)} "
            f"({words.bounds(row['low'], row['high'], 2)})\nguessing "
            f"{words.number(row['chance'], 2)}; AUROC {words.number(row['auroc'], 2)}\n"
            f"n = {words.count(row['n_clips'], 'clip')}"
            for row in own.to_dict("records")
        ]
        mark = {"colour": looks[encoder].colour, "marker": looks[encoder].marker, "size": 5}
        about = {"name": encoder, "legend": results.label(encoder), "group": encoder}
        y = [rows[name] + beside for name in own["class"]]
        bars = {"low": own["low"], "high": own["high"], "across": True, "bar": 1.2}
        series.append(Points(own["value"], y, hover=hover, **mark, **about, **bars))
    ticks = {
        y: f"{name} ({words.number(share, 2)}, {words.count(clips, 'clip')})"
        for (name, y), share, clips in zip(
            rows.items(), shown["prevalence"], shown["n_clips"], strict=True
        )
    }
    axis = Axis(ticks=ticks, limits=(len(rows) - 0.4, -0.6))
    size = (3.4, ROW_IN * (len(rows) + 0.6))
    return Figure(
        [Panel(series, size, Axis("average precision", limits=(0, 1.02)), axis)], notes(results)
    )
