"""What reads an unpacked archive: the shape of its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Found:
    """Every file of an unpacked archive, each counted once; paths are relative to its folder.

    ``clips`` maps a clip's path to its row, whose ``file`` is the place it gets in the dataset.
    ``merged`` are copies of a clip that is kept, ``unread`` recordings whose names do not fit, and
    ``not_used`` what is no recording of this dataset. ``irregular`` tells of clips that are kept
    although something about them is odd. All but the last hold each file once.
    """

    clips: dict[Path, dict[str, str]] = field(default_factory=dict)
    merged: list[dict] = field(default_factory=list)
    unread: list[dict] = field(default_factory=list)
    not_used: list[str] = field(default_factory=list)
    irregular: list[dict] = field(default_factory=list)


def files(folder: Path) -> list[Path]:
    """The files below ``folder``, sorted, relative to it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
