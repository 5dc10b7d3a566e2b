"""NumPy's functions that take elements out of arrays, put others in, or work piece by piece."""

import math
from typing import Any

import numpy as np

from gradx.core.arrays import read_for, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.numpy_protocols.arranging import array_of, chosen_axes, flat
from gradx.numpy_protocols.constants import as_constants
from gradx.numpy_protocols.refusals import unknown
from gradx.numpy_protocols.selecting import within
from gradx.ops import elementwise as ew
from gradx.ops.along import add_at, take
from gradx.ops.creation import stop_gradient
from gradx.ops.differences import diff
from gradx.ops.joining import concat, stack
from gradx.ops.sets import unique_all, unique_counts, unique_inverse, unique_values
from gradx.ops.shapes import astype, broadcast_to, expand_dims, moveaxis, reshape, sum
from gradx.ops.slicing import setitem
from gradx.ops.sorting import sort
from gradx.ops.statistical import cumulative_sum


def _delete(arr, obj, axis=None):
    if axis is None:
        arr, axis = flat(arr), 0
    kept = np.delete(np.arange(arr.shape[axis]), obj)
    return take(arr, kept, axis=axis)


def _insert(arr, obj, values, axis=None):
    arr = array_of(arr)
    values = astype(array_of(values), untracked(arr).dtype)
    if axis is None:
        arr, axis = flat(arr), 0
    arr = moveaxis(arr, axis, 0)
    single = np.ndim(obj) == 0 and not isinstance(obj, slice)
    if values.ndim and not (single and values.ndim < arr.ndim):
        values = moveaxis(values, axis % values.ndim, 0)
    places = np.insert(np.arange(arr.shape[0]), obj, _numbers(arr, obj, values, single))
    values = broadcast_to(values, (np.count_nonzero(places < 0), *arr.shape[1:]))
    order = np.where(places < 0, arr.shape[0] - 1 - places, places)
    return moveaxis(take(concat([arr, values]), order, axis=0), 0, axis)


def _numbers(arr, obj, values, single):
    """Return -1, -2, ... for the slices to insert: NumPy then says where each of them goes."""
    count = values.shape[0] if single and values.ndim == arr.ndim else 1
    if not single:
        count = np.arange(arr.shape[0])[obj].size if isinstance(obj, slice) else np.size(obj)
    return -1 - np.arange(count)


def _unique(
    ar,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    *,
    equal_nan=True,
    sorted=True,
):
    _, first, *rest = np.unique(
        read_for(ar, "np.unique"), True, return_inverse, return_counts, axis, equal_nan=equal_nan
    )
    values = take(flat(ar) if axis is None else ar, first, axis=axis or 0)
    found = (values, *as_constants([*([first] if return_index else []), *rest]))
    return found if len(found) > 1 else values


def _union1d(ar1, ar2):
    return _unique(concat([flat(array_of(ar1)), flat(array_of(ar2))]))


def _numbers_in(x, what):
    return np.asarray(read_for(array_of(x), what))


def _intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    # An element that both have is the first array's: its derivative goes there.
    one, other = [_numbers_in(x, "np.intersect1d") for x in (ar1, ar2)]
    _, first, second = np.intersect1d(one, other, assume_unique, return_indices=True)
    values = take(flat(array_of(ar1)), first, axis=0)
    return (values, *as_constants((first, second))) if return_indices else values


def _setdiff1d(ar1, ar2, assume_unique=False):
    values = flat(array_of(ar1)) if assume_unique else _unique(array_of(ar1))
    one, other = [_numbers_in(x, "np.setdiff1d") for x in (values, ar2)]
    return take(values, np.flatnonzero(np.isin(one, other, invert=True)), axis=0)


def _setxor1d(ar1, ar2, assume_unique=False):
    sides = [flat(array_of(x)) for x in (ar1, ar2)]
    both = sort(concat(sides if assume_unique else [_unique(x) for x in sides]))
    plain = _numbers_in(both, "np.setxor1d")
    changes = np.concatenate([[True], plain[1:] != plain[:-1], [True]])[: plain.size + 1]
    return take(both, np.flatnonzero(changes[1:] & changes[:-1]), axis=0)


def _extract(condition, arr):
    return take(
        flat(array_of(arr)), np.flatnonzero(np.asarray(read_for(condition, "np.extract"))), axis=0
    )


def _resize(a, new_shape):
    size = math.prod(new_shape) if isinstance(new_shape, tuple | list) else new_shape
    shape = tuple(new_shape) if isinstance(new_shape, tuple | list) else (new_shape,)
    if a.size == 0:
        return broadcast_to(sum(a), shape)  # zeros
    return reshape(take(flat(a), np.arange(size) % a.size, axis=0), shape)


def _choose(a, choices, out=None, mode="raise"):
    if not isinstance(choices, list | tuple) and not getattr(choices, "shape", ()):
        raise DTypeError(
            f"np.choose: choices are {describe(choices)}, expected a sequence of arrays or an array"
        )
    if not len(choices):
        raise ShapeError("np.choose: choices are empty, expected one array or more")
    which = within(np.asarray(read_for(a, "np.choose")), len(choices), mode, "np.choose")
    found = array_of(choices[0])
    if not np.all((which >= 0) & (which < len(choices))):
        raise ShapeError(f"np.choose: an index is beyond the {len(choices)} choices")
    for number, choice in enumerate(choices):
        found = ew.where(which == number, array_of(choice), found)
    return found


