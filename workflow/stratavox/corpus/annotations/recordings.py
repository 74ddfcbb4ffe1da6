"""Which recording an annotation file belongs to."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from stratavox import ffmpeg
from stratavox.errors import StratavoxError

# Formats that libsndfile or ffmpeg reads and that recorders or archives use.
SUFFIXES = {
    *ffmpeg.SUFFIXES,
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".caf", ".rf64", ".w64"),
}


class NoRecording(StratavoxError):
    """An annotation without a recording; the message is the reason, without the file's name."""


class Recordings:
    """The recordings below ``folder``: ``files`` are POSIX paths relative to it, sorted.

    Folders that are links are not entered; names that start with a dot are left out.
    """

    def __init__(self, folder: Path):
        self.files = [name for name in files_below(folder) if is_recording(name)]
        self._called: dict[str, list[str]] = {}
        for file in self.files:
            path = PurePosixPath(file)
            for name in (path.name, path.stem):
                self._called.setdefault(name, []).append(file)

    def of(self, annotation: str) -> str:
        """The recording that ``annotation`` (relative, POSIX) is named after.

        Its name is the recording's, with or without suffix, then a dot and anything:
        ``REC.txt``, ``REC.wav.txt`` and ``REC.Table.1.selections.txt`` belong to ``REC.wav``.
        Raises `NoRecording`.
        """
        parts = PurePosixPath(annotation).name.split(".")
        for count in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:count])
            if name in self._called:
                return self._nearest(name, annotation)
        raise NoRecording(f"no recording below the folder is called {parts[0]!r}")

    def named(self, sound: str, annotation: str) -> str:
        """The recording of the file name ``sound`` in ``annotation``; its suffix may differ."""
        for name in (sound, PurePosixPath(sound).stem):
            if name in self._called:
                return self._nearest(name, annotation)
        raise NoRecording(f"no recording below the folder is called {sound!r}")

    def _nearest(self, name: str, annotation: str) -> str:
        """The recording in the annotation's folder, else the only one of this name."""
        folder = PurePosixPath(annotation).parent
        everywhere = self._called[name]
        beside = [file for file in everywhere if PurePosixPath(file).parent == folder]
        matches = beside or everywhere
        if len(matches) == 1:
            return matches[0]
        raise NoRecording(
            f"{len(matches)} recordings are called {name!r}, such as {matches[0]!r} and "
            f"{matches[1]!r}; "
            "name the pairs in a table (annotations.list)"
        )


def is_recording(name: str) -> bool:
    """Whether a file of this name is read as audio."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def files_below(folder: Path, without: str | None = None) -> list[str]:
    """The files below ``folder``, sorted POSIX paths relative to it, without hidden ones.

    The folder at the absolute path ``without`` is not entered, nor are links to folders.
    """
    files = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.abspath(os.path.join(parent, name)) != without
        ]
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(path.relative_to(folder).as_posix() for path in files)
