"""Hypergeometric functions and Legendre's: each derivative is a member of the same family.

With respect to anything but their last argument nobody knows a short formula.
"""

from gradx.core.op import elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import multiply, subtract, where
from gradx.ops.comparison import equal, less, logical_and
from gradx.ops.inverse_trigonometric import one_minus_square
from gradx.ops.powers import pow
from gradx.ops.rounding import floor
from gradx.ops.signs import abs
from gradx.ops.special_gamma_inverses import poch
from gradx.ops.special_host import beside, refusing, through_numpy
from gradx.ops.special_polynomials import eval_gegenbauer


def _limits(draw):
    yield Sample((2.5, draw(3)))
    yield Sample((draw(2, 1) + 1, draw(3)))


@elementwise(
    partials={
        "v": refusing("hyp0f1", "v"),
        "x": lambda v, x: hyp0f1(v + 1, x) / v,
    },
    samples=_limits,
)
def hyp0f1(xp, v, x, /):
    """Compute the confluent hypergeometric limit function, of the parameter ``v``: 0F1."""
    return through_numpy("hyp0f1", v, x)


def _kummer(draw):
    yield Sample((1.5, 2.5, draw(3)))
    yield Sample((draw(2, 1), draw(3) + 1, draw(3)))


@elementwise(
    partials={
        "a": refusing("hyp1f1", "a"),
        "b": refusing("hyp1f1", "b"),
        "x": lambda a, b, x: hyp1f1(a + 1, b + 1, x) * a / b,
    },
    samples=_kummer,
)
def hyp1f1(xp, a, b, x, /):
    """Compute Kummer's confluent hypergeometric function, of parameters ``a`` and ``b``: 1F1."""
    return through_numpy("hyp1f1", a, b, x)


def _gauss(draw):
    yield Sample((1.5, 2.5, 2.0, draw(3) * 0.3))
    yield Sample((draw(2, 1), draw(3), draw(3) + 1, draw(3) * 0.3))


@elementwise(
    partials={
        "a": refusing("hyp2f1", "a"),
        "b": refusing("hyp2f1", "b"),
        "c": refusing("hyp2f1", "c"),
        "x": lambda a, b, c, x: hyp2f1(a + 1, b + 1, c + 1, x) * a * b / c,
    },
    samples=_gauss,
)
def hyp2f1(xp, a, b, c, x, /):
    """Compute Gauss's hypergeometric function, of parameters ``a``, ``b`` and ``c``: 2F1."""
    return through_numpy("hyp2f1", a, b, c, x)


def _waves(draw):
    yield Sample((1.0, 3.0, draw(3) * 0.4))
    yield Sample((0, 2, draw(2, 3) * 0.4))
    yield Sample((-1, 2.5, draw(3) * 0.4))
    yield Sample(((draw(2, 1) * 2).astype("int64") * 1.0, 4.0, draw(3) * 0.4))


def _slope_of_legendre(m, v, x):
    """Differentiate ``(1 - x**2)**(m / 2)`` times a derivative of Legendre's polynomial.

    In terms of the function of lower degree (DLMF 14.10.5) it would cancel near 1 and -1.
    """
    order, v = beside(m, x), beside(v, x)
    m, v = abs(order), where(less(v, 0), -1 - v, v)
    width, odd = one_minus_square(x), 1 - 2 * (m % 2)
    flat = equal(m, 0)
    lowered = multiply(pow(width, where(flat, 0.0, 0.5 * m - 1)), where(flat, 0.0, m))
    higher = multiply(pow(width, 0.5 * m), _derived_legendre(m + 1, v, x))
    slope = subtract(higher, multiply(multiply(lowered, x), _derived_legendre(m, v, x)))
    # DLMF 14.9.3
    below = logical_and(less(order, 0), less(m - 1, v))
    factor = where(below, 1 / poch(where(below, v - m + 1, 1.0), 2 * m), odd)
    return multiply(factor, slope)


def _derived_legendre(m, v, x):
    """Return the derivative of order ``m`` of Legendre's function of degree ``v``: DLMF 14.3.21."""
    none = logical_and(less(v, m), equal(v, floor(v)))
    found = eval_gegenbauer(where(none, 0.0, v - m), m + 0.5, x)
    return where(none, 0.0, multiply(2.0**m * poch(0.5 + 0 * m, m), found))


@elementwise(
    partials={
        "m": refusing("lpmv", "m"),
        "v": refusing("lpmv", "v"),
        "x": lambda m, v, x: _slope_of_legendre(m, v, x),
    },
    samples=_waves,
)
def lpmv(xp, m, v, x, /):
    """Compute the associated Legendre function of whole order ``m`` and degree ``v``."""
    return through_numpy("lpmv", m, v, x)
