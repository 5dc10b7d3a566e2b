"""Joining arrays and taking them apart.

``concat`` is an op of a sequence, linear in all of its arrays together.
"""

from math import prod

from gradx.core.op import composed, primitive
from gradx.core.samples import Sample
from gradx.errors import ShapeError
from gradx.ops.shapes import (
    astype,
    broadcast_shape,
    broadcast_to,
    checked_axis,
    expand_dims,
    reshape,
)
from gradx.ops.slicing import getitem, scatter


def _joins(draw):
    yield Sample(([draw(3), draw(2)],), {"axis": 0})
    yield Sample(([draw(2, 3), draw(2, 1), draw(2, 0)],), {"axis": -1})
    yield Sample(([draw(1, 3), draw(2, 3)],), {"axis": 0})
    yield Sample(([draw(2, 2)],), {"axis": 1})
    yield Sample(([draw(2, 2), draw(3), draw()],), {"axis": None})
    yield Sample(([draw(2) + 1j * draw(2), draw(1)],), {"axis": 0})


def _place(position, shapes, axis):
    """Return the key under which one of the joined arrays stands in the result."""
    lengths = [prod(shape) if axis is None else shape[axis] for shape in shapes]
    start = sum(lengths[:position])
    before = 0 if axis is None else axis % len(shapes[0])
    return (*[slice(None)] * before, slice(start, start + lengths[position]))


def _cut(g, position, shapes, axis):
    cut = getitem(g, _place(position, shapes, axis))
    return reshape(cut, shapes[position]) if axis is None else cut


def _embed(g, position, shapes, axis):
    if axis is None:
        g = reshape(g, (prod(g.shape),))
        return scatter(g, (sum(map(prod, shapes)),), _place(position, shapes, axis))
    shape = list(g.shape)
    shape[axis] = sum(one[axis] for one in shapes)
    return scatter(g, tuple(shape), _place(position, shapes, axis))


@primitive(vjp={"arrays": _cut}, jvp={"arrays": _embed}, samples=_joins)
def concat(xp, /, *arrays, axis=0):
    """Join arrays along an existing axis; with ``axis=None`` join them flattened.

    >>> import numpy as np, gradx as gx
    >>> gx.concat([np.zeros(1), np.ones(2)])
    array([0., 1., 1.])
    """
    return xp.concat(arrays, axis=axis)


def _stacks(draw):
    for axis in [0, -1, 1]:
        yield Sample(([draw(2, 3), draw(2, 3)],), {"axis": axis})
    yield Sample(([draw(), draw(), draw()],), {"axis": 0})
    yield Sample(([draw(0)],), {"axis": -1})


@composed(samples=_stacks)
def stack(arrays, /, *, axis=0):
    """Join arrays of one shape along a new axis.

    >>> import numpy as np, gradx as gx
    >>> gx.stack([np.zeros(2), np.ones(2)], axis=-1)
    array([[0., 1.],
           [0., 1.]])
    """
    arrays = list(arrays)
    shapes = dict.fromkeys(tuple(array.shape) for array in arrays)
    if len(shapes) > 1:
        raise ShapeError(f"stack: arrays of one shape, got {' and '.join(map(str, shapes))}")
    return concat([expand_dims(array, axis) for array in arrays], axis=axis)


def _unstacks(draw):
    for axis in [0, -1, 1]:
        yield Sample((draw(2, 3),), {"axis": axis})
    yield Sample((draw(2, 0),), {"axis": 0})


@composed(samples=_unstacks)
def unstack(x, /, *, axis=0):
    """Return the slices of ``x`` along ``axis``, without that axis: a tuple of views.

    >>> import numpy as np, gradx as gx
    >>> gx.unstack(np.asarray([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    (array([1., 3.]), array([2., 4.]))
    """
    axis = checked_axis("unstack", axis, len(x.shape))
    before = (slice(None),) * axis
    return tuple(getitem(x, (*before, index)) for index in range(x.shape[axis]))


def _splits(draw):
    yield Sample((draw(6),), {"indices_or_sections": 3})
    yield Sample((draw(2, 4),), {"indices_or_sections": (1, 3), "axis": -1})
    yield Sample((draw(2, 3),), {"indices_or_sections": 2, "axis": 0})
    yield Sample((draw(3),), {"indices_or_sections": (2, 5)})


@composed(samples=_splits)
def split(x, indices_or_sections, axis=0):
    """Cut ``x`` along ``axis`` into equal sections, or before the indices given: a list of views.

    >>> import numpy as np, gradx as gx
    >>> gx.split(np.arange(4.0), [1, 3])
    [array([0.]), array([1., 2.]), array([3.])]
    """
    axis = checked_axis("split", axis, len(x.shape))
    length = x.shape[axis]
    if isinstance(indices_or_sections, int):
        size, rest = divmod(length, max(indices_or_sections, 1))
        if rest or indices_or_sections < 1:
            raise ShapeError(
                f"split: {length} elements do not make {indices_or_sections} equal sections"
            )
        cuts = [size * section for section in range(1, indices_or_sections)]
    else:
        cuts = [int(index) for index in indices_or_sections]
    before = (slice(None),) * axis
    bounds = zip([0, *cuts], [*cuts, length], strict=True)
    return [getitem(x, (*before, slice(start, stop))) for start, stop in bounds]


def _grids(draw):
    for indexing in ["xy", "ij"]:
        yield Sample((draw(2), draw(3)), {"indexing": indexing})
        yield Sample((draw(2), draw(1), draw(3)), {"indexing": indexing})
    yield Sample((draw(2),))
    yield Sample((draw(0), draw(2)))


@composed(samples=_grids)
def meshgrid(*arrays, indexing="xy"):
    """Make the coordinates of a grid from those along each of its axes: a tuple of arrays.

    With ``indexing="xy"`` the first two axes of the results are exchanged.

    >>> import numpy as np, gradx as gx
    >>> [x.shape for x in gx.meshgrid(np.zeros(2), np.zeros(3), indexing="ij")]
    [(2, 3), (2, 3)]
    """
    if indexing not in ("xy", "ij"):
        raise ShapeError(f"meshgrid: indexing is 'xy' or 'ij', got {indexing!r}")
    ndim = len(arrays)
    shaped = []
    for axis, array in enumerate(arrays):
        place = 1 - axis if indexing == "xy" and axis < 2 <= ndim else axis
        shaped.append(reshape(array, (*[1] * place, prod(array.shape), *[1] * (ndim - place - 1))))
    shape = broadcast_shape("meshgrid", *[array.shape for array in shaped])
    # Cast to its own dtype: a copy, which may be written to.
    return tuple(astype(broadcast_to(array, shape), array.dtype) for array in shaped)
