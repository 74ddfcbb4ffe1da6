"""What was planted in the synthetic sets (`corpus.chorus`, `corpus.soundscapes`), and what this run
decodes.

Each row is an expectation that follows from how the calls are generated, and the number that tests
it. "At chance": the interval does not lie above chance; "above": it does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from stratavox import words
from stratavox.corpus.soundscapes import UNHEARD
from stratavox.inference.answers import contrasts
from stratavox.inference.answers.trends import FALLS, LEVEL, RISES, TASK
from stratavox.inference.groups import STUDENT
from stratavox.inference.verdicts import REFUTED, SUPPORTED, UNDETERMINED
from stratavox.report import findings
from stratavox.report.results import Results

AS_PLANTED, NOT_SO, OPEN = "as expected", "not as expected", "undetermined"
# Averages over frames, or over patches that end inside a gap, cannot contain call type.
ORDER = "call type (order of syllables) is not decodable without mixing over time"
MIXED = "call type is decodable after blocks that mix over time"
LEARNED = "call type is decoded better than from the same network with {weights}"
LATE = "call type needs mixing over time: it rises with depth"
EVIDENT = {
    "species": "species (which syllables) is decodable",
    "individual": "individual (a small offset of pitch and timbre) is decodable",
    "f0_hz": "F0 (a number) is predicted",
}
PRESENT = "{name} is heard in a mixture of calls"
ABSENT = "{name} was written down at random and never sounds: not decodable"
CONFOUNDED = "sessions are confounded with individuals: a random split is optimistic"
ACOUSTICS = "acoustics are decodable early: at the input of the first block"


def planted(results: Results, target: str, chorus: dict) -> list[dict]:
    """Rows planted, where, measured, expected and verdict, of the task that decodes ``target``."""
    if results.regime != "grouped":
        return []
    if "soundscapes" in chorus:
        return list(_mixed(results))
    rows = list(_evident(results, target))
    if target == "call_type":
        rows = [*_order(results), *_acoustics(results)]
    if target == "individual" and chorus["confounded"]:
        rows += _claimed(results, CONFOUNDED, contrasts.LEAKAGE, list(results.encoders))
    return rows


def trained(results: Results) -> list[str]:
    """The encoders with blocks and trained weights."""
    return [
        name for name in results.layered if results.encoders[name]["weights"] not in words.UNTRAINED
    ]


def _controls(results: Results) -> list[str]:
    """The baselines, without a user's model that has a single readout."""
    return [name for name in results.baselines if results.encoders[name]["weights"] == "none"]


def _order(results: Results) -> Iterator[dict]:
    # a contrast with chance is adjusted for the number of contrasts, an interval is not
    tested = results.contrasts
    tested = tested[tested["question"] == contrasts.ABOVE_CHANCE].set_index("a_encoder")
    for encoder in _controls(results):
        row = _scored(results, ORDER, results.one(encoder, "features"), above=False)
        if encoder in tested.index and row["verdict"] != OPEN:
            resolved = tested.loc[encoder, "resolved"] and tested.loc[encoder, "difference"] > 0
            row |= {"verdict": NOT_SO if resolved else AS_PLANTED}
        yield row
    for encoder in results.layered:
        row = results.one(encoder, "patch")
        if row is not None:
            yield _scored(results, ORDER, row, above=False)
    for encoder in trained(results):
        yield _scored(results, MIXED, results.one(encoder, "nested"), above=True)
    for weights, question in contrasts.TWINS.items():
        learned = LEARNED.format(weights=words.UNTRAINED[weights])
        yield from _claimed(results, learned, question, trained(results))
    table = results.trends
    for row in table[table["kind"] == TASK].to_dict("records"):
        if row["encoder"] in trained(results):
            verdict = {RISES: AS_PLANTED, FALLS: NOT_SO, LEVEL: NOT_SO}.get(row["direction"], OPEN)
            trend = f"{words.difference(row['value'])} from the first to the last third"
            yield {
                "planted": LATE,
                "where": results.label(row["encoder"]),
                "measured": f"{trend} ({words.bounds(row['low'], row['high'])})",
                "expected": RISES,
                "verdict": verdict,
            }


def _evident(results: Results, target: str) -> Iterator[dict]:
    if target in EVIDENT:
        for encoder in [*_controls(results), *trained(results)]:
            readout = "nested" if encoder in results.layered else "features"
            if results.encoders[encoder]["family"] != "duration_level":
                yield _scored(results, EVIDENT[target], results.one(encoder, readout), above=True)


def _mixed(results: Results) -> Iterator[dict]:
    """A row for each species of soundscapes and encoder: is it ranked better than by guessing?"""
    for row in results.others["classes"].to_dict("records"):
        absent = row["class"] == UNHEARD
        what = (ABSENT if absent else PRESENT).format(name=row["class"])
        yield _scored(results, what, pd.Series(row), above=not absent, chance=row["chance"])


def _acoustics(results: Results) -> Iterator[dict]:
    for encoder in trained(results):
        table = results.explained_variance
        rows = table[(table["encoder"] == encoder) & (table["readout"] == "input")]
        if rows.empty:  # a conv net has no such readout
            continue
        explained = rows[rows["low"] > 0]
        best = ", ".join(f"{row.target} {row.value:.2f}" for row in explained.itertuples())
        number = f"{len(explained)} of {len(rows)} descriptors"
        yield {
            "planted": ACOUSTICS,
            "where": results.label(encoder),
            "measured": f"variance of {number}: {best or 'none'}",
            "expected": "above 0",
            "verdict": AS_PLANTED if len(explained) else NOT_SO,
        }


def _scored(
    results: Results, what: str, row: pd.Series, above: bool, chance: float | None = None
) -> dict:
    chance = results.facts["chance"] if chance is None else chance
    verdict = OPEN
    if row["interval"] == STUDENT:
        if above:
            verdict = AS_PLANTED if row["low"] > chance else OPEN
            verdict = NOT_SO if row["high"] <= chance else verdict
        else:
            verdict = AS_PLANTED if row["low"] <= chance else NOT_SO
    place = results.place(row["encoder"], row["readout"])
    return {
        "planted": what,
        "where": f"{results.label(row['encoder'])}, {place}",
        "measured": f"{findings.score(row)}, {words.INTERVALS_SHORT[row['interval']]}",
        "expected": f"{'above' if above else 'at'} chance, {words.number(chance)}",
        "verdict": verdict,
    }


def _claimed(results: Results, what: str, question: str, encoders: list[str]) -> Iterator[dict]:
    table = results.claims
    table = table[table["evidence"] == f"contrasts: {question}"]
    for row in table[table["encoder"].isin(encoders)].to_dict("records"):
        yield _claim(results, what, row)


def _claim(results: Results, what: str, row: dict) -> dict:
    verdicts = {SUPPORTED: AS_PLANTED, REFUTED: NOT_SO, UNDETERMINED: OPEN}
    ends = words.bounds(row["low"], row["high"])
    return {
        "planted": what,
        "where": results.label(row["encoder"]),
        "measured": f"{words.difference(row['value'])} of {row['quantity']} ({ends})"
        if not words.missing(row["value"])
        else "no value",
        "expected": "above 0",
        "verdict": verdicts[row["verdict"]],
    }
