"""Sentences and rows of the page; every name and number in them comes from a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pandas as pd

from stratavox import words
from stratavox.inference.answers.contrasts import ABOVE_CHANCE
from stratavox.report.results import PROBE, Results


def score(row: pd.Series) -> str:
    """ "0.621 (0.551 to 0.692)"."""
    return f"{words.number(row['value'])} ({words.bounds(row['low'], row['high'])})"


def lead(results: Results, encoder: str) -> str:
    """Whether the task is decodable from an encoder, its score, permuted labels and chance.

    The score is that of the block chosen in training, where there are blocks.
    """
    readouts = results.compared(encoder)
    first = "nested" if "nested" in readouts else readouts[0]
    row = results.one(encoder, first)
    place = f" with {words.READOUTS[first]}" if first == "nested" else ""
    ends = (
        words.INTERVALS["none"]
        if words.missing(row["low"])
        else f"{words.INTERVALS_SHORT[row['interval']]} {words.bounds(row['low'], row['high'])}"
    )
    text = (
        f"{results.label(encoder)}: {verdict(results, encoder)}. "
        f"{words.sentence(results.metric)} {words.number(row['value'])} ({ends}){place}; "
    )
    controls = [results.one(encoder, readout, control="permutation") for readout in readouts]
    controls = [control for control in controls if control is not None]
    if controls:
        low = min(control["low"] for control in controls)
        high = max(control["high"] for control in controls)
        text += f"permuted labels {words.bounds(low, high)}; "
    return text + f"chance {words.number(results.facts['chance'])}."


def verdict(results: Results, encoder: str) -> str:
    """Whether the task's target is linearly decodable, by the contrast with chance."""
    rows = results.contrasts
    rows = rows[(rows["question"] == ABOVE_CHANCE) & (rows["a_encoder"] == encoder)]
    task = results.task
    above = "chance" if rows.empty else rows.iloc[0]["b_readout"]
    if rows.empty or words.missing(rows.iloc[0]["resolved"]):
        why = "groups are unknown" if results.facts["group"] is None else "too few groups"
        return f"whether {task} is linearly decodable could not be tested ({why})"
    if rows.iloc[0]["resolved"]:
        if rows.iloc[0]["difference"] > 0:
            return f"{task} is linearly decodable (above {above}, resolved)"
        return f"{task} was not shown to be linearly decodable (below {above}, resolved)"
    return f"{task} was not shown to be linearly decodable (not resolved from {above})"


def contrast_rows(results: Results) -> list[dict]:
    """The contrasts in the table's order: its sentence, its state, and its numbers as text."""
    return [
        {
            "question": row["question"],
            "state": state(row),
            "against_chance": row["question"] == ABOVE_CHANCE,
            "sentence": row["sentence"],
            "untrained": untrained(results, [row["a_encoder"], row["b_encoder"]]),
            "a": _side(results, row, "a"),
            "b": _side(results, row, "b"),
            "outcome": words.OUTCOMES[state(row)][1],
            "difference": words.difference(row["difference"])
            + (" bits" if row["metric"] == "bits" else ""),
            "bounds": words.bounds(row["low"], row["high"]),
            "interval": words.INTERVALS[row["interval"]],
            "p_holm": words.p_value(row["p_holm"]),
            "detectable": words.number(row["detectable"]),
        }
        for row in results.contrasts.to_dict("records")
    ]


def state(row: dict) -> str:
    """A key of `words.OUTCOMES`."""
    if words.missing(row["resolved"]):
        return "untested"
    if row["resolved"]:
        return "resolved"
    return "equal" if row["equivalent"] is True else "unresolved"


def _side(results: Results, row: dict, side: str) -> str:
    encoder, readout = row[f"{side}_encoder"], row[f"{side}_readout"]
    if words.missing(encoder):
        return readout
    probe, regime = row[f"{side}_probe"], row[f"{side}_regime"]
    parts = [results.label(encoder), results.place(encoder, readout)]
    parts += [words.probe(probe)] if probe != PROBE else []
    parts += [words.CONTROLS["shuffled"]] if row[f"{side}_control"] == "shuffled" else []
    parts += [f"{regime} split"] if regime != results.regime else []
    return ", ".join(parts)


