"""Which recording an annotation file belongs to."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from stratavox.errors import StratavoxError

# What libsndfile reads and a recorder or an archive writes.
SUFFIXES = {
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".caf", ".rf64", ".w64"),
}


class NoRecording(StratavoxError):
    """An annotation without a recording; the message is the reason, without the annotation."""


class Recordings:
    """The recordings below ``folder``: ``files`` are POSIX paths relative to it, sorted.

    Folders that are links are not entered; names that start with a dot are left out.
    """

    def __init__(self, folder: Path):
        self.files = sorted(_below(folder))
        self._called: dict[str, list[str]] = {}
        for file in self.files:
            path = PurePosixPath(file)
            for name in (path.name, path.stem):
                self._called.setdefault(name, []).append(file)

    def of(self, annotation: str) -> str:
        """The recording that ``annotation`` (relative, POSIX) is named after.

        Its name is the recording's, with or without suffix, and whatever follows a dot:
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
        """The recording whose name ``annotation`` gives; its suffix may have changed since."""
        for name in (sound, PurePosixPath(sound).stem):
            if name in self._called:
                return self._nearest(name, annotation)
        raise NoRecording(f"no recording below the folder is called {sound!r}")

    def _nearest(self, name: str, annotation: str) -> str:
        """The one in the annotation's folder, else the only one there is."""
        called = self._called[name]
        folder = PurePosixPath(annotation).parent
        beside = [file for file in called if PurePosixPath(file).parent == folder]
        fit = beside or called
        if len(fit) == 1:
            return fit[0]
        raise NoRecording(
            f"{len(fit)} recordings are called {name!r}, such as {fit[0]!r} and {fit[1]!r}; "
            "name the pairs in a table (annotations.list)"
        )


def _below(folder: Path) -> list[str]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                found.append(Path(parent, name).relative_to(folder).as_posix())
    return found
