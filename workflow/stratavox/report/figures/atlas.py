"""Acoustic atlas of one task: how much of each descriptor's variance each readout explains.

Targets are rows; readouts are columns in order of depth, all blocks together last. The last row is
the task's own score, from chance (0) to perfect (1).
"""

from __future__ import annotations

from dataclasses import dataclass

from stratavox import words
from stratavox.corpus.targets import NUISANCE, TARGETS
from stratavox.encoders.sites import branches
from stratavox.report import curves
from stratavox.report.figure import Axis, Figure, Heat, Panel, message
from stratavox.report.results import Results

FACTS = {
    "order": 40,
    "topic": "atlas",
    "title": "Acoustic atlas",
    "caption": "Acoustic atlas: {task} of {dataset}. Share of variance of each acoustic target "
    "that a ridge regression on each readout explains on held-out groups.",
    "scopes": ("target",),
}
SCALE = "YlGnBu"
COLOUR_TITLE = (
    "share of variance explained on held-out clips (task: (score - chance) / (1 - chance))"
)
NOTHING = "No acoustic descriptor could be measured on these clips: the atlas table has no rows."
# rows of space between acoustic targets, nuisance targets and the task
GAP = 0.4
# inches: height of a row, width of a cell, and of all cells in a row of panels
ROW_IN, CELL_IN, ROOM_IN = 0.19, 0.32, 4.6


@dataclass(frozen=True)
class Row:
    """A line of every heat map: ``target`` is None for the task; ``y`` its centre, downwards."""

    target: str | None
    label: str
    y: float


def targets(results: Results) -> list[str]:
    """The table's targets, acoustic ones before nuisances."""
    present = set(results.explained_variance["target"])
    order = [name for name in TARGETS if name not in NUISANCE] + list(NUISANCE)
    return [name for name in order if name in present]


def columns(results: Results) -> dict[str, list[tuple[str, str, str]]]:
    """Title of each panel -> (encoder, readout, label) of its columns.

    A panel per encoder that has blocks, without the readouts inside them, and one of baselines.
    """
    table, panels = results.explained_variance, {}
    for encoder in results.layered:
        own = table[table["encoder"] == encoder].drop_duplicates("readout").sort_values("depth")
        inside = [name for names in branches(list(own["readout"])).values() for name in names]
        own = own[~own["readout"].isin(inside)]
        named = [(encoder, readout, words.tick(readout)) for readout in own["readout"]]
        panels[results.label(encoder)] = named
    own = table[table["encoder"].isin(results.baselines)].drop_duplicates(["encoder", "readout"])
    panels["baselines"] = [(row.encoder, row.readout, row.encoder) for row in own.itertuples()]
    return {title: named for title, named in panels.items() if named}


def rows(results: Results) -> list[Row]:
    """The lines from top to bottom, with how many clips each is about."""
    table, y, kind, lines = results.explained_variance, 0.0, None, []
    for target in targets(results):
        if kind not in (None, target in NUISANCE):
            y += GAP
        kind = target in NUISANCE
        counts = sorted(set(table.loc[table["target"] == target, "n_clips"]))
        counted = " to ".join(f"{number:,}" for number in {counts[0]: 0, counts[-1]: 0})
        lines.append(Row(target, f"{curves.target_label(target)} (n {counted})", y))
        y += 1
    return [
        *lines,
        Row(None, f"{results.task}, above chance (n {results.facts['clips']:,})", y + GAP),
    ]


def explained(results: Results) -> dict[tuple[str, str, str], dict]:
    """(Encoder, readout, target) -> its row: a search of the table for each cell takes seconds."""
    keys = ("encoder", "readout", "target")
    rows = results.explained_variance.to_dict("records")
    return {tuple(row[key] for key in keys): row for row in reversed(rows)}


