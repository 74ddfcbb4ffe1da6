"""Checks that a run may write to its folder, and removes the lock of a killed run.

Snakemake's lock files stay after a process was killed, and the next run then stops with "directory
cannot be locked". A lock of the kernel ends with its process. So every Stratavox process holds a
shared one; a process that gets it exclusively knows that no other is running.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from stratavox.errors import StratavoxError
from stratavox.snakemake_internals import remove_locks

_held = []


def refuse_unwritable(*folders: Path) -> None:
    """Raise `StratavoxError` for the first folder that cannot be written or created."""
    for folder in folders:
        existing = folder if folder.exists() else folder.parent
        if not os.access(existing, os.W_OK | os.X_OK):
            raise StratavoxError(
                f"{existing.resolve()}: cannot be written to: it is read-only, or belongs to "
                "someone else; change that, or run in another folder (--directory)"
            )


def hold(folder: Path) -> None:
    """Share the lock of ``folder`` (.snakemake) until this process ends.

    Where no other process holds it, lock files of a killed run are removed first.
    """
    folder.mkdir(exist_ok=True)
    handle = open(folder / "stratavox.lock", "a")  # noqa: SIM115, closed when the process ends
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        if remove_locks(folder):
            print("The last run was killed; its lock is removed.", file=sys.stderr)
    fcntl.flock(handle, fcntl.LOCK_SH)
    _held.append(handle)
