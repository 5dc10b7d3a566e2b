"""Reading and writing by keys without arrays: integers, slices, ``...`` and ``None``.

These are the ops behind ``x[key]``; `indexing.py` brings keys with arrays down to
them. Reading gives a view, and reading and scattering are each other's transposes.
A write is functional: it makes a new array. What ``t[key] = value`` does on a Tensor
is in `core/views.py`.
"""

from math import copysign
from types import EllipsisType, NoneType
from typing import Any

from gradx.core.op import multilinear, primitive
from gradx.core.samples import Sample
from gradx.errors import OutOfBoundsError
from gradx.ops.creation import place_of, zeros_like

BASIC = {int, slice, NoneType, EllipsisType}


def is_basic(key: Any) -> bool:
    """Tell whether a key has no arrays, so that reading it gives a view."""
    if type(key) is not tuple:
        return type(key) in BASIC
    return BASIC.issuperset(map(type, key))


def expanded(key: Any, ndim: int) -> tuple[Any, ...]:
    """Write ``key`` with one part for each axis, and ``None`` for each new one."""
    parts = key if isinstance(key, tuple) else (key,)
    used = len([part for part in parts if part is not None and part is not Ellipsis])
    if used > ndim:
        raise OutOfBoundsError(f"too many indices: {used} for an array of {ndim} dimensions")
    gap = [slice(None)] * (ndim - used)
    if Ellipsis not in parts:
        return (*parts, *gap)
    place = parts.index(Ellipsis)
    if Ellipsis in parts[place + 1 :]:
        raise OutOfBoundsError("an index has more than one '...'")
    return (*parts[:place], *gap, *parts[place + 1 :])


def read_shape(key: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of ``x[key]`` for an ``x`` of ``shape``."""
    lengths = iter(shape)
    found = []
    for part in expanded(key, len(shape)):
        if part is None:
            found.append(1)
            continue
        length = next(lengths)
        if isinstance(part, slice):
            found.append(len(range(*part.indices(length))))
    return tuple(found)


def _within(key, shape):
    """Write ``key`` as the standard promises it to work: whole, slices within bounds."""
    lengths = iter(shape)
    return tuple(
        part if part is None else _part_within(part, next(lengths))
        for part in expanded(key, len(shape))
    )


def _part_within(part, length):
    if not isinstance(part, slice):
        return part
    start, stop, step = part.indices(length)
    if len(range(start, stop, step)) == 0:
        return slice(None) if length == 0 else slice(0, 0)
    return slice(start, None if stop < 0 else stop, step)


BASIC_KEYS = [
    0,
    -1,
    slice(1, None),
    (slice(None), 1),
    (slice(None, None, -1), slice(0, 3, 2)),
    (..., 0),
    (None, slice(None), None, 2),
    (slice(2, 2),),
    (slice(-9, 9), slice(5, None)),
    (1, 2),
    ...,
]


def _reads(draw):
    for key in BASIC_KEYS:
        yield Sample((draw(2, 3),), {"key": key})
    yield Sample((draw(),), {"key": ()})
    yield Sample((draw(),), {"key": None})
    yield Sample((draw(0, 3),), {"key": (slice(None), -1)})
    yield Sample((draw(3) + 1j * draw(3),), {"key": slice(None, None, -2)})


def _put_back(base, changed, params):
    return setitem(base, changed, params["key"])


@multilinear(
    transpose={"x": lambda g, x_shape, key: scatter(g, x_shape, key)},
    samples=_reads,
    view=_put_back,
)
def getitem(xp, x, /, key):
    """Read ``x[key]``, for a key without arrays."""
    return x[_within(key, x.shape)]


def _scatters(draw):
    for key in BASIC_KEYS:
        yield Sample((draw(2, 3)[key],), {"shape": (2, 3), "key": key})
    yield Sample((draw(),), {"shape": (), "key": ()})


@multilinear(transpose={"x": lambda g, key: getitem(g, key)}, samples=_scatters)
def scatter(xp, x, /, shape, key):
    """Write ``x`` into zeros of ``shape`` at ``key``."""
    out = xp.zeros(shape, dtype=x.dtype, device=place_of(x)[1])
    return _write(xp, out, x, key)


def _write(xp, out, value, key):
    key = _within(key, out.shape)
    inner = tuple(part for part in key if part is not None)
    if len(inner) < len(key):
        # The standard knows no new axes where it writes.
        value = xp.broadcast_to(xp.asarray(value, dtype=out.dtype), read_shape(key, out.shape))
        value = xp.reshape(value, read_shape(inner, out.shape))
    if getattr(value, "dtype", out.dtype) != out.dtype:
        value = xp.astype(value, out.dtype)
    if type(value) is float and value == 0 and copysign(1, value) < 0:
        # CuPy sets all bytes to 0 for a number that is.
        value = xp.asarray(value, dtype=out.dtype, device=place_of(out)[1])
    out[inner] = value
    return out


def _writes(draw):
    for key in BASIC_KEYS:
        yield Sample((draw(2, 3), draw(2, 3)[key]), {"key": key})
    yield Sample((draw(2, 3), draw()), {"key": slice(0, 1)})
    yield Sample((draw(2, 3), draw(1)), {"key": (slice(None), 1)})
    yield Sample((draw(2, 3), draw(1, 3)), {"key": 0})
    yield Sample((draw(), draw()), {"key": ()})
    yield Sample((draw(3) + 1j * draw(3), draw(2)), {"key": slice(1, None)})


@primitive(
    vjp={
        "x": lambda g, key: setitem(g, 0.0, key),
        "value": lambda g, key: getitem(g, key),
    },
    jvp={
        "x": lambda g, key: setitem(g, 0.0, key),
        "value": lambda g, out, key: setitem(zeros_like(out), g, key),
    },
    samples=_writes,
)
def setitem(xp, x, value, /, key):
    """Return a copy of ``x`` with ``value`` written to ``x[key]``, for a key without arrays."""
    return _write(xp, xp.asarray(x, copy=True), value, key)
