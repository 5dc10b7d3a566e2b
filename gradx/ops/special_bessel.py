"""Modified Bessel functions of the first kind, and the relative exponential.

The derivatives of both are members of the families that they belong to, which are
computed by recurrences in the direction in which they are stable.
"""

import math

from gradx.core.op import elementwise
from gradx.core.samples import Sample, single_within
from gradx.ops.signs import sign
from gradx.ops.special_bessel_far import slope_of_first_kind
from gradx.ops.special_host import through_numpy

# Below, recurrences between orders are run downwards, from an order at which they have
# converged to the last digit of float64; from there on upwards.
UPWARDS_FROM, HIGHEST_ORDER = 16.0, 48

_signed = single_within(-2.5, 3.5)


def _far(draw):
    yield from _signed(draw)
    yield Sample((draw(3) * 10 - 30,))
    yield Sample((draw(4) * 6 + 10,))


@elementwise(partials={"x": lambda x: i1(x)}, samples=_signed)
def i0(xp, x, /):
    """Compute the modified Bessel function of order 0."""
    return through_numpy("i0", x)


@elementwise(partials={"x": lambda x: _mean(i0(x), bessel(x, order=2))}, samples=_signed)
def i1(xp, x, /):
    """Compute the modified Bessel function of order 1."""
    return through_numpy("i1", x)


@elementwise(
    partials={"x": lambda x, out: slope_of_first_kind(_slope_of_i0e, x, out, 0)}, samples=_far
)
def i0e(xp, x, /):
    """Compute ``exp(-abs(x)) * i0(x)``, without overflow; the derivative at 0 is 0."""
    return through_numpy("i0e", x)


@elementwise(
    partials={"x": lambda x, out: slope_of_first_kind(_slope_of_i1e, x, out, 1)},
    samples=_far,
)
def i1e(xp, x, /):
    """Compute ``exp(-abs(x)) * i1(x)``, without overflow."""
    return through_numpy("i1e", x)


def _slope_of_i0e(x, out):
    return i1e(x) - sign(x) * out


def _slope_of_i1e(x, out):
    return _mean(i0e(x), bessel_scaled(x, order=2)) - sign(x) * out


def _mean(x, y):
    return 0.5 * (x + y)


def _orders(draw):
    for sample in _signed(draw):
        yield Sample(sample.arrays, {"order": 2})
    yield Sample((draw(3) - 3,), {"order": 3})


def _far_orders(draw):
    for sample in _far(draw):
        yield Sample(sample.arrays, {"order": 2})
    yield Sample((draw(3) * 8 + 12,), {"order": 3})


def _neighbours(x, order):
    lower = i1(x) if order == 2 else bessel(x, order=order - 1)
    return _mean(lower, bessel(x, order=order + 1))


def _scaled_neighbours(x, out, order):
    lower = i1e(x) if order == 2 else bessel_scaled(x, order=order - 1)
    return _mean(lower, bessel_scaled(x, order=order + 1)) - sign(x) * out


@elementwise(partials={"x": _neighbours}, samples=_orders)
def bessel(xp, x, /, *, order):
    """Compute the modified Bessel function of an ``order`` above 1."""
    return _of_order(xp, x, i0(x), i1(x), order)


@elementwise(partials={"x": _scaled_neighbours}, samples=_far_orders)
def bessel_scaled(xp, x, /, *, order):
    """Compute ``exp(-abs(x))`` times the modified Bessel function of an ``order`` above 1."""
    return _of_order(xp, x, i0e(x), i1e(x), order)


def _of_order(xp, x, zeroth, first, order):
    """Go from orders 0 and 1 to ``order``: DLMF 10.29.1, and 10.33.1 for ratios."""
    small = xp.abs(x) < UPWARDS_FROM
    # What overflows does so in all orders.
    huge = xp.isinf(zeroth)
    near, far = xp.where(small, x, 0.0), xp.where(small | huge, UPWARDS_FROM, x)
    ratio, downwards = near / (2 * HIGHEST_ORDER), first
    for k in range(HIGHEST_ORDER - 1, 1, -1):
        ratio = near / (2 * k + near * ratio)  # of order k to order k - 1
        if k <= order:
            downwards = downwards * ratio
    before, upwards = xp.where(huge, 0.0, zeroth), xp.where(huge, 0.0, first)
    for k in range(1, order):
        before, upwards = upwards, before - (2 * k / far) * upwards
    found = xp.where(small, downwards, upwards)
    return xp.where(huge, first if order % 2 else zeroth, found)


def _relative(draw):
    yield from _signed(draw)
    yield Sample((draw(4) * 1e-3 - 1.2e-3,))
    yield Sample((draw(3) * 10 - 30,))
    yield Sample((draw(3) + 7,))


@elementwise(partials={"x": lambda x: exprel_moment(x, order=1)}, samples=_relative)
def exprel(xp, x, /):
    """Compute ``(exp(x) - 1) / x``, accurately near 0, where it is 1."""
    return through_numpy("exprel", x)


# From here on the recurrence is stable, and below so many terms suffice.
MOMENTS_FROM, TERMS = 8.0, 44


def _moments(draw):
    for sample in _relative(draw):
        yield Sample(sample.arrays, {"order": 1})
    yield Sample((draw(3) * 12 - 14,), {"order": 2})


@elementwise(partials={"x": lambda x, order: exprel_moment(x, order=order + 1)}, samples=_moments)
def exprel_moment(xp, x, /, *, order):
    """Integrate ``t**order * exp(x * t)`` over ``t`` from 0 to 1: a derivative of ``exprel``."""
    small = xp.abs(x) < MOMENTS_FROM
    near, far = xp.where(small, x, 0.0), xp.where(small, MOMENTS_FROM, x)
    power, moment = xp.exp(far), exprel(far)
    huge = xp.isinf(power)
    for k in range(1, order + 1):
        moment = (xp.where(huge, 0.0, power - k * xp.where(huge, 0.0, moment))) / far
    moment = xp.where(huge, math.inf, moment)
    return xp.where(small, _moment_series(xp, near, order), moment)


def _moment_series(xp, x, order):
    """Add up the series whose terms all have one sign: DLMF 13.2.2, and 13.2.39 below 0."""
    size = xp.abs(x)
    rising = falling = xp.ones_like(x) / (order + 1 + TERMS)
    for k in range(TERMS - 1, -1, -1):
        rising = 1 / (order + 1 + k) + size / (k + 1) * rising
        falling = 1 + size / (order + 2 + k) * falling
    return xp.where(x < 0, xp.exp(-size) * falling / (order + 1), rising)
