"""Sums, products, quotients, and the choice between elements."""

import math

from gradx.core.op import elementwise, primitive
from gradx.core.samples import Sample, broadcast_pairs, single_arrays


def _pairs(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(3), 1.5))
    yield Sample((2, draw(3)))


def _pairs_or_complex(draw):
    yield from _pairs(draw)
    yield Sample((draw(3) + 1j * draw(3), draw(3) - 1j * draw(3)))
    yield Sample((draw(3), draw(3) - 1j * draw(3)))
    yield Sample((draw(2, 3) - 1j * draw(2, 3), draw(3)))


def _signed(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * 2 - 2.5,))


def _signed_or_complex(draw):
    yield from _signed(draw)
    yield Sample((draw(3) - 1j * draw(3),))


def _positive_or_complex(draw):
    yield from single_arrays(draw)
    yield Sample((draw(3) - 1j * draw(3),))


@elementwise(partials={"x": 1, "y": 1}, samples=_pairs_or_complex)
def add(xp, x, y, /):
    """Add: ``x + y``."""
    return xp.add(x, y)


@elementwise(partials={"x": 1, "y": -1}, samples=_pairs_or_complex)
def subtract(xp, x, y, /):
    """Subtract: ``x - y``."""
    return xp.subtract(x, y)


@elementwise(partials={"x": lambda y: y, "y": lambda x: x}, samples=_pairs_or_complex)
def multiply(xp, x, y, /):
    """Multiply: ``x * y``."""
    return xp.multiply(x, y)


# Neither x / y**2 nor out / y by itself: out of the range of numbers where the whole is in it.
_DIVIDE = {"x": lambda g, y: g / y, "y": lambda g, y, out: -g * out / y}


@primitive(vjp=_DIVIDE, jvp=_DIVIDE, samples=_pairs_or_complex, elementwise=True)
def divide(xp, x, y, /):
    """Divide: ``x / y``."""
    return xp.divide(x, y)


_QUOTIENT = {
    "x": lambda g, y: quotient(g, y),
    "y": lambda g, y, out: quotient(-g * out, y),
}


@primitive(vjp=_QUOTIENT, jvp=_QUOTIENT, samples=broadcast_pairs, elementwise=True)
def quotient(xp, x, y, /):
    """Divide where a zero divisor is expected: ``x / 0`` is infinite, without a warning."""
    zero, nothing = y == 0, x == 0
    if xp.isdtype(x.dtype, "complex floating"):
        singular = xp.full_like(x, math.nan)  # which infinity it is depends on the way there
    else:
        singular = xp.where(nothing, math.nan, xp.where(nothing, xp.ones_like(x), x) * math.inf)
    return xp.where(zero, singular, x / xp.where(zero, xp.ones_like(y), y))


@elementwise(partials={"x": -1}, samples=_signed_or_complex)
def negative(xp, x, /):
    """Negate: ``-x``."""
    return xp.negative(x)


@elementwise(partials={"x": 1}, samples=_signed_or_complex)
def positive(xp, x, /):
    """Return a copy: ``+x``."""
    return xp.positive(x)


_RECIPROCAL = {"x": lambda g, out: -g * out * out}


@primitive(vjp=_RECIPROCAL, jvp=_RECIPROCAL, samples=_positive_or_complex, elementwise=True)
def reciprocal(xp, x, /):
    """Divide 1 by each element."""
    return xp.reciprocal(x)


def _choices(draw):
    for condition, x, y in [
        ((3,), (3,), (3,)),
        ((2, 1), (3,), ()),
        ((), (2, 3), (3,)),
        ((0,), (1,), ()),
    ]:
        yield Sample((draw(*condition) > 1.2, draw(*x), draw(*y)))
    yield Sample((draw(3) > 1.2, draw(3) + 1j * draw(3), draw(3)))
    yield Sample((draw(3) > 1.2, draw(3), 0.0))
    yield Sample((draw(3) > 1.2, 1.0, draw(3)))


def _keep_where(g, condition):
    return where(condition, g, 0.0)


def _keep_where_not(g, condition):
    return where(condition, 0.0, g)


_WHERE = {"x": _keep_where, "y": _keep_where_not}


# Linear in x and y together, not in each by itself: not ``multilinear``.
@primitive(vjp=_WHERE, jvp=_WHERE, samples=_choices, elementwise=True)
def where(xp, condition, x, y, /):
    """Choose elements of ``x`` where ``condition`` holds, and of ``y`` elsewhere.

    >>> import numpy as np, gradx as gx
    >>> x = np.asarray([0.0, 4.0])
    >>> gx.grad(lambda x: gx.sum(gx.where(x > 0, gx.sqrt(x), 0.0)))(x)
    array([0.  , 0.25])
    """
    return xp.where(condition, x, y)