def claim_rows(results: Results) -> list[dict]:
    """The claims in the table's order, numbers as text."""
    return [
        {
            **{key: row[key] for key in ("encoder", "verdict", "quantity", "evidence")},
            "claim": row["claim"],
            "value": words.difference(row["value"])
            + (" bits" if "bits" in row["quantity"] else ""),
            "bounds": words.bounds(row["low"], row["high"]),
            "interval": words.INTERVALS[row["interval"]],
            "p": _p(row),
            "detectable": words.number(row["detectable"]),
            "counts": f"{row['n_clips']}, {row['n_groups']}",
            "untrained": untrained(results, [row["encoder"]]),
        }
        for row in results.claims.to_dict("records")
    ]


def _p(row: dict) -> str:
    """The p of a claim and its kind; "identity" alone, as it needs no test."""
    if not words.missing(row["p_value"]):
        return f"{words.p_value(row['p_value'])} ({row['p_kind']})"
    return "identity" if row["p_kind"] == "identity" else words.p_value(None)


def verdicts(results: Results, table: pd.DataFrame) -> list[str]:
    """Acoustics early, task late? A sentence for each encoder, from the verdicts of the run."""
    rows = results.of_run(table).itertuples()
    return [f"{results.label(row.encoder)}: {row.sentence}" for row in rows]


def robustness_rows(results: Results) -> list[dict]:
    """The order of acoustics and task by other definitions of depth."""
    return [
        {
            "encoder": results.label(row.encoder),
            "definition": row.definition,
            "task": words.number(row.task),
            "acoustics": words.number(row.acoustics),
            "difference": words.difference(row.difference),
            "bounds": words.bounds(row.low, row.high),
            "verdict": row.verdict,
        }
        for row in results.robustness.itertuples()
    ]


def depths(results: Results) -> list[str]:
    """Onset and the blocks that may be the best, for each encoder that has any."""
    return [
        f"{results.label(row.encoder)}: {words.DEPTHS[row.measure]}: "
        + ("no block" if words.missing(row.readouts) else _runs(results, row))
        for row in results.depths.itertuples()
    ]


def _runs(results: Results, row: tuple) -> str:
    """The blocks of a row of the depths table, neighbours joined: "block 1, block 3 to block 5"."""
    blocks, named = results.encoders[row.encoder]["blocks"], row.readouts.split(", ")
    runs = [list(run) for inside, run in groupby(blocks, named.__contains__) if inside]
    return ", ".join(
        words.readout(run[0]) + (f" to {words.readout(run[-1])}" if len(run) > 1 else "")
        for run in runs
    )


def weight_rows(results: Results) -> list[dict]:
    """Learned weights of the blocks, and the scores of the blocks alone."""
    return [
        {
            "encoder": results.label(row.encoder),
            "probe": words.probe(row.probe),
            "readout": words.readout(row.readout),
            "weight": words.number(row.weight),
            "bounds": words.bounds(row.low, row.high),
            "score": words.number(row.score),
            "rank_correlation": words.number(row.rank_correlation),
        }
        for row in results.layer_weights.itertuples()
    ]


def others(results: Results) -> dict[str, list[str]]:
    """Title -> sentences of each table of answers without a section of its own.

    They are in its column ``sentence``. A table without this column, or without a sentence, is only
    in the CSV tables.
    """
    return {
        name.replace("_", " ").capitalize(): table["sentence"].dropna().tolist()
        for name, table in results.others.items()
        if "sentence" in table and table["sentence"].notna().any()
    }


def untrained(results: Results, encoders: Sequence[str | None]) -> dict[str, str]:
    """Those of ``encoders`` whose weights nothing has trained, each with what these are."""
    known = [name for name in dict.fromkeys(encoders) if not words.missing(name)]
    weights = {name: results.encoders[name]["weights"] for name in known}
    return {name: words.UNTRAINED[of] for name, of in weights.items() if of in words.UNTRAINED}


def chosen_blocks(results: Results) -> list[str]:
    """How often each block was chosen inside the training folds."""
    sentences = []
    for encoder, counts in results.facts.get("nested", {}).items():
        most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        times = ", ".join(
            f"{words.readout(block)} ({words.count(times, 'fold')})" for block, times in most
        )
        sentences.append(f"{results.label(encoder)}: {times}")
    return sentences


def fits(results: Results) -> list[str]:
    """A sentence for each encoder: fits with a penalty at the grid's end, or not converged."""
    facts = results.facts
    return [
        f"{results.label(encoder)}: of {number} fits, {facts['at_edge'][encoder]} chose a "
        f"penalty at an end of the grid and {facts['not_converged'][encoder]} did not converge"
        for encoder, number in facts.get("outer_fits", {}).items()
    ]
