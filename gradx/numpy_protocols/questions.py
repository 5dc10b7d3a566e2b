"""NumPy's questions about an array: places, counts, comparisons. Answers have no derivative."""

import math
from typing import Any

import numpy as np

from gradx.core.arrays import read_for, untracked
from gradx.core.call import Tensor
from gradx.errors import ShapeError
from gradx.numpy_protocols.arranging import array_of, flat
from gradx.numpy_protocols.constants import as_constants
from gradx.ops import elementwise as ew
from gradx.ops.joining import stack
from gradx.ops.searching import argmax, argmin, count_nonzero, nonzero, searchsorted
from gradx.ops.sets import isin
from gradx.ops.shapes import astype, broadcast_to
from gradx.ops.sorting import argsort
from gradx.ops.statistical import all


def _isin(element, test_elements, assume_unique=False, invert=False, *, kind=None):
    return isin(array_of(element), array_of(test_elements), invert=invert)


def _isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    a, b = array_of(a), array_of(b)
    near = ew.less_equal(ew.abs(ew.subtract(a, b)), ew.add(atol, ew.multiply(ew.abs(b), rtol)))
    close = ew.where(ew.isfinite(b), near, ew.equal(a, b))
    return ew.logical_or(close, _both_nan(a, b)) if equal_nan else close


def _both_nan(a, b):
    return ew.logical_and(ew.not_equal(a, a), ew.not_equal(b, b))


def _allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    return all(_isclose(a, b, rtol, atol, equal_nan))


def _array_equal(a1, a2, equal_nan=False):
    if np.shape(a1) != np.shape(a2):
        return False
    a1, a2 = array_of(a1), array_of(a2)
    same = ew.equal(a1, a2)
    return all(ew.logical_or(same, _both_nan(a1, a2)) if equal_nan else same)


def _place(op):
    def place(a, axis=None, out=None, *, keepdims=False):
        return op(a, axis=axis, keepdims=keepdims)

    return place


def _argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    return argsort(flat(a) if axis is None else a, axis=-1 if axis is None else axis)


def _searchsorted(a, v, side="left", sorter=None):
    return searchsorted(array_of(a), array_of(v), side=side, sorter=sorter)


def _digitize(x, bins, right=False):
    bins, side = array_of(bins), "left" if right else "right"
    plain = np.asarray(read_for(bins, "np.digitize"))
    if np.all(plain[:-1] <= plain[1:]):
        return searchsorted(bins, array_of(x), side=side)
    if not np.all(plain[:-1] >= plain[1:]):
        raise ShapeError("np.digitize: bins need to rise or to fall")
    return plain.size - searchsorted(bins[::-1], array_of(x), side=side)


def _like(function):
    def like(a, *values, shape=None, **options):
        shape = a.shape if shape is None else shape
        return as_constants(function(untracked(a), *values, shape=shape, **options))

    return like


def _full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    if type(fill_value) is not Tensor:
        return _like(np.full_like)(a, fill_value, dtype, order, shape=shape, device=device)
    filled = broadcast_to(fill_value, tuple(a.shape) if shape is None else shape)
    return astype(filled, untracked(a).dtype if dtype is None else dtype)


def _of_dtype(function):
    """Ask NumPy about what the plain array is, not about its numbers; or for a text of it."""
    return _asked(function, untracked)


def _of_shape(function):
    """Ask NumPy about an array of the same shape, without numbers."""
    return _asked(function, lambda x: np.broadcast_to(0, x.shape) if hasattr(x, "shape") else x)


def _of_numbers(function):
    """Ask NumPy about the plain array's numbers: its answer has no derivative."""
    return _asked(function, lambda x: read_for(x, f"np.{function.__name__}"))


def _asked(function, plain):
    of = lambda x: tuple(map(plain, x)) if isinstance(x, tuple) else plain(x)
    return lambda *args, **options: as_constants(function(*map(of, args), **options))


def _nan_place(op, least):
    def place(a, axis=None, out=None, *, keepdims=False):
        return op(ew.where(ew.isnan(a), least, a), axis=axis, keepdims=keepdims)

    return place


OF_DTYPES = """
    array2string array_repr array_str can_cast common_type iscomplexobj isrealobj may_share_memory
    result_type shares_memory
"""
OF_SHAPES = "diag_indices_from einsum_path tril_indices_from triu_indices_from"
OF_NUMBERS = """
    array_equiv ix_ min_scalar_type ravel_multi_index unravel_index
"""

FUNCTIONS: dict[Any, Any] = {
    np.allclose: _allclose,
    np.argmax: _place(argmax),
    np.argmin: _place(argmin),
    np.argsort: _argsort,
    np.argwhere: lambda a: stack(nonzero(a), axis=-1),
    np.array_equal: _array_equal,
    np.count_nonzero: lambda a, axis=None, *, keepdims=False: count_nonzero(
        a, axis=axis, keepdims=keepdims
    ),
    np.digitize: _digitize,
    np.empty_like: _like(np.empty_like),
    np.flatnonzero: lambda a: nonzero(flat(a))[0],
    np.full_like: _full_like,
    np.iscomplex: lambda x: ew.not_equal(ew.imag(x), 0),
    np.isclose: _isclose,
    np.isin: _isin,
    np.isneginf: lambda x, out=None: ew.equal(x, -math.inf),
    np.isposinf: lambda x, out=None: ew.equal(x, math.inf),
    np.isreal: lambda x: ew.equal(ew.imag(x), 0),
    np.nanargmax: _nan_place(argmax, -math.inf),
    np.nanargmin: _nan_place(argmin, math.inf),
    np.ndim: lambda a: a.ndim,
    np.nonzero: nonzero,
    np.ones_like: _like(np.ones_like),
    np.searchsorted: _searchsorted,
    np.shape: lambda a: a.shape,
    np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
    np.zeros_like: _like(np.zeros_like),
}
FUNCTIONS |= {getattr(np, name): _of_dtype(getattr(np, name)) for name in OF_DTYPES.split()}
FUNCTIONS |= {getattr(np, name): _of_shape(getattr(np, name)) for name in OF_SHAPES.split()}
FUNCTIONS |= {getattr(np, name): _of_numbers(getattr(np, name)) for name in OF_NUMBERS.split()}
