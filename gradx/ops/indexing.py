"""Reading and writing by any key: also integer and boolean arrays, and lists of them.

A key with arrays is brought down to what every array library can do: a basic read,
the indexed axes moved together and merged into one, and ``take`` along it. So a
tracked index array is an input like any other, and a key means the same on every
library: what NumPy says it means.
"""

from math import prod
from typing import Any, NamedTuple

from gradx.core.arrays import backend_for, is_array, is_kind, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.op import composed, constant
from gradx.core.samples import Sample
from gradx.core.views import without_constants
from gradx.device import array_to_device, asarray
from gradx.errors import OutOfBoundsError
from gradx.ops import slicing
from gradx.ops.along import add_at, put_at, sample_indices, take, wrapped
from gradx.ops.creation import place_of
from gradx.ops.elementwise import add, where
from gradx.ops.searching import nonzero_places
from gradx.ops.shapes import astype, broadcast_shape, broadcast_to, permute_dims, reshape
from gradx.ops.slicing import BASIC, BASIC_KEYS, is_basic, read_shape

SCALARS = {bool, int, float, complex}


def _merges(draw):
    yield Sample(
        ([sample_indices(draw(1), 1, -1), sample_indices(draw(1), 0, 2)],), {"lengths": (2, 3)}
    )
    column = sample_indices(draw(1), 1, 0).reshape(2, 1)
    yield Sample(([column, sample_indices(draw(1), 2, -3, 0)],), {"lengths": (2, 3)})


@constant(samples=_merges)
def merge_indices(xp, /, *indices, lengths):
    """Return indices of several axes as those of one, merged in row-major order."""
    merged = 0
    for one, length in zip(indices, lengths, strict=True):
        merged = merged * length + wrapped(xp, one, length)
    return merged


class Plan(NamedTuple):
    """A key with arrays, as steps: a basic key, an order of axes, a merged shape, a take."""

    basic: tuple[Any, ...] | None  # None if it reads everything
    order: tuple[int, ...] | None  # None if it is the order they have
    ordered: tuple[int, ...]  # the shape before merging
    merged: tuple[int, ...]
    indices: Any
    axis: int


def _plan(key: Any, x: Any, shape: tuple[int, ...]) -> Plan | tuple[Any, ...]:
    """Plan the reading of ``key`` from an array of ``shape``; a basic key is returned as it is."""
    parts = [_as_part(part, x) for part in (key if isinstance(key, tuple) else (key,))]
    if all(type(part) in BASIC for part in parts):
        return tuple(parts)
    basic, items, target = _walk(_whole(parts, shape), shape)
    region = read_shape(basic, shape)
    axes = [axis for first, count, _ in items for axis in range(first, first + count)]
    others = [axis for axis in range(len(region)) if axis not in axes]
    order = (*others[:target], *axes, *others[target:])
    ordered = tuple(region[axis] for axis in order)
    lengths = [prod(region[first : first + count]) for first, count, _ in items]
    rest = [region[axis] for axis in others]
    return Plan(
        basic=None if all(part == slice(None) for part in basic) else basic,
        order=None if order == tuple(range(len(region))) else order,
        ordered=ordered,
        merged=(*rest[:target], prod(lengths), *rest[target:]),
        indices=_merged([index for _, _, index in items], tuple(lengths)),
        axis=target,
    )


def _as_part(part: Any, x: Any) -> Any:
    """Turn what may stand in a key into a basic part or an integer or boolean array."""
    if type(part) in BASIC:
        return part
    part = without_constants(part)
    array = part if is_array(part) else _array_beside(part, x)
    if is_kind(array, "bool"):
        return array
    if not is_kind(array, "integral"):
        raise OutOfBoundsError(
            "an index is an integer, a slice, '...', None, or an integer or boolean array, "
            f"got {describe(part)}"
        )
    return int(array) if array.ndim == 0 and type(array) is not Tensor else array


def _array_beside(part, x):
    backend = backend_for(x)
    array = asarray(part, device="cpu")
    if array.size == 0:
        array = array.astype("int64")
    return array_to_device(array, backend.device_of(untracked(x)))


def _whole(parts, shape):
    """Return the parts with ``...`` where it stands or, if nowhere, at the end."""
    used = sum(_axes_used(part) for part in parts)
    if used > len(shape):
        raise OutOfBoundsError(f"too many indices: {used} for an array of shape {tuple(shape)}")
    dots = sum(part is Ellipsis for part in parts)
    if dots > 1:
        raise OutOfBoundsError("an index has more than one '...'")
    return parts if dots else [*parts, Ellipsis]


def _axes_used(part):
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if is_array(part) and is_kind(part, "bool") else 1


