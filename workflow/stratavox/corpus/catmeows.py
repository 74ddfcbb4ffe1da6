"""The cat meows of Ludovico et al. 2021 (doi 10.5281/zenodo.4008297).

A name such as `B_ANI01_MC_FN_SIM01_101.wav` holds context, cat, breed, sex, owner, and a number:
the recording session (one digit) and the meow's count in it (two).
"""

from __future__ import annotations

import re
from pathlib import Path

from stratavox.corpus.layout import Inventory, named

COLUMNS = ("file", "label", "individual", "breed", "sex", "owner", "session", "call")
NESTED = False
EXPECTED = "B_ANI01_MC_FN_SIM01_101.wav and the like"
NAME = re.compile(
    r"(?P<label>[BFI])_(?P<individual>[A-Z]{3}\d\d)_(?P<breed>EU|MC)_(?P<sex>F[IN]|M[IN])_"
    r"(?P<owner>[A-Z]{3}\d\d)_(?P<session>\d)(?P<call>\d\d)\.wav"
)
CONTEXTS = {"B": "brushing", "F": "waiting_for_food", "I": "isolation"}


def read(folder: Path) -> Inventory:
    """The clips of the archive unpacked to ``folder``."""
    return named(folder, row, "no context, cat, breed, sex, owner and session in its name")


def row(name: str) -> dict[str, str] | None:
    """The row of a file's name, without ``file``; None where the name does not fit.

    ``label`` is the context in words. ``sex`` is F or M, then I (intact) or N (neutered).
    """
    match = NAME.fullmatch(name)
    return match and match.groupdict() | {"label": CONTEXTS[match["label"]]}
