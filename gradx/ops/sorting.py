"""Sorting, always stable, so that equal elements keep their order and each its derivative."""

from gradx.core.op import constant, primitive
from gradx.core.samples import Sample
from gradx.ops.along import add_along_axis, take_along_axis


def _sorts(draw):
    for shape, axis in [((4,), -1), ((2, 3), 0), ((2, 3), -1), ((2, 0), 1)]:
        for descending in [False, True]:
            yield Sample((draw(*shape),), {"axis": axis, "descending": descending})


@constant(samples=_sorts)
def argsort(xp, x, /, *, axis=-1, descending=False, stable=True):
    """Return the indices that sort ``x`` along ``axis``; equal elements keep their order.

    The smallest comes first, or the largest if ``descending``.

    >>> import numpy as np, gradx as gx
    >>> gx.argsort(np.asarray([3.0, 1.0, 2.0]))
    array([1, 2, 0])
    """
    return xp.argsort(x, axis=axis, descending=descending, stable=True)


def _unsort(g, x, axis, descending):
    order = argsort(x, axis=axis, descending=descending)
    return add_along_axis(g, order, shape=x.shape, axis=axis % len(x.shape))


def _sort_alike(g, x, axis, descending):
    return take_along_axis(g, argsort(x, axis=axis, descending=descending), axis=axis)


@primitive(vjp={"x": _unsort}, jvp={"x": _sort_alike}, samples=_sorts)
def sort(xp, x, /, *, axis=-1, descending=False, stable=True):
    """Sort along ``axis``: its derivative is a permutation, that of a stable sort at ties.

    >>> import numpy as np, gradx as gx
    >>> gx.sort(np.asarray([3.0, 1.0, 2.0]), descending=True)
    array([3., 2., 1.])
    """
    return xp.sort(x, axis=axis, descending=descending, stable=True)
