"""What the run says about each planned claim: supported, refuted or undetermined, and why.

A claim is refuted only by evidence: a resolved difference the other way, or equality within the
margin. What the data cannot tell is undetermined, with the difference they could have told.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from stratavox.inference import contrasts as c
from stratavox.inference import paired
from stratavox.inference.depths import APART
from stratavox.inference.groups import Interval, interval
from stratavox.inference.study import Key, Study

CLAIMS = pa.schema(
    [
        ("claim", pa.string()),
        ("encoder", pa.string()),
        ("evidence", pa.string()),
        ("quantity", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("interval", pa.string()),
        ("p_value", pa.float64()),
        ("adjusted", pa.bool_()),
        ("detectable", pa.float64()),
        ("n_clips", pa.int32()),
        ("n_groups", pa.int32()),
        ("verdict", pa.string()),
    ]
)
SUPPORTED, REFUTED, UNDETERMINED = "supported", "refuted", "undetermined"
EARLY_LATE = "acoustics are decoded early and the task late"


def claims(study: Study, contrasts: list[dict], depths: list[dict], task: str) -> list[dict]:
    """Rows of the claims table, the seed's own question first."""
    rows = list(_early_late(study, depths))
    for row in contrasts:
        said = _claim(row, task)
        if said:
            rows.append(_told(row, said) | _unlearned(study, row))
    return rows


def _unlearned(study: Study, row: dict) -> dict:
    """A probe that learned nothing refutes nothing: order may tell what it did not find."""
    if row["question"] != c.ORDER:
        return {}
    key = Key(*(row[f"a_{name}"] for name in Key._fields))
    found = interval(study.correct[key], study.groups, share=True)
    learned = found.error is not None and found.low > study.chance
    return {} if learned else {"verdict": UNDETERMINED}


def _early_late(study: Study, depths: list[dict]) -> Iterator[dict]:
    clips = study.task["clips"]
    for row in depths:
        if row["target"] != APART:
            continue
        found = Interval(
            row["value"], row["low"], row["high"], row["interval"], row["error"], row["freedom"]
        )
        tested = found.value is not None and found.error is not None
        verdict = UNDETERMINED
        if tested and found.low > 0:
            verdict = SUPPORTED
        elif tested and found.high < 0:
            verdict = REFUTED
        yield {
            "claim": EARLY_LATE,
            "encoder": row["encoder"],
            "evidence": "depths",
            "quantity": "relative depth",
            "value": found.value,
            "low": found.low,
            "high": found.high,
            "interval": found.kind,
            "p_value": paired.group_p(found) if tested else None,
            "adjusted": False,
            "detectable": paired.detectable(found, 1) if tested else None,
            "n_clips": clips,
            "n_groups": row["n_groups"],
            "verdict": verdict,
        }


def _claim(row: dict, task: str) -> str | None:
    """The claim that a contrast speaks to, in words; None where it is mere description."""
    encoder, block = row["a_encoder"], row["a_readout"]
    return {
        c.ABOVE_CHANCE: f"{task} is linearly decodable from {encoder}",
        c.TRAINED: f"{task} is more linearly decodable from {encoder} than from its random twins",
        c.BASELINE: f"{task} is more linearly decodable from {encoder} than from "
        f"{row['b_encoder']}",
        c.LAST_OR_CHOSEN: f"the last block of {encoder} is as good as the block chosen in training",
        c.ORDER: f"the order of tokens of {encoder}, {block}, tells of {task}",
        c.ADDS: f"{block.removesuffix('+acoustics')} of {encoder} adds to the acoustic descriptors "
        f"about {task}",
        c.ADDED_TO: f"the acoustic descriptors add to {block.removesuffix('+acoustics')} of "
        f"{encoder} about {task}",
        c.LEAKAGE: f"a random split is optimistic for {task} with {encoder}",
    }.get(row["question"])


def _told(row: dict, said: str) -> dict:
    verdict = UNDETERMINED
    up = row["difference"] > 0
    if row["question"] == c.LAST_OR_CHOSEN:
        if row["equivalent"] or (row["resolved"] and up):
            verdict = SUPPORTED
        elif row["resolved"]:
            verdict = REFUTED
    elif row["resolved"] and up:
        verdict = SUPPORTED
    elif row["resolved"] or row["equivalent"]:
        verdict = REFUTED
    return {
        "claim": said,
        "encoder": row["a_encoder"],
        "evidence": f"contrasts: {row['question']}",
        "quantity": "bits a clip" if row["metric"] == c.BITS else "balanced accuracy",
        **{key: row[key] for key in ("low", "high", "interval", "detectable", "n_clips")},
        "value": row["difference"],
        "p_value": row["p_holm"],
        "adjusted": True,
        "n_groups": row["n_groups"],
        "verdict": verdict,
    }
