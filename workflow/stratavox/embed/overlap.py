"""Work done in a thread beside the encoder's: what comes next is made, what is done is written.

One item waits on either side and none overtakes another, so results and memory are told as easily
as without. The encoder itself stays in the main thread, which holds its number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
END = object()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """``items`` in their order, each made while the one before is in use.

    What making an item raises is raised where the item would have come.
    """
    source = iter(items)
    with ThreadPoolExecutor(1) as maker:
        waiting = maker.submit(next, source, END)
        while (item := waiting.result()) is not END:
            waiting = maker.submit(next, source, END)
            yield item


@contextmanager
def behind(call: Callable[..., object]) -> Iterator[Callable[..., None]]:
    """Yield a function that has ``call`` done meanwhile, after the call before has ended.

    What a call raises is raised by the next one, or at the end of the block.
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
