"""The files of an unpacked archive, sorted into clips and others, as each layout returns them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Inventory:
    """Every file of an unpacked archive, each counted once; paths are relative to its folder.

    ``clips`` maps a clip's path to its row, whose ``file`` is its path in the dataset. ``merged``
    are copies of a clip that is kept, ``unread`` recordings whose names do not fit, and
    ``not_used`` files that are no recordings of this dataset. ``irregular`` lists clips that
    are kept although their names look wrong; they are also in ``clips``.
    """

    clips: dict[Path, dict[str, str]] = field(default_factory=dict)
    merged: list[dict] = field(default_factory=list)
    unread: list[dict] = field(default_factory=list)
    not_used: list[str] = field(default_factory=list)
    irregular: list[dict] = field(default_factory=list)


def files(folder: Path) -> list[Path]:
    """The files below ``folder``, sorted, relative to it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
