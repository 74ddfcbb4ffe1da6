"""A run needs its folder to itself, and leave to write there.

A killed run must not lock it for ever: Snakemake's lock files outlive a process that was killed,
and the next run then stops with "directory cannot be locked". The kernel's own lock ends with its
process, so it tells a dead run from a living one: every Stratavox process shares it, and whoever
can have it alone knows that no other lives.
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
    """Raise `StratavoxError` for the first folder that may not be written to, or made."""
    for folder in folders:
        there = folder if folder.exists() else folder.parent
        if not os.access(there, os.W_OK | os.X_OK):
            raise StratavoxError(
                f"{there.resolve()}: cannot be written to: it is read-only, or belongs to someone "
                "else; mend that, or run in another folder (--directory)"
            )


def hold(folder: Path) -> None:
    """Share the lock of ``folder`` (.snakemake) until this process ends.

    Where no other process holds it, lock files that a killed run left there are removed first.
    """
    folder.mkdir(exist_ok=True)
    handle = open(folder / "stratavox.lock", "a")  # noqa: SIM115, it stays open on purpose
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        if remove_locks(folder):
            print("The last run was killed; its lock is removed.", file=sys.stderr)
    fcntl.flock(handle, fcntl.LOCK_SH)
    _held.append(handle)
