"""Reads recordings: any file that soundfile or ffmpeg reads, in true time, as far as it goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from stratavox import ffmpeg
from stratavox.audio import AudioError
from stratavox.corpus import containers, expansion, from_start
from stratavox.corpus.containers import Layout
from stratavox.errors import StratavoxError

# How far an end in the user's table, rounded to milliseconds, may be past the file's end.
END_SLACK_S = 0.001
PAST_END = "past the file's end"
# libsndfile's seek is inexact in some Vorbis and variable-rate MP3 files, and soundfile seeks after
# each read: only one read from the start is exact.
INEXACT_SEEK = {"OGG", "MP3"}
# libsndfile shortens a truncated file without an error; only its log mentions it.
CUT_OGG = "Last page lacks an end-of-stream bit"
# Of a FLAC file that was written to a pipe, libsndfile says more frames.
UNKNOWN_FRAMES = 1 << 40
# Formats of audio in WAV files that are in use (RFC 2361) and that libsndfile does not read.
UNREAD_TAGS = {
    **{0x14: "G.723 ADPCM", 0x16: "G.723.1", 0x22: "TrueSpeech", 0x45: "G.726 ADPCM"},
    **{0x50: "MPEG layer 1 or 2", 0x55: "MP3", 0x61: "DUCK DK4 ADPCM", 0x62: "DUCK DK3 ADPCM"},
    **{0x64: "G.726 ADPCM", 0x65: "G.722 ADPCM", 0xFF: "AAC", 0x130: "Sipro ACELP"},
    **{0x160: "WMA 1", 0x161: "WMA 2", 0x162: "WMA 9 Pro", 0x163: "WMA lossless"},
    **{0x2000: "AC-3", 0x674F: "Ogg Vorbis", 0xF1AC: "FLAC"},
}


@dataclass(frozen=True)
class Header:
    """Rate in Hz and duration in seconds, both in true time, and the number of channels.

    ``header_s`` is what the file's header tells where its file holds more (0 if it tells no
    length), else None. A file plays ``time_expansion`` times slower than in nature.
    """

    samplerate: int
    channels: int
    duration: float
    header_s: float | None
    time_expansion: float


@dataclass(frozen=True)
class Sound:
    """Decoded: ``samples`` (frames, channels) float32 of full scale 1, ``subtype`` as PCM_16.

    ``trimmed`` frames of zeros were cut from its head and tail.
    """

    samples: np.ndarray
    subtype: str
    header: Header
    trimmed: int = 0

    @property
    def rate(self) -> int:
        """Hz, in true time."""
        return self.header.samplerate


def header(path: str | os.PathLike) -> Header:
    """What is known without decoding. Raises `AudioError` where `read` does, as far as it shows."""
    with _opened(Path(path)) as (file, layout):
        return _header(file, layout)


def read(
    path: str | os.PathLike,
    start_s: float | None = None,
    end_s: float | None = None,
    trim_zeros: bool = False,
) -> Sound:
    """Decode a file, or its segment [start_s, end_s) in seconds of true time.

    ``trim_zeros`` applies `without_zeros`. Raises `AudioError` for a file that is no audio, empty,
    truncated (as far as header or decoder show it), holds NaN or infinite samples, or ends before
    ``start_s``. A segment that begins in the file ends with it at the latest: programs pad their
    last window. A segment of an OGG or MP3 file, or in a format in which libsndfile cannot seek
    (GSM 6.10, G.721), requires decoding all that precedes it, once for all segments in a row.
    """
    with _opened(Path(path)) as (file, layout):
        facts = _header(file, layout)
        if end_s is None or end_s > facts.duration + END_SLACK_S:
            _refuse_truncated(file, layout)
        start, stop = frames_between(file.frames, facts, start_s, end_s)
        samples = _decode(file, Path(path), start, stop - start)
        subtype = file.subtype
    if len(samples) < stop - start:
        raise AudioError(f"truncated: {len(samples)} of {stop - start} samples could be decoded")
    bad = samples.size - np.count_nonzero(np.isfinite(samples))
    if bad:
        raise AudioError(f"{bad} of {samples.size} samples are NaN or infinite")
    kept = without_zeros(samples) if trim_zeros else samples
    return Sound(kept, subtype, facts, len(samples) - len(kept))


def without_zeros(samples: np.ndarray) -> np.ndarray:
    """``samples`` (frames, channels) without head and tail in which all channels are exactly 0.

    A clip that is 0 throughout is not trimmed.
    """
    sounding = np.flatnonzero(samples.any(axis=1))
    return samples[sounding[0] : sounding[-1] + 1] if len(sounding) else samples


@contextmanager
def _opened(path: Path) -> Iterator[tuple[sf.SoundFile, Layout | None]]:
    """The open file, and where its audio lies."""
    if path.suffix.lower() == ".raw":
        raise AudioError("a .raw file has no header to read a sample rate from; store it as WAV")
    layout = None
    with ExitStack() as stack:
        try:
            if path.stat().st_size == 0:
                raise AudioError("empty file (0 bytes)")
            source = path
            if path.suffix.lower() in ffmpeg.SUFFIXES:
                source = _through_ffmpeg(path)
            else:
                layout = containers.layout(path)
            if layout and layout.misread:
                source = stack.enter_context(containers.Whole(path, layout))
            file = stack.enter_context(sf.SoundFile(source))
        except FileNotFoundError:
            raise AudioError("missing file") from None
        except sf.LibsndfileError as error:
            raise AudioError(_unreadable(layout, error)) from None
        yield file, layout


def _through_ffmpeg(path: Path) -> Path:
    try:
        return ffmpeg.as_wav(path)
    except StratavoxError as error:
        raise AudioError(str(error)) from None


def _unreadable(layout: Layout | None, error: sf.LibsndfileError) -> str:
    tag = layout.tag if layout else None
    if tag in UNREAD_TAGS:
        return f"its audio is {UNREAD_TAGS[tag]}, which cannot be read; convert it to WAV (PCM)"
    # 1 and 3 are PCM and floats
    number = f"WAV's format number {tag:#x}; " if tag not in (None, 1, 3) else ""
    return f"not audio that can be read ({number}{error.error_string})"


def _header(file: sf.SoundFile, layout: Layout | None) -> Header:
    if file.frames >= UNKNOWN_FRAMES:
        raise AudioError("its header does not tell its length; encode it again")
    if file.frames == 0:
        raise AudioError("no samples: its header says that it lasts 0 s")
    try:
        factor = expansion.time_expansion(layout.chunks, file.samplerate) if layout else 1.0
    except ValueError as error:
        raise AudioError(str(error)) from None
    rate = round(file.samplerate * factor)
    duration = file.frames / rate
    header_s = None
    if layout and layout.misread and layout.stated < layout.present:
        header_s = duration * layout.stated / layout.present
    elif layout and 0 < layout.stated < layout.present:
        raise AudioError(
            f"its header tells {duration:.6g} s, but its file holds "
            f"{duration * layout.present / layout.stated:.6g} s; correct it, or convert it to WAV"
        )
    return Header(rate, file.channels, duration, header_s, factor)


def frames_between(
    frames: int, facts: Header, start_s: float | None, end_s: float | None
) -> tuple[int, int]:
    """First frame and the one after the last of a segment, of the ``frames`` that a file holds.

    Raises `AudioError` where it begins after them.
    """
    rate = facts.samplerate
    start = 0 if start_s is None else round(start_s * rate)
    stop = frames if end_s is None else round(end_s * rate)
    if stop > frames + END_SLACK_S * rate and start >= frames:
        slow = ""
        if facts.time_expansion != 1:
            slow = f" in true time (it plays {facts.time_expansion:g} times slower)"
        raise AudioError(f"starts at {start_s:.6f} s, {PAST_END} at {frames / rate:.6f} s{slow}")
    stop = min(stop, frames)
    if stop <= start:
        raise AudioError(f"no samples between {start / rate:.6f} s and {stop / rate:.6f} s")
    return start, stop


def _refuse_truncated(file: sf.SoundFile, layout: Layout | None) -> None:
    if layout and layout.stated > layout.present:
        raise AudioError(f"truncated: {layout.present} of {layout.stated} bytes of audio are there")
    if CUT_OGG in file.extra_info:
        raise AudioError("truncated: its last page is missing")


def _decode(file: sf.SoundFile, path: Path, start: int, count: int) -> np.ndarray:
    try:
        if file.format in INEXACT_SEEK or not file.seekable():
            if start or count < file.frames:
                return from_start.samples(path, start, count)
            return file.read(count, dtype="float32", always_2d=True)
        file.seek(start)
        return file.read(count, dtype="float32", always_2d=True)
    except sf.LibsndfileError as error:
        raise AudioError(f"damaged or truncated ({error.error_string})") from None
