"""Labels of the names in tables, for the report's figures and sentences.

Tables hold short names (``block_07``, ``control_task``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from stratavox.encoders import weights_entry

# Readouts made of several blocks, or of none, as used inside a sentence.
READOUTS = {
    "nested": "the block chosen in training",
    "concat": "all blocks together",
    "concat_pca": "all blocks at one block's width",
    "mean": "the mean of blocks",
    "weighted": "the weighted blocks",
    "concat_avex": "all layers as avex defines them",
    "acoustics": "acoustic descriptors alone",
}
# Two parts in one probe: the first as it is, and what it lacks of the second.
BESIDE_ACOUSTICS, AFTER_ACOUSTICS = "+acoustics", "acoustics+"
# Sites inside a block, each drawn as its own line.
SITES = {
    "attn": "attn: output of attention in a block",
    "ffn": "ffn: output of the feed-forward part of a block",
}
PROBES = {
    "linear": "linear",
    "attention": "attention on tokens",
    "attention_mean": "attention on one pooled vector",
    "attention_pool": "attention pooling of tokens",
    "attention_order": "attention on tokens in order",
    "mlp": "MLP on the mean",
}
# Metrics of the table of scores; the first of each kind of task is what answers are about.
METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "accuracy": "accuracy",
    "r2": "variance explained (R²)",
    "spearman": "Spearman's rho",
    "map": "mean average precision (mAP)",
    "auroc": "class-mean AUROC",
}
# Kinds of tasks, in a sentence.
KINDS = {
    "classification": "a classification",
    "regression": "a regression",
    "multilabel": "a multilabel task",
}
NOT_COMPUTED = "not computed"
# Stages, controls and fusions that are made for classes alone (probe/kinds.py).
OF_CLASSES = {
    "confounds": "association of columns with the label",
    "samples": "samples to accuracy",
    "notebook": "the notebook's protocol",
    "conditional": "bits beyond acoustic descriptors",
    "erasure": "erasure",
    "attention": "probes on tokens",
    "all_blocks": "probes on the tokens of all blocks",
    "control_task": "control task",
    "weighted": "weighted blocks",
    "neighbours": "neighbours and clusters",
    "umap": "maps",
}
# Between the two parts of the name of a probe on all blocks: its head and its protocol.
BY_PROTOCOL = ":"
HEADS = {
    "linear": "linear on the mean of tokens",
    "mlp": "MLP on the mean of tokens",
    "attention": "attention on tokens",
    "order": "attention on tokens in order",
}
PROTOCOLS = {
    "icassp2026": "icassp2026 (Miron et al. 2026)",
    "early_stop": "early_stop (epochs chosen on inner groups)",
}
CHANCE = "chance"
# The question of the verdict.
ORDER = "Acoustics early, {task} late"
CONTROLS = {
    "permutation": "permuted labels",
    "shuffled": "tokens shuffled",
    "control_task": "control task (random labels, random split)",
    "width_matched": "width-matched",
}
REGIMES = {
    "grouped": "grouped by {group}",
    "within": "trained on the tested side, grouped by {group}",
    "recording": "by recording",
    "random": "random split",
}
# The grouped regime of a task with transfer.
TRANSFER = "trained on the other side"
INTERVALS = {
    "t over groups": "95 % t interval over groups, given these fits",
    "range over groups": "range over groups, lowest to highest (too few groups for an interval)",
    "none": "no interval",
    "permutations": "95 % range over permutations",
    "draws": "95 % range over draws of labels",
}
# The same for little space.
INTERVALS_SHORT = INTERVALS | {
    "t over groups": "95 % t interval over groups",
    "range over groups": "range over groups",
}
# Weights that nothing has trained, by the key `weights` in encoder.json: controls.
UNTRAINED = {weights: f"{weights} weights" for weights in weights_entry.UNTRAINED}
# What an encoder's name gets by the same key; the others get nothing.
WEIGHTS = UNTRAINED | {"none": "baseline"}
# Measures of the depths table.
DEPTHS = {
    "onset": "onset (first block shown to be no more than the margin below the block chosen in "
    "training)",
    "confidence set": "blocks that may be the best (95 %)",
}
# Outcomes of a contrast: as a heading, and in a cell.
OUTCOMES = {
    "resolved": ("Resolved", "resolved"),
    "equal": ("Equal within the margin", "equal within the margin"),
    "unresolved": ("Not resolved: the data cannot separate the two", "not resolved"),
    "untested": ("Could not be tested", "not tested"),
}


def readout(name: str) -> str:
    """A readout in words; the number is the name's own, zero-based: ``block_07`` is "block 7"."""
    if name in READOUTS:
        return READOUTS[name].removeprefix("the ")
    if name.endswith(BESIDE_ACOUSTICS):
        return f"{readout(name.removesuffix(BESIDE_ACOUSTICS))} with acoustic descriptors"
    if name.startswith(AFTER_ACOUSTICS):
        return f"acoustic descriptors with {readout(name.removeprefix(AFTER_ACOUSTICS))}"
    kind, _, number = name.rpartition("_")
    return f"{kind} {int(number)}" if kind and number.isdigit() else name


