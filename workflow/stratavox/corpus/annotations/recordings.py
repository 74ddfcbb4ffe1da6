"""Which recording an annotation file belongs to."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from stratavox.corpus.match import Index, Match, NoRecording, is_recording
from stratavox.corpus.walk import files_below

# After a recording's name: a later part of a longer name, such as its time, and no addition.
LONGER = re.compile(r"\d{4,}(\.|$)|\d+\.\d+(\.|$)")


class Recordings:
    """The recordings below ``folder``: ``files`` are POSIX paths relative to it, sorted.

    Names that start with a dot are left out.
    """

    def __init__(self, folder: Path):
        self.files = [name for name in files_below(folder) if is_recording(name)]
        self._index = Index(self.files)
        self._holding = {PurePosixPath(file).parent for file in self.files}

    def of(self, annotation: str) -> str:
        """The recording that ``annotation`` (relative, POSIX) is named after.

        Its name is the recording's, with or without suffix, then a dot and anything:
        ``REC.txt``, ``REC.wav.txt`` and ``REC.Table.1.selections.txt`` belong to ``REC.wav``.
        Raises `NoRecording`.
        """
        place = PurePosixPath(annotation)
        parts = place.name.split(".")
        for count in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:count])
            try:
                match = self._index.match(name, _folder(place))
            except NoRecording as error:
                if error.similar:
                    raise NoRecording(
                        f"{error}; name the pairs in a table (annotations.list)", similar=True
                    ) from None
                continue
            if LONGER.match(".".join(parts[count:-1])):
                raise NoRecording(
                    f"no recording below the folder is called {'.'.join(parts[:-1])!r}; "
                    f"{match.file!r} has only the beginning of this name"
                )
            home = PurePosixPath(match.file).parent
            if place.parent in self._holding and not home.is_relative_to(place.parent):
                raise NoRecording(
                    f"{match.file!r} has its name, but there are recordings beside it and none "
                    "of this name; put it beside its own, or name the pairs in a table "
                    "(annotations.list)"
                )
            return match.file
        raise NoRecording(f"no recording below the folder is called {parts[0]!r}")

    def named(
        self, sounds: set[str], annotation: str
    ) -> tuple[dict[str, Match], dict[str, NoRecording]]:
        """The recordings of the paths or names ``sounds`` in ``annotation``, or why there is none.

        Their folders may be of another computer, and their suffixes may differ.
        """
        return self._index.matches(sorted(sounds), _folder(PurePosixPath(annotation)))


def _folder(place: PurePosixPath) -> str:
    return "" if place.parent == PurePosixPath() else place.parent.as_posix()
