"""Several readouts fitted at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import (
    Executor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from typing import Any

from stratavox.progress import Progress


def of_each_readout(
    title: str, function: Callable, arguments: dict[str, tuple], threads: int
) -> dict[str, Any]:
    """``function(*arguments[readout])`` for every readout, ``threads`` of them at once.

    The last are started first: they are the widest, and take longest.
    """
    results = {}
    progress = Progress(title, len(arguments), "readouts")
    with workers(threads) as pool:
        waiting = {pool.submit(function, *arguments[name]): name for name in reversed(arguments)}
        for future in as_completed(waiting):
            results[waiting[future]] = future.result()
            progress.add()
    progress.close()
    return {name: results[name] for name in arguments}


def workers(count: int) -> Executor:
    """``count`` processes; a thread for one, as a process takes longer to start than small fits."""
    if count == 1:
        return ThreadPoolExecutor(1)
    # spawn: a forked child would inherit the locks of the parent's math threads
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
