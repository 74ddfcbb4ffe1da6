"""Clips in memory and in the store: one channel policy, one resampler, one exact encoding.

Samples are float32; full scale is 1. This holds 24-bit integers exactly. Samples are never
rescaled, so the level of a recording is kept.
"""

from __future__ import annotations

import io

import numpy as np
import soundfile as sf
import soxr

from stratavox.errors import StratavoxError


class AudioError(StratavoxError):
    """A file or segment that holds no usable audio; the message is the reason, without the path."""


def mono(samples: np.ndarray, channel: str | int) -> np.ndarray:
    """One channel (frames,) of ``samples`` (frames, channels).

    ``channel`` is ``"mean"`` or a number counted from 0; `AudioError` if the file lacks it.
    """
    channels = samples.shape[1]
    if channel == "mean":
        if channels == 1:
            return samples[:, 0]
        return samples.mean(axis=1, dtype=np.float64).astype(np.float32)
    if not 0 <= channel < channels:
        raise AudioError(
            f"there is no channel {channel} counted from 0 ({channel + 1} counted from 1): "
            f"it has {channels}"
        )
    return samples[:, channel]


def resample(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """``samples`` (frames,) at ``to`` Hz, by soxr's HQ recipe; the same array when rates agree.

    The result can exceed full scale where the source comes close to it.
    """
    if rate == to:
        return samples
    return soxr.resample(samples, rate, to, quality="HQ")


def encode(samples: np.ndarray, rate: int) -> bytes:
    """``samples`` (frames,) float32 as a mono file that holds them exactly.

    24-bit FLAC where it can: samples on its grid, such as integers that were not resampled, at a
    rate that FLAC knows. Else an AU file of floats: 24 bits would cut what exceeds full scale, and
    their last bit would be heard in bands that the recording leaves empty. (libsndfile's WAV files
    of floats contain the time of writing, so that equal clips would differ.)
    """
    buffer = io.BytesIO()
    if _fits_flac(samples, rate):
        sf.write(buffer, samples, rate, format="FLAC", subtype="PCM_24")
    else:
        sf.write(buffer, samples, rate, format="AU", subtype="FLOAT")
    return buffer.getvalue()


def _fits_flac(samples: np.ndarray, rate: int) -> bool:
    """Whether 24-bit FLAC holds ``samples`` exactly.

    It holds rates to 65,535 Hz, and multiples of 10 Hz to 655,350 Hz (RFC 9639, section 9.1.2).
    """
    if rate > 655350 or (rate > 65535 and rate % 10):
        return False
    levels = samples * np.float32(1 << 23)
    return bool(np.all((levels == np.rint(levels)) & (samples >= -1) & (samples < 1)))


def decode(data: bytes) -> tuple[np.ndarray, int]:
    """Samples (frames,) float32 and rate in Hz of a file from `encode`.

    Raises `AudioError` for a broken file.
    """
    try:
        return sf.read(io.BytesIO(data), dtype="float32")
    except sf.LibsndfileError as error:
        raise AudioError(f"not audio that can be read ({error.error_string})") from None
