"""NumPy's functions that move elements: shapes, axes, order."""

from typing import Any

import numpy as np

from gradx.core.arrays import is_kind, untracked
from gradx.core.call import Tensor
from gradx.core.views import in_memory, is_number
from gradx.numpy_protocols.refusals import unknown
from gradx.ops.elementwise import positive
from gradx.ops.moving import flip, roll
from gradx.ops.shapes import (
    astype,
    broadcast_arrays,
    broadcast_to,
    checked_axes,
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
    swapaxes,
)


def columns_first(x: Any, order: str, what: str) -> bool:
    """Tell whether elements are read with the first axis fastest, as ``order`` says.

    "A" and "K" depend on how NumPy has laid out the array.
    """
    if order in ("C", "F"):
        return order == "F"
    flags = getattr(untracked(x), "flags", None)
    if order not in ("A", "K") or flags is None or untracked(x).ndim != x.ndim:
        raise unknown(what, [f"order={order!r}"])
    if order == "K" and not flags.forc:
        raise unknown(f"{what} of a view that skips elements", ["order='K'"])
    return bool(flags.fnc)


def flat(x: Any, order: str = "C", what: str = "np.ravel") -> Any:
    """Return ``x`` with one axis: a view of what lies together in memory, as in NumPy."""
    x = _transpose(x) if columns_first(x, order, what) else x
    return reshape(x, (-1,), copy=_skips_elements(x) or None)


def _skips_elements(x):
    plain = untracked(x)
    mapped = plain.ndim - x.ndim  # axes of vmap, which are in front: each element is asked
    one = plain[(0,) * mapped] if mapped and 0 not in plain.shape else plain
    flags = getattr(one, "flags", None)
    return flags is not None and not flags.c_contiguous


def chosen_axes(axis: Any, ndim: int) -> list[int]:
    """Return the axes that NumPy's ``axis`` names, counted from the front."""
    if axis is None:
        return list(range(ndim))
    return list(checked_axes("numpy", axis, ndim))


def reshaped(
    a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None
) -> Any:
    """Give an array another shape, its elements read and laid out in ``order``."""
    shape = _lengths(newshape if shape is None else shape)
    if not columns_first(a, order, "np.reshape"):
        return reshape(a, shape, copy=copy)
    shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    return _transpose(reshape(_transpose(a), shape[::-1], copy=copy))


def _lengths(shape):
    """Return a shape that is an array of lengths as a tuple, any other as it is."""
    return tuple(shape.tolist()) if isinstance(shape, np.ndarray) and shape.ndim else shape


def _squeeze(a, axis=None):
    return squeeze(a, tuple(i for i, n in enumerate(a.shape) if n == 1) if axis is None else axis)


def _transpose(a, axes=None):
    return permute_dims(a, tuple(reversed(range(a.ndim))) if axes is None else tuple(axes))


def _rollaxis(a, axis, start=0):
    (axis,), start = chosen_axes(axis, a.ndim), start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


def _rot90(m, k=1, axes=(0, 1)):
    first, second = axes
    k %= 4
    if k == 2:
        return flip(m, axis=(first, second))
    if k == 1:
        return swapaxes(flip(m, axis=second), first, second)
    return flip(swapaxes(m, first, second), axis=second) if k == 3 else positive(m)


def _expand_dims(a, axis):
    return expand_dims(a, axis=axis)


def array_of(x: Any) -> Any:
    """Return an array or Tensor as it is, and what NumPy makes an array of as that array."""
    return x if hasattr(x, "shape") else np.asarray(x)


def copy_of(x: Any) -> Any:
    """Return a copy, also of truth values, which have no sign: of a number a number."""
    copy = astype(x, untracked(x).dtype) if is_kind(x, "bool") else positive(x)
    return copy if x.shape or type(x) is not Tensor or is_number(x) else in_memory(copy)


def at_least_1d(x: Any) -> Any:
    """Return ``x`` with at least one axis."""
    x = array_of(x)
    return x if x.ndim else reshape(x, (1,))


def at_least_2d(x: Any) -> Any:
    """Return ``x`` with at least two axes, new ones in front."""
    x = at_least_1d(x)
    return x if x.ndim > 1 else expand_dims(x, 0)


def at_least_3d(x: Any) -> Any:
    """Return ``x`` with at least three axes: NumPy puts the first one last."""
    x = at_least_2d(x)
    return x if x.ndim > 2 else expand_dims(x, -1)


def _each(function):
    def adapter(*arrays):
        done = tuple(map(function, arrays))
        return done[0] if len(done) == 1 else done

    return adapter


FUNCTIONS: dict[Any, Any] = {
    np.astype: astype,
    np.atleast_1d: _each(at_least_1d),
    np.atleast_2d: _each(at_least_2d),
    np.atleast_3d: _each(at_least_3d),
    np.broadcast_arrays: lambda *args: broadcast_arrays(*map(array_of, args)),
    np.broadcast_to: lambda array, shape: broadcast_to(array, _lengths(shape)),
    np.copy: lambda a, order="K": in_memory(copy_of(a)),
    np.expand_dims: _expand_dims,
    np.flip: lambda m, axis=None: flip(m, axis=axis),
    np.fliplr: lambda m: flip(m, axis=1),
    np.flipud: lambda m: flip(m, axis=0),
    np.matrix_transpose: matrix_transpose,
    np.moveaxis: lambda a, source, destination: moveaxis(a, source, destination),
    np.permute_dims: _transpose,
    np.ravel: flat,
    np.reshape: reshaped,
    np.roll: lambda a, shift, axis=None: roll(a, shift, axis=axis),
    np.rollaxis: _rollaxis,
    np.rot90: _rot90,
    np.squeeze: _squeeze,
    np.swapaxes: lambda a, axis1, axis2: swapaxes(a, axis1, axis2),
    np.transpose: _transpose,
}
