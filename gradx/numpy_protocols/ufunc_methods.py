"""The methods of NumPy's universal functions: ``np.add.reduce``, ``np.maximum.accumulate``, ..."""

from typing import Any

import numpy as np

from gradx.numpy_protocols import products, reductions
from gradx.numpy_protocols.arranging import array_of
from gradx.numpy_protocols.folding import (
    accumulate_by,
    at_by,
    reduce_by,
    reduceat_by,
    starts_of,
)
from gradx.numpy_protocols.writing import add_in_place
from gradx.ops.along import add_at, take, take_along_axis
from gradx.ops.searching import last_extremes
from gradx.ops.shapes import checked_axes


def _along_first(adapter):
    """Let one of NumPy's functions reduce along the first axis, as the methods do."""

    def along(array, *, axis=0, **settings):
        return adapter(array_of(array), axis=axis, **settings)

    return along


def _reduced_at(x, indices, *, axis=0):
    """Add up from each index to the next; where that is not ahead, take one element."""
    length = x.shape[axis]
    starts = starts_of(indices, length, "np.add.reduceat")
    if not starts.size:
        return take(x, starts, axis=axis)
    ends = np.maximum(np.append(starts[1:], length), starts + 1)
    sums = np.repeat(np.arange(starts.size), ends - starts)
    elements = np.concatenate([np.arange(*pair) for pair in zip(starts, ends, strict=True)])
    return add_at(take(x, elements, axis=axis), sums, length=starts.size, axis=axis % x.ndim)


def _running(largest):
    """Return the running extreme: of equal elements the last one has the derivative."""

    def accumulate(x, *, axis=0):
        x = array_of(x)
        (axis,) = checked_axes("accumulate", axis, x.ndim)
        places = last_extremes(x, axis=axis, largest=largest)
        return take_along_axis(x, places, axis=axis)

    return accumulate


UFUNC_METHODS: dict[tuple[Any, str], Any] = {
    (np.add, "accumulate"): _along_first(reductions.FUNCTIONS[np.cumsum]),
    (np.add, "at"): add_in_place(1),
    (np.add, "reduce"): _along_first(reductions.FUNCTIONS[np.sum]),
    (np.add, "reduceat"): _reduced_at,
    (np.logical_and, "reduce"): _along_first(reductions.FUNCTIONS[np.all]),
    (np.logical_or, "reduce"): _along_first(reductions.FUNCTIONS[np.any]),
    (np.maximum, "accumulate"): _running(largest=True),
    (np.maximum, "reduce"): _along_first(reductions.FUNCTIONS[np.max]),
    (np.minimum, "accumulate"): _running(largest=False),
    (np.minimum, "reduce"): _along_first(reductions.FUNCTIONS[np.min]),
    (np.multiply, "accumulate"): _along_first(reductions.FUNCTIONS[np.cumprod]),
    (np.multiply, "reduce"): _along_first(reductions.FUNCTIONS[np.prod]),
    (np.subtract, "at"): add_in_place(-1),
}


def method_of(ufunc: Any, method: str, function: Any) -> Any:
    """Return what answers a method of a universal function that ``function`` answers, or None."""
    known = UFUNC_METHODS.get((ufunc, method))
    if known is not None or function is None:
        return known
    if method == "outer":
        return lambda x, y: function(*products.spread_apart(array_of(x), array_of(y)))
    folding = _FOLDS.get(method)
    return None if folding is None else folding(ufunc, function)


_FOLDS: dict[str, Any] = {
    "accumulate": accumulate_by,
    "at": at_by,
    "reduce": reduce_by,
    "reduceat": reduceat_by,
}
