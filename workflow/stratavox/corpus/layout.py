"""The files of an unpacked archive, sorted into clips and others, as each layout returns them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Inventory:
    """Every file of an unpacked archive, each counted once; paths are relative to its folder.

    ``clips`` maps a recording's path to the rows of its clips, whose ``file`` is its path in the
    dataset. ``merged`` are copies of a recording that is kept, ``unread`` recordings whose names do
    not fit, and ``not_used`` files that are no recordings of this dataset. ``irregular`` lists
    recordings that are kept although their names look wrong; they are also in ``clips``.
    ``sampled`` lists the files of which only some clips are taken: file, clips, of (how many there
    are) and why.
    """

    clips: dict[Path, list[dict[str, str]]] = field(default_factory=dict)
    merged: list[dict] = field(default_factory=list)
    unread: list[dict] = field(default_factory=list)
    not_used: list[str] = field(default_factory=list)
    irregular: list[dict] = field(default_factory=list)
    sampled: list[dict] = field(default_factory=list)


def files(folder: Path) -> list[Path]:
    """The files below ``folder``, sorted, relative to it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def named(folder: Path, row: Callable[[str], dict[str, str] | None], why: str) -> Inventory:
    """The WAV files below ``folder``, each a clip with the ``row`` of its name.

    ``why`` is the reason where that is None.
    """
    inventory = Inventory()
    for path in files(folder):
        if path.suffix.lower() != ".wav":
            inventory.not_used.append(path.as_posix())
        elif cells := row(path.name):
            inventory.clips[path] = [{"file": path.name} | cells]
        else:
            inventory.unread.append({"file": path.as_posix(), "why": why})
    return inventory
