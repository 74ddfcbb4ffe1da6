"""Audio in and out: any file soundfile reads, one channel policy, one resampler, 24-bit FLAC.

Samples are float32 in [-1, 1); full scale is 1. This holds 24-bit integers exactly. Samples are
never rescaled, so the level of a recording is kept.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from stratavox import ffmpeg
from stratavox.errors import StratavoxError

# How far an end in the user's table, rounded to milliseconds, may be past the file's end.
END_SLACK_S = 0.001
# libsndfile's seek is inexact in some Vorbis and variable-rate MP3 files, and soundfile seeks after
# each read: only one read from the start is exact.
INEXACT_SEEK = {"OGG", "MP3"}
# libsndfile shortens a truncated file without an error; only its log mentions it.
CUT_CHUNK = re.compile(r"^ ?(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
CUT_OGG = "Last page lacks an end-of-stream bit"
# Programs that write to a pipe set about the largest possible length.
UNKNOWN_BYTES, UNKNOWN_FRAMES = 0x7FFF0000, 1 << 40


class AudioError(StratavoxError):
    """A file or segment that holds no usable audio; the message is the reason, without the path."""


@dataclass(frozen=True)
class Audio:
    """Decoded: ``samples`` (frames, channels) float32, ``rate`` in Hz, ``subtype`` as PCM_16.

    ``trimmed`` frames of zeros were cut from its head and tail.
    """

    samples: np.ndarray
    rate: int
    subtype: str
    trimmed: int = 0


def read(
    path: str | os.PathLike,
    start_s: float | None = None,
    end_s: float | None = None,
    trim_zeros: bool = False,
) -> Audio:
    """Decode a file, or its segment [start_s, end_s) in seconds.

    ``trim_zeros`` applies `without_zeros`. Raises `AudioError` for a file that is no audio, empty,
    truncated (as far as header or decoder show it), holds NaN or infinite samples, or ends before
    ``end_s``. A segment of an OGG or MP3 file requires decoding all that precedes it.
    """
    path = Path(path)
    if path.suffix.lower() == ".raw":
        raise AudioError("a .raw file has no header to read a sample rate from; store it as WAV")
    try:
        if path.stat().st_size == 0:
            raise AudioError("empty file (0 bytes)")
        file = sf.SoundFile(readable(path))
    except FileNotFoundError:
        raise AudioError("missing file") from None
    except sf.LibsndfileError as error:
        raise AudioError(f"not audio that can be read ({error.error_string})") from None
    with file:
        start, stop = _frames(file, start_s, end_s)
        samples = _decode(file, start, stop - start)
        rate, subtype = file.samplerate, file.subtype
    if len(samples) < stop - start:
        raise AudioError(f"truncated: {len(samples)} of {stop - start} samples could be decoded")
    bad = samples.size - np.count_nonzero(np.isfinite(samples))
    if bad:
        raise AudioError(f"{bad} of {samples.size} samples are NaN or infinite")
    kept = without_zeros(samples) if trim_zeros else samples
    return Audio(kept, rate, subtype, len(samples) - len(kept))


def readable(path: Path) -> Path:
    """``path``, or a WAV file of its sound where libsndfile does not read its format.

    Raises `AudioError` where that cannot be made.
    """
    if path.suffix.lower() not in ffmpeg.SUFFIXES:
        return path
    try:
        return ffmpeg.as_wav(path)
    except StratavoxError as error:
        raise AudioError(str(error)) from None


def without_zeros(samples: np.ndarray) -> np.ndarray:
    """``samples`` (frames, channels) without head and tail in which all channels are exactly 0.

    A clip that is 0 throughout is not trimmed.
    """
    sounding = np.flatnonzero(samples.any(axis=1))
    return samples[sounding[0] : sounding[-1] + 1] if len(sounding) else samples


def _frames(file: sf.SoundFile, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """First frame and the one after the last; checks them against what the file holds."""
    frames, rate = file.frames, file.samplerate
    if frames >= UNKNOWN_FRAMES:
        raise AudioError("its header does not tell its length; encode it again")
    if frames == 0:
        raise AudioError("no samples: its header says that it lasts 0 s")
    start = 0 if start_s is None else round(start_s * rate)
    if end_s is None:
        _refuse_truncated(file)
        stop = frames
    else:
        stop = round(end_s * rate)
        if stop > frames + END_SLACK_S * rate:
            raise AudioError(f"ends at {end_s:.6f} s, past the file's end at {frames / rate:.6f} s")
        stop = min(stop, frames)
    if stop <= start:
        raise AudioError(f"no samples between {start / rate:.6f} s and {stop / rate:.6f} s")
    return start, stop


def _refuse_truncated(file: sf.SoundFile) -> None:
    cut = CUT_CHUNK.search(file.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < UNKNOWN_BYTES:
        raise AudioError(f"truncated: {cut[2]} of {cut[1]} bytes of audio are there")
    if CUT_OGG in file.extra_info:
        raise AudioError("truncated: its last page is missing")


def _decode(file: sf.SoundFile, start: int, count: int) -> np.ndarray:
    try:
        if file.format in INEXACT_SEEK:
            return file.read(start + count, dtype="float32", always_2d=True)[start:]
        file.seek(start)
        return file.read(count, dtype="float32", always_2d=True)
    except sf.LibsndfileError as error:
        raise AudioError(f"damaged or truncated ({error.error_string})") from None


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
        raise AudioError(f"there is no channel {channel} (counted from 0): it has {channels}")
    return samples[:, channel]


def resample(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """``samples`` (frames,) at ``to`` Hz, by soxr's HQ recipe; the same array when rates agree.

    The result can slightly exceed full scale where the source comes close to it.
    """
    if rate == to:
        return samples
    return soxr.resample(samples, rate, to, quality="HQ")


def count_beyond_full_scale(samples: np.ndarray) -> int:
    """How many samples lie outside [-1, 1] and are clipped by `encode_flac`."""
    return int(np.count_nonzero(np.abs(samples) > 1))


def encode_flac(samples: np.ndarray, rate: int) -> bytes:
    """``samples`` (frames,) as a mono 24-bit FLAC file; values beyond full scale are clipped.

    Exact for samples that are multiples of 2**-23. FLAC holds rates to 65,535 Hz and multiples of
    10 Hz to 655,350 Hz (RFC 9639, section 9.1.2); any other is a `StratavoxError`.
    """
    if rate > 655350 or (rate > 65535 and rate % 10):
        raise StratavoxError(
            f"FLAC cannot hold a sample rate of {rate} Hz; "
            "allowed: up to 65,535 Hz, or multiples of 10 Hz up to 655,350 Hz"
        )
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format="FLAC", subtype="PCM_24")
    return buffer.getvalue()


def decode_flac(data: bytes) -> tuple[np.ndarray, int]:
    """Samples (frames,) float32 and rate in Hz of a file from `encode_flac`.

    Raises `AudioError` for a broken file.
    """
    try:
        return sf.read(io.BytesIO(data), dtype="float32")
    except sf.LibsndfileError as error:
        raise AudioError(f"not FLAC that can be read ({error.error_string})") from None
