"""Differences between neighbours, the inverse of running sums."""

import operator

from gradx.core.op import composed
from gradx.core.samples import Sample
from gradx.errors import ShapeError
from gradx.ops.arithmetic import subtract
from gradx.ops.joining import concat
from gradx.ops.shapes import checked_axis
from gradx.ops.slicing import getitem


def _neighbours(draw):
    for n in [0, 1, 2, 5]:
        yield Sample((draw(4),), {"n": n})
    for axis in [0, -1, 1]:
        yield Sample((draw(3, 4, 2),), {"axis": axis})
    yield Sample((draw(2, 3),), {"axis": 0, "prepend": draw(1, 3), "append": draw(2, 3)})
    yield Sample((draw(2, 3) + 1j * draw(2, 3),), {"append": draw(2, 1)})
    yield Sample((draw(0, 2),), {"axis": 0})


@composed(samples=_neighbours)
def diff(x, /, *, axis=-1, n=1, prepend=None, append=None):
    """Subtract from each element the one before it along ``axis``, ``n`` times.

    ``prepend`` and ``append`` are arrays that are joined to ``x`` first.

    >>> import numpy as np, gradx as gx
    >>> gx.diff(np.asarray([1.0, 3.0, 6.0]))
    array([2., 3.])
    """
    if n < 0:
        raise ShapeError(f"diff: n counts how often to subtract, got {n}")
    axis = checked_axis("diff", axis, len(x.shape))
    if n == 0:
        return x  # as NumPy does, which joins nothing to it either
    parts = [part for part in (prepend, x, append) if part is not None]
    if len(parts) > 1:
        x = concat(parts, axis=axis)
    before = (slice(None),) * axis
    for _ in range(min(operator.index(n), x.shape[axis] + 1)):  # then nothing is left
        later, earlier = (*before, slice(1, None)), (*before, slice(None, -1))
        x = subtract(getitem(x, later), getitem(x, earlier))
    return x
