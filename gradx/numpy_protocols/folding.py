"""Methods of universal functions for which nothing is faster: one operation after the other."""

from functools import reduce as combined
from itertools import accumulate as running
from typing import Any

import numpy as np

from gradx.core.arrays import read_for
from gradx.core.views import rebind, writing
from gradx.errors import OutOfBoundsError, ShapeError
from gradx.numpy_protocols.arranging import array_of, chosen_axes
from gradx.numpy_protocols.writing import require_tensor
from gradx.ops.along import take
from gradx.ops.elementwise import where as choose
from gradx.ops.indexing import setitem
from gradx.ops.joining import stack, unstack
from gradx.ops.shapes import astype, broadcast_to, expand_dims, moveaxis, reshape

NOTHING = object()


def reduce_by(ufunc: Any, function: Any) -> Any:
    """Return what answers ``ufunc.reduce`` by calls of ``function``."""

    def reduce(array, axis=0, dtype=None, out=None, keepdims=False, initial=NOTHING, where=True):
        x = _in_dtype(array, dtype)
        ufunc.reduce(np.ones((1,) * x.ndim), axis)  # NumPy refuses axes, and more than it may order
        rows = _rows(x, axis)
        there = [] if where is True else _rows(broadcast_to(array_of(where), x.shape), axis)
        if initial is NOTHING and (there or not rows):
            initial = _identity(ufunc)
        found = rows.pop(0) if initial is NOTHING else initial
        for place, row in enumerate(rows):
            updated = function(found, row)
            found = choose(there[place], updated, found) if there else updated
        return _shaped(found, x, chosen_axes(axis, x.ndim), keepdims)

    return reduce


def _in_dtype(array, dtype):
    return array_of(array) if dtype is None else astype(array_of(array), dtype)


def _rows(x, axis):
    """Return the parts of ``x`` along an axis, or along several taken as one."""
    axes = chosen_axes(axis, x.ndim)
    first = moveaxis(x, tuple(axes), tuple(range(len(axes))))
    count = int(np.prod([x.shape[i] for i in axes]))
    return list(unstack(reshape(first, (count, *first.shape[len(axes) :])))) if count else []


def _identity(ufunc):
    if ufunc.identity is None:
        raise ShapeError(f"np.{ufunc.__name__}.reduce: of nothing, or with where=, needs initial=")
    return ufunc.identity


def _shaped(found, x, axes, keepdims):
    kept = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    if np.ndim(found) == 0 and kept:  # the initial value, of no rows
        found = broadcast_to(array_of(found), kept)
    return expand_dims(found, tuple(axes)) if keepdims else found


def accumulate_by(ufunc: Any, function: Any) -> Any:
    """Return what answers ``ufunc.accumulate`` by calls of ``function``."""

    def accumulate(array, axis=0, dtype=None, out=None):
        x = _in_dtype(array, dtype)
        rows = _rows(x, axis)
        return stack(list(running(rows, function)), axis=axis) if rows else x

    return accumulate


def reduceat_by(ufunc: Any, function: Any) -> Any:
    """Return what answers ``reduceat``: from each index to the next, or one element."""

    def reduceat(array, indices, axis=0, dtype=None, out=None):
        x = _in_dtype(array, dtype)
        starts = starts_of(indices, x.shape[axis], f"np.{ufunc.__name__}.reduceat")
        if not starts.size:
            return take(x, starts, axis=axis)
        rows, ends = _rows(x, axis), [*starts[1:], x.shape[axis]]
        pairs = zip(starts, ends, strict=True)
        parts = [combined(function, rows[start : max(end, start + 1)]) for start, end in pairs]
        return stack(parts, axis=axis)

    return reduceat


def starts_of(indices: Any, length: int, call: str) -> Any:
    """Return the indices of ``reduceat``, all of them within the axis."""
    starts = np.asarray(read_for(indices, call))
    if starts.ndim != 1 or not np.all((starts >= 0) & (starts < length)):
        raise OutOfBoundsError(f"{call}: indices for an axis of {length} elements: {starts}")
    return starts


def at_by(ufunc: Any, function: Any) -> Any:
    """Return what answers ``at``: a place that is named twice is written twice."""

    def at(x, key, *values):
        require_tensor(x, f"np.{ufunc.__name__}.at")
        places = np.arange(x.size).reshape(x.shape)[read_for(key, f"np.{ufunc.__name__}.at")]
        others = [reshape(broadcast_to(array_of(v), places.shape), (-1,)) for v in values]
        places = places.reshape(-1)
        with writing:
            flat = reshape(x, (-1,))
            for turn in _turns(places):
                spots = places[turn]
                flat = setitem(flat, function(flat[spots], *[v[turn] for v in others]), spots)
            rebind(x, reshape(flat, x.shape))

    return at


def _turns(places):
    """Yield which places are written first, second, ...: in one turn each at most once."""
    order = np.argsort(places, kind="stable")
    first = np.searchsorted(places[order], places[order])
    turn = np.empty_like(places)
    turn[order] = np.arange(places.size) - first
    return [np.flatnonzero(turn == i) for i in range(turn.max(initial=-1) + 1)]
