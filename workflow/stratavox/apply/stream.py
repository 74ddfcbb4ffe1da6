"""Segments of one recording in the order of their starts, without all of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from stratavox import audio
from stratavox.audio import Audio, AudioError

BLOCK = 1 << 18
Bounds = tuple[float | None, float | None]


def length(path: Path) -> float:
    """Duration in seconds by the file's header; raises `AudioError` where it does not tell it."""
    try:
        info = sf.info(path)
    except (sf.LibsndfileError, TypeError) as error:  # TypeError: a .raw file without header
        reason = getattr(error, "error_string", error)
        raise AudioError(f"not audio that can be read ({reason})") from None
    if not 0 < info.frames < audio.UNKNOWN_FRAMES:
        raise AudioError("its header gives no length, or a length of 0; encode it again")
    return info.frames / info.samplerate


def segments(path: Path, bounds: list[Bounds], trim_zeros: bool) -> Iterator[Audio | AudioError]:
    """What `audio.read` gives for each of ``bounds``, or the error that it raises.

    ``bounds`` rise by their starts. Of a format that can only be read from its start, `audio.read`
    would decode and hold all that precedes each segment: here it is decoded once.
    """
    try:
        once = len(bounds) > 1 and sf.info(path).format in audio.INEXACT_SEEK
    except (sf.LibsndfileError, TypeError):
        once = False  # `audio.read` tells why it cannot be read
    if once:
        with _Forward(path) as file:
            yield from _decoded_once(file, bounds, trim_zeros)
        return
    for start_s, end_s in bounds:
        try:
            yield audio.read(path, start_s, end_s, trim_zeros)
        except AudioError as error:
            yield error


class _Forward(sf.SoundFile):
    """A file without the seek after each read, which is inexact in some formats."""

    def seekable(self) -> bool:
        return False


def _decoded_once(
    file: _Forward, bounds: list[Bounds], trim_zeros: bool
) -> Iterator[Audio | AudioError]:
    rate, slack = file.samplerate, audio.END_SLACK_S * file.samplerate
    held, at, broken = np.zeros((0, file.channels), np.float32), 0, None
    for start_s, end_s in bounds:
        start, stop = round(start_s * rate), round(end_s * rate)
        while broken is None and at + len(held) < stop:
            gone = min(max(0, start - at), len(held))
            try:
                block = file.read(BLOCK, dtype="float32", always_2d=True)
            except sf.LibsndfileError as error:
                broken = AudioError(f"damaged or truncated ({error.error_string})")
                break
            if not len(block):
                end_of_file = (at + len(held)) / rate
                broken = AudioError(f"ends past the file's end at {end_of_file:.6f} s")
                break
            held, at = np.concatenate([held[gone:], block]), at + gone
        samples = held[max(0, start - at) : max(0, stop - at)]
        if len(samples) < stop - start - slack or not len(samples):
            yield broken
            continue
        kept = audio.without_zeros(samples) if trim_zeros else samples
        yield Audio(kept, rate, file.subtype, len(samples) - len(kept))
