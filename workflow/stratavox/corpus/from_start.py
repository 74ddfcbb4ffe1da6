"""Samples of files in which libsndfile cannot seek exactly: decoded once, and kept on the disk."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile as sf

from stratavox.corpus import containers

BLOCK = 1 << 18
BYTES = 4  # of a float32


def samples(path: Path, start: int, count: int) -> np.ndarray:
    """Frames [start, start + count) of a file as float32 (frames, channels); fewer at its end.

    The file is decoded from its start, once, as far as any call needs; what was decoded is kept
    until another file is read. Raises `LibsndfileError` for damage before the last frame.
    """
    status = path.stat()
    return _decoded(path, status.st_mtime_ns, status.st_size).read(start, count)


@lru_cache(maxsize=1)
def _decoded(path: Path, mtime_ns: int, size: int) -> _Decoded:
    layout = containers.layout(path)
    return _Decoded(containers.Whole(path, layout) if layout and layout.misread else path)


class _Forward(sf.SoundFile):
    """A file without soundfile's seek after each read, which is the inexact part."""

    def seekable(self) -> bool:
        return False


class _Decoded:
    def __init__(self, source: Path | containers.Whole):
        self._kept = tempfile.TemporaryFile(prefix="stratavox-")  # noqa: SIM115, as long as self
        self._file = _Forward(source)
        self._frames, self._ended, self._damage = 0, False, None

    def __del__(self):
        self._kept.close()

    def read(self, start: int, count: int) -> np.ndarray:
        while self._frames < start + count and not self._ended:
            if self._damage:
                raise self._damage
            try:
                block = self._file.read(BLOCK, dtype="float32", always_2d=True)
            except sf.LibsndfileError as error:
                self._damage = error  # what is read behind it would be at another time
                raise
            self._kept.seek(0, 2)
            block.tofile(self._kept)
            self._frames += len(block)
            self._ended = not len(block)
        width = self._file.channels
        self._kept.seek(start * width * BYTES)
        number = max(0, min(count, self._frames - start)) * width
        return np.fromfile(self._kept, np.float32, number).reshape(-1, width)
