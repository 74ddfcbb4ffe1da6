"""The Free Spoken Digit Dataset (github.com/Jakobovski/free-spoken-digit-dataset).

`recordings` holds `<digit>_<speaker>_<take>.wav`; the code and texts beside it are not used.
"""

from __future__ import annotations

import re
from pathlib import Path

from stratavox.corpus.layout import Inventory, named

COLUMNS = ("file", "label", "individual", "take")
NESTED = False
EXPECTED = "recordings/7_jackson_32.wav and the like"
NAME = re.compile(r"(?P<label>\d)_(?P<individual>[a-z]+)_(?P<take>\d+)\.wav")


def read(folder: Path) -> Inventory:
    """The clips of the archive unpacked to ``folder``."""
    return named(folder, row, "name is not <digit>_<speaker>_<take>.wav")


def row(name: str) -> dict[str, str] | None:
    """The row of a file's name, without ``file``; None where the name does not fit."""
    match = NAME.fullmatch(name)
    return match and match.groupdict()
