"""NumPy's functions that write into an array, and what ``out=`` asks for: on Tensors they rebind.

Into a Tensor they write as ``t[...] = value`` does: a new value, which remembers what was
written, so that no derivative is lost and nothing that a tape kept is overwritten. An array
cannot remember: to write what is tracked into one is refused.
"""

from typing import Any

import numpy as np

from gradx.core.arrays import is_kind, read_for
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.views import rebind, writing
from gradx.errors import DTypeError, ShapeError
from gradx.numpy_protocols.arranging import array_of, copy_of
from gradx.numpy_protocols.refusals import would_write
from gradx.ops import elementwise as ew
from gradx.ops.along import flat_places, take
from gradx.ops.indexing import getitem, scatter_add, setitem
from gradx.ops.shapes import astype, broadcast_to, reshape

# Of a kind to the same or a later one nothing is lost.
KINDS = ("bool", "integral", "real floating", "complex floating")


def write_into(out: Any, found: Any, call: str, *, may_cast: bool = False) -> Any:
    """Overwrite ``out`` by what ``call`` found, as NumPy would; return it.

    Raises:
        ShapeError: it has another shape.
        DTypeError: it cannot hold the result: a real number is no integer, unless ``may_cast``.
    """
    if tuple(np.shape(found)) != tuple(out.shape):
        raise ShapeError(f"{call}: out= is {describe(out)}, the result of shape {np.shape(found)}")
    if hasattr(found, "dtype") and _kind(found) > _kind(out):
        if not may_cast:
            raise DTypeError(f"{call}: out= is {describe(out)}, the result of dtype {found.dtype}")
        found = astype(found, out.dtype)
    return _overwrite(out, found, ...)


def _kind(x):
    return next(place for place, kind in enumerate(KINDS) if is_kind(x, kind))


def _overwrite(x, value, key):
    with writing:
        rebind(x, setitem(x, value, key))
    return x


def _write_flat(x, key, values, call="an array's flat"):
    """Write to ``x`` where it is read in NumPy's order; too few values are repeated."""
    require_tensor(x, call)
    values = array_of(values)
    if values.ndim:
        values = repeated(values, _count(x.size, key))
    with writing:
        rebind(x, reshape(setitem(reshape(x, (-1,)), values, key), x.shape))


def _count(size, key):
    return int(np.size(np.empty(size, dtype=bool)[key]))


def repeated(values: Any, count: int) -> Any:
    """Return ``count`` of the values, from the start again where they are too few."""
    values = reshape(values, (-1,))
    if count and not values.shape[0]:
        raise ShapeError(f"no values to write to {count} elements")
    return take(values, np.arange(count) % values.shape[0], axis=0)


def require_tensor(x: Any, call: str) -> None:
    """Refuse an array, which cannot remember the derivative of what is written to it."""
    if type(x) is not Tensor:
        raise would_write(call)


class Flat:
    """``t.flat``: the elements of a Tensor in NumPy's order, to read and to write."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    def _elements(self) -> Any:
        return copy_of(reshape(self.tensor, (-1,)))

    def __len__(self) -> int:
        return int(self.tensor.size)

    def __iter__(self) -> Any:
        return iter(self._elements())

    def __getitem__(self, key: Any) -> Any:
        return copy_of(getitem(self._elements(), key))

    def __setitem__(self, key: Any, value: Any) -> None:
        _write_flat(self.tensor, key, value)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self._elements().__array__(*args, **kwargs)


def _fill_diagonal(a, val, wrap=False):
    rows, columns = a.shape[0], a.shape[1]
    if a.ndim > 2 and len(set(a.shape)) > 1:
        raise ShapeError(f"np.fill_diagonal: all axes need one length, got shape {tuple(a.shape)}")
    step = 1 + int(np.sum(np.cumprod(a.shape[:0:-1])))
    stop = columns * columns if a.ndim == 2 and rows > columns and not wrap else None
    _write_flat(a, slice(None, stop, step), val, "np.fill_diagonal")


def _put(a, ind, v, mode="raise"):
    places = np.asarray(read_for(ind, "np.put"))
    if np.size(v) == 0:
        return
    if mode != "raise":
        places = np.clip(places, 0, a.size - 1) if mode == "clip" else places % a.size
    _write_flat(a, places.reshape(-1), v, "np.put")


def _place(arr, mask, vals):
    places = np.flatnonzero(np.asarray(read_for(mask, "np.place")))
    _write_flat(arr, places, vals, "np.place")


def _putmask(a, mask, values):
    require_tensor(a, "np.putmask")
    mask = astype(array_of(mask), bool)
    if mask.size != a.size:
        raise ShapeError(f"np.putmask: a mask of shape {mask.shape} for one of {tuple(a.shape)}")
    mask = reshape(mask, a.shape)
    with writing:
        values = reshape(repeated(array_of(values), a.size), a.shape)
        write_into(a, ew.where(mask, values, a), "np.putmask")


def _put_along_axis(arr, indices, values, axis=-1):
    require_tensor(arr, "np.put_along_axis")
    if axis is None:
        places = indices
    else:
        places = flat_places(array_of(indices), shape=tuple(arr.shape), axis=axis % arr.ndim)
    values = reshape(broadcast_to(array_of(values), places.shape), (-1,))
    _write_flat(arr, reshape(places, (-1,)), values)


def _copyto(dst, src, casting="same_kind", where=True):
    require_tensor(dst, "np.copyto")
    with writing:
        write_into(dst, ew.where(where, array_of(src), dst), "np.copyto")


def add_in_place(sign: int) -> Any:
    """Return ``np.add.at`` for sign 1, ``np.subtract.at`` for -1."""

    def at(x, key, values):
        require_tensor(x, "np.add.at" if sign == 1 else "np.subtract.at")
        with writing:
            rebind(x, scatter_add(x, array_of(values) * sign, key))

    return at


FUNCTIONS: dict[Any, Any] = {
    np.copyto: _copyto,
    np.fill_diagonal: _fill_diagonal,
    np.place: _place,
    np.put: _put,
    np.put_along_axis: _put_along_axis,
    np.putmask: _putmask,
}
