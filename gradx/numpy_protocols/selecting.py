"""NumPy's functions that pick elements, sort them, or mend some of them."""

import math
from functools import reduce
from typing import Any

import numpy as np

from gradx.core.arrays import is_kind, read_for, untracked
from gradx.errors import OutOfBoundsError, ShapeError
from gradx.numpy_protocols.arranging import array_of, chosen_axes, copy_of, flat
from gradx.numpy_protocols.writing import write_into
from gradx.ops import elementwise as ew
from gradx.ops.along import take, take_along_axis
from gradx.ops.creation import zeros_like
from gradx.ops.searching import nonzero
from gradx.ops.shapes import astype
from gradx.ops.sorting import argsort, sort
from gradx.ops.special_bessel import i0
from gradx.ops.trigonometric import sinc


def _where(condition, x=None, y=None, /):
    if x is None and y is None:
        return nonzero(condition)
    return ew.where(ew.not_equal(condition, 0), x, y)


def within(indices: Any, length: int, mode: str, what: str) -> Any:
    """Return indices with those that are out of bounds treated as NumPy's ``mode`` says."""
    if mode == "raise":
        return indices
    if mode == "clip":
        return np.clip(indices, 0, length - 1)
    if mode == "wrap":
        return np.mod(indices, length)
    raise ShapeError(f"{what}: mode={mode!r}, expected 'raise', 'clip' or 'wrap'")


def _take(a, indices, axis=None, out=None, mode="raise"):
    length = a.size if axis is None else a.shape[axis]
    return take(a, within(np.asarray(indices), length, mode, "np.take"), axis=axis)


def _take_along_axis(arr, indices, axis=-1):
    return take_along_axis(flat(arr) if axis is None else arr, indices, axis=axis or 0)


def _compress(condition, a, axis=None, out=None):
    return take(a, np.flatnonzero(np.asarray(read_for(condition, "np.compress"))), axis=axis)


def _select(condlist, choicelist, default=0):
    pairs = reversed(list(zip(condlist, choicelist, strict=True)))
    return reduce(lambda rest, pair: ew.where(*pair, rest), pairs, default)


def _clip(a, a_min=None, a_max=None, out=None, *, min=None, max=None):
    return ew.clip(a, a_min if min is None else min, a_max if max is None else max)


def _sort(a, axis=-1, kind=None, order=None, *, stable=None):
    return sort(flat(a) if axis is None else a, axis=-1 if axis is None else axis)


def _partition(a, kth, axis=-1, kind="introselect", order=None):
    return _sort(_with_places(a, kth, axis, "np.partition"), axis)


def _argpartition(a, kth, axis=-1, kind="introselect", order=None):
    a = _with_places(a, kth, axis, "np.argpartition")
    return argsort(flat(a) if axis is None else a, axis=-1 if axis is None else axis)


def _with_places(a, kth, axis, function):
    """Check that ``kth`` are places; what is sorted is partitioned at every one of them."""
    length = a.size if axis is None else a.shape[chosen_axes(axis, a.ndim)[0]]
    if np.any((np.asarray(kth) >= length) | (np.asarray(kth) < -length)):
        raise OutOfBoundsError(f"{function}: kth is a place among {length} elements, got {kth}")
    return a


def _sort_complex(a):
    a = _sort(a)
    return a if is_kind(a, "complex floating") else astype(a, np.complex128)


def _lexsort(keys, axis=-1):
    """Sort by each key in turn, the last one last: those before it decide among its ties."""
    first, *rest = map(array_of, keys)
    order = argsort(first, axis=axis)
    for key in rest:
        among = argsort(take_along_axis(key, order, axis=axis), axis=axis)
        order = take_along_axis(order, among, axis=axis)
    return order


def _round(a, decimals=0, out=None):
    return ew.round(a) if decimals == 0 else ew.round(a * 10.0**decimals) / 10.0**decimals


def _nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    if not is_kind(x, ("real floating", "complex floating")):
        return copy_of(x) if copy else x
    if is_kind(x, "complex floating"):
        parts = [_mended(part(x), nan, posinf, neginf) for part in (ew.real, ew.imag)]
        whole = parts[0] + parts[1] * 1j
    else:
        whole = _mended(x, nan, posinf, neginf)
    return whole if copy else write_into(x, whole, "np.nan_to_num")


def _mended(x, nan, posinf, neginf):
    limits, whole = np.finfo(untracked(x).dtype), x
    for found, mended in (
        (ew.isnan(x), nan),
        (_is_infinite(x, 1), float(limits.max) if posinf is None else posinf),
        (_is_infinite(x, -1), float(limits.min) if neginf is None else neginf),
    ):
        whole = ew.where(found, mended, whole)
    return whole


def _is_infinite(x, sign):
    return ew.equal(x, sign * math.inf)


def _angle(z, deg=False):
    turned = ew.atan2(_imag(z), ew.real(z))
    return turned * (180 / math.pi) if deg else turned


def _imag(x):
    return ew.imag(x) if np.iscomplexobj(untracked(x)) else zeros_like(x)


def _real_if_close(a, tol=100):
    if not np.iscomplexobj(untracked(a)):
        return a
    plain = read_for(a, "np.real_if_close")
    bound = tol * np.finfo(plain.dtype).eps if tol > 1 else tol
    return ew.real(a) if np.all(np.abs(plain.imag) < bound) else a


FUNCTIONS: dict[Any, Any] = {
    np.angle: _angle,
    np.argpartition: _argpartition,
    np.around: _round,
    np.clip: _clip,
    np.compress: _compress,
    np.fix: lambda x, out=None: ew.trunc(x),
    np.i0: i0,
    np.imag: _imag,
    np.lexsort: _lexsort,
    np.nan_to_num: _nan_to_num,
    np.partition: _partition,
    np.imag: lambda x: x.imag,
    np.real: lambda x: x.real,
    np.real_if_close: _real_if_close,
    np.round: _round,
    np.select: _select,
    np.sinc: sinc,
    np.sort: _sort,
    np.sort_complex: _sort_complex,
    np.take: _take,
    np.take_along_axis: _take_along_axis,
    np.where: _where,
}
