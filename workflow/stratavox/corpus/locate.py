"""Where the clip of each row of a user's table is: its recording and its channel.

Only the scan of a folder uses this, so that a change of these rules makes a generated or fetched
dataset not stale.
"""

from __future__ import annotations

import os
from pathlib import Path

from stratavox.corpus import match
from stratavox.corpus.channels import channel_of
from stratavox.corpus.user_table import UserTable, inside


def rows(settings: dict, folder: Path, table: UserTable) -> list[dict]:
    """For each row ``file`` and ``channel`` where the table chooses it, or a ``reason``.

    ``settings`` holds file and perhaps file_name and channel; with annotations the recordings are
    known already. A file that is missing, or outside ``folder``, is as it stands in the table.
    """
    cells = table.column(settings["file"], "file")
    located = [{"file": cell} for cell in cells]
    if "annotations" not in settings:
        _add_files(settings, folder, table, cells, located)
    channel = settings.get("channel")
    if isinstance(channel, dict):
        column = table.column(channel["column"], "channel.column")
        for place, cell in zip(located, column, strict=True):
            try:
                place["channel"] = channel_of(cell, channel["first"])
            except ValueError as error:
                place.setdefault("reason", str(error))
    return located


def _add_files(
    settings: dict, folder: Path, table: UserTable, cells: list[str], located: list[dict]
) -> None:
    of_home: dict[Path, list[int]] = {}
    for place, home in enumerate(table.homes):
        of_home.setdefault(home, [])
        if cells[place].strip():
            of_home[home].append(place)
    for home, places in of_home.items():
        beside = Path(os.path.relpath(home, folder)).as_posix()
        beside = "" if beside == "." or beside.startswith("..") else beside
        template = settings.get("file_name")
        files, refused = match.below(folder, (cells[k] for k in places), beside, template)
        for place in places:
            cell = cells[place]
            if cell in files:
                located[place]["file"] = files[cell]
            elif refused[cell].similar and _foreign(folder, cell):
                reason = f"{refused[cell]}; correct column {settings['file']!r}"
                located[place]["reason"] = reason


def _foreign(folder: Path, cell: str) -> bool:
    """Whether the cell may be a path of another computer: it does not step out of ``folder``."""
    return match.FROM_ROOT.match(cell) is not None or inside(folder, cell) is not None
