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
from functools import partial
from typing import Any

from threadpoolctl import threadpool_limits

from stratavox.progress import Progress


def of_each_readout(
    title: str, function: Callable, arguments: dict[str, tuple], threads: int
) -> dict[str, Any]:
    """``function(*arguments[readout])`` for every readout, ``threads`` of them at once.

    The last are started first: they are the widest, and take longest. Each has one thread for
    products: those of this size are slower on several.
    """
    results = {}
    progress = Progress(title, len(arguments), "readouts")
    work = function if threads == 1 else partial(on_one_thread, function)
    with threadpool_limits(1), workers(threads) as pool:
        waiting = {pool.submit(work, *arguments[name]): name for name in reversed(arguments)}
        for future in as_completed(waiting):
            results[waiting[future]] = future.result()
            progress.add()
    progress.close()
    return {name: results[name] for name in arguments}


def on_one_thread(function: Callable, *arguments) -> Any:
    """``function(*arguments)`` in a process of its own, which has the default of threads."""
    with threadpool_limits(1):
        return function(*arguments)


def workers(count: int) -> Executor:
    """``count`` processes; a thread for one, as a process takes longer to start than small fits."""
    if count == 1:
        return ThreadPoolExecutor(1)
    # spawn: a forked child would inherit the locks of the parent's math threads
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
