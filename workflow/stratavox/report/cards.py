"""The first screen: a card for each target task, and a table of all encoders' chosen blocks."""

from __future__ import annotations

import pandas as pd

from stratavox import words
from stratavox.inference.answers.trends import FALLS, LEVEL, RISES, UNDECODABLE, UNTESTED
from stratavox.report.results import Results

# A column with a Cramér's V of at least this is named on the card; Cohen (1988, p. 227) calls the
# association large.
CLOSE = 0.5
NO_VERDICT = "No verdict: no trained encoder with blocks, or too few groups."
TASK_DOES = {
    RISES: "rises with depth",
    FALLS: "falls with depth",
    LEVEL: "is level over depth",
    UNDECODABLE: "is not decodable at any depth",
    UNTESTED: "could not be tested",
}
ACOUSTICS_DO = {
    RISES: "the acoustic targets rise",
    FALLS: "the acoustic targets fall",
    LEVEL: "the acoustic targets are level",
    UNTESTED: "the acoustic targets could not be tested",
}
NO_TREND = "has no clear trend with depth"
NO_TRENDS = "the acoustic targets have no clear trend"


def card(results: Results, verdicts: pd.DataFrame, confounds: list[dict]) -> dict:
    """The answer to one task in words.

    ``verdicts`` is the table of the run, ``confounds`` the rows of `confounds.rows`.
    """
    recommendation, beware = recommended(results)
    return {
        "dataset": results.dataset,
        "task": results.task,
        "heading": results.heading,
        "counts": results.counts_line(),
        "verdict": verdict(results, verdicts),
        "recommendation": recommendation,
        "short": {"verdict": short_verdict(results, verdicts), "readout": short_readout(results)},
        "beware": [*beware, *confounded(confounds, results.task)],
    }


def verdict(results: Results, table: pd.DataFrame) -> str:
    """What task and acoustic targets do with depth, once for encoders that agree."""
    rows = results.of_run(table)
    parts = ["verdict", "task_direction", "acoustics_direction"]
    sentences = []
    for (verdict, task, acoustics), own in rows.groupby(parts, dropna=False, sort=False):
        names = ", ".join(results.label(name) for name in own["encoder"])
        does = f"{results.task} {TASK_DOES.get(task, NO_TREND)}"
        if task not in (UNDECODABLE, UNTESTED):
            missing = words.missing(acoustics)
            does += (
                "; no acoustic target is explained"
                if missing
                else f"; {ACOUSTICS_DO.get(acoustics, NO_TRENDS)}"
            )
        claim = f"“{words.ORDER.format(task=results.task)}” is {verdict}."
        sentences.append(f"{names}: {does}. {claim}")
    return " ".join(sentences) or NO_VERDICT


def short_verdict(results: Results, table: pd.DataFrame) -> str:
    """The verdicts alone, for the console: "refuted (beats, whisper)"."""
    verdicts = results.of_run(table).groupby("verdict", sort=False)["encoder"].agg(", ".join)
    return "; ".join(f"{verdict} ({names})" for verdict, names in verdicts.items()) or "none"


def short_readout(results: Results) -> str:
    """The readout to use and its score, for the console."""
    rows = results.recommendation
    chosen = [
        f"{words.readout(row.readout)} of {row.encoder}, {words.estimate(row, 2)}"
        for row in rows[rows["recommended"]].itertuples()
    ]
    return "; ".join(chosen) or "none"


def recommended(results: Results) -> tuple[str, list[str]]:
    """The sentence of the recommendation, and its warnings."""
    rows = results.recommendation
    sentences = rows["sentence"].dropna().tolist()
    row = rows[rows["sentence"].notna()].iloc[0]
    return " ".join(sentences), [line for line in (row["beware"] or "").splitlines() if line]


def confounded(confounds: list[dict], task: str) -> list[str]:
    """A warning for each column that varies closely with the labels."""
    return [
        f"{row['column']} varies with {task} (Cramér's V {row['v']}): scores may come from it."
        for row in confounds
        if row["v"] != words.number(None) and float(row["v"]) >= CLOSE
    ]


def cell(results: Results, encoder: str) -> dict:
    """One encoder in the table of all: readout in words, score with interval, and its value."""
    readout = "nested" if results.encoders[encoder]["blocks"] else results.compared(encoder)[0]
    row = results.one(encoder, readout)
    block = results.chosen_most(encoder)
    return {
        "readout": words.readout(block) if block else "",
        "score": words.estimate(row, 2),
        "value": float(row["value"]),
    }