def _walk(parts, shape):
    """Return the basic key, the array indices and the axis of the result where they go.

    An array index is (first axis in the basic read, number of axes, indices). As in
    NumPy integers count as arrays beside arrays, and what they index comes first in the
    result unless they stand side by side.
    """
    free = len(shape) - sum(map(_axes_used, parts))
    basic, items, target = [], [], None
    axis = at = 0  # in the array, and in the basic read
    apart = False  # something else stood after the first array
    scattered = False
    for part in parts:
        if _is_plain(part):
            apart = target is not None
            count = free if part is Ellipsis else 1
            basic += [slice(None)] * free if part is Ellipsis else [part]
            axis, at = axis + (count if part is not None else 0), at + count
            continue
        scattered = scattered or apart
        target = at if target is None else target
        if type(part) is int:
            basic.append(part)
            axis += 1
            continue
        added, count, index = _as_item(part, shape, axis)
        basic += added
        items.append((at, max(count, 1), index))
        axis, at = axis + count, at + max(count, 1)
    return tuple(basic), items, 0 if scattered else target


def _is_plain(part):
    return part is None or part is Ellipsis or isinstance(part, slice)


def _as_item(part, shape, axis):
    """Return the basic parts for an array, the number of axes it indexes, and its indices."""
    if not is_kind(part, "bool"):
        return [slice(None)], 1, part
    count = part.ndim
    _check_mask(part, shape[axis : axis + count])
    indices = nonzero_places(reshape(part, (prod(part.shape),)))
    # A mask without axes indexes a new one.
    basic: list[Any] = [slice(None)] * count or [None]
    return basic, count, slicing.getitem(indices, 0)


def _check_mask(mask, shape):
    # The standard lets a mask have length 0 along any axis: it chooses nothing.
    fits = all(own in (length, 0) for own, length in zip(mask.shape, shape, strict=False))
    if mask.ndim != len(shape) or not fits:
        raise OutOfBoundsError(
            f"a boolean index of shape {tuple(mask.shape)} "
            f"does not fit axes of shape {tuple(shape)}"
        )


def _merged(indices, lengths):
    if len(indices) == 1:
        return indices[0]
    try:
        broadcast_shape("indices", *[index.shape for index in indices])
    except ValueError as error:
        raise OutOfBoundsError(f"{error}: index arrays must") from error
    return merge_indices(indices, lengths=lengths)


def _merge_axes(x, plan):
    """Take the first steps of a plan: all but the ``take``."""
    if plan.basic is not None:
        x = slicing.getitem(x, plan.basic)
    if plan.order is not None:
        x = permute_dims(x, plan.order)
    return x if plan.ordered == plan.merged else reshape(x, plan.merged)


def _unmerge_axes(x, plan):
    """Undo the merging and the reordering of a plan."""
    if plan.ordered != plan.merged:
        x = reshape(x, plan.ordered)
    if plan.order is None:
        return x
    return permute_dims(x, tuple(plan.order.index(axis) for axis in range(len(plan.order))))


def _result_shape(plan):
    return (*plan.merged[: plan.axis], *plan.indices.shape, *plan.merged[plan.axis + 1 :])


def _reads(draw):
    for key in BASIC_KEYS[:3]:
        yield Sample((draw(2, 3),), {"key": key})
    for key in _array_keys(draw):
        yield Sample((draw(2, 3),), {"key": key})
    pair = sample_indices(draw(1), 1, 0)
    yield Sample((draw(2, 3, 2),), {"key": (slice(None), pair, 0)})
    yield Sample((draw(2, 3, 2),), {"key": (pair, slice(None, None, -1), pair)})
    yield Sample((draw(),), {"key": draw() > 0})
    yield Sample((draw(3) + 1j * draw(3),), {"key": pair})


def _array_keys(draw):
    """Return keys for an array of shape (2, 3)."""
    rows, columns = sample_indices(draw(1), 1, 0, 1), sample_indices(draw(1), 2, -1, 0)
    return [
        rows,
        (slice(None), columns),
        (rows, columns),
        (rows.reshape(3, 1), columns),
        (0, columns),
        (None, rows, ...),
        draw(2, 3) > 1,
        draw(2, 0) > 1,
        (draw(2) > 0, columns[:1]),
        (..., draw(3) > 1),
        [1, 1, 0],
        rows[:0],
    ]


@composed(samples=_reads)
def getitem(x, key):
    """Read ``x[key]``: what ``key`` means is what it means in NumPy.

    ``key`` has integers, slices, ``...``, ``None``, integer and boolean arrays, lists.

    Raises:
        IndexError: an index is outside of its axis, there are too many, or a mask does not fit.

    >>> import numpy as np, gradx as gx
    >>> gx.getitem(np.asarray([1.0, 2.0, 3.0]), [0, 0, -1])
    array([1., 1., 3.])
    """
    if is_basic(key):
        return slicing.getitem(x, key)
    if _is_indices(key) and x.shape:
        return take(x, key, axis=0)  # Planned it is the same, three times slower.
    plan = _plan(key, x, x.shape)
    if not isinstance(plan, Plan):
        return slicing.getitem(x, plan)
    return take(_merge_axes(x, plan), plan.indices, axis=plan.axis)


