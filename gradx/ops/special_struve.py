"""Struve's functions and Tricomi's, made of their neighbours of other orders."""

import math
from typing import Any

from gradx.core.op import elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import add, divide, multiply, where
from gradx.ops.comparison import equal, greater, logical_or
from gradx.ops.powers import pow
from gradx.ops.signs import abs
from gradx.ops.special_gamma_inverses import rgamma
from gradx.ops.special_host import refusing, side_by_side, through_numpy

SLOPE_AT_0 = 2 / math.pi


def _orders(draw):
    for order in [0, 1, 2.5]:
        yield Sample((order, draw(3)))
    for v, x in [((), (3,)), ((2, 1), (3,)), ((3,), ()), ((0, 3), (3,))]:
        yield Sample((draw(*v), draw(*x)))


def _rest(v: Any, x: Any) -> Any:
    """Return the term by which Struve's recurrences differ from Bessel's: DLMF 11.4.25."""
    return multiply(pow(0.5 * x, v), rgamma(v + 1.5)) / math.sqrt(math.pi)


def _slope_of_struve(v, x):
    """Return the derivative by one recurrence near 0, by another far out, where that cancels."""
    v, x = side_by_side(v, x)
    level, turned = equal(add(v, 0 * x), 0), equal(v, -1)
    order = where(logical_or(level, turned), 1.0, v)
    far = greater(abs(x), 1 + abs(order))
    small, large = where(far, 1.0, x), where(far, x, 1.0)
    near = 0.5 * (struve(order - 1, small) - struve(order + 1, small) + _rest(order, small))
    # DLMF 11.4.27
    beyond = struve(order - 1, large) - divide(multiply(order, struve(order, large)), large)
    slope = where(far, beyond, near)
    slope = where(turned, -slope, slope)  # DLMF 11.4.3
    return where(level, SLOPE_AT_0 - struve(1, x), slope)


@elementwise(partials={"v": refusing("struve", "v"), "x": _slope_of_struve}, samples=_orders)
def struve(xp, v, x, /):
    """Compute Struve's function of order ``v``.

    There is no derivative with respect to the order.

    Raises:
        TypeError: a derivative with respect to ``v`` is asked for.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.struve(0, np.asarray(1.0))), 6)
    0.568657
    """
    return through_numpy("struve", v, x)


def _slope_of_modified(v, x):
    v, x = side_by_side(v, x)
    level = equal(add(v, 0 * x), 0)
    order = where(logical_or(level, equal(v, -1)), 1.0, v)
    mean = 0.5 * (modstruve(order - 1, x) + modstruve(order + 1, x) + _rest(order, x))
    return where(level, SLOPE_AT_0 + modstruve(1, x), mean)


@elementwise(partials={"v": refusing("modstruve", "v"), "x": _slope_of_modified}, samples=_orders)
def modstruve(xp, v, x, /):
    """Compute the modified Struve function of order ``v``; see ``struve``."""
    return through_numpy("modstruve", v, x)


def _tricomi(draw):
    yield Sample((1.5, 2.5, draw(3)))
    yield Sample((draw(2, 1), draw(3) + 1, draw(3)))


@elementwise(
    partials={
        "a": refusing("hyperu", "a"),
        "b": refusing("hyperu", "b"),
        "x": lambda a, b, x: -hyperu(a + 1, b + 1, x) * a,
    },
    samples=_tricomi,
)
def hyperu(xp, a, b, x, /):
    """Compute Tricomi's confluent hypergeometric function, of the parameters ``a`` and ``b``: U.

    There is a derivative with respect to ``x`` alone.

    Raises:
        TypeError: a derivative with respect to ``a`` or ``b`` is asked for.
    """
    return through_numpy("hyperu", a, b, x)
