"""Scratch memory is lent to one at a time, and kept within limits."""

import threading

import numpy as np
import pytest

from gradx.backends import scratch
from gradx.backends.scratch import lent


@pytest.fixture(autouse=True)
def nothing_idle(monkeypatch):
    monkeypatch.setattr(scratch, "_idle", [])


def test_memory_is_lent_again_after_it_was_given_back():
    with lent((30, 4), np.float32) as first:
        pass
    with lent((400,), "int8") as second:
        assert (second.shape, second.dtype) == ((400,), np.int8)

    assert np.may_share_memory(first, second)


def test_nothing_is_lent_twice_at_a_time():
    with lent((8,), float) as first, lent((8,), float) as second, lent((), float) as third:
        assert third.shape == ()
        assert not np.may_share_memory(first, second)
        assert not np.may_share_memory(second, third)


def test_memory_begins_where_a_line_of_the_cache_does():
    for count in (1, 3, 1000):
        with lent((count,), "int8") as memory:
            assert memory.ctypes.data % scratch.LINE == 0


def test_large_memory_is_not_lent_for_little_nor_kept():
    with lent((10_000,), float) as much, lent((10,), float) as little:
        pass
    with lent((10,), float) as again:
        assert np.may_share_memory(again, little)
        assert not np.may_share_memory(again, much)
    with lent((scratch.MOST_KEPT // 2,), "int8"):
        pass

    assert max(memory.size for memory in scratch._idle) < scratch.MOST_KEPT // 2


def test_no_more_is_kept_than_the_limit(monkeypatch):
    monkeypatch.setattr(scratch, "MOST_KEPT", 10_000)
    with lent((1000,), float), lent((1000,), float):
        pass
    with lent((4000,), float):
        pass

    assert sum(memory.size for memory in scratch._idle) <= 10_000


def test_memory_is_given_back_when_a_kernel_fails():
    with pytest.raises(ZeroDivisionError), lent((10,), float):
        _ = 1 // 0

    assert len(scratch._idle) == 1


def test_threads_never_hold_the_same_memory():
    wrong = []

    def work(number):
        for _ in range(300):
            with lent((50,), "int64") as memory:
                memory.fill(number)
                wrong.extend([number] * bool((memory != number).any()))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
