"""A tree of arrays that share their first length: the rows of a data set.

Rows are always taken by index, so what comes out is a copy: a batch that is
written to never changes the data, and data that is refilled never changes a
batch that somebody kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradx.backends import backend_of, find_backend
from gradx.core import tree
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.errors import NotAnArrayError, ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """``length`` rows; ``take(indices)`` returns a tree like the one given."""

    length: int
    structure: Any
    takers: tuple[Callable[[np.ndarray], Any], ...]

    def take(self, indices: np.ndarray) -> Any:
        """Return copies of the rows at ``indices``, a 1-D array of integers."""
        return tree.unflatten(self.structure, [take(indices) for take in self.takers])


def rows_of(arrays: Any, caller: str) -> Rows:
    """Check that the leaves of ``arrays`` are arrays of one length above zero."""
    leaves, structure = tree.flatten(arrays)
    if not leaves:
        raise ShapeError(f"{caller}: expected at least one array, got {arrays!r}")
    names = [f"arrays{path}" for path in tree.paths(arrays)]
    lengths = [_length(leaf, name, caller) for leaf, name in zip(leaves, names, strict=True)]
    for name, length in zip(names, lengths, strict=True):
        if length != lengths[0]:
            raise ShapeError(
                f"{caller}: {names[0]} has {lengths[0]} rows, but {name} has {length}: "
                "the first axis of all must have one length"
            )
    if lengths[0] == 0:
        raise ShapeError(f"{caller}: {names[0]} has no rows")
    return Rows(lengths[0], structure, tuple(_taker(leaf) for leaf in leaves))


def _length(leaf: Any, name: str, caller: str) -> int:
    if type(leaf) is Tensor or find_backend(type(leaf)) is None:
        raise NotAnArrayError(
            f"{caller}: {name} is {describe(leaf)}, expected an array: "
            "gx.asarray makes one of nested lists and of columns of a table"
        )
    if not leaf.shape:
        raise ShapeError(f"{caller}: {name} has no axes: rows lie along the first axis")
    return leaf.shape[0]


def _taker(leaf: Any) -> Callable[[np.ndarray], Any]:
    backend = backend_of(type(leaf))
    device = backend.device_of(leaf)
    # A memory map becomes a plain array here, still without being read.
    array = backend.xp.asarray(leaf)

    def take(indices: np.ndarray) -> Any:
        with backend.device_context(backend.native_device(device)):
            return backend.xp.take(array, backend.from_numpy(indices, device), axis=0)

    return take
