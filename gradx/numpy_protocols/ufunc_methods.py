"""The methods of NumPy's universal functions: ``np.add.reduce``, ``np.maximum.accumulate``, ..."""

from typing import Any

import numpy as np

from gradx.core.arrays import read_for
from gradx.numpy_protocols import reductions
from gradx.numpy_protocols.arranging import array_of
from gradx.numpy_protocols.writing import add_in_place
from gradx.ops.along import add_at, take, take_along_axis
from gradx.ops.statistical import logsumexp


def _along_first(adapter):
    """Let one of NumPy's functions reduce along the first axis, as the methods do."""

    def along(array, *, axis=0, **settings):
        return adapter(array_of(array), axis=axis, **settings)

    return along


def _reduced_at(x, indices, *, axis=0):
    """Add up from each index to the next; where that is not ahead, take one element."""
    starts = np.asarray(read_for(indices, "np.add.reduceat"))
    length = x.shape[axis]
    if starts.ndim != 1 or not np.all((starts >= 0) & (starts < length)):
        raise IndexError(f"np.add.reduceat: indices for an axis of {length} elements: {starts}")
    ends = np.maximum(np.append(starts[1:], length), starts + 1)
    sums = np.repeat(np.arange(starts.size), ends - starts)
    elements = np.concatenate([np.arange(*pair) for pair in zip(starts, ends, strict=True)])
    return add_at(take(x, elements, axis=axis), sums, length=starts.size, axis=axis % x.ndim)


def _running(ufunc):
    """Return the running extreme: of equal elements the last one has the derivative."""

    def accumulate(x, *, axis=0):
        plain = np.asarray(read_for(x, f"np.{ufunc.__name__}.accumulate"))
        found = ufunc.accumulate(plain, axis=axis)
        places = np.arange(plain.shape[axis])
        places = places.reshape([-1 if i == axis % plain.ndim else 1 for i in range(plain.ndim)])
        is_extreme = (plain == found) | np.isnan(plain)
        chosen = np.maximum.accumulate(np.where(is_extreme, places, 0), axis=axis)
        return take_along_axis(x, chosen, axis=axis)

    return accumulate


UFUNC_METHODS: dict[tuple[Any, str], Any] = {
    (np.add, "accumulate"): _along_first(reductions.FUNCTIONS[np.cumsum]),
    (np.add, "at"): add_in_place(1),
    (np.add, "reduce"): _along_first(reductions.FUNCTIONS[np.sum]),
    (np.add, "reduceat"): _reduced_at,
    (np.logaddexp, "reduce"): _along_first(logsumexp),
    (np.logical_and, "reduce"): _along_first(reductions.FUNCTIONS[np.all]),
    (np.logical_or, "reduce"): _along_first(reductions.FUNCTIONS[np.any]),
    (np.maximum, "accumulate"): _running(np.maximum),
    (np.maximum, "reduce"): _along_first(reductions.FUNCTIONS[np.max]),
    (np.minimum, "accumulate"): _running(np.minimum),
    (np.minimum, "reduce"): _along_first(reductions.FUNCTIONS[np.min]),
    (np.multiply, "accumulate"): _along_first(reductions.FUNCTIONS[np.cumprod]),
    (np.multiply, "reduce"): _along_first(reductions.FUNCTIONS[np.prod]),
    (np.subtract, "at"): add_in_place(-1),
}
