"""Products along axes, with derivatives that never divide.

The derivative of a product by one factor is the product of the others. Divided out of
the whole product it would be lost at zeros; here the others are multiplied, by halves.
"""

import math

from gradx.core.op import primitive
from gradx.core.samples import Sample, reductions
from gradx.ops.arithmetic import multiply
from gradx.ops.creation import ones_like
from gradx.ops.joining import concat, stack
from gradx.ops.shapes import permute_dims, reduced_axes, reshape, spread, sum
from gradx.ops.slicing import getitem


def _products(draw):
    yield from reductions(draw)
    yield Sample((draw(5) - 1j * draw(5),))
    yield Sample((draw(0, 3),), {"axis": 0})
    for zeros in [[0], [0, 2], [0, 1, 2]]:
        x = draw(3, 2)
        x[zeros, 0] = 0.0
        yield Sample((x,), {"axis": 0})
        yield Sample((x,))


def _product_of_others(x):
    """Return, for each element of the last axis, the product of all others there.

    Neighbours are multiplied into half as many; what is beside a pair, and its
    neighbour in the pair, are what an element is multiplied by.
    """
    count = x.shape[-1]
    if count == 1:
        return ones_like(x)
    if count % 2:
        one = ones_like(getitem(x, (..., slice(0, 1))))
        padded = _product_of_others(concat([x, one], axis=-1))
        return getitem(padded, (..., slice(0, count)))
    even, odd = getitem(x, (..., slice(0, None, 2))), getitem(x, (..., slice(1, None, 2)))
    beside = _product_of_others(multiply(even, odd))
    return reshape(stack([multiply(beside, odd), multiply(beside, even)], axis=-1), x.shape)


def _others(x, axis):
    """Return the product of the others that each element of ``x`` is reduced with."""
    axes = sorted(reduced_axes(x.shape, axis))
    if math.prod(x.shape) == 0 or not axes:
        return ones_like(x)
    order = (*(a for a in range(len(x.shape)) if a not in axes), *axes)
    moved = permute_dims(x, order)
    rows = reshape(moved, (-1, math.prod(x.shape[a] for a in axes)))
    back = tuple(order.index(a) for a in range(len(order)))
    return permute_dims(reshape(_product_of_others(rows), moved.shape), back)


@primitive(
    vjp={"x": lambda g, x, x_shape, axis: spread(g, x_shape, axis) * _others(x, axis)},
    jvp={"x": lambda g, x, axis, keepdims: sum(g * _others(x, axis), axis=axis, keepdims=keepdims)},
    samples=_products,
)
def prod(xp, x, /, *, axis=None, dtype=None, keepdims=False):
    """Multiply the elements along ``axis``, or all of them.

    >>> import numpy as np, gradx as gx
    >>> gx.grad(gx.prod)(np.asarray([0.0, 2.0, 3.0]))
    array([6., 0., 0.])
    """
    return xp.prod(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _cumulative(draw):
    for shape, axis in [
        ((4,), None),
        ((2, 3), 0),
        ((2, 3), -1),
        ((2, 5, 2), 1),
        ((1,), 0),
        ((0,), 0),
    ]:
        for include_initial in [False, True]:
            yield Sample((draw(*shape),), {"axis": axis, "include_initial": include_initial})
    yield Sample((draw(3) + 1j * draw(3),))
    for zeros in [[0], [1, 3], [0, 1, 4]]:
        x = draw(5)
        x[zeros] = 0.0
        yield Sample((x,))


def _along(axis, part):
    """Return the key that takes ``part`` of the elements along ``axis``."""
    return (slice(None),) * (axis or 0) + (part,)


def _axis_of(x, axis):
    return 0 if axis is None else axis % len(x.shape)


def _delayed(x, start, axis, by=1):
    """Shift ``x`` along ``axis``, with elements of ``start`` in front."""
    return concat(
        [getitem(start, _along(axis, slice(0, by))), getitem(x, _along(axis, slice(0, -by)))],
        axis=axis,
    )


def _reversed(x, axis):
    return getitem(x, _along(axis, slice(None, None, -1)))


def _recur(a, b, axis):
    """Return ``r[k] = b[k] + a[k] * r[k - 1]`` along ``axis``, in ``log2`` of its length steps."""
    count, by = b.shape[axis], 1
    while by < count:
        b = b + a * _delayed(b, 0.0 * b, axis, by)
        a = a * _delayed(a, ones_like(a), axis, by)
        by *= 2
    return b


def _products_before(out, x, axis, include_initial):
    """Return the product of all elements before each."""
    if include_initial:
        return getitem(out, _along(axis, slice(0, -1)))
    return _delayed(out, ones_like(x), axis)


def _as_vector(x):
    """Return ``x`` with an axis, which NumPy gives the result of a number."""
    return x if x.shape else reshape(x, (1,))


def _cumulative_prod_vjp(g, x, out, axis, include_initial):
    if math.prod(x.shape) == 0:
        return 0.0 * x
    x = _as_vector(x)
    axis = _axis_of(x, axis)
    if include_initial:
        g = getitem(g, _along(axis, slice(1, None)))
    following = _delayed(_reversed(x, axis), ones_like(x), axis)
    gathered = _reversed(_recur(following, _reversed(g, axis), axis), axis)
    return gathered * _products_before(out, x, axis, include_initial)


def _cumulative_prod_jvp(g, x, out, axis, include_initial):
    if math.prod(x.shape) == 0:
        return 0.0 * out
    x, g = _as_vector(x), _as_vector(g)
    axis = _axis_of(x, axis)
    moved = _recur(x, g * _products_before(out, x, axis, include_initial), axis)
    if not include_initial:
        return moved
    return concat([0.0 * getitem(moved, _along(axis, slice(0, 1))), moved], axis=axis)


@primitive(
    vjp={"x": _cumulative_prod_vjp},
    jvp={"x": _cumulative_prod_jvp},
    samples=_cumulative,
)
def cumulative_prod(xp, x, /, *, axis=None, dtype=None, include_initial=False):
    """Multiply the elements up to each along ``axis``, which one axis needs no name for.

    With ``include_initial`` a 1 stands before them.

    >>> import numpy as np, gradx as gx
    >>> gx.cumulative_prod(np.asarray([1.0, 2.0, 3.0]))
    array([1., 2., 6.])
    """
    return xp.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)
