"""The files below a folder, also through links to folders."""

from __future__ import annotations

import os
from pathlib import Path


def files_below(folder: Path, without: str | None = None) -> list[str]:
    """The files below ``folder``, sorted POSIX paths relative to it, without hidden ones.

    The folder at the absolute path ``without`` is not entered. Links to folders are followed.
    """
    files = [
        Path(parent, name)
        for parent, names in _folders(folder, without)
        for name in names
        if not name.startswith(".")
    ]
    return sorted(path.relative_to(folder).as_posix() for path in files)


def links_below(folder: Path) -> list[str]:
    """The links to folders that `files_below` follows, relative to ``folder``."""
    entered = (Path(parent) for parent, _ in _folders(folder, None))
    return sorted(
        path.relative_to(folder).as_posix()
        for path in entered
        if path.is_symlink() and path != folder
    )


def _folders(folder: Path, without: str | None) -> list[tuple[str, list[str]]]:
    """Each folder with the names of its files; a folder that links lead to again only once.

    Folders that are there themselves come first, so that none is known by a link to it.
    """
    folders, seen = [], set()
    waiting = [os.fspath(folder)]
    while waiting:
        links = []
        for top in waiting:
            for parent, below, names in os.walk(top):
                status = os.stat(parent)
                if (status.st_dev, status.st_ino) in seen:
                    below.clear()
                    continue
                seen.add((status.st_dev, status.st_ino))
                folders.append((parent, names))
                paths = {name: os.path.join(parent, name) for name in below}
                below[:] = [
                    name
                    for name, path in paths.items()
                    if not name.startswith(".") and os.path.abspath(path) != without
                ]
                links += [paths[name] for name in below if os.path.islink(paths[name])]
        waiting = sorted(links)
    return folders
