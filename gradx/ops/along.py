"""Taking and putting slices at integer arrays along one axis.

Any key with arrays comes down to ``take`` and ``put_at`` (see `indexing.py`). What
an array library leaves out of the standard, adding and writing at repeated indices,
is here in a portable form that sorts the indices: it is deterministic on every
device. `backends/numpy.py` has the faster ones of NumPy, which go element by element.
"""

from math import nan, prod

from gradx.core.arrays import backend_for, is_kind
from gradx.core.op import constant, multilinear, primitive
from gradx.core.samples import Sample
from gradx.errors import OutOfBoundsError
from gradx.ops.creation import place_of, zeros_like
from gradx.ops.elementwise import where
from gradx.ops.shapes import reshape

# Where no axis reaches, also when it is merged with those of 2**30 elements.
NOWHERE = -(2**33)


def wrapped(xp, indices, length):
    """Count negative indices from the end of an axis of ``length``; raise for those beyond it.

    Nobody can look at them while a CUDA graph is recorded: then those are ``NOWHERE``.
    """
    indices = xp.astype(indices, xp.int64, copy=False)
    outside = (indices < -length) | (indices >= length)
    if backend_for(indices).recording():
        inside = xp.where(indices < 0, indices + length, indices)
        return xp.where(outside, NOWHERE, inside)
    if xp.any(outside):
        worst = int(xp.max(xp.where(outside, xp.abs(indices), 0)))
        raise OutOfBoundsError(f"index {worst} is out of bounds for an axis of size {length}")
    return xp.where(indices < 0, indices + length, indices)


def told_of_nowhere(xp, out, places):
    """Return ``out``, or NaN if a place that does not exist could not be told of before."""
    if not backend_for(out).recording():
        return out
    if not is_kind(out, ("real floating", "complex floating")):
        raise RuntimeError(f"places in {out.dtype} have no NaN to tell of those that do not exist")
    return xp.where(xp.any(places < 0), nan, out)


def sample_indices(like, *values):
    """Return integer indices made like an array: of its library."""
    return (like * 0 + values).astype("int64")


def _takes(draw):
    some = sample_indices(draw(1), 2, 0, -1, 2)
    for axis in [0, -2]:
        yield Sample((draw(3, 2), some), {"axis": axis})
    yield Sample((draw(2, 3), some.reshape(2, 2)), {"axis": 1})
    yield Sample((draw(3), some), {"axis": None})
    yield Sample((draw(2, 3, 2), some[:1].reshape(())), {"axis": 1})
    yield Sample((draw(2, 3), some[:0]), {"axis": 1})
    yield Sample((draw(3, 0), some), {"axis": 0})
    yield Sample((draw(3) + 1j * draw(3), some), {"axis": 0})


def _undo_take(g, indices, x_shape, axis):
    if axis is None:
        return reshape(add_at(g, indices, length=prod(x_shape), axis=0), x_shape)
    axis = axis % len(x_shape)
    return add_at(g, indices, length=x_shape[axis], axis=axis)


