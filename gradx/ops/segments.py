"""Sums, averages and extremes of the slices that share a number.

``segments`` names for each slice along an axis the segment that it belongs to: integers,
in any order, negative ones counted from the last segment. One that is not named is empty.
"""

from math import inf, prod

from gradx.core.arrays import is_array, is_kind
from gradx.core.explain import describe
from gradx.core.op import composed, primitive
from gradx.core.samples import Sample
from gradx.errors import DTypeError, ShapeError
from gradx.ops.along import (
    add_at,
    join_rows,
    sample_indices,
    take,
    told_of_nowhere,
    wrapped,
)
from gradx.ops.arithmetic import where
from gradx.ops.comparison import equal, logical_or, not_equal
from gradx.ops.creation import ones_like
from gradx.ops.shapes import astype, checked_axis, reshape


def _segmentings(draw):
    some = sample_indices(draw(1), 1, 0, 0, -1)
    yield Sample((draw(4), some), {"num_segments": 2})
    yield Sample((draw(4, 2), some), {"num_segments": 2})
    yield Sample((draw(2, 4), some), {"num_segments": 2, "axis": -1})
    yield Sample((draw(2, 4)[:, ::-1].T, some), {"num_segments": 2, "axis": 0})
    yield Sample((draw(0, 2), some[:0]), {"num_segments": 0})
    yield Sample((draw(4, 0), some), {"num_segments": 2})


def _sums(draw):
    yield from _segmentings(draw)
    yield Sample((draw(0, 2), sample_indices(draw(1), 1)[:0]), {"num_segments": 2})
    yield Sample((draw(2, 2), sample_indices(draw(1), 1, 1)), {"num_segments": 3})
    yield Sample((draw(4) - 1j * draw(4), sample_indices(draw(1), 1, 1, 0, 1)), {"num_segments": 2})


def _checked(name, x, segments, num_segments, axis):
    """Return the axis counted from the front, once all arguments belong together."""
    if not (is_array(x) and is_array(segments) and is_kind(segments, "integral")):
        raise DTypeError(
            f"{name}: an array and its integer segments, got {describe(x)} and {describe(segments)}"
        )
    if type(num_segments) is not int or num_segments < 0:
        raise ShapeError(f"{name}: num_segments is an integer of 0 or more, got {num_segments!r}")
    axis = checked_axis(name, axis, len(x.shape))
    if tuple(segments.shape) != (x.shape[axis],):
        raise ShapeError(
            f"{name}: one segment for each of the {x.shape[axis]} slices along axis {axis} of "
            f"{tuple(x.shape)}, got segments of shape {tuple(segments.shape)}"
        )
    return axis


@composed(samples=_sums)
def segment_sum(x, segments, /, *, num_segments, axis=0):
    """Add up the slices of ``x`` along ``axis`` that belong to each segment.

    ``axis`` becomes that of the ``num_segments`` segments; empty ones are 0.

    Raises:
        IndexError: a segment is not one of ``num_segments``.

    >>> import numpy as np, gradx as gx
    >>> gx.segment_sum(np.asarray([1.0, 2.0, 3.0]), np.asarray([0, 2, 0]), num_segments=3)
    array([4., 0., 2.])
    """
    axis = _checked("segment_sum", x, segments, num_segments, axis)
    return add_at(x, segments, length=num_segments, axis=axis)


@composed(samples=_sums)
def segment_mean(x, segments, /, *, num_segments, axis=0):
    """Average the slices of ``x`` along ``axis`` that belong to each segment; see ``segment_sum``.

    >>> import numpy as np, gradx as gx
    >>> gx.segment_mean(np.asarray([1.0, 2.0, 3.0]), np.asarray([0, 2, 0]), num_segments=3)
    array([2., 0., 2.])
    """
    axis = _checked("segment_mean", x, segments, num_segments, axis)
    counts = add_at(_ones_beside(x, segments), segments, length=num_segments, axis=0)
    totals = add_at(x, segments, length=num_segments, axis=axis)
    after = [1] * (len(x.shape) - axis - 1)
    return totals / reshape(where(equal(counts, 0), 1.0, counts), (num_segments, *after))


def _ones_beside(x, segments):
    return astype(ones_like(segments), x.dtype)


def _winners(x, segments, out, axis):
    """Return where ``x`` is its segment's extreme, or NaN, and how many of it share that."""
    own = take(out, segments, axis=axis)
    won = logical_or(equal(x, own), not_equal(x, x))
    return won, add_at(astype(won, x.dtype), segments, length=out.shape[axis], axis=axis)


def _share(g, counts):
    return g / where(equal(counts, 0), 1.0, counts)


def _extreme_vjp(g, x, segments, out, axis):
    won, counts = _winners(x, segments, out, axis)
    return where(won, take(_share(g, counts), segments, axis=axis), 0.0)


def _extreme_jvp(g, x, segments, out, axis):
    won, counts = _winners(x, segments, out, axis)
    moved = add_at(where(won, g, 0.0), segments, length=out.shape[axis], axis=axis)
    return _share(moved, counts)


def _extremes(draw):
    for (x, segments), params in _segmentings(draw):
        along = {"axis": params.get("axis", 0) % x.ndim, "num_segments": params["num_segments"]}
        for largest in [True, False]:
            yield Sample((x, segments), along | {"largest": largest})


@primitive(vjp={"x": _extreme_vjp}, jvp={"x": _extreme_jvp}, samples=_extremes)
def segment_extreme(xp, x, segments, /, *, num_segments, axis, largest):
    """Find the largest or smallest of each segment; ties share the derivative evenly."""
    join, neutral = (xp.maximum, -inf) if largest else (xp.minimum, inf)
    places = wrapped(xp, segments, num_segments)
    first = xp.moveaxis(x, axis, 0)
    rows = xp.reshape(first, (first.shape[0], prod(first.shape[1:])))
    joined = join_rows(xp, rows, places, num_segments, join, neutral)
    out = xp.moveaxis(xp.reshape(joined, (num_segments, *first.shape[1:])), 0, axis)
    return told_of_nowhere(xp, out, places)


def _checked_real(name, x, segments, num_segments, axis):
    axis = _checked(name, x, segments, num_segments, axis)
    if not is_kind(x, "real floating"):
        raise DTypeError(f"{name}: expected real floating-point numbers, got {x.dtype}")
    return axis


@composed(samples=_segmentings)
def segment_max(x, segments, /, *, num_segments, axis=0):
    """Find the largest of each segment, ``-inf`` in empty ones; see ``segment_sum``.

    Ties share the derivative evenly, as in ``max``.

    >>> import numpy as np, gradx as gx
    >>> gx.segment_max(np.asarray([1.0, 2.0, 3.0]), np.asarray([0, 2, 0]), num_segments=3)
    array([  3., -inf,   2.])
    """
    axis = _checked_real("segment_max", x, segments, num_segments, axis)
    return segment_extreme(x, segments, num_segments=num_segments, axis=axis, largest=True)


@composed(samples=_segmentings)
def segment_min(x, segments, /, *, num_segments, axis=0):
    """Find the smallest of each segment, ``inf`` in empty ones; see ``segment_max``."""
    axis = _checked_real("segment_min", x, segments, num_segments, axis)
    return segment_extreme(x, segments, num_segments=num_segments, axis=axis, largest=False)
