"""Joining arrays: ops of a sequence, linear in all of its arrays together."""

from gradx.core.op import composed, primitive
from gradx.core.samples import Sample
from gradx.ops.indexing import getitem, scatter
from gradx.ops.shapes import expand_dims


def _joins(draw):
    yield Sample(([draw(3), draw(2)],), {"axis": 0})
    yield Sample(([draw(2, 3), draw(2, 1), draw(2, 0)],), {"axis": -1})
    yield Sample(([draw(1, 3), draw(2, 3)],), {"axis": 0})
    yield Sample(([draw(2, 2)],), {"axis": 1})
    yield Sample(([draw(2, 2), draw(3)],), {"axis": None})


def _place(position, shapes, axis):
    """Return the key under which one of the joined arrays stands in the result."""
    axis = axis % len(shapes[0])
    start = sum(shape[axis] for shape in shapes[:position])
    return (slice(None),) * axis + (slice(start, start + shapes[position][axis]),)


def _cut(g, position, shapes, axis):
    return getitem(g, _place(position, shapes, axis))


def _pad(g, position, shapes, axis):
    axis = axis % len(shapes[0])
    total = sum(shape[axis] for shape in shapes)
    shape = (*g.shape[:axis], total, *g.shape[axis + 1 :])
    return scatter(g, shape, _place(position, shapes, axis))


@primitive(vjp={"arrays": _cut}, jvp={"arrays": _pad}, samples=lambda draw: list(_joins(draw))[:4])
def join(xp, /, *arrays, axis=0):
    """Join arrays along an existing axis."""
    return xp.concat(arrays, axis=axis)


@composed(samples=_joins)
def concat(arrays, /, *, axis=0):
    """Join arrays along an existing axis; with ``axis=None`` join them flattened."""
    if axis is None:
        return join([array.reshape((-1,)) for array in arrays], axis=0)
    return join(arrays, axis=axis)


def _stacks(draw):
    for axis in [0, -1, 1]:
        yield Sample(([draw(2, 3), draw(2, 3)],), {"axis": axis})
    yield Sample(([draw(), draw(), draw()],), {"axis": 0})


@composed(samples=_stacks)
def stack(arrays, /, *, axis=0):
    """Join arrays of one shape along a new axis."""
    return join([expand_dims(array, axis) for array in arrays], axis=axis)
