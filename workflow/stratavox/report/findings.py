"""Sentences of the page; every name and number in them comes from a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stratavox.inference.answers.claims import EARLY_LATE
from stratavox.report import style
from stratavox.report.results import INTERVALS, METRIC, Results

# The order and the headings under which contrasts are told.
STATES = {
    "resolved": "Resolved",
    "equal": "Equal within the margin",
    "unresolved": "Not resolved: the data do not tell these apart",
    "untested": "Could not be tested",
}
CONSTANTS = ("chance", "permuted labels")

BRIEF = INTERVALS | {"range over groups": "range over groups"}


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
        & (contrasts["b_readout"].isin(CONSTANTS))
    ]
    task = results.task
    above = "chance" if rows.empty else rows.iloc[0]["b_readout"]
    if rows.empty or style.missing(rows.iloc[0]["resolved"]):
        why = "groups are unknown" if results.facts["group"] is None else "too few groups"
        return f"whether {task} is linearly decodable could not be tested ({why})"
    if rows.iloc[0]["resolved"]:
        if rows.iloc[0]["difference"] > 0:
            return f"{task} is linearly decodable (above {above}, resolved)"
        return f"{task} was not shown to be linearly decodable (below {above}, resolved)"
    return f"{task} was not shown to be linearly decodable (not resolved from {above})"


def contrasts_told(results: Results, contrasts: pd.DataFrame) -> list[dict]:
    """The contrasts in the table's order: its own sentence, the state and the numbers as text."""
    told = []
    for row in contrasts.to_dict("records"):
        told.append(
            {
                "question": row["question"],
                "state": state(row),
                "against_chance": row["b_readout"] in CONSTANTS,
                "sentence": row["sentence"],
                "random_weights": random_weights(results, [row["a_encoder"], row["b_encoder"]]),
                "a": _side(results, row, "a"),
                "b": _side(results, row, "b"),
                "difference": f"{row['difference']:+.3f}",
                "unit": "bits" if row["metric"] == "bits" else "",
                "bounds": bounds(row["low"], row["high"]),
                "interval": INTERVALS[row["interval"]],
                "p_holm": p_value(row["p_holm"]),
                "detectable": fine(row["detectable"]),
            }
        )
    return told


def state(row: dict) -> str:
    """A key of `STATES`."""
    if style.missing(row["resolved"]):
        return "untested"
    if row["resolved"]:
        return "resolved"
    return "equal" if row["equivalent"] is True else "unresolved"


def _side(results: Results, row: dict, side: str) -> str:
    encoder, readout = row[f"{side}_encoder"], row[f"{side}_readout"]
    if style.missing(encoder):
        return readout
    place = place_label(results, encoder, readout)
    probe, regime = row[f"{side}_probe"], row[f"{side}_regime"]
    told = "" if probe == "linear" else f", {style.probe_label(probe)}"
    told += ", tokens shuffled" if row[f"{side}_control"] == "shuffled" else ""
    told += "" if regime == results.regime else f", {regime} split"
    return f"{results.label(encoder)}, {place}{told}"


def claims_told(results: Results) -> list[dict]:
    """The claims in the table's order, the seed's question first; numbers as text."""
    return [
        {
            **{key: row[key] for key in ("encoder", "verdict", "quantity", "evidence")},
            "claim": f"{results.label(row['encoder'])}: {row['claim']}"
            if row["claim"] == EARLY_LATE
            else row["claim"],
            "value": "–" if style.missing(row["value"]) else f"{row['value']:+.3f}",
            "bounds": bounds(row["low"], row["high"]),
            "interval": INTERVALS[row["interval"]],
            "p": p_value(row["p_value"]) + (" (Holm)" if row["adjusted"] else ""),
            "detectable": fine(row["detectable"]),
            "n_clips": int(row["n_clips"]),
            "n_groups": int(row["n_groups"]),
            "random_weights": random_weights(results, [row["encoder"]]),
        }
        for row in results.claims.to_dict("records")
    ]


def verdicts(results: Results) -> list[str]:
    """The answer to the seed's question for each encoder, in a sentence."""
    said = []
    for row in results.claims.to_dict("records"):
        if row["claim"] != EARLY_LATE:
            continue
        text = f"{results.label(row['encoder'])}: {row['claim']}: {row['verdict']}"
        if style.missing(row["value"]):
            text += " (no centre can be told: a curve is flat or nothing is decoded)"
        else:
            text += (
                f". The centre of gravity of {results.task} less that of the acoustic targets is "
                f"{row['value']:+.3f} of the depth ({BRIEF[row['interval']]} "
                f"{bounds(row['low'], row['high'])}"
            )
            if not style.missing(row["detectable"]):
                text += f"; a difference of {fine(row['detectable'])} would have been found with "
                text += "a chance of 80 %"
            text += ")"
        said.append(f"{text}.")
    return said


def depths_said(results: Results) -> list[str]:
    """Saturation and the blocks that may be the best, for each encoder."""
    words = {
        "saturation": "earliest block within one standard error of the block chosen in training",
        "confidence set": "blocks that may be the best (95 %)",
    }
    rows = results.depths[results.depths["measure"].isin(words)]
    return [
        f"{results.label(row.encoder)}: {words[row.measure]}: "
        + ", ".join(style.readout_label(name) for name in row.readouts.split(", "))
        for row in rows.itertuples()
    ]


def weights_told(results: Results) -> list[dict]:
    """Learned weights of the blocks beside their own scores."""
    return [
        {
            "encoder": results.label(row.encoder),
            "readout": style.readout_label(row.readout),
            "weight": fine(row.weight),
            "bounds": bounds(row.low, row.high),
            "score": fine(row.score),
            "rank_correlation": fine(row.rank_correlation),
        }
        for row in results.layer_weights.itertuples()
    ]


def selectivity_said(results: Results) -> list[str]:
    """Random-split score less that of labels drawn at random per recording."""
    said = []
    for encoder in [*results.layered, *results.baselines]:
        readout, why = results.spoken_for(encoder)
        real = results.one(encoder, readout, regime="random")
        drawn = results.one(encoder, readout, control="control_task", regime="random")
        if real is None or drawn is None:
            continue
        said.append(
            f"{results.label(encoder)}, {why}: selectivity "
            f"{real['value'] - drawn['value']:+.3f} (random split {fine(real['value'])}, labels at "
            f"random per recording {fine(drawn['value'])})"
        )
    return said


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
