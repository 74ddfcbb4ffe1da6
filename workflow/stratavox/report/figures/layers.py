"""Layer curve of one task: the score of the linear probe over depth, per encoder.

The x axis counts blocks, so that a curve can be read block by block; curves of encoders of
different depth end at their own last block.
"""

from __future__ import annotations

from dataclasses import replace

from stratavox import words
from stratavox.inference.answers.width_matched import CONTROL as MATCHED
from stratavox.report import curves, style
from stratavox.report.figure import Axis, Figure, Panel, Points
from stratavox.report.results import Results

FACTS = {
    "order": 10,
    "topic": "curves",
    "title": "Layer by layer",
    "caption": "Layer by layer: {task} of {dataset}. {metric} of the linear probe on each "
    "readout, one curve per encoder, with pointwise intervals and a band that holds for the whole "
    "curve. The highest point of a curve is chosen after seeing the test scores, so it is too "
    "high; the figure of comparisons has the block chosen in the training folds.",
    "scopes": ("target", "nuisance"),
}
X_TITLE = "block of the readout (zero-based; a curve ends at its encoder's last block)"


def alt(results: Results) -> str:
    """Where each curve starts and ends."""
    parts = [f"Layer curve of {results.heading}: {results.metric} over depth"]
    for encoder in results.layered:
        rows = results.curve(encoder)
        ends = [
            f"{words.number(row.value)} at {words.readout(row.readout)}"
            for row in [*rows.head(1).itertuples(), *rows.tail(1).itertuples()]
        ]
        parts += [f"{results.label(encoder)} from {' to '.join(ends)}"] if ends else []
    return "; ".join(parts) + ". All values are in the tables below."


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    banded = results.estimates["band_low"].notna().any()
    return [
        *results.about,
        results.interval_line("Whiskers"),
        *(["Bands: 95 %, for all points of a curve at once."] if banded else []),
        *results.draws_line("Thick pale bars"),
        *results.random_line("Dashed lines"),
        *(
            [
                "Thin broken lines without marks: readouts inside the blocks, before the residual "
                "sum, at the place of their block."
            ]
            if _sites(results)
            else []
        ),
        *(
            [f"Marks between curves and baselines: readouts after the last block, {after}."]
            if (after := ", ".join(map(words.readout, _after(results))))
            else []
        ),
        *(
            [
                "Hollow marks: readouts cut to principal components of the training clips, as many "
                "as the narrowest readout of the curve has columns."
            ]
            if _matched(results)
            else []
        ),
        results.control_line() + " Dotted: the mean; grey band: the widest range of all encoders.",
    ]


def _sites(results: Results) -> list[str]:
    """The sites inside blocks that some encoder has readouts of."""
    present = {site for encoder in results.layered for site in results.branches(encoder)}
    return [site for site in words.SITES if site in present]


def _after(results: Results) -> list[str]:
    """The readouts that follow the last block of some encoder, in their order."""
    rows = (results.after(encoder)["readout"] for encoder in results.layered)
    return list(dict.fromkeys(name for names in rows for name in names))


def _matched(results: Results) -> list[str]:
    """The encoders with a width-matched curve."""
    return [name for name in results.layered if not results.curve(name, MATCHED).empty]


def figure(results: Results) -> Figure:
    """One panel with all encoders."""
    looks = results.looks
    layered = [results.encoders[name] for name in results.layered]
    after = _after(results)
    beside = [*after, *results.baselines]
    places = curves.baseline_places(layered, beside)
    axis = curves.depth_axis(layered, beside, 24, X_TITLE)
    ticks = {places[name]: words.tick(name) for name in after}
    axis = replace(axis, ticks=axis.ticks | ticks)
    series = [
        curves.control_band(results),
        curves.chance(results, dash="dot"),
    ]
    for place, encoder in enumerate(results.layered):
        # encoders side by side, so that whiskers do not hide each other
        shift = 0.08 * (place - (len(layered) - 1) / 2)
        series += _curves(results, encoder, looks[encoder], shift)
        series += _later(results, encoder, looks[encoder], places, shift)
    for encoder in results.baselines:
        series += _baseline(results, encoder, looks[encoder], axis.limits[0], places[encoder])
    if results.regime != "random":
        series.append(_entry("random split", "dash"))
    series += [_entry(words.SITES[site], style.SITE_DASHES[site]) for site in _sites(results)]
    if _matched(results):
        series.append(_entry(words.CONTROLS[MATCHED], "longdash", marker="o", hollow=True))
    panel = Panel(series, (6.9, 3.1), axis, Axis(results.metric))
    return Figure([panel], notes(results))


def _entry(label: str, dash: str, **look) -> Points:
    return Points([], [], style.GREY, dash=dash, width=1, legend=label, **look)


def _curves(results: Results, encoder: str, look: style.Look, shift: float) -> list:
    rows, points = results.curve(encoder), curves.points
    own = {"colour": look.colour, "group": encoder}
    series = [curves.band(rows, ("band_low", "band_high"), name=f"band {encoder}", **own)]
    if rows["draws_low"].notna().any():
        own_draws = own | {"ends": ("draws_low", "draws_high"), "hovers": (), "shift": shift}
        series.append(points(rows, name=f"draws {encoder}", bar=2.4, opacity=0.5, **own_draws))
    for site, inside in results.branches(encoder).items():
        thin = own | {"dash": style.SITE_DASHES[site], "width": 0.7, "opacity": 0.7}
        series.append(points(inside, name=f"{site} {encoder}", ends=(), **thin))
    control = results.curve(encoder, control="permutation")
    dotted = own | {"dash": "dot", "width": 0.5, "opacity": 0.8, "marker": look.marker}
    series.append(points(control, name=f"permutation {encoder}", ends=(), size=1.5, **dotted))
    matched = results.curve(encoder, control=MATCHED)
    if not matched.empty:
        hollow = own | {"dash": "longdash", "width": 1, "marker": look.marker, "hollow": True}
        series.append(points(matched, name=f"{MATCHED} {encoder}", ends=(), **hollow))
    if results.regime != "random":
        split = results.curve(encoder, regime="random")
        dashed = own | {"dash": "dash", "width": 1, "opacity": 0.45}
        series.append(points(split, name=f"random {encoder}", ends=(), **dashed))
    curve = own | {"dash": "solid", "marker": look.marker, "legend": results.label(encoder)}
    return [*series, points(rows, name=f"curve {encoder}", shift=shift, **curve)]


def _later(
    results: Results, encoder: str, look: style.Look, places: dict[str, float], shift: float
) -> list:
    """A mark for each readout after the last block; they have no depth in common with others."""
    rows = results.after(encoder)
    rows = rows.assign(depth=rows["readout"].map(places))
    own = {"colour": look.colour, "group": encoder, "marker": look.marker, "shift": shift}
    return [curves.points(rows, name=f"after {encoder}", **own)] if len(rows) else []


def _baseline(results: Results, encoder: str, look: style.Look, start: float, x: float) -> list:
    rows, own = results.own(encoder), {"colour": look.colour, "group": encoder}
    lines = [
        Points([start, x], [value] * 2, dash="dashdot", width=1, opacity=0.7, **own)
        for value in rows["value"]
    ]
    mark = own | {"marker": look.marker, "size": 5, "bar": 1.2, "legend": results.label(encoder)}
    return [*lines, curves.points(rows, x, name=f"baseline {encoder}", **mark)]
