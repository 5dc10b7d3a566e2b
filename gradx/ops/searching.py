"""Searching: where the extremes, the nonzero elements and the places in order are.

All of these are integers, which have no derivative.
"""

from gradx.core.op import composed, constant
from gradx.core.samples import Sample
from gradx.core.views import without_constants
from gradx.ops.slicing import getitem


def _extremes(draw):
    for axis in [None, 0, -1]:
        for keepdims in [False, True]:
            yield Sample((draw(2, 3),), {"axis": axis, "keepdims": keepdims})
    yield Sample((draw(),))


@constant(samples=_extremes)
def argmax(xp, x, /, *, axis=None, keepdims=False):
    """Return the index of the largest element along ``axis``; the first of equal ones."""
    return xp.argmax(x, axis=axis, keepdims=keepdims)


@constant(samples=_extremes)
def argmin(xp, x, /, *, axis=None, keepdims=False):
    """Return the index of the smallest element along ``axis``; the first of equal ones."""
    return xp.argmin(x, axis=axis, keepdims=keepdims)


def _runs(draw):
    for shape, axis in [((5,), 0), ((2, 6, 2), 1), ((1, 3), 0), ((0, 3), 0)]:
        for largest in [False, True]:
            yield Sample((draw(*shape),), {"axis": axis, "largest": largest})
    x = draw(4, 2)
    x[1] = x[2] = 1.75
    yield Sample((x,), {"axis": 0, "largest": True})
    x[1, 0] = float("nan")
    yield Sample((x,), {"axis": 0, "largest": True})


@constant(samples=_runs)
def last_extremes(xp, x, /, *, axis, largest):
    """Return the index of the extreme of all elements up to each; the last one of equal ones.

    From a NaN on it is that of the last NaN. Source: Hillis and Steele, "Data parallel
    algorithms" (CACM 1986).
    """
    part = lambda array, *ends: array[(slice(None),) * axis + (slice(*ends), ...)]
    places = xp.arange(x.shape[axis], device=x.device)
    shape = tuple(-1 if i == axis else 1 for i in range(x.ndim))
    places, by = xp.broadcast_to(xp.reshape(places, shape), x.shape), 1
    while by < x.shape[axis]:
        early, late = part(x, None, -by), part(x, by, None)
        beaten = early > late if largest else early < late
        beaten = (beaten | xp.isnan(early)) & ~xp.isnan(late)
        chosen = xp.where(beaten, part(places, None, -by), part(places, by, None))
        x = xp.concat([part(x, None, by), xp.where(beaten, early, late)], axis=axis)
        places = xp.concat([part(places, None, by), chosen], axis=axis)
        by *= 2
    return places


def _partly_zero(draw):
    for shape in [(4,), (2, 3), (0, 2)]:
        x = draw(*shape)
        yield Sample((x * (x > 1),))


def _counts(draw):
    yield from _partly_zero(draw)
    for axis in [0, -1, (0, 1)]:
        for keepdims in [False, True]:
            x = draw(2, 3)
            yield Sample((x * (x > 1),), {"axis": axis, "keepdims": keepdims})


@constant(samples=_counts)
def count_nonzero(xp, x, /, *, axis=None, keepdims=False):
    """Count the elements along ``axis`` that are not zero."""
    count = xp.count_nonzero(x, axis=axis, keepdims=keepdims)
    return xp.asarray(count) if type(count) is int else count  # as of all in NumPy before 2.3


@constant(samples=_partly_zero, sizes_vary=("x",))
def nonzero_places(xp, x, /):
    """Return the indices of the nonzero elements: a row for each axis."""
    return xp.stack(xp.nonzero(x))


def _masks(draw):
    for sample in _partly_zero(draw):
        yield Sample((sample.arrays[0] != 0,))


@composed(samples=_masks)
def nonzero(x, /):
    """Return the indices of the nonzero elements: an array for each axis.

    >>> import numpy as np, gradx as gx
    >>> gx.nonzero(np.asarray([0.0, 2.0, 3.0]))
    (array([1, 2]),)
    """
    places = nonzero_places(x)
    return tuple(getitem(places, axis) for axis in range(len(x.shape)))


def _searches(draw):
    x = draw(1)
    ladder = x * 0 + (0.6, 0.9, 0.9, 1.4)
    for side in ["left", "right"]:
        for shape in [(3,), (2, 3), (), (0,)]:
            yield Sample((ladder, draw(*shape)), {"side": side})
    yield Sample((ladder, ladder), {"side": "left"})
    yield Sample((ladder, ladder), {"side": "right"})


@constant(samples=_searches)
def searchsorted(xp, x1, x2, /, *, side="left", sorter=None):
    """Return where in the ascending ``x1`` each element of ``x2`` belongs.

    Before equal elements with ``side="left"``, after them with ``"right"``.
    ``sorter`` holds indices that sort ``x1``, if it is not sorted.

    >>> import numpy as np, gradx as gx
    >>> gx.searchsorted(np.asarray([1.0, 2.0, 3.0]), np.asarray([2.0, 2.5]))
    array([1, 2])
    """
    return xp.searchsorted(x1, x2, side=side, sorter=without_constants(sorter))
