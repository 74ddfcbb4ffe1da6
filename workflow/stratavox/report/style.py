"""How every figure looks: colours, markers and the names people read.

The colours are Okabe and Ito's (2008, jfly.uni-koeln.de/color), which stay apart for colour-blind
readers; markers carry the same distinction in grey print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY, PALE, INK = "#6E6E6E", "#D9D9D9", "#222222"

# Yellow lines vanish on white and black reads as an axis, so encoders do without both.
ENCODER_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "#5D3A00")
CLASS_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, BLACK, YELLOW)
# (matplotlib, plotly): shapes that both draw filled
MARKERS = (
    ("o", "circle"),
    ("s", "square"),
    ("^", "triangle-up"),
    ("D", "diamond"),
    ("v", "triangle-down"),
    ("P", "cross"),
    ("X", "x"),
    ("*", "star"),
    ("p", "pentagon"),
)
CLASS_MARKERS = MARKERS[:5]
MAX_CLASSES = len(CLASS_COLOURS) * len(CLASS_MARKERS)
# Sites inside a block: their line, as matplotlib and plotly call it, and what they are.
BRANCHES = {
    "attn": ((0, (1, 2)), "dot", "attn: what attention adds in a block"),
    "ffn": ((0, (5, 2)), "longdash", "ffn: what the feed-forward part adds in a block"),
}
# By weights kind, as encoder.json has it: what is added to an encoder's name wherever it stands.
WEIGHTS_MARKS = {"random": "random weights", "none": "baseline"}
WEIGHTS_MARKS |= dict.fromkeys(("pretrained", "file", "bundled"), "")


@dataclass(frozen=True)
class Look:
    """A colour and a marker under the names matplotlib and plotly give it."""

    colour: str
    marker: str
    symbol: str


def encoder_looks(names: Sequence[str]) -> dict[str, Look]:
    """A look for each encoder, by its place in the run's list: the same in every figure of a run.

    Seven colours and nine markers advance together and have no common factor, so 63 encoders
    differ, and the first nine differ in grey print.
    """
    return {
        name: Look(ENCODER_COLOURS[i % len(ENCODER_COLOURS)], *MARKERS[i % len(MARKERS)])
        for i, name in enumerate(names)
    }


def class_looks(classes: Sequence[str]) -> dict[str, Look]:
    """A look for each of the first 40 classes, by the same rule: eight colours, five markers."""
    return {
        name: Look(CLASS_COLOURS[i % len(CLASS_COLOURS)], *CLASS_MARKERS[i % len(CLASS_MARKERS)])
        for i, name in enumerate(classes[:MAX_CLASSES])
    }


def encoder_label(name: str, weights: str, draws: int = 0) -> str:
    """An encoder's name with what a reader must know of its weights ("random weights, 3 draws")."""
    mark = WEIGHTS_MARKS[weights] + (f", {draws} draws" if draws > 1 else "")
    return f"{name} ({mark})" if mark else name


def dataset_label(name: str, source: str) -> str:
    """A dataset's name; made-up sound is called synthetic."""
    return f"{name} (synthetic)" if source == "chorus" else name


def readout_label(readout: str) -> str:
    """A readout in words; the number is the name's own, zero-based: ``block_07`` is "block 7"."""
    fusions = {
        "concat": "all blocks together (concat)",
        "concat_pca": "all blocks at one block's width (PCA)",
        "mean": "mean of blocks",
        "weighted": "blocks weighted in training",
        "concat_avex": "avex's own all layers (patch and every ffn)",
        "nested": "block chosen in training folds",
        "acoustics": "acoustic descriptors alone",
    }
    if readout in fusions:
        return fusions[readout]
    if readout.endswith("+acoustics"):
        return f"{readout_label(readout.removesuffix('+acoustics'))} with acoustic descriptors"
    kind, _, number = readout.rpartition("_")
    return f"{kind} {int(number)}" if kind and number.isdigit() else readout


def probe_label(probe: str) -> str:
    """A probe on tokens in words."""
    return {
        "linear": "linear",
        "attention": "attention on tokens",
        "attention_mean": "attention on one pooled vector",
        "attention_pool": "attention pooling of tokens",
        "attention_order": "attention on tokens in order",
        "mlp": "MLP on the mean",
    }[probe]


def fraction(value: float) -> str:
    """A score with two decimals."""
    return f"{value:.2f}"


def interval(low: float | None, high: float | None) -> str:
    """ "0.55 to 0.69", or "no interval" where the table has none."""
    if missing(low) or missing(high):
        return "no interval"
    return f"{fraction(low)} to {fraction(high)}"


def missing(value: float | None) -> bool:
    """Whether a table's number is empty (null or NaN)."""
    return value is None or value != value


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 group", "21 groups", "3 classes"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
