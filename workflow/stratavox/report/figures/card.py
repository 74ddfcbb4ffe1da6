"""The answer of one task at a glance: its curves, and the mean curve of the acoustic targets.

It is small enough for the first screen of the page. Above: the score of each encoder over
depth, with baselines, chance and the readout to use. Below: the mean share of variance of the
acoustic targets, so that the verdict on both can be seen.
"""

from __future__ import annotations

from stratavox import words
from stratavox.report import curves, style
from stratavox.report.figure import Axis, Figure, Panel, Points, Rule
from stratavox.report.figures.trends import acoustic_means
from stratavox.report.results import Results

FACTS = {
    "order": 1,
    "topic": "answer",
    "title": "At a glance",
    "caption": "{task} of {dataset} at a glance. Above: score of the linear probe over "
    "depth, with a band that holds for the whole curve; baselines at the right; the star is the "
    "readout to use. Below: mean share of variance of the acoustic targets that the same readouts "
    "explain.",
    "scopes": ("target",),
}
X_TITLE = "block (zero-based); right: baselines"
ABOVE_IN, BELOW_IN, WIDE_IN = 1.7, 0.75, 3.4
USE = "readout to use"


def alt(results: Results) -> str:
    """Where the curve of each trained encoder starts, is highest and ends."""
    parts = [f"{results.heading}: {results.metric} over depth"]
    for encoder in results.layered:
        values = results.curve(encoder)["value"]
        if len(values):
            first, most, last = values.iloc[0], values.max(), values.iloc[-1]
            ends = f"first {first:.2f}, highest {most:.2f}, last {last:.2f}"
            parts.append(f"{results.label(encoder)} {ends}")
    return "; ".join(parts) + f". Chance {results.facts['chance']:.2f}."


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    banded = results.estimates["band_low"].notna().any()
    return [
        *results.about,
        results.interval_line("Whiskers"),
        *(["Bands: 95 %, for all points of a curve at once."] if banded else []),
        *results.draws_line("Thin curves"),
    ]


def figure(results: Results) -> Figure:
    """Two panels over one axis; without encoders that have blocks, the baselines alone."""
    looks = results.looks
    layered = [results.encoders[name] for name in results.layered]
    places = curves.baseline_places(layered, results.baselines)
    axis = curves.depth_axis(layered, results.baselines, 8)
    above = [curves.control_band(results), curves.chance(results, dash="dot")]
    for encoder in results.layered:
        above += _curve(results, encoder, looks[encoder])
    for encoder, x in places.items():
        own = {"colour": looks[encoder].colour, "group": encoder}
        mark = {"marker": looks[encoder].marker, "size": 5, "bar": 1.2}
        mark |= {"legend": results.label(encoder), "name": f"baseline {encoder}"}
        above.append(curves.points(results.own(encoder), x, **own, **mark))
    above += _recommended(results, places)
    panels = [Panel(above, (WIDE_IN, ABOVE_IN), axis, Axis(results.metric))]
    below = [line for name in results.layered for line in _acoustics(results, name, looks[name])]
    if below:
        panels.append(
            Panel(
                [Rule(0, style.PALE), *below],
                (WIDE_IN, BELOW_IN),
                axis,
                Axis("acoustic\ntargets"),
            )
        )
    return Figure(panels, notes(results), shared="x", x_title=X_TITLE)


def _curve(results: Results, encoder: str, look: style.Look) -> list:
    """The curve of an encoder; untrained ones are thin and pale, as they are a control."""
    rows, own = results.curve(encoder), {"colour": look.colour, "group": encoder}
    drawn = own | {"name": f"curve {encoder}", "legend": results.label(encoder), "dash": "solid"}
    if results.encoders[encoder]["weights"] in words.UNTRAINED:
        return [curves.points(rows, ends=(), width=1, opacity=0.7, **drawn)]
    band = curves.band(rows, ("band_low", "band_high"), name=f"band {encoder}", **own)
    return [band, curves.points(rows, marker=look.marker, **drawn)]


def _recommended(results: Results, places: dict[str, float]) -> list[Points]:
    """A star on the readout to use; nothing where none is recommended."""
    rows = results.recommendation
    marks = []
    for row in rows[rows["recommended"]].itertuples():
        at = results.one(row.encoder, row.readout)
        depth = places.get(row.encoder, at["depth"])
        hover = [f"{USE}: {row.encoder}, {words.readout(row.readout)}"]
        look = {"marker": "*", "size": 7, "legend": USE, "name": "recommended", "hover": hover}
        marks.append(Points([depth], [at["value"]], style.INK, **look))
    return marks


def _acoustics(results: Results, encoder: str, look: style.Look) -> list[Points]:
    """The mean curve of the acoustic targets that the verdict is about."""
    means, targets = acoustic_means(results, encoder)
    if means.empty:
        return []
    hover = [
        f"{encoder}\nmean of {targets} acoustic targets: {value:.2f} of variance explained"
        for value in means
    ]
    random = results.encoders[encoder]["weights"] in words.UNTRAINED
    line = {"width": 1, "opacity": 0.7} if random else {"marker": look.marker, "size": 3}
    line |= {"dash": "dash", "group": encoder, "name": f"acoustics {encoder}", "hover": hover}
    return [Points(means.index, means, look.colour, **line)]
