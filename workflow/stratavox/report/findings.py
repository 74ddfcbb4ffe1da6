"""Sentences of the page; every name and number in them comes from a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stratavox.report import style
from stratavox.report.results import INTERVALS, METRIC, Results

# The order and the headings under which contrasts are told.
STATES = {
    "resolved": "Resolved",
    "unresolved": "Not resolved: the data do not tell these apart",
    "untested": "Could not be tested",
}

BRIEF = {
    "t over groups": "95 % t interval over groups",
    "range over groups": "range over groups",
    "over repeats": "range over repeats",
    "none": "no interval",
}


def fine(value: float | None) -> str:
    """A score with three decimals, as in the contrasts' sentences; an empty one as a dash."""
    return "–" if style.missing(value) else f"{value:.3f}"


def p_value(value: float | None) -> str:
    """A p value with three decimals, never "0.000"."""
    return "< 0.001" if not style.missing(value) and value < 0.001 else fine(value)


def bounds(low: float | None, high: float | None) -> str:
    """ "0.551 to 0.692", or "no interval" where the table has none."""
    return (
        "no interval"
        if style.missing(low) or style.missing(high)
        else f"{fine(low)} to {fine(high)}"
    )


def score(row: pd.Series) -> str:
    """ "0.621 (0.551 to 0.692)"."""
    return f"{fine(row['value'])} ({bounds(row['low'], row['high'])})"


def leads(results: Results, contrasts: pd.DataFrame) -> list[str]:
    """One sentence an encoder: its score, what it is to be held against, and what that means."""
    return [lead(results, contrasts, name) for name in [*results.layered, *results.baselines]]


def lead(results: Results, contrasts: pd.DataFrame, encoder: str) -> str:
    """The score told is the one whose block was chosen without a look at the test folds."""
    readouts = results.compared(encoder)
    if not readouts:
        return f"{results.label(encoder)}: the table has no score to compare."
    first = "nested" if "nested" in readouts else readouts[0]
    row = results.one(encoder, first)
    place = f" with the {place_label(results, encoder, first)}" if first == "nested" else ""
    ends = (
        BRIEF["none"]
        if style.missing(row["low"])
        else f"{BRIEF[row['interval']]} {bounds(row['low'], row['high'])}"
    )
    text = (
        f"{results.label(encoder)}: {verdict(results, contrasts, encoder, first)}. "
        f"Balanced accuracy {fine(row['value'])} ({ends}){place}; "
    )
    controls = [results.one(encoder, readout, control="permutation") for readout in readouts]
    controls = [control for control in controls if control is not None]
    if controls:
        low = min(control["low"] for control in controls)
        high = max(control["high"] for control in controls)
        text += f"permuted labels {bounds(low, high)}; "
    return text + f"chance {fine(results.facts['chance'])}."


def verdict(results: Results, contrasts: pd.DataFrame, encoder: str, readout: str) -> str:
    """Whether the task's target is linearly decodable, by the contrast against chance alone."""
    rows = contrasts[
        (contrasts["metric"] == METRIC)
        & (contrasts["a_encoder"] == encoder)
        & (contrasts["a_readout"] == readout)
        & (contrasts["b_readout"] == "chance")
    ]
    task = results.task
    if rows.empty or style.missing(rows.iloc[0]["resolved"]):
        why = "groups are unknown" if results.facts["group"] is None else "too few groups"
        return f"whether {task} is linearly decodable could not be tested ({why})"
    if rows.iloc[0]["resolved"]:
        if rows.iloc[0]["difference"] > 0:
            return f"{task} is linearly decodable (above chance, resolved)"
        return f"{task} was not shown to be linearly decodable (below chance, resolved)"
    return f"{task} was not shown to be linearly decodable (not resolved from chance)"


def contrasts_told(results: Results, contrasts: pd.DataFrame) -> list[dict]:
    """The contrasts in the table's order: its own sentence, the state and the numbers as text."""
    told = []
    for row in contrasts[contrasts["metric"] == METRIC].to_dict("records"):
        state = "untested"
        if not style.missing(row["resolved"]):
            state = "resolved" if row["resolved"] else "unresolved"
        told.append(
            {
                "question": row["question"],
                "state": state,
                "against_chance": row["b_readout"] == "chance",
                "sentence": row["sentence"],
                "random_weights": random_weights(results, [row["a_encoder"], row["b_encoder"]]),
                "a": _side(results, row["a_encoder"], row["a_readout"]),
                "b": _side(results, row["b_encoder"], row["b_readout"]),
                "difference": f"{row['difference']:+.3f}",
                "bounds": bounds(row["low"], row["high"]),
                "interval": INTERVALS[row["interval"]],
                "p_holm": p_value(row["p_holm"]),
            }
        )
    return told


def _side(results: Results, encoder: str | None, readout: str) -> str:
    if style.missing(encoder):
        return readout
    return f"{results.label(encoder)}, {place_label(results, encoder, readout)}"


def random_weights(results: Results, encoders: Sequence[str | None]) -> list[str]:
    """Those of ``encoders`` whose weights are random."""
    known = [name for name in dict.fromkeys(encoders) if not style.missing(name)]
    return [name for name in known if results.encoders[name]["weights"] == "random"]


def chosen_blocks(results: Results) -> list[str]:
    """How often each block was chosen inside the training folds."""
    said = []
    for encoder, counts in results.facts.get("nested", {}).items():
        most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        times = ", ".join(
            f"{style.readout_label(block)} ({style.count(times, 'fold')})" for block, times in most
        )
        said.append(f"{results.label(encoder)}: {times}")
    return said


def fits_said(results: Results) -> list[str]:
    """Fits whose penalty lay at the grid's edge, or that did not converge, per encoder."""
    facts, said = results.facts, []
    for encoder, fits in facts.get("outer_fits", {}).items():
        said.append(
            f"{results.label(encoder)}: of {fits} fits, {facts['at_edge'][encoder]} chose a "
            "penalty at an end of the grid and "
            f"{facts['not_converged'][encoder]} did not converge"
        )
    return said


def curve_alt(results: Results) -> str:
    """Alternative text of the layer curve: where each curve starts and ends."""
    parts = [f"Layer curve of {results.heading}: balanced accuracy over depth"]
    for encoder in results.layered:
        rows = results.curve(encoder)
        if not rows.empty:
            ends = [
                f"{fine(row['value'])} at {style.readout_label(row['readout'])}"
                for _, row in rows.iloc[[0, -1]].iterrows()
            ]
            parts.append(f"{results.label(encoder)} from {' to '.join(ends)}")
    return "; ".join(parts) + ". All values are in the tables below."


def comparison_alt(results: Results) -> str:
    """Alternative text of the comparison."""
    parts = [f"Comparison of {results.heading}: balanced accuracy"]
    for encoder in [*results.layered, *results.baselines]:
        for readout in results.compared(encoder):
            value = fine(results.one(encoder, readout)["value"])
            parts.append(
                f"{results.label(encoder)}, {place_label(results, encoder, readout)} {value}"
            )
    return "; ".join(parts) + "."


def place_label(results: Results, encoder: str, readout: str) -> str:
    """A readout in words, the last block called so."""
    blocks = results.encoders[encoder]["blocks"]
    named = {"nested": "block chosen in the training folds", "concat": "all blocks together"}
    if blocks and readout == blocks[-1]:
        return f"last block ({style.readout_label(readout)})"
    return named.get(readout, style.readout_label(readout))
