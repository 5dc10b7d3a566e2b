"""Scratch memory of NumPy's kernels: lent for a call, and kept for the next who asks for as much.

A kernel that runs at every step would else ask the system for the same memory each time, and
find it empty: the first touch of new memory takes longer than to fill what is at hand.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from threading import Lock
from typing import Any

import numpy as np

MOST_KEPT = 1 << 22  # bytes: the rest, and what alone is half of that, goes back to the system
SPARE = 4  # times as large as what was asked for
LINE = 64  # bytes of a line of the cache, where memory begins

_lock = Lock()
_idle: list[Any] = []


@contextmanager
def lent(shape: tuple[int, ...], dtype: Any) -> Iterator[Any]:
    """Lend an array for a block of code; what is in it is what was left there."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    memory = _take(size + LINE)
    start = -memory.__array_interface__["data"][0] % LINE
    try:
        yield memory[start : start + size].view(dtype).reshape(shape)
    finally:
        _give_back(memory)


def _take(size: int) -> Any:
    """Return the smallest memory that is large enough, and not much larger."""
    with _lock:
        order = sorted(range(len(_idle)), key=lambda place: _idle[place].size)
        fitting = [place for place in order if size <= _idle[place].size <= SPARE * size]
        if fitting:
            return _idle.pop(fitting[0])
    return np.empty(size, np.uint8)


def _give_back(memory: Any) -> None:
    with _lock:
        if sum(other.size for other in _idle) + memory.size > MOST_KEPT:
            _idle.clear()
        if memory.size <= MOST_KEPT // 2:
            _idle.append(memory)


if hasattr(os, "register_at_fork"):  # a forked process must not find the lock taken
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
