"""Comparison of one task: last block, block chosen in the training folds, all blocks, baselines.

A row per encoder and readout, with its interval, what permuted labels give, and chance; then a row
per probe on tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pandas as pd

from stratavox import words
from stratavox.report import curves, style
from stratavox.report.figure import Axis, Figure, Panel, Points, Rule
from stratavox.report.results import PROBE, Results

FACTS = {
    "order": 20,
    "topic": "comparison",
    "title": "Encoders, fusions and probes compared",
    "caption": "Encoders compared: {task} of {dataset}. Last block, block chosen inside the "
    "training folds, fusions of all blocks, probes on tokens, and baselines, with permuted labels "
    "and chance.",
    "scopes": ("target",),
}
PERMUTED = "permuted labels: 95 % range"
ROW_IN = 0.27


@dataclass(frozen=True)
class Row:
    """A line of the figure: which readout of which encoder, by which probe."""

    encoder: str
    readout: str | None
    probe: str
    label: str


def listed(results: Results) -> list[Row]:
    """The rows that have a value, from top to bottom; probes on tokens after the linear one.

    An encoder with blocks also has a header, a row without a readout.
    """
    # those on all blocks have a figure of their own
    others = sorted(
        probe for probe in set(results.estimates["probe"]) if words.BY_PROTOCOL not in probe
    )
    rows, probes = [], dict.fromkeys([*words.PROBES, *others])
    for encoder in results.listed:
        if results.encoders[encoder]["blocks"]:
            rows.append(Row(encoder, None, PROBE, results.label(encoder)))
        for probe in probes:
            linear, table = probe == PROBE, results.rows(encoder, probe=probe)
            for readout in results.compared(encoder) if linear else table["readout"]:
                label = row_label(results, encoder, readout)
                label += "" if linear else f", {words.probe(probe)}"
                rows.append(Row(encoder, readout, probe, label))
    return rows


def row_label(results: Results, encoder: str, readout: str) -> str:
    """The label of a row: the readout, or the encoder where it has only one."""
    has_blocks = results.encoders[encoder]["blocks"]
    return results.place(encoder, readout) if has_blocks else results.label(encoder)


def alt(results: Results) -> str:
    """Every linear score."""
    parts = [f"Comparison of {results.heading}: {results.metric}"]
    for encoder in results.listed:
        for readout in results.compared(encoder):
            value = words.number(results.one(encoder, readout)["value"])
            parts.append(f"{results.label(encoder)}, {results.place(encoder, readout)} {value}")
    return "; ".join(parts) + "."


def notes(results: Results) -> list[str]:
    """Notes for reading the figure."""
    tokens = []
    shuffled = results.estimates[results.estimates["control"] == "shuffled"]["probe"]
    if not shuffled.str.contains(words.BY_PROTOCOL).all():
        tokens.append(
            "Crosses: the same probe on tokens in random order; equal if order is not used."
        )
    if (results.estimates["probe"] == "attention_mean").any():
        tokens.append(
            "Attention on one pooled vector, as in Earth Species's BEATs layer notebook: queries "
            "and keys have no effect."
        )
    return [
        *results.about,
        results.interval_line("Whiskers, and numbers in brackets"),
        *results.random_line("Hollow marks"),
        results.control_line(),
        *results.draws_line("Thick pale bars"),
        *tokens,
    ]


def figure(results: Results) -> Figure:
    """One panel: a list of rows."""
    looks = results.looks
    shown = listed(results)
    series, printed = [Rule(results.facts["chance"], style.INK, "x", "dot", legend="chance")], {}
    for y, row in enumerate(shown):
        if row.readout is not None:
            series += _row(results, row, looks[row.encoder], y)
            own = _estimate(results, row).iloc[0]
            ends = words.bounds(own["low"], own["high"], 2)
            printed[y] = f"{words.number(own['value'], 2)} ({ends})"
    entries = (
        {"random split": {"marker": "o", "hollow": True}} if results.regime != "random" else {}
    )
    if any(row.probe != PROBE for row in shown):
        entries["tokens shuffled"] = {"marker": "x"}
    series += [Points([], [], style.GREY, legend=name, **look) for name, look in entries.items()]
    axis = Axis(
        ticks={y: row.label for y, row in enumerate(shown)},
        limits=(len(shown) - 0.4, -0.6),
        heads=frozenset(y for y, row in enumerate(shown) if row.readout is None),
        opposite=printed,
    )
    size = (3.4, ROW_IN * (len(shown) + 0.2))
    panel = Panel(series, size, Axis(results.metric), axis)
    return Figure([panel], notes(results))


def _estimate(results: Results, row: Row, **where) -> pd.DataFrame:
    rows = results.rows(row.encoder, probe=row.probe, **where)
    return rows[rows["readout"] == row.readout]


def _row(results: Results, row: Row, look: style.Look, y: int) -> list[Points]:
    name = f"{row.encoder} {row.readout}" + ("" if row.probe == PROBE else f" {row.probe}")
    colour, points = {"colour": look.colour}, partial(curves.points, y=y)
    control, own = _estimate(results, row, control="permutation"), _estimate(results, row)
    grey = {"colour": style.GREY, "group": PERMUTED}
    series = [
        points(control, name=f"permutation {name}", bar=5, opacity=0.3, legend=PERMUTED, **grey),
        points(control, name=f"permutation mean {name}", ends=(), marker="|", size=3, **grey),
    ]
    if results.regime != "random":
        split = _estimate(results, row, regime="random")
        hollow = colour | {"marker": look.marker, "hollow": True, "size": 4.5, "opacity": 0.5}
        hollow |= {"name": f"random split {name}", "group": "random split"}
        series.append(points(split, ends=(), **hollow))
    if own["draws_low"].notna().any():
        thick = colour | {"bar": 4, "opacity": 0.35, "group": row.encoder, "hovers": ()}
        series.append(points(own, ends=("draws_low", "draws_high"), name=f"draws {name}", **thick))
    mark = colour | {"marker": look.marker, "size": 5.5, "bar": 1.4, "group": row.encoder}
    series.append(points(own, name=f"value {name}", **mark))
    shuffled = _estimate(results, row, control="shuffled")
    cross = colour | {"marker": "x", "size": 5, "group": "tokens shuffled"}
    series.append(points(shuffled, ends=(), name=f"tokens shuffled {name}", **cross))
    return [one for one in series if len(one.x)]
