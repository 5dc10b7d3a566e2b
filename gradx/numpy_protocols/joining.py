"""NumPy's functions that join arrays, split them, and repeat what they hold."""

import operator
from typing import Any

import numpy as np

from gradx.numpy_protocols.arranging import (
    array_of,
    at_least_1d,
    at_least_2d,
    at_least_3d,
    flat,
)
from gradx.ops.arithmetic import positive
from gradx.ops.joining import concat, meshgrid, split, stack, unstack
from gradx.ops.moving import repeat, tile
from gradx.ops.shapes import astype, broadcast_to, expand_dims, reshape


def _of_dtype(arrays, dtype):
    arrays = [array_of(x) for x in arrays]
    return arrays if dtype is None else [astype(x, dtype) for x in arrays]


def _concatenate(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    return concat(_of_dtype(arrays, dtype), axis=axis)


def _stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    return stack(_of_dtype(arrays, dtype), axis=axis)


def _vstack(tup, *, dtype=None, casting="same_kind"):
    return concat(_of_dtype([at_least_2d(x) for x in tup], dtype), axis=0)


def _hstack(tup, *, dtype=None, casting="same_kind"):
    arrays = _of_dtype([at_least_1d(x) for x in tup], dtype)
    return concat(arrays, axis=0 if arrays[0].ndim == 1 else 1)


def _dstack(tup):
    return concat([at_least_3d(x) for x in tup], axis=2)


def _column_stack(tup):
    arrays = map(at_least_1d, tup)
    return concat([expand_dims(x, 1) if x.ndim == 1 else x for x in arrays], axis=1)


def _block(arrays):
    depth = _depth(arrays)
    ndim = max(depth, _most_axes(arrays))
    return _block_of(arrays, depth, ndim)


def _depth(arrays):
    return 1 + _depth(arrays[0]) if isinstance(arrays, list) else 0


def _most_axes(arrays):
    return max(map(_most_axes, arrays)) if isinstance(arrays, list) else np.ndim(arrays)


def _block_of(arrays, depth, ndim):
    if not isinstance(arrays, list):
        x = at_least_1d(arrays)
        for _ in range(ndim - x.ndim):
            x = expand_dims(x, 0)
        return x
    return concat([_block_of(x, depth - 1, ndim) for x in arrays], axis=-depth)


def _append(arr, values, axis=None):
    if axis is None:
        return concat([flat(at_least_1d(arr)), flat(at_least_1d(values))])
    return concat([array_of(arr), array_of(values)], axis=axis)


def _split(ary, indices_or_sections, axis=0):
    if np.ndim(indices_or_sections) == 0:
        indices_or_sections = operator.index(indices_or_sections)
    return split(ary, indices_or_sections, axis)


def _array_split(ary, indices_or_sections, axis=0):
    if np.ndim(indices_or_sections):
        return split(ary, indices_or_sections, axis)
    length, sections = ary.shape[axis], operator.index(indices_or_sections)
    short, longer = divmod(length, sections)
    sizes = [short + 1] * longer + [short] * (sections - longer)
    return split(ary, [int(end) for end in np.cumsum(sizes[:-1])], axis)


def _hsplit(ary, indices_or_sections):
    return _split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


def _meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    if not sparse:
        grids = meshgrid(*map(array_of, xi), indexing=indexing)
        return tuple(grids if copy else [broadcast_to(x, x.shape) for x in grids])  # read-only
    places = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        places[:2] = 1, 0
    shape = lambda place: tuple(-1 if i == place else 1 for i in range(len(xi)))
    found = [reshape(array_of(x), shape(i)) for x, i in zip(xi, places, strict=True)]
    return tuple([positive(x) for x in found] if copy else found)


def _unstack(x, /, *, axis=0):
    return unstack(x, axis=axis)


FUNCTIONS: dict[Any, Any] = {
    np.append: _append,
    np.array_split: _array_split,
    np.block: _block,
    np.column_stack: _column_stack,
    np.concatenate: _concatenate,
    np.dsplit: lambda ary, indices_or_sections: _split(ary, indices_or_sections, 2),
    np.dstack: _dstack,
    np.hsplit: _hsplit,
    np.hstack: _hstack,
    np.meshgrid: _meshgrid,
    np.repeat: lambda a, repeats, axis=None: repeat(a, repeats, axis=axis),
    np.split: _split,
    np.stack: _stack,
    np.tile: lambda A, reps: tile(A, tuple(np.atleast_1d(reps).tolist())),
    np.unstack: _unstack,
    np.vsplit: _split,
    np.vstack: _vstack,
}
