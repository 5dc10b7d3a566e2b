"""Batches brought to a device, one ahead where it copies beside its work."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from gradx.backends import backend_for_device
from gradx.core import tree
from gradx.device import to_device
from gradx.errors import DTypeError


def prefetch(batches: Iterable[Any], device: Any) -> Iterator[Any]:
    """Yield batches, trees of arrays, on ``device``.

    On CUDA the NumPy arrays of the next batch are copied while the program and the GPU work on
    this one, from pinned memory and on a stream of their own; one batch more than is used is
    taken from ``batches``. ``gx.train.fit(device=...)`` does so by itself.

    Raises:
        TypeError: ``batches`` cannot be gone through.
        RuntimeError: the device cannot be used.

    >>> import numpy as np, gradx as gx
    >>> [len(batch) for batch in gx.data.prefetch([np.zeros(3), np.zeros(2)], "cpu")]
    [3, 2]
    """
    if not isinstance(batches, Iterable) or isinstance(batches, str):
        raise DTypeError(f"prefetch: expected batches to go through, got {batches!r}")
    ahead = on_the_way(batches, device)
    return _each_before_the_last_is_used(ahead) if isinstance(ahead, OnTheWay) else ahead


def on_the_way(batches: Iterable[Any], device: Any) -> Iterator[Any]:
    """Return batches on ``device``; where it copies beside its work, as ``OnTheWay``."""
    backend, native = backend_for_device(device)
    if backend.prefetched is None:
        return (to_device(batch, device) for batch in batches)
    return OnTheWay(iter(batches), device, backend.prefetched, native)


def _each_before_the_last_is_used(ahead: "OnTheWay") -> Iterator[Any]:
    for batch in ahead:
        ahead.prepare()
        yield batch


class OnTheWay:
    """Batches on a device, the next of which ``prepare`` begins to copy."""

    def __init__(self, batches: Iterator[Any], device: Any, prefetched: Any, native: Any) -> None:
        self._batches, self._device = batches, device
        self._taken: list[tuple[Any, list[Any]]] = []
        self._arrays = prefetched(self._on_host(), native)
        self.prepare = self._arrays.prepare

    def _on_host(self) -> Iterator[list[Any]]:
        for batch in self._batches:
            leaves, structure = tree.flatten(batch)
            self._taken.append((structure, leaves))
            yield [leaf for leaf in leaves if type(leaf) is np.ndarray]

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        moved = iter(next(self._arrays))
        structure, leaves = self._taken.pop(0)
        placed = [
            next(moved) if type(leaf) is np.ndarray else to_device(leaf, self._device)
            for leaf in leaves
        ]
        return tree.unflatten(structure, placed)
