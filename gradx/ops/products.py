"""Products along axes, with derivatives that never divide.

The derivative of a product by one factor is the product of the others. Divided out of
the whole product it would be lost at zeros; here the others are multiplied, by halves.
"""

import math

from gradx.core.op import primitive
from gradx.core.samples import Sample, reductions
from gradx.ops.arithmetic import multiply, where
from gradx.ops.comparison import equal
from gradx.ops.creation import ones_like, zeros_like
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


def _prod_vjp(g, x, x_shape, axis, live):
    reached = None if live is None else spread(live, x_shape, axis)
    return living(spread(g, x_shape, axis) * _others(x, axis), reached)


def _prod_jvp(g, x, axis, keepdims, live):
    # Where the others overflow or are NaN, a direction that leaves this one out stays dead.
    return sum(living(g * _others(x, axis), live), axis=axis, keepdims=keepdims)


def living(parts, live):
    """Return what was multiplied, and 0 where nothing of it lives, as ``live`` tells."""
    return parts if live is None else where(equal(live, 0), 0.0, parts)


@primitive(vjp={"x": _prod_vjp}, jvp={"x": _prod_jvp}, samples=_products)
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


def _delayed(x, axis):
    """Shift ``x`` by one along ``axis``, with a 1 in front."""
    one = ones_like(getitem(x, _along(axis, slice(0, 1))))
    return concat([one, getitem(x, _along(axis, slice(0, -1)))], axis=axis)


def _reversed(x, axis):
    return getitem(x, _along(axis, slice(None, None, -1)))


def _recur(a, b, axis, live):
    """Return ``r[k] = b[k] + a[k] * r[k - 1]`` along ``axis``, in ``log2`` of its length steps.

    What of ``b`` lives as ``live`` tells is followed, and returned: what is dead meets no factor.
    """
    by = 1
    while by < b.shape[axis]:
        first, before = _along(axis, slice(0, by)), _along(axis, slice(0, -by))
        after = _along(axis, slice(by, None))
        part = getitem(a, after) * getitem(b, before)
        if live is not None:
            earlier = getitem(live, before)
            part = living(part, earlier)
            live = concat([getitem(live, first), getitem(live, after) + earlier], axis=axis)
        b = concat([getitem(b, first), getitem(b, after) + part], axis=axis)
        if 2 * by < b.shape[axis]:
            a = concat([getitem(a, first), getitem(a, after) * getitem(a, before)], axis=axis)
        by *= 2
    return b, live


def _products_before(out, axis, include_initial):
    """Return the product of all elements before each."""
    if include_initial:
        return getitem(out, _along(axis, slice(0, -1)))
    return _delayed(out, axis)


def _as_vector(x):
    """Return ``x`` with an axis, which NumPy gives the result of a number."""
    return x if x.shape else reshape(x, (1,))


def _cumulative_prod_vjp(g, x, out, axis, include_initial, live):
    if math.prod(x.shape) == 0:
        return 0.0 * x
    x = _as_vector(x)
    axis = _axis_of(x, axis)
    later = _along(axis, slice(1 if include_initial else 0, None))
    reach = lambda a: None if a is None else _reversed(getitem(a, later), axis)
    following = _delayed(_reversed(x, axis), axis)
    gathered, reached = _recur(following, reach(g), axis, reach(live))
    reached = None if reached is None else _reversed(reached, axis)
    before = _products_before(out, axis, include_initial)
    return living(_reversed(gathered, axis) * before, reached)


def _cumulative_prod_jvp(g, x, out, axis, include_initial, live):
    if math.prod(x.shape) == 0:
        return 0.0 * out
    x, g, live = _as_vector(x), _as_vector(g), None if live is None else _as_vector(live)
    axis = _axis_of(x, axis)
    moved = living(g * _products_before(out, axis, include_initial), live)
    moved, _ = _recur(x, moved, axis, live)
    if not include_initial:
        return moved
    return concat([zeros_like(getitem(moved, _along(axis, slice(0, 1)))), moved], axis=axis)


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
