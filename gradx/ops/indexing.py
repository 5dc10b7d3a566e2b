"""Reading and writing elements by key: integers, slices, ``...``, ``None`` and arrays.

Reading and scattering are each other's transposes. A write is functional: it
makes a new array. What ``t[key] = value`` does on a Tensor is in `core/views.py`.
"""

from math import prod

from gradx.core.arrays import backend_for
from gradx.core.op import multilinear, primitive
from gradx.core.samples import Sample
from gradx.ops.elementwise import where


def is_basic(key) -> bool:
    """Tell whether a key has no arrays, so that reading it gives a view."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None or part is Ellipsis or isinstance(part, slice) or type(part) is int
        for part in parts
    )


BASIC_KEYS = [
    0,
    -1,
    slice(1, None),
    (slice(None), 1),
    (slice(None, None, -1), slice(0, 3, 2)),
    (..., 0),
    (None, slice(None), None, 2),
    (slice(2, 2),),
    (1, 2),
    ...,
]


def _basic_reads(draw):
    for key in BASIC_KEYS:
        yield Sample((draw(2, 3),), {"key": key})
    yield Sample((draw(),), {"key": ()})


def _put_back(base, changed, params):
    return setitem(base, changed, params["key"])


@multilinear(
    transpose={"x": lambda g, x_shape, key: scatter(g, x_shape, key)},
    samples=_basic_reads,
    view=_put_back,
)
def getitem(xp, x, /, key):
    """Read ``x[key]``."""
    return x[key]


def _scatters(draw):
    for key in BASIC_KEYS[:4]:
        yield Sample((draw(2, 3)[key],), {"shape": (2, 3), "key": key})


@multilinear(
    transpose={"x": lambda g, key: getitem(g, key)},
    samples=_scatters,
)
def scatter(xp, x, /, shape, key):
    """Add the elements of ``x`` into zeros of ``shape``, at the places where ``key`` reads."""
    out = xp.zeros(shape, dtype=x.dtype, device=backend_for(x).native_device(backend_for(x).device_of(x)))
    if is_basic(key) or _is_mask(xp, key):
        out[key] = x
        return out
    places = _flat_places(xp, shape, key, like=out)
    flat, values = xp.reshape(out, (-1,)), xp.reshape(xp.broadcast_to(x, places.shape), (-1,))
    places = xp.reshape(places, (-1,))
    for i in range(prod(places.shape)):
        j = int(places[i])
        flat[j] = flat[j] + values[i]
    return xp.reshape(flat, shape)


def _is_mask(xp, key):
    dtype = getattr(key, "dtype", None)
    return dtype is not None and xp.isdtype(dtype, "bool")


def _flat_places(xp, shape, key, like):
    device = backend_for(like).native_device(backend_for(like).device_of(like))
    return xp.reshape(xp.arange(prod(shape), device=device), shape)[key]


def _basic_writes(draw):
    for key in BASIC_KEYS[:6]:
        yield Sample((draw(2, 3), draw(2, 3)[key]), {"key": key})
    yield Sample((draw(2, 3), draw()), {"key": slice(0, 1)})
    yield Sample((draw(2, 3), draw(1)), {"key": (slice(None), 1)})



def _only_last_writes(read, x_shape, key):
    """Zero what was written to a place that a later element of the key wrote again."""
    xp = backend_for(read).xp
    if is_basic(key) or _is_mask(xp, key):
        return read
    places = _flat_places(xp, x_shape, key, like=read)
    order = xp.reshape(xp.arange(prod(places.shape)), places.shape)
    last = xp.zeros(x_shape, dtype=order.dtype)
    last[key] = order
    return where(last[key] == order, read, 0.0)


@primitive(
    vjp={
        "x": lambda g, key: setitem(g, 0.0, key),
        "value": lambda g, x_shape, key: _only_last_writes(getitem(g, key), x_shape, key),
    },
    jvp={
        "x": lambda g, key: setitem(g, 0.0, key),
        "value": lambda g, out, key: setitem(out * 0.0, g, key),
    },
    samples=_basic_writes,
)
def setitem(xp, x, value, /, key):
    """Return a copy of ``x`` with ``value`` written to ``x[key]``."""
    out = xp.asarray(x, copy=True)
    out[key] = value
    return out
