"""What is made ahead and done behind: at the same time, in order, no further, errors told."""

from __future__ import annotations

import threading

import pytest

from stratavox.embed.overlap import ahead, behind

SOON = 10.0  # seconds; a thread that has not come by then never will


def test_the_next_item_is_made_while_one_is_in_use_and_no_more_than_that():
    started = [threading.Event() for _ in range(5)]

    def items():
        for place, event in enumerate(started):
            event.set()
            yield place

    used = []
    for place in ahead(items()):
        used.append(place)
        if place + 1 < len(started):
            assert started[place + 1].wait(SOON), "the next waits until this one is used"
        assert not any(event.is_set() for event in started[place + 2 :]), "more than one ahead"
    assert used == [0, 1, 2, 3, 4]
    assert list(ahead([])) == []


def test_an_error_of_the_maker_comes_after_the_items_before_it():
    def items():
        yield "a"
        yield "b"
        raise ValueError("row 3 is broken")

    used = []
    with pytest.raises(ValueError, match="row 3 is broken"):
        for item in ahead(items()):
            used.append(item)
    assert used == ["a", "b"]


def test_the_thread_ends_with_its_consumer():
    """An error of the user leaves no thread behind that reads on."""
    before = threading.active_count()
    with pytest.raises(KeyError):
        for _ in ahead(iter(range(10))):
            raise KeyError("the user's")
    assert threading.active_count() == before


def test_calls_are_done_meanwhile_one_at_a_time_and_in_order():
    done, free, begun = [], threading.Event(), threading.Event()

    def slow(item) -> None:
        begun.set()
        assert free.wait(SOON)
        done.append(item)

    with behind(slow) as later:
        later(0)
        assert begun.wait(SOON)
        assert done == [], "the first call was waited for"
        free.set()
        for item in range(1, 20):
            later(item)
            assert done[:item] == list(range(item)), "one call overtook another, or two wait"
    assert done == list(range(20))


@pytest.mark.parametrize("calls", [1, 2])
def test_an_error_of_a_call_is_raised_by_the_next_or_at_the_end(calls):
    def full(item) -> None:
        raise OSError(f"no space left for {item}")

    with pytest.raises(OSError, match="no space left for 0"), behind(full) as later:
        for item in range(calls):
            later(item)


def test_the_users_own_error_stands_before_that_of_a_call():
    def full() -> None:
        raise OSError("no space left")

    with pytest.raises(ValueError, match="not finite"), behind(full) as later:
        later()
        raise ValueError("not finite")
