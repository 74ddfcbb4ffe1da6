"""The one exception a user is meant to read."""

from __future__ import annotations

import sys
from collections.abc import Callable


class StratavoxError(Exception):
    """Something the user can mend.

    The message names the file, row or key, says what was found, what is allowed and what to do.
    Anything else that is raised is a defect of Stratavox and keeps its traceback.
    """


def run(main: Callable[[], None]) -> None:
    """Run a command; print a `StratavoxError` as one message and exit with 1."""
    try:
        main()
    except StratavoxError as error:
        sys.stdout.flush()
        print(f"stratavox: error: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
