"""The contrasts planned for every task, tested over groups, and what each says in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from stratavox import stats

CONTRASTS = pa.schema(
    [
        ("question", pa.string()),
        ("a_encoder", pa.string()),
        ("a_readout", pa.string()),
        ("b_encoder", pa.string()),
        ("b_readout", pa.string()),
        ("regime", pa.string()),
        ("metric", pa.string()),
        ("a_value", pa.float64()),
        ("b_value", pa.float64()),
        ("difference", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("interval", pa.string()),
        ("p_value", pa.float64()),
        ("p_holm", pa.float64()),
        ("resolved", pa.bool_()),
        ("n_groups", pa.int32()),
        ("sentence", pa.string()),
    ]
)
SIGNIFICANT = 0.05


def planned(
    encoders: list[dict], recalls: dict[tuple[str, str], stats.Recall], chance: float
) -> list[dict]:
    """Rows of the contrasts table.

    ``encoders`` are the encoder.json of the run; ``recalls`` the grouped counts by (encoder,
    readout), empty where groups are unknown: then there is nothing to test and no row. P values
    are adjusted over all contrasts of the task (Holm).
    """
    rows = []
    for question, a, b in _pairs(encoders):
        if a not in recalls or (b is not None and b not in recalls):
            continue
        found = stats.difference(recalls[a], chance if b is None else recalls[b])
        rows.append(
            {
                "question": question,
                "a_encoder": a[0],
                "a_readout": a[1],
                "b_encoder": b[0] if b else None,
                "b_readout": b[1] if b else "chance",
                "regime": "grouped",
                "metric": "balanced_accuracy",
                "a_value": recalls[a].value,
                "b_value": recalls[b].value if b else chance,
                "difference": found.value,
                "low": found.low,
                "high": found.high,
                "interval": found.kind,
                "p_value": found.p_value,
                "p_holm": None,
                "resolved": None,
                "n_groups": len(recalls[a].clips),
            }
        )
    tested = [row for row in rows if row["p_value"] is not None]
    adjusted = stats.holm([row["p_value"] for row in tested])
    for row, p in zip(tested, adjusted, strict=True):
        row["p_holm"], row["resolved"] = p, p < SIGNIFICANT
    for row in rows:
        row["sentence"] = sentence(row)
    return rows


def _pairs(
    encoders: list[dict],
) -> Iterator[tuple[str, tuple[str, str], tuple[str, str] | None]]:
    """(question, a, b): each readout by (encoder, readout); b is None for chance."""
    deep = [encoder for encoder in encoders if encoder["blocks"]]
    flat = [encoder for encoder in encoders if not encoder["blocks"]]
    for encoder in deep:
        name, blocks = encoder["encoder"], encoder["blocks"]
        best, last = (name, "nested"), (name, blocks[-1])
        yield "above chance", best, None
        if len(blocks) > 1:
            yield "last block or the block chosen in training", last, best
            yield "last block or first", last, (name, blocks[0])
            yield "all blocks or the last", (name, "concat"), last
        for baseline in flat:
            other = (baseline["encoder"], baseline["readouts"][0])
            yield "encoder or baseline", best, other
        if encoder["weights"] != "random":
            for twin in deep:
                if twin["weights"] == "random":
                    yield "trained or random weights", best, (twin["encoder"], "nested")
    for baseline in flat:
        yield "above chance", (baseline["encoder"], baseline["readouts"][0]), None


def sentence(row: dict) -> str:
    """One contrast in words, every number from the row."""
    a = _name(row["a_encoder"], row["a_readout"])
    b = "chance" if row["b_encoder"] is None else _name(row["b_encoder"], row["b_readout"])
    values = f"{row['a_value']:.3f} against {row['b_value']:.3f}"
    bounds = f"difference {row['difference']:+.3f}, "
    if row["resolved"] is None:
        return (
            f"{a} and {b}: {values} ({bounds}range over {row['n_groups']} groups "
            f"{row['low']:+.3f} to {row['high']:+.3f}); not tested: too few groups."
        )
    bounds += f"95 % interval {row['low']:+.3f} to {row['high']:+.3f} over {row['n_groups']} groups"
    p = "p < 0.001" if row["p_holm"] < 0.001 else f"p = {row['p_holm']:.3f}"
    if not row["resolved"]:
        return f"{a} and {b}: {values} ({bounds}; Holm {p}): not resolved."
    side = "above" if row["difference"] > 0 else "below"
    return f"{a} is {side} {b}: {values} ({bounds}; Holm {p})."


def _name(encoder: str, readout: str) -> str:
    told = {
        "nested": "the block chosen in training",
        "concat": "all blocks together",
        "features": "",
    }.get(readout, readout)
    return f"{encoder}, {told}" if told else encoder