def _scatters(draw):
    x = draw(2, 3)
    for key in [*BASIC_KEYS[:2], *_array_keys(draw)]:
        yield Sample((x[key],), {"shape": (2, 3), "key": key})


@composed(samples=_scatters)
def scatter(x, shape, key):
    """Add ``x`` into zeros of ``shape`` where ``key`` reads: the transpose of ``getitem``."""
    plan = key if is_basic(key) else _plan(key, x, shape)
    if not isinstance(plan, Plan):
        return slicing.scatter(x, shape, plan)
    x = broadcast_to(x, _result_shape(plan))
    added = add_at(x, plan.indices, length=plan.merged[plan.axis], axis=plan.axis)
    region = _unmerge_axes(added, plan)
    return region if plan.basic is None else slicing.scatter(region, shape, plan.basic)


def _writes(draw):
    for key in [*BASIC_KEYS[:2], *_array_keys(draw)]:
        x = draw(2, 3)
        yield Sample((x, draw(*x[key].shape)), {"key": key})
        yield Sample((x, draw()), {"key": key})
    yield Sample((draw(2, 3), draw(1, 3)), {"key": draw(2) > 0})


@composed(samples=_writes)
def setitem(x, value, key):
    """Return a copy of ``x`` with ``value`` written to ``x[key]``, where it broadcasts.

    Of several writes to one place the last one stays, and it alone has a derivative.

    Raises:
        IndexError: an index is outside of its axis, there are too many, or a mask does not fit.

    >>> import numpy as np, gradx as gx
    >>> gx.setitem(np.zeros(3), 1.0, slice(1, None))
    array([0., 1., 1.])
    """
    value = _as_value(value, x)
    if not is_basic(key) and _is_one_mask(key) and prod(getattr(value, "shape", ())) == 1:
        return _write_one_where(x, value, key)
    plan = key if is_basic(key) else _plan(key, x, x.shape)
    if not isinstance(plan, Plan):
        return slicing.setitem(x, value, plan)
    if type(value) not in SCALARS:
        value = _broadcast_value(value, _result_shape(plan))
    written = put_at(_merge_axes(x, plan), value, plan.indices, axis=plan.axis)
    region = _unmerge_axes(written, plan)
    return region if plan.basic is None else slicing.setitem(x, region, plan.basic)


def _adds(draw):
    rows = sample_indices(draw(1), 1, 0, 1)
    for key in [1, (slice(None), 0), rows, (rows, rows), draw(2, 3) > 1, (..., rows), rows[:0]]:
        x = draw(2, 3)
        yield Sample((x, draw(*x[key].shape)), {"key": key})
    yield Sample((draw(2, 3), draw()), {"key": rows})
    yield Sample((draw(3) + 1j * draw(3), draw(1)), {"key": rows})


@composed(samples=_adds)
def scatter_add(x, value, key):
    """Return a copy of ``x`` with ``value`` added to ``x[key]``, each time a place is named.

    ``value`` broadcasts to what ``key`` reads and is cast to the dtype of ``x``: this is
    ``np.add.at`` as a function.

    Raises:
        IndexError: an index is outside of its axis, there are too many, or a mask does not fit.

    >>> import numpy as np, gradx as gx
    >>> gx.scatter_add(np.zeros(3), np.asarray([1.0, 2.0, 4.0]), np.asarray([0, 2, 0]))
    array([5., 0., 2.])
    """
    value = _as_value(value, x)
    if type(value) in SCALARS:
        value = _as_array(value, x)
    return add(x, scatter(value, tuple(x.shape), key))


def _as_value(value, x):
    """Return what is written as an array with the dtype of ``x``, or as a Python number."""
    if type(value) in SCALARS:
        return value
    if not is_array(value):
        value = array_to_device(
            asarray(value, device="cpu"), backend_for(x).device_of(untracked(x))
        )
    return value if value.dtype == x.dtype else astype(value, x.dtype)


def _as_array(number, x):
    space, device = place_of(x)
    return space.asarray(number, dtype=x.dtype, device=device)


def _is_indices(key):
    return is_array(key) and is_kind(key, "integral") and key.shape != ()


def _is_one_mask(key):
    return is_array(key) and is_kind(key, "bool") and 0 not in key.shape


def _write_one_where(x, value, mask):
    """Write one value through a mask: without counting, so that the mask may be tracked."""
    _check_mask(mask, x.shape[: mask.ndim])
    mask = reshape(mask, (*mask.shape, *[1] * (x.ndim - mask.ndim)))
    if type(value) in SCALARS:
        value = _as_array(value, x)
    return where(mask, reshape(value, ()), x)


def _broadcast_value(value, shape):
    # As in NumPy, leading axes of length one may be too many.
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = reshape(value, value.shape[1:])
    return value if tuple(value.shape) == shape else broadcast_to(value, shape)
