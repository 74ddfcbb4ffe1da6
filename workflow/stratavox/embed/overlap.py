"""Work in a second thread while the encoder runs: preparing the next item, writing the last one.

The order of items stays, so results are the same as without threads; one item waits on either side,
which limits memory. The encoder runs in the main thread, where torch's number of threads is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
END = object()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """``items`` in their order, each prepared while the one before is in use.

    An exception while an item is prepared is raised in the place of the item.
    """
    source = iter(items)
    with ThreadPoolExecutor(1) as maker:
        waiting = maker.submit(next, source, END)
        while (item := waiting.result()) is not END:
            waiting = maker.submit(next, source, END)
            yield item


@contextmanager
def behind(call: Callable[..., object]) -> Iterator[Callable[..., None]]:
    """Yield a function that runs ``call`` in a thread, after the call before has ended.

    An exception in a call is raised by the next one, or at the end of the block.
    """
    last: Future | None = None

    def later(*arguments) -> None:
        nonlocal last
        if last is not None:
            last.result()
        last = caller.submit(call, *arguments)

    with ThreadPoolExecutor(1) as caller:
        yield later
    if last is not None:
        last.result()
