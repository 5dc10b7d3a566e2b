"""Threads for loops of machine code, which run outside Python's lock.

A loop is ``run(arrays, geometry, first unit, unit after the last)``, of addresses, and returns 0
where all is well; which thread runs which unit changes nothing. ``limit(n)`` says how many threads,
before it ``GRADX_NUM_THREADS`` or ``OMP_NUM_THREADS`` in the environment, else as many as the
process may use processors.
"""

import atexit
import ctypes
import os
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from gradx.backends.native.optional import machine_code
from gradx.errors import ShapeError

Address = ctypes.c_ssize_t
SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int32, Address, Address, ctypes.c_int64, ctypes.c_int64)


class Loop(NamedTuple):
    """A loop: where its code begins, and the function that Python calls."""

    address: int
    function: Callable[[int, int, int, int], int]


_lock = Lock()
_state: dict[str, Any] = {"limit": None, "team": None}


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
        _stop()
        _state["limit"] = count
    if _state["limit"] is None:
        _state["limit"] = _usual()
    return _state["limit"]


def loop_at(address: int) -> Loop:
    """Return the loop whose code begins there."""
    return Loop(address, SIGNATURE(address))


def run(loop: Loop, arrays: int, geometry: int, units: int) -> int:
    """Run all units of a loop, in as many threads as there may be."""
    if units == 1 or limit() == 1:
        return loop.function(arrays, geometry, 0, units)
    team = _state["team"] or _gathered()
    return team.share(loop.address, arrays, geometry, units)


def helpers() -> int:
    """Count the threads that are here for loops: they run nothing of the program's own."""
    team = _state["team"]
    return 0 if team is None else team.helpers


def _gathered() -> Any:
    with _lock:
        if _state["team"] is None:
            native: Any = machine_code("team")
            _state["team"] = native.Team(limit() - 1)
        return _state["team"]


def _stop() -> None:
    with _lock:
        team, _state["team"] = _state["team"], None
    if team is not None:
        team.stop()


def _end() -> None:
    """Let nobody run machine code when Python takes it apart; what comes then runs alone."""
    _state["limit"] = 1
    _stop()


def _forget() -> None:
    _state["team"] = None  # a forked process has none of the threads
    _lock.release()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget)
