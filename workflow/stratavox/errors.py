"""The one exception a user is meant to read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


class StratavoxError(Exception):
    """Something the user can mend.

    The message names the file, row or key, says what was found, what is allowed and what to do.
    Anything else that is raised is a defect of Stratavox and keeps its traceback.
    """


class BrokenFile(StratavoxError):
    """A file in results/ that does not hold what was written there: ``path``, and ``why``."""

    def __init__(self, path: str | os.PathLike, why: str):
        super().__init__(f"{path}: {why}; delete it and run the workflow again")
        self.path, self.why = Path(path), why


def run_command(main: Callable[[], None]) -> None:
    """Run a command; print a `StratavoxError` as one message and exit with 1.

    A broken file that a stage met is set aside, so that the next run makes it again.
    """
    try:
        main()
    except BrokenFile as error:
        aside = error.path.with_name(f"{error.path.name}.broken")
        os.replace(error.path, aside)
        _end(f"{error.path}: {error.why}; set aside as {aside.name}, the same command makes it new")
    except StratavoxError as error:
        _end(str(error))


def _end(message: str) -> None:
    sys.stdout.flush()
    print(f"stratavox: error: {message}", file=sys.stderr, flush=True)
    sys.exit(1)