def tick(name: str) -> str:
    """A readout under an axis: a block's number, "input", or "all" for all blocks together."""
    return "all" if name == "concat" else readout(name).removeprefix("block ")


def most_often(readouts: Iterable[str]) -> str:
    """The most frequent of the readouts chosen in folds: "block 7 in 9 of 15 folds"."""
    counts = Counter(readouts)
    most = max(sorted(counts), key=counts.get)
    return f"{readout(most)} in {counts[most]} of {count(counts.total(), 'fold')}"


def probe(name: str) -> str:
    """A probe in words; one without a label by its name."""
    head, _, protocol = name.partition(BY_PROTOCOL)
    return f"{HEADS[head]}, {protocol}" if protocol else PROBES.get(name, name)


def encoder(name: str, weights: str, draws: int = 0) -> str:
    """An encoder's name and what its weights are ("random weights, 3 draws")."""
    mark = WEIGHTS.get(weights, "") + (f", {draws} draws" if draws > 1 else "")
    return f"{name} ({mark})" if mark else name


def dataset(name: str, source: str) -> str:
    """A dataset's name, marked if the workflow generated its sound."""
    return f"{name} (synthetic)" if source == "chorus" else name


def grouping(group: str | list[str]) -> str:
    """The column or columns that a task is grouped by: "individual and site"."""
    return group if isinstance(group, str) else " and ".join(group)


def side(transfer: dict, name: str) -> str:
    """The side "train" or "test" of a task's transfer: "site A", "site B and C"."""
    return f"{transfer['column']} {' and '.join(transfer[name])}"


def sentence(text: str) -> str:
    """The same text at the start of a sentence."""
    return text[:1].upper() + text[1:]


def missing(value: float | None) -> bool:
    """Whether a table's number is empty (null or NaN)."""
    return value is None or value != value


def none_if_missing(value):
    """``value``, or None where a table has none."""
    return None if missing(value) else value


def number(value: float | None, decimals: int = 3) -> str:
    """A score with three decimals, zero without a sign; an empty one as a dash."""
    if missing(value):
        return "–"
    text = f"{value:.{decimals}f}"
    return text if float(text) else text.removeprefix("-")


def difference(value: float | None) -> str:
    """The same with its sign."""
    return "–" if missing(value) else f"{value:+.3f}"


def bounds(low: float | None, high: float | None, decimals: int = 3) -> str:
    """ "0.551 to 0.692", or "no interval" where the table has none."""
    if missing(low) or missing(high):
        return INTERVALS["none"]
    return f"{number(low, decimals)} to {number(high, decimals)}"


def estimate(of, decimals: int = 3) -> str:
    """A value, low and high as "0.621 (0.551 to 0.692)"; without bounds the number alone."""
    unknown = missing(of.low) or missing(of.high)
    ends = "" if unknown else f" ({bounds(of.low, of.high, decimals)})"
    return number(of.value, decimals) + ends


def p_value(value: float | None) -> str:
    """A p value with three decimals, never "0.000"."""
    return "< 0.001" if not missing(value) and value < 0.001 else number(value)


def plural(noun: str) -> str:
    """ "groups", "classes"."""
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def count(amount: int, noun: str) -> str:
    """A number with its noun: "1 group", "21 groups", "3 classes"."""
    return f"{amount:,} {noun if amount == 1 else plural(noun)}"
