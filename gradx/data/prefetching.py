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
    backend, native = backend_for_device(device)
    if backend.prefetched is None:
        return (to_device(batch, device) for batch in batches)
    return _ahead(iter(batches), device, backend.prefetched, native)


def _ahead(batches: Iterator[Any], device: Any, prefetched: Any, native: Any) -> Iterator[Any]:
    taken: list[tuple[Any, list[Any]]] = []

    def on_host() -> Iterator[list[Any]]:
        for batch in batches:
            leaves, structure = tree.flatten(batch)
            taken.append((structure, leaves))
            yield [leaf for leaf in leaves if type(leaf) is np.ndarray]

    for arrays in prefetched(on_host(), native):
        structure, leaves = taken.pop(0)
        moved = iter(arrays)
        placed = [
            next(moved) if type(leaf) is np.ndarray else to_device(leaf, device) for leaf in leaves
        ]
        yield tree.unflatten(structure, placed)
