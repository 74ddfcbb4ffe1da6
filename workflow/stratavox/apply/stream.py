"""Segments of one recording in the order of their starts, without all of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from stratavox.audio import AudioError
from stratavox.corpus import sound
from stratavox.corpus.sound import Header, Sound

BLOCK = 1 << 18
Bounds = tuple[float | None, float | None]


def segments(path: Path, bounds: list[Bounds], trim_zeros: bool) -> Iterator[Sound | AudioError]:
    """What `sound.read` gives for each of ``bounds``, or the error that it raises.

    ``bounds`` rise by their starts. Of a format that can only be read from its start, `sound.read`
    would decode and hold all that precedes each segment: here it is decoded once.
    """
    try:
        once = len(bounds) > 1 and sf.info(path).format in sound.INEXACT_SEEK
    except (sf.LibsndfileError, TypeError):
        once = False  # `sound.read` tells why it cannot be read
    if once:
        with _Forward(path) as file:
            yield from _decoded_once(file, sound.header(path), bounds, trim_zeros)
        return
    for start_s, end_s in bounds:
        try:
            yield sound.read(path, start_s, end_s, trim_zeros)
        except AudioError as error:
            yield error


class _Forward(sf.SoundFile):
    """A file without the seek after each read, which is inexact in some formats."""

    def seekable(self) -> bool:
        return False


def _decoded_once(
    file: _Forward, header: Header, bounds: list[Bounds], trim_zeros: bool
) -> Iterator[Sound | AudioError]:
    rate = file.samplerate
    held, at, broken, ended = np.zeros((0, file.channels), np.float32), 0, None, False
    for start_s, end_s in bounds:
        start, stop = round(start_s * rate), round(end_s * rate)
        while broken is None and not ended and at + len(held) < stop:
            gone = min(max(0, start - at), len(held))
            try:
                block = file.read(BLOCK, dtype="float32", always_2d=True)
            except sf.LibsndfileError as error:
                broken = AudioError(f"damaged or truncated ({error.error_string})")
                break
            ended = not len(block)
            held, at = np.concatenate([held[gone:], block]), at + gone
        try:
            if broken is not None and at + len(held) < stop:
                raise broken
            if ended:
                start, stop = sound.frames_between(at + len(held), header, start_s, end_s)
        except AudioError as error:
            yield error
            continue
        samples = held[max(0, start - at) : max(0, stop - at)]
        kept = sound.without_zeros(samples) if trim_zeros else samples
        yield Sound(kept, file.subtype, header, len(samples) - len(kept))
