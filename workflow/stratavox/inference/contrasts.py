"""The contrasts planned for every task: which two scores, tested how, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from stratavox import words
from stratavox.inference import paired
from stratavox.inference.groups import BCA, Interval, interval
from stratavox.inference.multiplicity import holm
from stratavox.inference.study import Encoder, Key, Study

CONTRASTS = pa.schema(
    [
        ("question", pa.string()),
        ("a_encoder", pa.string()),
        ("a_readout", pa.string()),
        ("a_probe", pa.string()),
        ("a_control", pa.string()),
        ("a_regime", pa.string()),
        ("b_encoder", pa.string()),
        ("b_readout", pa.string()),
        ("b_probe", pa.string()),
        ("b_control", pa.string()),
        ("b_regime", pa.string()),
        ("metric", pa.string()),
        ("a_value", pa.float64()),
        ("b_value", pa.float64()),
        ("difference", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("interval", pa.string()),
        ("error", pa.float64()),
        ("p_groups", pa.float64()),
        ("p_sign_flip", pa.float64()),
        ("p_resampled", pa.float64()),
        ("p_value", pa.float64()),
        ("p_holm", pa.float64()),
        ("resolved", pa.bool_()),
        ("margin", pa.float64()),
        ("equivalent", pa.bool_()),
        ("detectable", pa.float64()),
        ("n_clips", pa.int32()),
        ("n_groups", pa.int32()),
        ("sentence", pa.string()),
    ]
)
ABOVE_CHANCE = "above chance"
TRAINED = "trained or random weights"
BASELINE = "encoder or baseline"
LEAKAGE = "random or grouped split"
LAST_OR_CHOSEN = "last block or the block chosen in training"
ORDER = "tokens in order or shuffled"
ADDS = "block beside acoustic descriptors"
ADDED_TO = "acoustic descriptors beside block"
ACCURACY, BITS = "balanced_accuracy", "bits"


def planned(study: Study, settings: dict) -> list[dict]:
    """Rows of the contrasts table; none where groups are unknown, as there is nothing to test.

    The p value that decides is t's over groups where intervals are t's, and sign flipping's from
    15 groups on; all three are told. P values are adjusted over the contrasts of the task (Holm).
    ``settings``: folds, and margin, within which two scores count as equal.
    """
    if study.groups is None:
        return []
    rows = [
        _row(study, question, a, b, settings)
        for question, a, b in _pairs(study)
        if _has(study, a) and (isinstance(b, float) or _has(study, b))
    ]
    tested = [row for row in rows if row["p_value"] is not None]
    adjusted = holm([row["p_value"] for row in tested])
    for row, p in zip(tested, adjusted, strict=True):
        found = row.pop("found")
        row["p_holm"], row["resolved"] = p, p < paired.SIGNIFICANT
        row["detectable"] = paired.detectable(found, len(tested))
        if row["metric"] == ACCURACY:
            row["margin"] = settings["margin"]
            row["equivalent"] = paired.equivalent(found, settings["margin"])
    for row in rows:
        row.pop("found", None)
        row["sentence"] = sentence(row)
    return rows


def _has(study: Study, key: Key) -> bool:
    return key in study.correct


def _pairs(study: Study) -> Iterator[tuple[str, Key, Key | float]]:
    deep = [encoder for encoder in study.encoders if encoder.blocks]
    flat = [encoder for encoder in study.encoders if not encoder.blocks]
    for encoder in deep:
        best = Key(encoder.name, "nested")
        yield ABOVE_CHANCE, best, max(study.chance, study.permuted(encoder))
        for baseline in flat:
            yield BASELINE, best, Key(baseline.name, baseline.made["readouts"][0])
        yield LEAKAGE, best._replace(regime="random"), best
        if not encoder.random:
            for twin in deep:
                if twin.random and encoder.same_architecture(twin):
                    yield TRAINED, best, Key(twin.name, "nested")
            yield from _within(encoder)
    for baseline in flat:
        key = Key(baseline.name, baseline.made["readouts"][0])
        yield ABOVE_CHANCE, key, max(study.chance, study.permuted(baseline))


def _within(encoder: Encoder) -> Iterator[tuple[str, Key, Key]]:
    """Contrasts of one encoder with itself: depth, fusion, probe, what acoustics leave to it."""
    name, blocks = encoder.name, encoder.blocks
    best, last = Key(name, "nested"), Key(name, blocks[-1])
    concat = Key(name, "concat")
    if len(blocks) > 1:
        yield LAST_OR_CHOSEN, last, best
        yield "last block or first", last, Key(name, blocks[0])
        yield "all blocks or the last", concat, last
        yield "all blocks at one block's width or the last", Key(name, "concat_pca"), last
        yield "mean of blocks or all", Key(name, "mean"), concat
        yield "weighted blocks or all", Key(name, "weighted"), concat
        yield "avex's all layers or all blocks", Key(name, "concat_avex"), concat
    for block in blocks:
        linear = Key(name, block)
        for probe in ("attention", "attention_pool", "mlp"):
            yield "probe on tokens or linear", linear._replace(probe=probe), linear
        ordered = linear._replace(probe="attention_order")
        yield ORDER, ordered, ordered._replace(control="shuffled")
    both = last._replace(readout=f"{blocks[-1]}+acoustics")
    yield ADDS, both, Key(name, "acoustics")
    yield ADDED_TO, both, last


def _row(study: Study, question: str, a: Key, b: Key | float, settings: dict) -> dict:
    metric = BITS if question in (ADDS, ADDED_TO) else ACCURACY
    measures = study.bits if metric == BITS else study.correct
    first = measures[a]
    other = b if isinstance(b, float) else measures[b]
    against = other if isinstance(b, float) else other.value

    def apart(weights: np.ndarray) -> np.ndarray:
        return first(weights) - (other if isinstance(b, float) else other(weights))

    found = interval(apart, study.groups)
    constant = {f"b_{name}": None for name in Key._fields} | {"b_readout": _constant(study, b)}
    row = {
        "question": question,
        **{f"a_{name}": value for name, value in a._asdict().items()},
        **(
            constant
            if isinstance(b, float)
            else {f"b_{name}": value for name, value in b._asdict().items()}
        ),
        "metric": metric,
        "a_value": first.value,
        "b_value": against,
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "interval": found.kind,
        "error": found.error,
        "p_holm": None,
        "resolved": None,
        "margin": None,
        "equivalent": None,
        "detectable": None,
        "n_clips": int(first.clips.sum()),
        "n_groups": study.groups.n,
        "found": found,
    }
    each = study.groups.pseudo_values(apart)
    return row | _p_values(study, a, b, each, found, metric, settings)


def _p_values(study, a: Key, b: Key | float, each, found: Interval, metric, settings) -> dict:
    by_groups = paired.group_p(found)
    flipped = None if by_groups is None else paired.sign_flip(each)
    resampled = None
    # folds of two regimes do not pair, and bits are not scored by fold
    if not isinstance(b, float) and metric == ACCURACY and a.regime == b.regime:
        differences = study.fold_differences(a, b)
        resampled = paired.corrected_resampled(differences, 1 / (settings["folds"] - 1))
    return {
        "p_groups": by_groups,
        "p_sign_flip": flipped,
        "p_resampled": resampled,
        "p_value": flipped if found.kind == BCA else by_groups,
    }


def _constant(study: Study, value: Key | float) -> str:
    return words.CHANCE if value == study.chance else words.CONTROLS["permutation"]


def sentence(row: dict) -> str:
    """One contrast in words, every number from the row."""
    a = _name(row["a_encoder"], row["a_readout"], row["a_probe"])
    b = row["b_readout"]
    if row["b_encoder"] is not None:
        b = _name(row["b_encoder"], row["b_readout"], row["b_probe"])
    if row["question"] == LEAKAGE:
        a, b = f"{a} on a random split", f"{a} by group"
    if row["question"] == ORDER:
        b += ", tokens shuffled"
    unit = " bits" if row["metric"] == BITS else ""
    values = f"{row['a_value']:.3f} against {row['b_value']:.3f}{unit}"
    bounds = f"difference {row['difference']:+.3f}, "
    if row["resolved"] is None:
        return (
            f"{a} and {b}: {values} ({bounds}range over {row['n_groups']} groups "
            f"{row['low']:+.3f} to {row['high']:+.3f}); not tested: too few groups."
        )
    bounds += f"95 % interval {row['low']:+.3f} to {row['high']:+.3f} over {row['n_groups']} groups"
    p = "p < 0.001" if row["p_holm"] < 0.001 else f"p = {row['p_holm']:.3f}"
    if row["detectable"] is None:
        return f"{a} and {b}: {values}: no group tells them apart, so nothing can be tested."
    told = f"{values} ({bounds}; Holm {p}; detectable {row['detectable']:.3f})"
    side = "above" if row["difference"] > 0 else "below"
    if row["resolved"] and row["equivalent"]:
        return f"{a} is {side} {b}, by less than the margin of {row['margin']:.3f}: {told}."
    if row["resolved"]:
        return f"{a} is {side} {b}: {told}."
    if row["equivalent"]:
        return f"{a} and {b} are equal within {row['margin']:.3f}: {told}."
    return f"{a} and {b}: {told}: not resolved."


def _name(encoder: str, readout: str, probe: str) -> str:
    beside = readout.replace(words.BESIDE_ACOUSTICS, " with acoustic descriptors")
    label = {**words.READOUTS, "features": ""}.get(readout, beside)
    parts = (encoder, label, "" if probe == "linear" else f"{probe} probe")
    return ", ".join(part for part in parts if part)
