"""The exceptions whose message is for the user."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


class StratavoxError(Exception):
    """A problem that the user can solve.

    The message names the file, row or key, what was found, what is allowed and what to do. Any
    other exception is a defect of Stratavox and keeps its traceback.
    """


class BrokenFile(StratavoxError):
    """A file in results/ whose content changed after it was written: ``path``, and ``why``."""

    def __init__(self, path: str | os.PathLike, why: str):
        super().__init__(f"{path}: {why}; delete it and run the workflow again")
        self.path, self.why = Path(path), why


def run_command(main: Callable[[], None]) -> None:
    """Run a command; print a `StratavoxError` as one message and exit with 1.

    A broken file is renamed, so that the next run makes it again.
    """
    try:
        main()
    except BrokenFile as error:
        aside = error.path.with_name(f"{error.path.name}.broken")
        os.replace(error.path, aside)
        _end(
            f"{error.path}: {error.why}; set aside as {aside.name}; the same command makes it again"
        )
    except StratavoxError as error:
        _end(str(error))


def _end(message: str) -> None:
    sys.stdout.flush()
    print(f"stratavox: error: {message}", file=sys.stderr, flush=True)
    sys.exit(1)
