"""How every figure looks: colours and markers.

The colours are Okabe and Ito's (2008, jfly.uni-koeln.de/color), which colour-blind readers can
separate; markers carry the same distinction in grey print.
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
BROWN = "#5D3A00"
# On a dark page: what is too dark or too bright there -> its colour.
DARK = {INK: "#E6E6E6", BLACK: "#FFFFFF", GREY: "#9E9E9E", PALE: "#4A4A4A"}
DARK |= {BLUE: "#3D9BE0", BROWN: "#B98A4A"}

# Not for encoders: yellow lines are hard to see on white, and black lines look like axes.
ENCODER_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BROWN)
CLASS_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, BLACK, YELLOW)
# as matplotlib calls them; `stratavox.report.screen` knows plotly's names
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p")
CLASS_MARKERS = MARKERS[:5]
MAX_CLASSES = len(CLASS_COLOURS) * len(CLASS_MARKERS)
# Lines of the sites inside a block.
SITE_DASHES = {"attn": "dot", "ffn": "longdash"}


@dataclass(frozen=True)
class Look:
    """A colour and a marker."""

    colour: str
    marker: str


def encoder_looks(names: Sequence[str], run: Sequence[str] = ()) -> dict[str, Look]:
    """A look for each encoder, by its place in the list ``run``: the same in every figure of a run.

    Without such a list, of which ``names`` may be a part, it is by the place in ``names``.

    Seven colours and nine markers advance together and have no common factor, so 63 encoders
    differ, and the first nine differ in grey print.
    """
    looks = {
        name: Look(ENCODER_COLOURS[i % len(ENCODER_COLOURS)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(run or names)
    }
    return {name: looks[name] for name in names}


def class_looks(classes: Sequence[str]) -> dict[str, Look]:
    """A look for each of the first 40 classes, by the same rule: eight colours, five markers."""
    return {
        name: Look(CLASS_COLOURS[i % len(CLASS_COLOURS)], CLASS_MARKERS[i % len(CLASS_MARKERS)])
        for i, name in enumerate(classes[:MAX_CLASSES])
    }
