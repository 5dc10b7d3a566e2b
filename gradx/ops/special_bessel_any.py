"""Bessel functions of any real order, and those of orders 0 and 1 that have names of their own.

Each derivative is made of the neighbouring orders: DLMF 10.6.1 and 10.29.1. Nobody knows a
formula for a derivative with respect to the order.
"""

from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample, single_arrays
from gradx.ops.arithmetic import where
from gradx.ops.comparison import isinf, less, logical_and, logical_not
from gradx.ops.signs import sign
from gradx.ops.special_bessel_far import slope_of_any_order, slope_of_second_kind
from gradx.ops.special_host import refusing, side_by_side, through_numpy, whole_part


def _orders(draw):
    for order in [0, 1.5, 2]:
        yield Sample((order, draw(3)))
    for v, x in [((), (3,)), ((2, 1), (3,)), ((3,), ()), ((0, 3), (3,))]:
        yield Sample((draw(*v), draw(*x)))


def _half_difference(op):
    return lambda v, x: 0.5 * (op(v - 1, x) - op(v + 1, x))


def _slope_of_second_kind(v, x):
    """Return half the difference of the neighbours: where it is infinite, the larger alone."""
    v, x = side_by_side(v, x)
    low, high = yv(v - 1, x), yv(v + 1, x)
    falling = less(v, 0)
    return 0.5 * (
        where(logical_and(isinf(high), logical_not(falling)), 0.0, low)
        - where(logical_and(isinf(low), falling), 0.0, high)
    )


def _half_sum(op):
    return lambda v, x: 0.5 * (op(v - 1, x) + op(v + 1, x))


@elementwise(
    partials={"v": refusing("jv", "v"), "x": lambda v, x: _half_difference(jv)(v, x)},
    samples=_orders,
)
def jv(xp, v, x, /):
    """Compute the Bessel function of the first kind and of order ``v``.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.jv(0, np.asarray(1.0))), 6)
    0.765198
    """
    return through_numpy("jv", v, x)


@elementwise(
    partials={"v": refusing("yv", "v"), "x": _slope_of_second_kind},
    samples=_orders,
)
def yv(xp, v, x, /):
    """Compute the Bessel function of the second kind and of order ``v``."""
    return through_numpy("yv", v, x)


@elementwise(
    partials={"v": refusing("iv", "v"), "x": lambda v, x: _half_sum(iv)(v, x)}, samples=_orders
)
def iv(xp, v, x, /):
    """Compute the modified Bessel function of the first kind and of order ``v``."""
    return through_numpy("iv", v, x)


@elementwise(
    partials={"v": refusing("kv", "v"), "x": lambda v, x: -_half_sum(kv)(v, x)}, samples=_orders
)
def kv(xp, v, x, /):
    """Compute the modified Bessel function of the second kind and of order ``v``."""
    return through_numpy("kv", v, x)


@composed(samples=_orders)
def yn(n, x, /):
    """Compute ``yv(n, x)``, the order cut off to an integer."""
    return yv(whole_part(n, x), x)


@composed(samples=_orders)
def kn(n, x, /):
    """Compute ``kv(n, x)``, the order cut off to an integer."""
    return kv(whole_part(n, x), x)


def _slope_of_ive(v, x, out):
    return _half_sum(ive)(v, x) - sign(x) * out


def _slope_of_kve(v, x, out):
    return out - _half_sum(kve)(v, x)


@elementwise(
    partials={
        "v": refusing("ive", "v"),
        "x": lambda v, x, out: slope_of_any_order(_slope_of_ive, v, x, out, -1),
    },
    samples=_orders,
)
def ive(xp, v, x, /):
    """Compute ``exp(-abs(x)) * iv(v, x)``, without overflow."""
    return through_numpy("ive", v, x)


@elementwise(
    partials={
        "v": refusing("kve", "v"),
        "x": lambda v, x, out: slope_of_any_order(_slope_of_kve, v, x, out, 1),
    },
    samples=_orders,
)
def kve(xp, v, x, /):
    """Compute ``exp(x) * kv(v, x)``, without underflow."""
    return through_numpy("kve", v, x)


@elementwise(partials={"x": lambda x: -j1(x)}, samples=single_arrays)
def j0(xp, x, /):
    """Compute the Bessel function of the first kind and of order 0."""
    return through_numpy("j0", x)


@elementwise(partials={"x": lambda x: 0.5 * (j0(x) - jv(2, x))}, samples=single_arrays)
def j1(xp, x, /):
    """Compute the Bessel function of the first kind and of order 1."""
    return through_numpy("j1", x)


@elementwise(partials={"x": lambda x: -y1(x)}, samples=single_arrays)
def y0(xp, x, /):
    """Compute the Bessel function of the second kind and of order 0."""
    return through_numpy("y0", x)


@elementwise(partials={"x": lambda x: _slope_of_second_kind(1, x)}, samples=single_arrays)
def y1(xp, x, /):
    """Compute the Bessel function of the second kind and of order 1."""
    return through_numpy("y1", x)


@elementwise(partials={"x": lambda x: -k1(x)}, samples=single_arrays)
def k0(xp, x, /):
    """Compute the modified Bessel function of the second kind and of order 0."""
    return through_numpy("k0", x)


@elementwise(partials={"x": lambda x: -0.5 * (k0(x) + kv(2, x))}, samples=single_arrays)
def k1(xp, x, /):
    """Compute the modified Bessel function of the second kind and of order 1."""
    return through_numpy("k1", x)


@elementwise(
    partials={
        "x": lambda x, out: slope_of_second_kind(lambda x, out: out - k1e(x), x, out, 0),
    },
    samples=single_arrays,
)
def k0e(xp, x, /):
    """Compute ``exp(x) * k0(x)``, without underflow."""
    return through_numpy("k0e", x)


def _slope_of_k1e(x, out):
    return out - 0.5 * (k0e(x) + kve(2, x))


@elementwise(
    partials={"x": lambda x, out: slope_of_second_kind(_slope_of_k1e, x, out, 1)},
    samples=single_arrays,
)
def k1e(xp, x, /):
    """Compute ``exp(x) * k1(x)``, without underflow."""
    return through_numpy("k1e", x)