def _piecewise(x, condlist, funclist, *args, **kw):
    several = isinstance(condlist, list | tuple) and np.ndim(condlist[0]) == x.ndim
    several = several or np.ndim(condlist) > x.ndim
    condlist = [array_of(c) for c in (condlist if several else [condlist])]
    if len(funclist) == len(condlist) + 1:
        *funclist, otherwise = funclist
    else:
        otherwise = 0
    compute = lambda f, part: f(part, *args, **kw) if callable(f) else f + ew.multiply(part, 0)
    # Each piece is computed of its own elements only, as NumPy does.
    result, left = ew.multiply(x, 0), np.ones(x.shape, dtype=bool)
    for condition, function in zip(condlist, funclist, strict=True):
        left = left & ~condition
        if condition.any():
            result = setitem(result, compute(function, x[condition]), condition)
    return setitem(result, compute(otherwise, x[left]), left) if left.any() else result


def _apply_along_axis(func1d, axis, arr, *args, **kwargs):
    axis %= arr.ndim
    lines = moveaxis(arr, axis, -1)
    around = lines.shape[:-1]
    rows = reshape(lines, (-1, lines.shape[-1]))
    done = stack([array_of(func1d(row, *args, **kwargs)) for row in rows])
    ndim = done.ndim - 1
    done = reshape(done, (*around, *done.shape[1:]))
    return _axes_moved(done, ndim, axis)


def _axes_moved(x, count, axis):
    """Move the last ``count`` axes to where ``axis`` is."""
    return moveaxis(x, tuple(range(-count, 0)), tuple(range(axis, axis + count))) if count else x


def _apply_over_axes(func, a, axes):
    for axis in chosen_axes(axes if np.ndim(axes) == 0 else tuple(axes), a.ndim):
        done = func(a, axis)
        a = done if done.ndim == a.ndim else expand_dims(done, axis)
    return a


def _unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    steps, half = stop_gradient(diff(p, axis=axis)), period / 2
    wrapped = ew.remainder(steps + half, period) - half
    is_half_up = ew.logical_and(ew.equal(wrapped, -half), ew.greater(steps, 0))
    wrapped = ew.where(is_half_up, half, wrapped)
    small = ew.less(ew.abs(steps), half if discont is None else discont)
    jumps = ew.where(small, 0.0, wrapped - steps)
    return p + cumulative_sum(jumps, axis=axis, include_initial=True)


def _bincount(x, weights=None, minlength=0):
    x = np.asarray(read_for(x, "np.bincount"))
    if type(weights) is not Tensor:
        return as_constants(np.bincount(x, weights, minlength))
    length = max(minlength, int(x.max()) + 1 if x.size else 0)
    weights = astype(weights, np.float64)  # in which NumPy adds them up
    return add_at(weights, x, length=length, axis=0)


def _sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    if writeable:
        raise unknown("np.lib.stride_tricks.sliding_window_view", ["writeable=True"])
    lengths = tuple(window_shape) if np.ndim(window_shape) else (window_shape,)
    axes = range(x.ndim) if axis is None else axis if np.ndim(axis) else (axis,)
    for length, one in zip(lengths, axes, strict=True):
        first = np.arange(x.shape[one] - length + 1)
        windows = take(x, (first[:, None] + np.arange(length)).reshape(-1), axis=one)
        one %= x.ndim
        shape = (*windows.shape[:one], first.size, length, *windows.shape[one + 1 :])
        x = moveaxis(reshape(windows, shape), one + 1, -1)
    return broadcast_to(x, x.shape)  # read-only: they are copies


def _logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    exponents = np.linspace(start, stop, num, endpoint=endpoint, axis=axis)
    points = ew.pow(base, exponents)
    return points if dtype is None else astype(points, dtype)


def _geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    wide = np.result_type(untracked(start), untracked(stop), np.float64)
    start, stop = astype(array_of(start), wide), astype(array_of(stop), wide)
    exponents = np.linspace(ew.multiply(start, 0), ew.log(stop / start), num, endpoint, axis=axis)
    points = ew.multiply(expand_dims(start, axis), ew.exp(exponents))
    return points if dtype is None else astype(points, dtype)


FUNCTIONS: dict[Any, Any] = {
    np.apply_along_axis: _apply_along_axis,
    np.apply_over_axes: _apply_over_axes,
    np.bincount: _bincount,
    np.choose: _choose,
    np.delete: _delete,
    np.extract: _extract,
    np.geomspace: _geomspace,
    np.insert: _insert,
    np.lib.stride_tricks.sliding_window_view: _sliding_window_view,
    np.intersect1d: _intersect1d,
    np.logspace: _logspace,
    np.piecewise: _piecewise,
    np.resize: _resize,
    np.setdiff1d: _setdiff1d,
    np.setxor1d: _setxor1d,
    np.union1d: _union1d,
    np.unique: _unique,
    np.unique_all: unique_all,
    np.unique_counts: unique_counts,
    np.unique_inverse: unique_inverse,
    np.unique_values: unique_values,
    np.unwrap: _unwrap,
}
