"""The contrasts planned for every task: two scores compared, tested over groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from stratavox import words
from stratavox.inference import paired
from stratavox.inference.groups import Interval, interval
from stratavox.inference.measures import Balanced
from stratavox.inference.multiplicity import holm
from stratavox.inference.study import Encoder, Key, Study

ABOVE_CHANCE = "above chance"
TRAINED, PERMUTED = "trained or random weights", "trained or permuted weights"
# The question about a twin, by its weights.
TWINS = {"random": TRAINED, "permuted": PERMUTED}
BASELINE = "encoder or baseline"
LEAKAGE = "random or grouped split"
TRANSFER = "trained on the tested side or on the other"
LAST_OR_CHOSEN = "last block or the block chosen in training"
ORDER = "tokens in order or shuffled"
ADDS = "block beside acoustic descriptors"
ADDED_TO = "acoustic descriptors beside block"
# Comparisons within one encoder.
LAST_OR_FIRST = "last block or first"
# Question -> a fusion and the one it is compared with; None is the last block.
FUSIONS = {
    "all blocks or the last": ("concat", None),
    "all blocks at one block's width or the last": ("concat_pca", None),
    "mean of blocks or all": ("mean", "concat"),
    "weighted blocks or all": ("weighted", "concat"),
    "avex's all layers or all blocks": ("concat_avex", "concat"),
}
# Of probes on the tokens of all blocks; a family of their own for Holm's correction.
ALL_BLOCKS = "probes on tokens: all blocks or the last"
ATTENTION = "probes on tokens: attention or linear"
TUNED = "probes on tokens: attention or the linear probe with a chosen penalty"
NOT_SIZE = "probes on tokens: attention or MLP of its size"
IN_ORDER = "probes on tokens: in order or shuffled"
ON_BLOCKS = (ALL_BLOCKS, ATTENTION, TUNED, NOT_SIZE, IN_ORDER)
# Which of two linear probes is better is asked only where one of them decodes the target.
GATED = {*TWINS.values(), BASELINE, LAST_OR_CHOSEN, LAST_OR_FIRST, *FUSIONS}
BITS = "bits"
# Probes that are not compared with the linear probe: itself, and two with other questions.
NOT_AGAINST_LINEAR = {"linear", "attention_mean", "attention_order"}


def rows(study: Study) -> list[dict]:
    """A row for each contrast; none where groups are unknown, as nothing can be tested then.

    ``p_value``, of t over groups, is adjusted (Holm) over the contrasts with chance, over those of
    `ON_BLOCKS`, and over all others. The settings ``folds`` and ``margin`` are used; scores within
    the margin count as equal. Random draws of an encoder are one more random factor
    (`_beside_draws`), and so are the seeds of a probe (`Study.beside_seeds`).
    """
    if study.groups is None:
        return []
    rows, differences = [], []
    for question, a, b in _pairs(study):
        if a in study.correct and (isinstance(b, Interval) or b in study.correct):
            row, difference = _row(study, question, a, b)
            rows.append(row)
            differences.append(difference)
    _adjust(rows, differences)
    for row in rows:
        row["sentence"] = sentence(row)
    return rows


def _adjust(rows: list[dict], differences: list[Interval]) -> None:
    """Fill in what depends on how many contrasts there are.

    Whether the target is decodable at all comes first and is a family of its own. Which of two
    scores is higher is no surer than that one of their encoders decodes it (serial gatekeeping:
    Dmitrienko & Tamhane 2007, Pharmaceutical Statistics 6:171-180): the folds of groups that are
    all at chance are not independent, so their scores differ more than over groups alone.
    """
    gate: dict[str, float] = {}
    for number in range(3):
        first = number == 0
        family = [
            place
            for place, row in enumerate(rows)
            if _family(row["question"]) == number and row["p_value"] is not None
        ]
        adjusted = holm([rows[place]["p_value"] for place in family])
        for place, p in zip(family, adjusted, strict=True):
            row = rows[place]
            if first and row["difference"] > 0:
                gate[row["a_encoder"]] = p
            elif row["question"] in GATED:
                encoders = (row["a_encoder"], row["b_encoder"])
                p = max(p, min(gate.get(encoder, 1.0) for encoder in encoders))
            row["p_holm"], row["resolved"] = p, p < paired.SIGNIFICANT
            row["detectable"] = paired.detectable(differences[place], len(family))


def _family(question: str) -> int:
    return 0 if question == ABOVE_CHANCE else 2 if question in ON_BLOCKS else 1


def _pairs(study: Study) -> Iterator[tuple[str, Key, Key | Interval]]:
    deep = [encoder for encoder in study.encoders if encoder.blocks]
    flat = [encoder for encoder in study.encoders if not encoder.blocks]
    for encoder in deep:
        best = Key(encoder.name, "nested")
        yield ABOVE_CHANCE, best, study.null(encoder)
        for baseline in flat:
            yield BASELINE, best, Key(baseline.name, baseline.compared)
        alike = best._replace(regime="within") if study.task.get("transfer") else best
        yield LEAKAGE, best._replace(regime="random"), alike
        yield TRANSFER, best._replace(regime="within"), best
        if not encoder.untrained:
            for twin in deep:
                if twin.twin_of(encoder):
                    yield TWINS[twin.description["weights"]], best, Key(twin.name, "nested")
            yield from _within(study, encoder)
    for baseline in flat:
        key = Key(baseline.name, baseline.compared)
        yield ABOVE_CHANCE, key, study.null(baseline)


def _within(study: Study, encoder: Encoder) -> Iterator[tuple[str, Key, Key]]:
    """Contrasts of one encoder with itself: depth, fusion, probe, acoustic descriptors."""
    name, blocks = encoder.name, encoder.blocks
    best, last = Key(name, "nested"), Key(name, blocks[-1])
    if len(blocks) > 1:
        yield LAST_OR_CHOSEN, last, best
        yield LAST_OR_FIRST, last, Key(name, blocks[0])
        for question, (fusion, other) in FUSIONS.items():
            yield question, Key(name, fusion), Key(name, other) if other else last
    probes = {key.probe for key in study.correct if key.encoder == name}
    token_probes = sorted(
        probe for probe in probes - NOT_AGAINST_LINEAR if words.BY_PROTOCOL not in probe
    )
    for block in blocks:
        linear = Key(name, block)
        for probe in token_probes:
            yield "probe on tokens or linear", linear._replace(probe=probe), linear
        ordered = linear._replace(probe="attention_order")
        yield ORDER, ordered, ordered._replace(control="shuffled")
    for protocol in words.PROTOCOLS:
        yield from _on_blocks(name, blocks[-1], protocol)
    after = Key(name, f"{words.AFTER_ACOUSTICS}{blocks[-1]}")
    yield ADDS, after, Key(name, "acoustics")
    yield ADDED_TO, Key(name, f"{blocks[-1]}{words.BESIDE_ACOUSTICS}"), last


def _on_blocks(encoder: str, last: str, protocol: str) -> Iterator[tuple[str, Key, Key]]:
    """The 2 x 2 of Miron et al. 2026, for both fusions, and what tells its parts apart."""

    def key(readout: str, head: str, control: str = "none") -> Key:
        return Key(encoder, readout, f"{head}{words.BY_PROTOCOL}{protocol}", control)

    for fusion in ("concat", "weighted"):
        for head in ("linear", "attention"):
            yield ALL_BLOCKS, key(fusion, head), key(last, head)
    for readout in (last, "concat", "weighted"):
        yield ATTENTION, key(readout, "attention"), key(readout, "linear")
        # a linear layer may not have converged after so many epochs; this one has
        yield TUNED, key(readout, "attention"), Key(encoder, readout)
        yield NOT_SIZE, key(readout, "attention"), key(readout, "mlp")
        yield IN_ORDER, key(readout, "order"), key(readout, "order", "shuffled")


def _row(study: Study, question: str, a: Key, b: Key | Interval) -> tuple[dict, Interval]:
    """The row of a contrast, without what depends on the other contrasts, and its difference."""
    metric = BITS if question in (ADDS, ADDED_TO) else study.kind.metric
    measures, margin = study.bits if metric == BITS else study.correct, study.settings["margin"]
    first = measures[a]
    constant = isinstance(b, Interval)
    other = b if constant else measures[b]
    apart = paired.Difference.of(first, (lambda _: b.value) if constant else other, study.groups)
    difference = apart.interval
    identical = (
        question == LAST_OR_CHOSEN and study.chosen_block(study.named(a.encoder)) == a.readout
    )
    draws = 1
    if constant:
        score = interval(first, study.groups, study.bounds)
        bounds = {"low": score.low - b.value, "high": score.high - b.value}
        difference = replace(difference, **bounds).beside(b.error, b.freedom)
        columns_of_b = dict.fromkeys(Key._fields) | {"readout": b.kind}
    else:
        columns_of_b = b._asdict()
        if question in TWINS.values():
            drawn = [
                study.correct[b._replace(encoder=name)] for name in study.named(b.encoder).members
            ]
            difference, draws = _beside_draws(difference, drawn), len(drawn)
        difference = study.beside_seeds(difference, a, b)
    if difference.error == 0 and difference.value == 0:
        # no group differs: how far others may is the bound of agreement, no interval of this 0
        difference = replace(difference, low=None, high=None, kind="none")
    p_equivalent = None
    if metric != BITS:
        p_equivalent = paired.equivalence_p(difference, apart.influence, margin)
    row = {
        "question": question,
        **{f"a_{name}": value for name, value in a._asdict().items()},
        **{f"b_{name}": value for name, value in columns_of_b.items()},
        "metric": metric,
        "a_value": first.value,
        "b_value": other.value,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "interval": difference.kind,
        "error": difference.error,
        "freedom": difference.freedom,
        "identical": identical,
        "draws": draws,
        **dict.fromkeys(("p_holm", "resolved", "detectable")),
        "margin": margin if metric != BITS else None,
        "p_equivalent": p_equivalent,
        "equivalent": identical or (p_equivalent is not None and p_equivalent < paired.SIGNIFICANT),
        "n_clips": round(first.clips.sum()),
        "n_groups": study.groups.n,
    }
    return row | _p_values(study, a, b, apart.of_each, difference, metric), difference


def _beside_draws(difference: Interval, drawn: list[Balanced]) -> Interval:
    """A difference to the mean of random draws, with how much one draw differs from that mean.

    The question is whether the trained encoder is above what a draw can give, so it is compared
    with one more draw: Crawford & Howell 1998, The Clinical Neuropsychologist 12:482-486 (a single
    case against a small sample), with m - 1 degrees of freedom for m draws. One draw tells nothing
    about others, and the difference is then about this draw alone.
    """
    m = len(drawn)
    if m < 2:
        return difference
    spread = float(np.std([draw.value for draw in drawn], ddof=1))
    return difference.beside(spread * np.sqrt(1 + 1 / m), m - 1)


def _p_values(
    study: Study, a: Key, b: Key | Interval, of_each: np.ndarray, difference: Interval, metric: str
) -> dict:
    by_groups = paired.group_p(difference, of_each)
    flipped = None if by_groups is None else paired.sign_flip(of_each)
    resampled = None
    # folds of two regimes do not pair, and bits are not scored by fold
    if not isinstance(b, Interval) and metric != BITS and a.regime == b.regime:
        test_by_train = 1 / (study.settings["folds"] - 1)
        resampled = paired.corrected_resampled(study.fold_differences(a, b), test_by_train)
    return {"p_value": by_groups, "p_sign_flip": flipped, "p_resampled": resampled}


def sentence(row: dict) -> str:
    """One contrast in words, every number from the row."""
    a = _name(row["a_encoder"], row["a_readout"], row["a_probe"])
    b = row["b_readout"]
    if row["b_encoder"] is not None:
        b = _name(row["b_encoder"], row["b_readout"], row["b_probe"])
    if row["question"] == LEAKAGE:
        a, b = f"{a} on a random split", f"{a} by group"
    if row["question"] == TRANSFER:
        a, b = f"{a}, trained on the tested side", f"{a}, trained on the other side"
    if row["question"] in (ORDER, IN_ORDER):
        b += ", tokens shuffled"
    for weights, question in TWINS.items():
        if row["question"] == question:
            draws = f"{row['draws']} draws" if row["draws"] > 1 else "one draw"
            b += f" ({words.UNTRAINED[weights]}, {draws})"
    if row["identical"]:
        return f"{a} is the block chosen in training in every fold: {row['a_value']:.3f}."
    unit = " bits" if row["metric"] == BITS else ""
    values = f"{row['a_value']:.3f} against {row['b_value']:.3f}{unit}"
    bounds = f"difference {row['difference']:+.3f}, "
    if row["resolved"] is None:
        return (
            f"{a} and {b}: {values} ({bounds}range over {row['n_groups']} groups "
            f"{row['low']:+.3f} to {row['high']:+.3f}); not tested: too few groups."
        )
    ceiling = min(row["a_value"], row["b_value"]) >= 1 - (row["margin"] or 0)
    if not row["error"] and not row["difference"]:
        where = "at the ceiling, and " if ceiling else ""
        return f"{a} and {b}: {where}no group differs: {values}; equality cannot be tested."
    bounds += f"95 % interval {row['low']:+.3f} to {row['high']:+.3f} over {row['n_groups']} groups"
    p = "p < 0.001" if row["p_holm"] < 0.001 else f"p = {row['p_holm']:.3f}"
    numbers = f"{values} ({bounds}; Holm {p}"
    numbers += f"; detectable {row['detectable']:.3f})" if row["error"] else "; all groups alike)"
    if ceiling and not row["resolved"] and not row["equivalent"]:
        return f"{a} and {b} are both at the ceiling: {numbers}."
    side = "above" if row["difference"] > 0 else "below"
    if row["resolved"] and row["equivalent"]:
        return f"{a} is {side} {b}, by less than the margin of {row['margin']:.3f}: {numbers}."
    if row["resolved"]:
        return f"{a} is {side} {b}: {numbers}."
    if row["equivalent"]:
        equal = f"equal within {row['margin']:.3f} (p = {row['p_equivalent']:.3f})"
        return f"{a} and {b} are {equal}: {numbers}."
    return f"{a} and {b}: {numbers}: not resolved."


def _name(encoder: str, readout: str, probe: str) -> str:
    beside = readout.replace(words.BESIDE_ACOUSTICS, " with acoustic descriptors")
    beside = beside.replace(words.AFTER_ACOUSTICS, "acoustic descriptors with ")
    label = {**words.READOUTS, "features": ""}.get(readout, beside)
    by = " ".join(reversed(probe.split(words.BY_PROTOCOL)))
    parts = (encoder, label, "" if probe == "linear" else f"{by} probe")
    return ", ".join(part for part in parts if part)