def cell(
    results: Results, known: dict, encoder: str, readout: str, row: Row
) -> tuple[float | None, str]:
    """One readout's number for a line, and its hover text; ``known`` is `explained`.

    The number is variance explained, or the task's score above chance.
    """
    chance = results.facts["chance"]
    if row.target is None:
        estimate = results.one(encoder, readout, regime=regime(results))
    else:
        estimate = known.get((encoder, readout, row.target))
    place = f"{results.label(encoder)}, {words.readout(readout)}\n{row.label}"
    if estimate is None or words.missing(estimate["value"]):
        return None, f"{place}: not measured"
    value, low, high = (float(estimate[key]) for key in ("value", "low", "high"))
    if row.target is None:
        value, low, high = ((end - chance) / (1 - chance) for end in (value, low, high))
    number = f"{words.number(value + 0.0, 2)} ({words.bounds(low, high, 2)})"
    return float(value), f"{place}: {number}\n{words.INTERVALS[estimate['interval']]}"


def regime(results: Results) -> str:
    """The split that the atlas is made on, and so the task's row."""
    return "grouped" if results.regime == "grouped" else "random"


def printed(value: float | None) -> str:
    """A number that fits a cell."""
    if value is None:
        return ""
    if value < -9.95:
        return "<-9"
    return f"{value:.1f}" if value <= -0.995 else words.number(round(value, 2) + 0.0, 2)


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    first = results.about
    if results.regime == "recording":
        first.append("This figure and the task's row use the random split, which mixes recordings.")
    if results.explained_variance.empty:
        return [*first, NOTHING]
    averaged = [
        f"{results.label(name)}: squared errors and scores are means over the draws."
        for name in results.facts["draws"]
        if name in results.encoders
    ]
    return [
        *first,
        "Cells: variance of the descriptor that ridge regression on the readout explains on "
        "held-out clips (1: all; 0: no better than the training mean; below 0: worse, coloured as "
        "0). n: clips where the descriptor is defined. Columns: zero-based blocks; all: all "
        "blocks together. " + transforms(results),
        "Duration, level, signal to noise and padding are nuisances: they also depend on cutting "
        "and recording. "
        f"Last row: {results.metric} of {results.task} as (score - chance) / (1 - chance); not "
        "the same measure as the rows above.",
        "Grey or blank: not measured. Intervals are in the table and in the interactive figure.",
        *averaged,
    ]


def transforms(results: Results) -> str:
    """The descriptors that are regressed as logarithms, and those by rank."""
    named = {"log": [], "rank": []}
    for target in targets(results):
        if target in TARGETS and TARGETS[target].transform in named:
            named[TARGETS[target].transform].append(TARGETS[target].label)
    how = {"log": "Taken as logarithms", "rank": "By rank"}
    return " ".join(f"{how[key]}: {', '.join(some)}." for key, some in named.items() if some)


def figure(results: Results) -> Figure:
    """A panel per encoder with blocks, then the baselines."""
    named = columns(results)
    if not named:
        return Figure([message(NOTHING)], notes(results))
    width = _cell_width([len(own) for own in named.values()])
    panels = [_panel(results, title, own, width) for title, own in named.items()]
    return Figure(panels, notes(results), shared="y", colours=(SCALE, COLOUR_TITLE))


def _cell_width(counts: list[int]) -> float:
    """Inches of a cell, for panels with so many columns."""
    width = min(CELL_IN, ROOM_IN / max(counts))
    # baselines go beside the last encoder where this makes the cells only a little smaller
    beside = (ROOM_IN - 0.3) / sum(counts[-2:])
    return min(width, beside) if len(counts) > 1 and beside > 0.8 * width else width


def _panel(results: Results, title: str, named: list[tuple[str, str, str]], width: float) -> Panel:
    lines, series, known = rows(results), [], explained(results)
    for row in lines:
        cells = [cell(results, known, encoder, readout, row) for encoder, readout, _ in named]
        values = [value for value, _ in cells]
        text = [list(map(printed, values))]
        name = f"{title} {row.target or results.task}"
        series.append(Heat([row.y], [values], [[hover for _, hover in cells]], name, text))
    across = Axis(
        "" if title == "baselines" else "block",
        ticks={place: label for place, (*_, label) in enumerate(named)},
        limits=(-0.5, len(named) - 0.5),
    )
    down = Axis(ticks={row.y: row.label for row in lines}, limits=(lines[-1].y + 0.5, -0.5))
    size = (width * len(named), ROW_IN * (lines[-1].y + 1))
    return Panel(series, size, across, down, title)
