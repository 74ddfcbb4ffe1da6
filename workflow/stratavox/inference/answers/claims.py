"""The verdict on each planned claim: supported, refuted or undetermined, and on what evidence.

A claim is refuted only by a resolved difference in the other direction, or by equality within the
margin. Otherwise it is undetermined; ``detectable`` is then the difference that could be detected.
"""

from __future__ import annotations

from stratavox import words
from stratavox.inference.answers import contrasts as c
from stratavox.inference.answers import rows_of
from stratavox.inference.answers.trends import UNDETERMINED
from stratavox.inference.groups import interval
from stratavox.inference.study import Key, Study
from stratavox.inference.verdicts import REFUTED, SUPPORTED


def rows(study: Study) -> list[dict]:
    """Rows from the answer ``contrasts``; for the order of depth see `inference.verdicts`."""
    rows = []
    for row in rows_of(study, "contrasts"):
        claim = _claim(row, study.settings["task"])
        if claim:
            open_question = _one_draw(row) or _at_chance(study, row)
            rows.append(_of_contrast(row, claim, open_question))
    return rows


def _one_draw(row: dict) -> bool:
    """Whether the claim is about untrained weights, of which one draw alone is known.

    Of simulated encoders that were one more draw, up to a quarter differed from another draw by
    more than groups explain (docs/statistics.md).
    """
    return row["question"] in c.TWINS.values() and row["draws"] < 2


def _at_chance(study: Study, row: dict) -> bool:
    """Whether the claim is about probes on tokens that are at chance: it is undetermined then.

    Of two probes, the better one is looked at.
    """
    if row["question"] not in (c.ORDER, *c.ON_BLOCKS):
        return False
    side = "a" if row["question"] == c.ORDER or row["difference"] > 0 else "b"
    key = Key(*(row[f"{side}_{name}"] for name in Key._fields))
    score = study.beside_seeds(interval(study.correct[key], study.groups, study.bounds), key)
    return score.error is None or not score.low > study.chance


def _claim(row: dict, task: str) -> str | None:
    """The claim that a contrast is evidence for or against; None where it only describes."""
    encoder, block = row["a_encoder"], row["a_readout"]
    head, _, protocol = row["a_probe"].partition(words.BY_PROTOCOL)
    place = words.READOUTS.get(block, block)
    return {
        c.ABOVE_CHANCE: f"{task} is linearly decodable from {encoder}",
        **{
            question: f"{task} is more linearly decodable from {encoder} than from "
            f"{words.UNTRAINED[weights]} ({words.count(row['draws'], 'draw')})"
            for weights, question in c.TWINS.items()
        },
        c.BASELINE: f"{task} is more linearly decodable from {encoder} than from "
        f"{row['b_encoder']}",
        c.LAST_OR_CHOSEN: f"the last block of {encoder} is as good as the block chosen in training",
        c.ORDER: f"the order of tokens of {encoder}, {block}, tells of {task}",
        c.ALL_BLOCKS: f"a probe ({head}, {protocol}) decodes {task} better from {place} of "
        f"{encoder} than from its last block",
        c.ATTENTION: f"attention decodes {task} better than a linear probe from {place} of "
        f"{encoder} ({protocol})",
        c.TUNED: f"attention ({protocol}) decodes {task} better than a linear probe with a chosen "
        f"penalty from {place} of {encoder}",
        c.NOT_SIZE: f"attention decodes {task} better than an MLP of its size from {place} of "
        f"{encoder} ({protocol})",
        c.IN_ORDER: f"the order of tokens of {encoder}, {place}, tells of {task} ({protocol})",
        c.ADDS: f"{block.removeprefix(words.AFTER_ACOUSTICS)} of {encoder} adds to a linear probe "
        f"on the acoustic descriptors about {task}, beyond what their squares and products predict",
        c.ADDED_TO: "the acoustic descriptors help a linear probe on "
        f"{block.removesuffix(words.BESIDE_ACOUSTICS)} of {encoder} about {task}, at "
        f"{row['n_clips']} clips",
        c.LEAKAGE: f"a random split is optimistic for {task} with {encoder}",
    }.get(row["question"])


def _verdict(supported: bool | None, refuted: bool | None) -> str:
    return SUPPORTED if supported else REFUTED if refuted else UNDETERMINED


def _evidence(row: dict, verdict: str) -> dict:
    """The p that decided, and which it is."""
    if row["identical"]:
        return {"p_value": None, "p_kind": "identity"}
    by_equality = row["equivalent"] and verdict != UNDETERMINED and not row["resolved"]
    return {
        "p_value": row["p_equivalent"] if by_equality else row["p_holm"],
        "p_kind": "equivalence" if by_equality else "Holm",
    }


def _of_contrast(row: dict, claim: str, open_question: bool) -> dict:
    equal, higher = row["equivalent"], row["resolved"] and row["difference"] > 0
    if open_question:
        verdict = UNDETERMINED
    elif row["question"] == c.LAST_OR_CHOSEN:
        verdict = _verdict(equal or higher, row["resolved"])
    else:
        verdict = _verdict(higher, row["resolved"] or equal)
    same = ("low", "high", "interval", "detectable", "n_clips", "n_groups")
    return {
        "claim": claim,
        "encoder": row["a_encoder"],
        "evidence": f"contrasts: {row['question']}",
        "quantity": "bits a clip" if row["metric"] == c.BITS else words.METRICS[row["metric"]],
        **{key: row[key] for key in same},
        "value": row["difference"],
        **_evidence(row, verdict),
        "verdict": verdict,
    }
