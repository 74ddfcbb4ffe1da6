"""One annotated sound of a recording, in the same form for every format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Box:
    """``start`` and ``end`` in s, ``low`` and ``high`` in Hz: cells, "" where there is none.

    ``row`` is its line, row or interval in the file, ``further`` the label and all other columns.
    ``sound`` is the path or name of the recording where the annotation file itself has it;
    ``reopened`` says that several files of this name were annotated together. A box that cannot
    be used has a ``reason``.
    """

    row: int
    start: str
    end: str
    further: dict[str, str]
    low: str = ""
    high: str = ""
    sound: str = ""
    reopened: bool = False
    reason: str | None = None
    in_seconds: Callable[[Box, Path], Box] | None = None
