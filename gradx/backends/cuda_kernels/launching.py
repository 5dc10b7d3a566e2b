"""Launching: a source becomes functions the first time that one is called.

CuPy compiles with NVRTC, keeps what it compiled on disk, and loads it once for each device.
It is imported when something is launched, not before.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

OPTIONS = ("-std=c++17",)
# Parameters of kernels that are no pointers are long long or double: no other is ever meant.
SCALARS: dict[type, Callable[[Any], Any]] = {int: np.int64, float: np.float64}

Lengths = int | tuple[int, ...]


def launch(source: str, name: str, blocks: Lengths, threads: Lengths, *arguments: Any) -> None:
    """Run kernel ``name`` of ``source`` on the device of the first argument, an array.

    Arrays are passed as pointers to their first element and must be contiguous. A grid of no
    blocks, which is what nothing to do takes, is not launched.
    """
    blocks, threads = _as_tuple(blocks), _as_tuple(threads)
    if 0 in blocks:
        return
    values = tuple([SCALARS[type(x)](x) if type(x) in SCALARS else x for x in arguments])
    with arguments[0].device:
        function(source, name)(blocks, threads, values)


class _Rehearsal(threading.local):
    on = False


_rehearsal = _Rehearsal()


@contextmanager
def rehearsing() -> Iterator[None]:
    """Let what this thread runs do what it does when it is captured, with nothing captured.

    A kernel that only a capture launches would be loaded in it, which CUDA refuses.
    """
    _rehearsal.on = True
    try:
        yield
    finally:
        _rehearsal.on = False


def is_capturing() -> bool:
    """Tell whether this thread's stream records what is launched, for a CUDA graph."""
    return _rehearsal.on or import_module("cupy").cuda.get_current_stream().is_capturing()


def contiguous(array: Any) -> Any:
    """Return the array, or a copy in row-major order of one that is in another."""
    return array if array.flags.c_contiguous else array.copy()


def _as_tuple(lengths: Lengths) -> tuple[int, ...]:
    return lengths if isinstance(lengths, tuple) else (lengths,)


@cache
def function(source: str, name: str) -> Callable[..., None]:
    """Return kernel ``name`` of ``source``: a function of its blocks, threads and arguments."""
    return _module(source).get_function(name)


@cache
def _module(source: str) -> Any:
    return import_module("cupy").RawModule(code=source, options=OPTIONS)