@multilinear(transpose={"x": _undo_take}, samples=_takes)
def take(xp, x, indices, /, *, axis=None):
    """Take the slices of ``x`` at integer ``indices``, which may repeat, along ``axis``.

    Negative indices count from the end. ``indices`` may have any number of
    dimensions, which replace ``axis``; without ``axis`` they index ``x`` flattened.

    Raises:
        IndexError: an index is outside of the axis.

    >>> import numpy as np, gradx as gx
    >>> gx.take(np.asarray([[1.0, 2.0], [3.0, 4.0]]), np.asarray([1, 1]), axis=0)
    array([[3., 4.],
           [3., 4.]])
    """
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    axis = axis % x.ndim
    flat = wrapped(xp, xp.reshape(indices, (-1,)), x.shape[axis])
    out = xp.take(x, flat, axis=axis)
    return xp.reshape(out, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _additions(draw):
    for sample in _takes(draw):
        x, indices = sample.arrays
        axis = (sample.params["axis"] or 0) % x.ndim
        out = x.take(indices, axis)
        yield Sample((out, indices), {"length": x.shape[axis], "axis": axis})


@multilinear(
    transpose={"x": lambda g, indices, axis: take(g, indices, axis=axis)}, samples=_additions
)
def add_at(xp, x, indices, /, *, length, axis):
    """Add slices of ``x`` into zeros at ``indices`` along ``axis``: the transpose of ``take``."""
    before, after = x.shape[:axis], x.shape[axis + indices.ndim :]
    blocks, width = prod(before), prod(after)
    places = wrapped(xp, xp.reshape(indices, (-1,)), length)
    rows = xp.reshape(x, (blocks, places.shape[0], width))
    rows = xp.reshape(xp.permute_dims(rows, (1, 0, 2)), (places.shape[0], blocks * width))
    added = join_rows(xp, rows, places, length, xp.add, 0)
    out = xp.permute_dims(xp.reshape(added, (length, blocks, width)), (1, 0, 2))
    return xp.reshape(out, (*before, length, *after))


def join_rows(xp, rows, places, length, join, neutral):
    """Join the rows of each place with ``join``, which leaves alone what is beside ``neutral``.

    A running result for each run of equal places, in log2(n) steps of the whole array.
    """
    shape, device = (length, rows.shape[1]), place_of(rows)[1]
    empty = xp.full(shape, neutral, dtype=rows.dtype, device=device)
    if 0 in (rows.shape[0], rows.shape[1], length):
        return empty
    order, ends, found = _runs(xp, places, length)
    ordered, rows = xp.take(places, order, axis=0), xp.take(rows, order, axis=0)
    distance = 1
    while distance < rows.shape[0]:
        same = xp.expand_dims(ordered[distance:] == ordered[:-distance], axis=1)
        earlier = rows[:-distance, :]
        earlier = xp.where(same, earlier, xp.full_like(earlier, neutral))
        joined = join(rows[distance:, :], earlier)
        rows = xp.concat([rows[:distance, :], joined], axis=0)
        distance *= 2
    return xp.where(xp.expand_dims(found, axis=1), xp.take(rows, ends, axis=0), empty)


def _runs(xp, places, length):
    """Sort places stably: the order, where the run of each place ends, and if there is one."""
    order = xp.argsort(places, stable=True)
    ordered = xp.take(places, order, axis=0)
    targets = xp.arange(length, dtype=places.dtype, device=place_of(places)[1])
    ends = xp.searchsorted(ordered, targets, side="right") - 1
    ends = xp.where(ends < 0, xp.zeros_like(ends), ends)
    return order, ends, xp.take(ordered, ends, axis=0) == targets


def _markings(draw):
    for indices in [
        sample_indices(draw(1), 2, 0, -1, 2),
        sample_indices(draw(1), 0, 1, 2),
        sample_indices(draw(1), 1)[:0],
    ]:
        yield Sample((indices,), {"length": 3})
    yield Sample((sample_indices(draw(1), 0, 1, 1, 0).reshape(2, 2),), {"length": 2})


@constant(samples=_markings)
def last_writes(xp, indices, /, *, length):
    """Tell of each index whether no later one names the same place."""
    places = wrapped(xp, xp.reshape(indices, (-1,)), length)
    if places.shape[0] == 0:
        return xp.astype(xp.reshape(places, indices.shape), xp.bool)
    order, ends, _ = _runs(xp, places, length)
    last = xp.take(xp.take(order, ends, axis=0), places, axis=0)
    own = xp.arange(places.shape[0], dtype=last.dtype, device=place_of(places)[1])
    return xp.reshape(last == own, indices.shape)


def _puts(draw):
    for sample in _additions(draw):
        value, indices = sample.arrays
        axis = sample.params["axis"]
        shape = (*value.shape[:axis], sample.params["length"], *value.shape[axis + indices.ndim :])
        x = draw(*shape)
        yield Sample(
            (x + 1j * draw(*shape) if value.dtype.kind == "c" else x, value, indices),
            {"axis": axis},
        )


def _read_last(g, indices, x_shape, axis):
    last = last_writes(indices, length=x_shape[axis])
    after = len(x_shape) - axis - 1
    return where(reshape(last, (*indices.shape, *[1] * after)), take(g, indices, axis=axis), 0.0)


@primitive(
    vjp={
        "x": lambda g, indices, axis: put_at(g, 0.0, indices, axis=axis),
        "value": _read_last,
    },
    jvp={
        "x": lambda g, indices, axis: put_at(g, 0.0, indices, axis=axis),
        "value": lambda g, out, indices, axis: put_at(zeros_like(out), g, indices, axis=axis),
    },
    samples=_puts,
)
def put_at(xp, x, value, indices, /, *, axis):
    """Write slices of ``value`` at ``indices`` along ``axis``: the last write to a place stays."""
    length = x.shape[axis]
    places = wrapped(xp, xp.reshape(indices, (-1,)), length)
    if places.shape[0] == 0:
        return xp.asarray(x, copy=True)
    after = [1] * (x.ndim - axis - 1)
    order, ends, found = _runs(xp, places, length)
    if not hasattr(value, "shape"):
        written = xp.asarray(value, dtype=x.dtype)
    else:
        rows = xp.reshape(value, (*x.shape[:axis], places.shape[0], *x.shape[axis + 1 :]))
        written = xp.take(rows, xp.take(order, ends, axis=0), axis=axis)
        written = xp.astype(written, x.dtype, copy=False)
    out = xp.where(xp.reshape(found, (length, *after)), written, x)
    return told_of_nowhere(xp, out, places)


def _along(draw):
    yield Sample((draw(3), sample_indices(draw(1), 2, 0, -1, 2)), {"axis": 0})
    yield Sample((draw(2, 3), sample_indices(draw(1), 2, 0, 1, 1).reshape(2, 2)), {"axis": -1})
    yield Sample((draw(2, 3), sample_indices(draw(1), 1, 0, 0).reshape(1, 3)), {"axis": 0})
    yield Sample((draw(1, 3), sample_indices(draw(1), 1, 0, 0, 2).reshape(4, 1)), {"axis": 1})
    yield Sample((draw(2, 3), sample_indices(draw(1), 1, -1).reshape(1, 2)), {"axis": 1})
    yield Sample((draw(2, 3), sample_indices(draw(1), 1).reshape(1, 1)[:, :0]), {"axis": 1})


def _undo_take_along(g, indices, x_shape, axis):
    axis = axis % len(x_shape)
    shape = (*g.shape[:axis], x_shape[axis], *g.shape[axis + 1 :])
    # The engine adds up the axes along which x was repeated.
    return add_along_axis(g, indices, shape=shape, axis=axis)


@multilinear(transpose={"x": _undo_take_along}, samples=_along)
def take_along_axis(xp, x, indices, /, *, axis=-1):
    """Take from each line of ``x`` along ``axis`` the elements at its own ``indices``.

    The other axes broadcast. It undoes ``argsort`` and ``argmax(keepdims=True)``.

    >>> import numpy as np, gradx as gx
    >>> x = np.asarray([[3.0, 1.0], [2.0, 4.0]])
    >>> gx.take_along_axis(x, gx.argsort(x), axis=-1)
    array([[1., 3.],
           [2., 4.]])
    """
    return xp.take_along_axis(x, indices, axis=axis)


def add_along_axis(x, indices, *, shape, axis):
    """Add ``x`` into zeros of ``shape``: the transpose of ``take_along_axis``."""
    places = flat_places(indices, shape=shape, axis=axis)
    count = prod(x.shape)
    flat = add_at(reshape(x, (count,)), reshape(places, (count,)), length=prod(shape), axis=0)
    return reshape(flat, shape)


def _flattenings(draw):
    yield Sample(
        (sample_indices(draw(1), 2, 0, 1, -1).reshape(2, 2),), {"shape": (2, 3), "axis": 1}
    )
    yield Sample((sample_indices(draw(1), 1, 0).reshape(1, 2),), {"shape": (3, 2), "axis": 0})
    yield Sample((sample_indices(draw(1), 1, 0),), {"shape": (2,), "axis": 0})


@constant(samples=_flattenings)
def flat_places(xp, indices, /, *, shape, axis):
    """Return where in a flat array of ``shape`` each index of its own line along ``axis`` is."""
    places = wrapped(xp, indices, shape[axis])
    stride = 1
    device = place_of(indices)[1]
    total = xp.zeros(
        (*shape[:axis], indices.shape[axis], *shape[axis + 1 :]), dtype=xp.int64, device=device
    )
    for a in reversed(range(len(shape))):
        along = places
        if a != axis:
            along = xp.arange(shape[a], dtype=xp.int64, device=device)
            along = xp.reshape(along, (shape[a], *[1] * (len(shape) - a - 1)))
        total = total + along * stride
        stride *= shape[a]
    return total
