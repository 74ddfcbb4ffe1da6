"""Clips from sub-folders that name classes, and the table of them to be written."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path, PurePosixPath

from stratavox.init import foreign
from stratavox.init.columns import Column
from stratavox.init.look import Contents
from stratavox.init.recognise import recognise, recorded
from stratavox.init.source import Source


def unlabelled(contents: Contents, notices: list[str]) -> str:
    """The message where nothing labels the recordings; ``notices`` are on what is there."""
    return (
        f"{contents.folder}: {len(contents.recordings)} recordings, but no labels for them: no "
        "table with a column of file names, no annotation files, no "
        "sub-folders that name classes and no common form of the files' names. Write a table such "
        "as\n  file,label,individual\n"
        f"  {contents.recordings[0]},song,bird_1\ninto this folder, one row for each "
        "clip, or give the folder above if the table is there"
        + "".join(f"\n{line}" for line in [*notices, *foreign.describe(contents.foreign)])
    )


def of_folders(contents: Contents, table: Path) -> Source | None:
    """One clip a recording, labelled by its sub-folder, for a table to be written at ``table``.

    Sub-folders one deep give the column ``label``; deeper ones ``folder_1``, ``folder_2`` ...
    None where no level of sub-folders has two names that are not those of splits.
    """
    parents = [PurePosixPath(name).parent.parts for name in contents.recordings]
    shared = len(os.path.commonprefix([p for p in parents if p] or [()]))
    levels = [p[shared:] for p in parents]
    depth = max(map(len, levels))
    rows = [
        [name, *level, *[""] * (depth - len(level))]
        for name, level in zip(contents.recordings, levels, strict=True)
        if level
    ]
    named = [Column("", [row[k] for row in rows]) for k in range(1, depth + 1)]
    if not any(len(level.values) > 1 and not level.is_split for level in named):
        return None
    header = ["file", *(["label"] if depth == 1 else [f"folder_{n + 1}" for n in range(depth)])]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    away = os.path.relpath(os.path.realpath(table), os.path.realpath(contents.folder))
    entry = {
        "path": contents.folder.as_posix(),
        "table": Path(away).as_posix(),
        "file": "file",
    }
    notes = {"table": "written from the sub-folders; relative to path. Add columns as you like"}
    columns = [Column(n, [row[k] for row in rows]) for k, n in enumerate(header) if k]
    columns += recorded(contents.folder, [row[0] for row in rows])
    columns, further, recognised = recognise(columns)
    entry |= further
    left = len(contents.recordings) - len(rows)
    messages = [
        f"no table: labels from the names of sub-folders, written to {table} (one row a clip)"
    ]
    if left:
        messages.append(f"  {left} recordings in no sub-folder are left out")
    return Source(entry, notes, columns, messages + recognised, len(rows), text.getvalue())
