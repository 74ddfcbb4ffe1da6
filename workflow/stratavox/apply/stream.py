"""Segments of one recording, without all of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stratavox.audio import AudioError
from stratavox.corpus import sound
from stratavox.corpus.sound import Sound

Bounds = tuple[float | None, float | None]


def segments(path: Path, bounds: list[Bounds], trim_zeros: bool) -> Iterator[Sound | AudioError]:
    """What `sound.read` gives for each of ``bounds``, or the error that it raises."""
    for start_s, end_s in bounds:
        try:
            yield sound.read(path, start_s, end_s, trim_zeros)
        except AudioError as error:
            yield error
