"""Batches copied to a GPU one ahead: while a step runs, the next one's batch is on its way.

Copies run on a stream of their own, from memory that the system does not move (pinned). A copy
waits for what the GPU was given before its memory was taken, and the step for the copy; the
program waits only before it fills a pinned buffer that may still be read.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

SLOTS = 2  # one that is copied, one that is filled


class Ahead(NamedTuple):
    """Arrays on their way, and the event of their arrival."""

    arrays: list[Any]
    copied: Any


class Slot:
    """Pinned buffers, by shape and dtype, and the event of the last copy out of them."""

    def __init__(self) -> None:
        self._buffers: dict[Any, list[Any]] = {}
        self.copied: Any = None

    def filled(self, arrays: list[Any]) -> list[Any]:
        """Return pinned copies of arrays, when those before have been read."""
        if self.copied is not None:
            self.copied.synchronize()
        taken: dict[Any, int] = {}
        return [self._filled(array, taken) for array in arrays]

    def _filled(self, array: Any, taken: dict[Any, int]) -> Any:
        kind = (array.shape, array.dtype)
        known = self._buffers.setdefault(kind, [])
        place = taken[kind] = taken.get(kind, -1) + 1
        if place == len(known):
            known.append(import_module("cupyx").empty_pinned(array.shape, dtype=array.dtype))
        np.copyto(known[place], array)
        return known[place]


class Prefetched:
    """Lists of arrays on ``device``, of lists of NumPy arrays, each copied before it is asked for.

    ``prepare`` begins to copy the next one: somebody calls it while the GPU is at work.
    """

    def __init__(self, batches: Iterator[list[Any]], device: Any) -> None:
        self._batches, self._device = batches, device
        self._stream = _on(device, import_module("cupy").cuda.Stream, non_blocking=True)
        self._slots = cycle([Slot() for _ in range(SLOTS)])
        self._ahead: Ahead | None = None
        self._error: Exception | None = None  # of the data: it comes after the batch before it

    def prepare(self) -> None:
        """Begin to copy the next batch, unless one is on its way, or there is none."""
        if self._ahead is not None or self._error is not None:
            return
        try:
            arrays = next(self._batches)
        except Exception as error:  # StopIteration, too
            self._error = error
        else:
            self._ahead = _on(self._device, _copy, arrays, next(self._slots), self._stream)

    def __iter__(self) -> Iterator[list[Any]]:
        return self

    def __next__(self) -> list[Any]:
        self.prepare()
        if self._ahead is None:
            error, self._error = self._error, StopIteration()
            raise error or StopIteration
        arrived, self._ahead = self._ahead, None
        _on(self._device, _wait_for, arrived.copied)
        return arrived.arrays


def _copy(arrays: list[Any], slot: Slot, stream: Any) -> Ahead:
    cupy = import_module("cupy")
    pinned = slot.filled(arrays)
    # Memory may have been another array's, which the GPU still works on.
    ready = cupy.cuda.Event(disable_timing=True)
    out = [cupy.empty(array.shape, dtype=array.dtype) for array in arrays]
    ready.record(_current_stream())
    stream.wait_event(ready)
    for to, array in zip(out, pinned, strict=True):
        to.set(array, stream=stream)
    slot.copied = cupy.cuda.Event(disable_timing=True)
    slot.copied.record(stream)
    return Ahead(out, slot.copied)


def _wait_for(event: Any) -> None:
    _current_stream().wait_event(event)


def _current_stream() -> Any:
    return import_module("cupy").cuda.get_current_stream()


def _on(device: Any, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    with device:
        return function(*args, **options)
