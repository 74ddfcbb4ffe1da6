"""The effect of the split: the score over depth in each regime, a panel per encoder.

Also the control task of Hewitt & Liang (2019, EMNLP, section 2): labels drawn at random per
recording, which a probe can only learn by recognising recordings. The random split's score minus
that of the control task is the selectivity.
"""

from __future__ import annotations

from dataclasses import dataclass

from stratavox import words
from stratavox.probe.official import REGIME
from stratavox.report import curves, style
from stratavox.report.figure import Figure, Points
from stratavox.report.results import PROBE, Results

FACTS = {
    "order": 50,
    "topic": "leakage",
    "title": "Leakage: random, by recording, by group",
    "caption": "Leakage: {task} of {dataset}. The same readouts scored with clips split at random, "
    "by recording and by group, and with labels drawn at random.",
    "scopes": ("target", "nuisance"),
}
LOOKS = {
    "grouped": (style.BLUE, "solid"),
    "within": (style.SKY, "dash"),
    "recording": (style.GREEN, "dash"),
    "random": (style.VERMILION, "dashdot"),
    "official": (style.BROWN, "longdash"),
}


@dataclass(frozen=True)
class Line:
    """One curve of every panel: what it shows, and how."""

    control: str
    regime: str
    label: str
    colour: str
    dash: str


def lines(results: Results) -> list[Line]:
    """The regimes that the task has, strictest first, and the control task where it was drawn."""
    facts = results.facts
    shown = [
        Line("none", regime, results.split(regime), *LOOKS[regime]) for regime in facts["regimes"]
    ]
    if (results.estimates["control"] == "control_task").any():
        label = words.CONTROLS["control_task"]
        shown.append(Line("control_task", "random", label, style.PURPLE, "dot"))
    return shown


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    facts = results.facts
    text = [*results.about, _intervals(results)]
    if results.transfer:
        tested = words.side(results.transfer, "test")
        text.append(f"All other scores are of probes trained on other clips of {tested}.")
    if "recording" in facts["regimes"] and results.regime != "recording":
        text.append("By recording: no recording is in both training and test data.")
    text += _official(results)
    if facts["regimes"][0] == "random":
        text.append(
            "Only the random split could be made, so the effect of animals or recordings that are "
            "in both training and test data cannot be measured here."
        )
    else:
        text.append("Random split: an animal or recording may be in both training and test data.")
    text += [f"Not scored {name}: {why}" for name, why in facts["regimes_left_out"].items()]
    selectivity = results.selectivity()
    if selectivity:
        text.append(
            "Control task: labels drawn at random per recording, every class at least once, mean "
            f"over {words.count(facts['control_tasks'], 'draw')} of labels. Selectivity, the "
            f"random split's score minus the control task's: {'; '.join(selectivity)}."
        )
    else:
        text.append(results.no_selectivity())
    return text + results.draws_line("Thin bars")


def _official(results: Results) -> list[str]:
    """What the official split is, and its score beside the strictest regime's, for each encoder."""
    if REGIME not in results.facts["regimes"]:
        return []
    split = results.facts[REGIME]
    text = (
        f"Official split (column {split['column']}): trained on "
        f"{words.count(split['train'], 'clip')}, tested on {words.count(split['test'], 'clip')}"
    )
    if split["groups"] is not None:
        text += f" of {words.count(split['groups'], 'group')}, "
        text += f"{split['groups_on_both'] or 'none'} of them also in training"
    text += f"; chance {words.number(split['chance'], 2)}."
    if split["groups"] == 1:
        text += " No interval, as one group is tested."
    return [text, *results.others["official_split"]["sentence"]]


def _intervals(results: Results) -> str:
    rows, kinds = results.estimates, []
    for regime in results.facts["regimes"]:
        here = (rows["regime"] == regime) & (rows["control"] == "none") & (rows["probe"] == PROBE)
        named = [words.INTERVALS[kind] for kind in rows[here]["interval"].drop_duplicates()]
        kinds.append(f"{regime}: {', '.join(named)}")
    return f"Bands and whiskers, {'; '.join(kinds)}."


def figure(results: Results) -> Figure:
    """A panel per encoder with blocks, the baselines in each; one panel if there is none."""
    entries = [
        Points([], [], one.colour, dash=one.dash, legend=one.label) for one in lines(results)
    ]
    about = (results.metric, _series, entries, notes(results))
    return curves.small_multiples(results, *about)


def _series(results: Results, encoder: str | None, places: dict[str, float], step: float) -> list:
    looks = results.looks
    shown, series = lines(results), []
    for number, one in enumerate(shown):
        name, own = f"{one.control} {one.regime}", {"colour": one.colour, "group": one.label}
        if encoder is not None:
            rows = results.curve(encoder, one.control, one.regime)
            if one.control == "none":
                series.append(curves.band(rows, name=f"band {name} {encoder}", **own))
            drawn = rows["draws_low"].notna().any()
            line = own | {"ends": ("draws_low", "draws_high") if drawn else (), "dash": one.dash}
            line |= {"name": f"{name} {encoder}", "hovers": curves.hover(rows, one.label)}
            series.append(curves.points(rows, bar=0.7, **line))
        for baseline, x in places.items():
            rows = results.own(baseline, one.control, one.regime)
            mark = own | {"marker": looks[baseline].marker, "size": 3.5}
            mark |= {"name": f"{name} {baseline} in {encoder}"}
            mark |= {"hovers": curves.hover(rows, one.label)}
            ends = ("low", "high") if one.control == "none" else ()
            # the lines of a baseline are side by side
            beside = x + (number - (len(shown) - 1) / 2) * 0.17 * step
            series.append(curves.points(rows, beside, ends=ends, **mark))
    return series
