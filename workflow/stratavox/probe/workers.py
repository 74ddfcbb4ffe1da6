"""Who fits readouts side by side."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor


def workers(count: int) -> Executor:
    """``count`` processes; for one, none of its own, as starting it costs as much as small fits."""
    if count == 1:
        return ThreadPoolExecutor(1)
    # spawn: a forked child would inherit the locks of the parent's math threads
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
