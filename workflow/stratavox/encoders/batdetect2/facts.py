"""BatDetect2, by the file of weights in the package batdetect2."""

from __future__ import annotations

from stratavox.encoders import weights_entry
from stratavox.encoders.batdetect2 import LICENCE, PACKAGED, RATE, installed

WEIGHTS = ("batdetect2",)
ENTRY = """
required: [weights]
properties:
  weights:
    description: >-
      batdetect2 (the file in the installed package), permuted (its values in another order within
      each tensor, a control), random, or a .safetensors file of a model that was trained further
    type: string
  of:
    description: "with weights: permuted, such a file; by default the package's is permuted"
    $ref: "#/$defs/permuted_of"
  seed: {$ref: "#/$defs/weights_seed"}
  seeds: {$ref: "#/$defs/seeds"}
  speed:
    description: whatever the dataset's, as its weights were trained at this speed
    $ref: "#/$defs/speed"
    default: 1
"""
TABLE = (
    (
        f"BatDetect2, trained on bats of the UK, 256 kHz (weights: {LICENCE})",
        "`input`, `block_00` ... `block_09` (encoder, bottleneck, decoder)",
        "tested with the real weights against the package's own pass",
    ),
)


def check(settings: dict) -> None:
    _packaged(settings)


def rate(settings: dict) -> int:
    return RATE


def has_blocks(settings: dict) -> bool:
    return True


def weight_files(settings: dict) -> list[str]:
    return _packaged(settings) or weights_entry.files(settings, WEIGHTS)


def _packaged(settings: dict) -> list[str]:
    """The package's file, if the values come from it."""
    return [installed()] if weights_entry.source(settings) in PACKAGED else []
