"""One worker works in this process, several in processes of their own."""

import os

import pytest

from stratavox.probe.workers import workers


@pytest.mark.parametrize("count", [1, 2])
def test_work_is_done_here_by_one_and_elsewhere_by_several(count):
    with workers(count) as pool:
        assert list(pool.map(abs, [-3, 2])) == [3, 2]
        assert (pool.submit(os.getpid).result() == os.getpid()) == (count == 1)
