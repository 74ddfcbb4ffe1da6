"""Recordings of phones and cameras, which libsndfile does not read, through the program ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from stratavox.errors import StratavoxError

SUFFIXES = {".m4a", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".mov"}
SECONDS = 3600


def as_wav(path: Path) -> Path:
    """The first audio stream of ``path`` as a WAV file of 32-bit floats, at its rate.

    The file is kept until another one is decoded: clips of one recording follow each other.
    Raises `StratavoxError`, without the file's name, where ffmpeg is missing or fails.
    """
    status = path.stat()
    return _decoded(path, status.st_mtime_ns, status.st_size)[1]


@lru_cache(maxsize=1)
def _decoded(path: Path, mtime_ns: int, size: int) -> tuple[tempfile.TemporaryDirectory, Path]:
    program = shutil.which("ffmpeg")
    if program is None:
        raise StratavoxError(
            f"{path.suffix.lower()} files are read through the program ffmpeg, which is not "
            "installed here: install it, or convert the file to WAV or FLAC"
        )
    folder = tempfile.TemporaryDirectory(prefix="stratavox-")  # removed with the cached entry
    out = Path(folder.name) / "decoded.wav"
    quiet = [program, "-nostdin", "-v", "error", "-i", str(path.absolute()), "-map", "0:a:0"]
    command = [*quiet, "-c:a", "pcm_f32le", "-rf64", "auto", "-y", str(out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StratavoxError(f"ffmpeg does not read it ({error})") from None
    if done.returncode or not out.exists():
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise StratavoxError(f"ffmpeg does not read it ({lines[-1]})")
    return folder, out
