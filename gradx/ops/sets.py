"""Sets: the distinct elements of an array, and which elements are among others.

Places and counts are integers, which have no derivative. Values are read from
``x`` at the places found, so each value's derivative goes to its first occurrence.
"""

from math import prod
from typing import Any, NamedTuple

from gradx.core.op import composed, constant
from gradx.core.samples import Sample
from gradx.ops.along import sample_indices, take
from gradx.ops.shapes import reshape
from gradx.ops.slicing import getitem


class UniqueAll(NamedTuple):
    """What ``unique_all`` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: Any
    inverse_indices: Any


def _collections(draw):
    # Equal floats would no longer be equal beside the point, where differences are taken.
    for shape in [(4,), (2, 3), (), (0, 2)]:
        yield Sample((draw(*shape),))
    yield Sample((draw(2) + 1j * draw(2),))
    yield Sample((sample_indices(draw(1), 2, 0, 0, 1, 2, 2),))
    yield Sample((sample_indices(draw(1), 1, 2, 1, 0).reshape(2, 2),))


@constant(samples=_collections, sizes_vary=("x",))
def unique_places(xp, x, /):
    """Return one array: first indices of the distinct elements, their counts, the inverse."""
    _, indices, inverse, counts = xp.unique_all(x)
    # One array, because an op without derivatives has one output.
    return xp.concat([indices, counts, xp.reshape(inverse, (-1,))])


@composed(samples=_collections)
def unique_all(x, /):
    """Find the distinct elements of ``x``, ascending, with all that is known of them.

    The result has ``values``, the ``indices`` of their first occurrences in ``x``
    flattened, ``inverse_indices`` of the shape of ``x``, which rebuild it from the
    values, and their ``counts``. Each NaN is a value of its own.

    >>> import numpy as np, gradx as gx
    >>> gx.unique_all(np.asarray([3.0, 1.0, 3.0])).counts
    array([1, 2])
    """
    places = unique_places(x)
    count = (places.shape[0] - prod(x.shape)) // 2
    indices = getitem(places, slice(count))
    inverse = reshape(getitem(places, slice(2 * count, None)), x.shape)
    return UniqueAll(take(x, indices), indices, inverse, getitem(places, slice(count, 2 * count)))


@composed(samples=_collections)
def unique_counts(x, /):
    """Find the distinct elements of ``x``, ascending, and how often each occurs.

    >>> import numpy as np, gradx as gx
    >>> gx.unique_counts(np.asarray([3.0, 1.0, 3.0])).counts
    array([1, 2])
    """
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


@composed(samples=_collections)
def unique_inverse(x, /):
    """Find the distinct elements of ``x``, ascending, and the indices that rebuild it from them.

    >>> import numpy as np, gradx as gx
    >>> gx.unique_inverse(np.asarray([3.0, 1.0, 3.0])).inverse_indices
    array([1, 0, 1])
    """
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


@composed(samples=_collections)
def unique_values(x, /):
    """Find the distinct elements of ``x``, ascending.

    >>> import numpy as np, gradx as gx
    >>> gx.unique_values(np.asarray([3.0, 1.0, 3.0]))
    array([1., 3.])
    """
    return unique_all(x).values


def _memberships(draw):
    some = sample_indices(draw(1), 3, 1, 2, 0)
    for invert in [False, True]:
        yield Sample((some.reshape(2, 2), some[1:3]), {"invert": invert})
    yield Sample((some[:0], some))
    yield Sample((some, 2))
    yield Sample((2, some))


@constant(samples=_memberships)
def isin(xp, x1, x2, /, *, invert=False):
    """Tell of each integer in ``x1`` whether it is among those of ``x2``; or is not, to ``invert``.

    >>> import numpy as np, gradx as gx
    >>> gx.isin(np.asarray([1, 2, 3]), np.asarray([3, 1]))
    array([ True, False,  True])
    """
    # Some versions of array-api-strict overlook ``invert``.
    found = xp.isin(x1, x2)
    return xp.logical_not(found) if invert else found
