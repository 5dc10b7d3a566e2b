"""A few threads for loops of machine code, which run outside Python's lock.

How many: ``limit(n)`` says, before it ``GRADX_NUM_THREADS`` or ``OMP_NUM_THREADS`` in the
environment, else as many as the process may use processors.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gradx.errors import ShapeError

_state: dict[str, Any] = {"limit": None, "pool": None}


def _usual() -> int:
    for name in ("GRADX_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit(count: int | None = None) -> int:
    """Return how many threads a loop may use, after setting it to ``count`` if that is given.

    Raises:
        ValueError: ``count`` is not a positive integer.
    """
    if count is not None:
        if type(count) is not int or count < 1:
            raise ShapeError(f"limit: {count!r} threads, expected a positive integer")
        _state["limit"], _state["pool"] = count, None
    if _state["limit"] is None:
        _state["limit"] = _usual()
    return _state["limit"]


def run(function: Callable[..., int], calls: Sequence[tuple[Any, ...]]) -> list[int]:
    """Call ``function`` with several tuples of arguments at once, with the first one here."""
    pool = _state["pool"]
    if pool is None:
        pool = _state["pool"] = ThreadPoolExecutor(limit(), "gradx")
    others = [pool.submit(function, *call) for call in calls[1:]]
    return [function(*calls[0]), *[other.result() for other in others]]


def _forget() -> None:
    _state["pool"] = None  # a forked process has none of the threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
