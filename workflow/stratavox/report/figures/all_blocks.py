"""Probes on tokens: {last block, all blocks} x {linear, attention}, and the weights of blocks."""

from __future__ import annotations

import pandas as pd

from stratavox import words
from stratavox.report import curves, style
from stratavox.report.figure import Axis, Figure, Panel, Points, Rule, message
from stratavox.report.results import Results

FACTS = {
    "order": 30,
    "topic": "comparison",
    "title": "All blocks or the last, attention or linear",
    "caption": "All blocks or the last, attention or linear: {task} of {dataset}. Balanced "
    "accuracy of probes on tokens by what they are given, a panel for each way of training; and "
    "the weights that the probes on weighted blocks learned.",
    "scopes": ("target",),
    "probes": "all_blocks",
}
NOTHING = "Probes on all blocks were not requested (probes.all_blocks is null)."
LOOKS = {
    "linear": style.Look(style.BLUE, "o"),
    "mlp": style.Look(style.GREEN, "^"),
    "attention": style.Look(style.VERMILION, "s"),
    "order": style.Look(style.PURPLE, "D"),
}
APART = 0.16  # between the heads at one readout
EQUAL = "equal weights"
SHUFFLED = "attention on tokens in order, tokens shuffled"


def figure(results: Results) -> Figure:
    """For each encoder a panel for each protocol, and one of weights."""
    scores = _probed(results.estimates)
    scores = scores[scores["regime"] == results.regime]
    if scores.empty:
        return Figure([message(NOTHING)], results.about)
    protocols = [name for name in words.PROTOCOLS if name in set(scores["protocol"])]
    columns = len(protocols) + 1
    size = (curves.ROOM_IN + curves.APART_IN) / columns - 0.4, 2.1
    # one scale for all panels of scores, and not for those of weights
    ends = [*scores["low"].dropna(), *scores["high"].dropna(), *scores["value"]]
    limits = min(results.facts["chance"], *ends) - 0.03, max(ends) + 0.03
    panels = []
    for encoder in [name for name in results.layered if name in set(scores["encoder"])]:
        own = scores[scores["encoder"] == encoder]
        for protocol in protocols:
            panels.append(_scores(results, encoder, own, protocol, size, limits))
        panels.append(_weights(results, encoder, protocols[-1], size))
    panels[0].series.extend(_entries(scores))
    return Figure(panels, notes(results, scores, protocols), columns=columns)


def notes(results: Results, scores: pd.DataFrame, protocols: list[str]) -> list[str]:
    """Notes for reading the figure."""
    kinds = "; ".join(words.INTERVALS[kind] for kind in scores["interval"].drop_duplicates())
    text = [
        *results.about,
        f"Whiskers: {kinds}, with the error of the mean over the seeds of a probe's training.",
        "All blocks side by side: for attention they are first projected to one block's width. "
        "Weighted blocks: their sum with learned weights that add up to 1.",
        f"Weights: those of {words.PROTOCOLS[protocols[-1]]}; mean and range over folds and seeds. "
        f"Dotted: {EQUAL}. A weight does not measure how important a block is.",
    ]
    if "early_stop" in protocols:
        text.append(
            "early_stop: as icassp2026, but the number of epochs is chosen on groups held out "
            "inside the training clips."
        )
    return text


def _probed(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of probes on all blocks, with their ``head`` and ``protocol``."""
    parts = table["probe"].str.partition(words.BY_PROTOCOL)
    return table.assign(head=parts[0], protocol=parts[2])[parts[2] != ""]


def _entries(scores: pd.DataFrame) -> list[Points]:
    heads = [head for head in LOOKS if head in set(scores["head"])]
    entries = [
        Points([], [], LOOKS[head].colour, marker=LOOKS[head].marker, legend=words.HEADS[head])
        for head in heads
    ]
    if "order" in heads:
        entries.append(Points([], [], LOOKS["order"].colour, marker="x", legend=SHUFFLED))
    return entries


def _scores(
    results: Results,
    encoder: str,
    own: pd.DataFrame,
    protocol: str,
    size: tuple[float, float],
    limits: tuple[float, float],
) -> Panel:
    own = own[own["protocol"] == protocol]
    readouts = [results.encoders[encoder]["blocks"][-1], "concat", "weighted"]
    series = [curves.chance(results, dash="dot")]
    heads = [head for head in LOOKS if head in set(own["head"])]
    for number, head in enumerate(heads):
        beside = APART * (number - (len(heads) - 1) / 2)
        for control, marker in (("none", LOOKS[head].marker), ("shuffled", "x")):
            if control == "shuffled" and head != "order":
                continue  # the same as in order
            rows = own[(own["head"] == head) & (own["control"] == control)]
            places = [readouts.index(name) + beside for name in rows["readout"]]
            hovers = curves.hover(rows, words.probe(f"{head}{words.BY_PROTOCOL}{protocol}"))
            look = {"marker": marker, "colour": LOOKS[head].colour, "group": words.HEADS[head]}
            look["ends"] = ("low", "high") if control == "none" else ()
            name = f"{head} {control} {protocol} {encoder}"
            at = rows.assign(depth=places)
            series.append(curves.points(at, hovers=hovers, name=name, **look))
    ticks = dict(enumerate(["last\nblock", "all side\nby side", "weighted\nblocks"]))
    axis = Axis("", ticks, (-0.5, 2.5))
    title = f"{results.label(encoder)}: {protocol}"
    return Panel(series, size, axis, Axis("balanced accuracy", limits=limits), title)


def _weights(results: Results, encoder: str, protocol: str, size: tuple[float, float]) -> Panel:
    table = _probed(results.layer_weights)
    table = table[(table["encoder"] == encoder) & (table["protocol"] == protocol)]
    blocks = results.encoders[encoder]["blocks"]
    series = [Rule(1 / len(blocks), style.GREY, dash="dot", legend=EQUAL)]
    heads = [head for head in LOOKS if head in set(table["head"])]
    for number, head in enumerate(heads):
        rows = table[table["head"] == head]
        # heads side by side, each mark on its own range
        beside = 0.1 * (number - (len(heads) - 1) / 2)
        places = [blocks.index(block) + beside for block in rows["readout"]]
        rows = rows.assign(value=rows["weight"], depth=places)
        hovers = [
            f"{words.readout(row.readout)}: weight {words.number(row.value)} "
            f"({words.bounds(row.low, row.high)})\n{words.HEADS[head]}\n"
            f"linear probe on this block alone: {words.number(row.score, 2)}"
            for row in rows.itertuples()
        ]
        look = {"colour": LOOKS[head].colour, "marker": LOOKS[head].marker, "size": 3}
        look |= {"group": words.HEADS[head]}
        series.append(
            curves.points(
                rows, hovers=hovers, name=f"weights {head} {encoder}", dash="solid", **look
            )
        )
    step = max(1, -(-len(blocks) // 7))
    ticks = {place: words.tick(name) for place, name in enumerate(blocks) if place % step == 0}
    axis = Axis("block", ticks, (-0.5, len(blocks) - 0.5))
    top = 1.15 * max(table["high"].max(), 1 / len(blocks))
    title = f"{results.label(encoder)}: weights"
    return Panel(series, size, axis, Axis("learned weight", limits=(0, top)), title)
