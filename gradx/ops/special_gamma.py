"""The gamma function and its kin.

Their derivatives are values of the Hurwitz zeta function, which is its own derivative
but for a factor, so that any order is exact.
"""

import math

from gradx.core.arrays import is_kind, reading_stalls
from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample, broadcast_pairs, single_arrays
from gradx.errors import DTypeError, ShapeError
from gradx.ops.arithmetic import add, subtract, where
from gradx.ops.comparison import equal, less, logical_and, logical_or
from gradx.ops.exponential import log1p
from gradx.ops.shapes import astype
from gradx.ops.signs import abs
from gradx.ops.special_entropy import xlogy
from gradx.ops.special_host import none_of, refusing, side_by_side, through_numpy
from gradx.ops.trigonometric import cos, sin


def _off_the_poles(draw):
    yield from single_arrays(draw)
    yield Sample((draw(3) + 3,))
    yield Sample((0.1 * draw(3) - 2.6,))


@elementwise(partials={"x": lambda x, out: out * digamma(x)}, samples=_off_the_poles)
def gamma(xp, x, /):
    """Compute the gamma function: ``(x - 1)!`` for positive integers.

    >>> import numpy as np, gradx as gx
    >>> float(gx.special.gamma(np.asarray(5.0)))
    24.0
    """
    return through_numpy("gamma", x)


@elementwise(partials={"x": lambda x: digamma(x)}, samples=_off_the_poles)
def gammaln(xp, x, /):
    """Compute the logarithm of the absolute value of ``gamma``, without overflow."""
    return through_numpy("gammaln", x)


@elementwise(partials={"x": lambda x: zeta(2.0, x)}, samples=_off_the_poles)
def digamma(xp, x, /):
    """Compute the derivative of ``gammaln``."""
    return through_numpy("digamma", x)


def _zetas(draw):
    for number in [2, 2.5, 4.0]:
        yield Sample((number, draw(3)))
    yield Sample((2.0, 0.1 * draw(3) - 2.6))
    for x, q in [((), (3,)), ((2, 1), (3,)), ((3,), ()), ((0, 3), (3,))]:
        yield Sample((1 + draw(*x), draw(*q)))


@elementwise(
    partials={"x": refusing("zeta", "x"), "q": lambda x, q: zeta(x + 1, q) * -x}, samples=_zetas
)
def zeta(xp, x, q, /):
    """Compute the Hurwitz zeta function of two arguments."""
    return through_numpy("zeta", x, q)


def _beyond_the_pole(draw):
    yield Sample((1 + draw(3),))


@elementwise(partials={"x": refusing("zetac", "x")}, samples=_beyond_the_pole)
def zetac(xp, x, /):
    """Compute Riemann's zeta function minus 1; it has no derivative here.

    Raises:
        TypeError: a derivative is asked for.
    """
    return through_numpy("zetac", x)


def _polygammas(draw):
    for n in [0, 1, 2]:
        yield Sample((n, draw(2, 3)))
    orders = (draw(3, 1) * 0 + [[0], [1], [3]]).astype("int64")
    yield Sample((orders, draw(2)))
    yield Sample((1, 0.1 * draw(3) - 2.6))
    yield Sample((3, draw(0)))


@composed(samples=_polygammas)
def polygamma(n, x, /):
    """Compute the derivative of order ``n`` of ``digamma``; ``n`` are integers, none negative.

    Raises:
        TypeError: ``n`` is not an integer, or an array of them.
        ValueError: ``n`` is a negative number.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.polygamma(1, np.asarray(1.0))), 12)
    1.644934066848
    """
    if type(n) is int:
        return _polygamma_of(n, x)
    if not is_kind(n, "integral"):
        raise DTypeError(f"polygamma: n is an integer or an array of integers, got {n.dtype}")
    order = astype(n, x.dtype)
    sign = where(equal(n % 2, 0), -1.0, astype(n * 0 + 1, x.dtype))
    higher = zeta(order + 1, x) * (sign * gamma(order + 1))
    return where(equal(n, 0), digamma(x), higher)


def _polygamma_of(n, x):
    if n < 0:
        raise ShapeError(f"polygamma: n is 0 or more, got {n}")
    if n == 0:
        return digamma(x)
    return (-1) ** (n + 1) * math.gamma(n + 1) * zeta(n + 1.0, x)


# From there on these are all the terms of Stirling's series that count.
STIRLING_FROM, STEPS = 16.0, 16
# Where what is added is less than this part, a value less another has few digits.
SHORT = 2.0**-5
STIRLING = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760)


def digamma_rise(x, y):
    """Return ``digamma(x + y) - digamma(x)``, also where nothing would be left of it."""
    x, y = side_by_side(x, y)
    short = less(abs(y), SHORT * x)
    if none_of(short):
        return digamma(add(x, y)) - digamma(x)
    if reading_stalls(short):
        # Steps would be made for all numbers there, and take longer than all the rest.
        short = logical_and(short, less(STIRLING_FROM, x))
    near_x, near_y = where(short, 1.0, x), where(short, 0.0, y)
    near = digamma(add(near_x, near_y)) - digamma(near_x)
    return where(short, _rise_of_little(where(short, x, 32.0), where(short, y, 0.0)), near)


def _rise_of_little(x, y):
    """Go up to where the series counts: each step adds ``1 / x - 1 / (x + y)``."""
    close = less(x, STIRLING_FROM)
    if reading_stalls(close) or none_of(close):
        return _rise_by_series(x, y)
    start = where(close, x, 1.0)
    total = 1 / start / add(start, y)
    for step in range(1, STEPS):
        total = total + 1 / ((start + step) * add(start + step, y))
    start = where(close, x + STEPS, x)
    return where(close, y * total, 0.0) + _rise_by_series(start, y)


def _rise_by_series(x, y):
    low, high = 1 / x, 1 / add(x, y)
    apart = y * low * high  # low less high
    whole, rise = 0.0, 0.0  # the series in low**2, and what it rises by over high**2 less that
    for coefficient in reversed(STIRLING):
        rise = rise * (high * high) + whole
        whole = whole * (low * low) + coefficient
    # One more factor: the series begins with the square.
    rise = rise * (high * high) + whole
    return log1p(y * low) + 0.5 * apart + apart * (low + high) * rise


def _slope(x, y):
    """Return the derivative of ``betaln(x, y)`` with respect to ``x``."""
    return -digamma_rise(x, y)


@elementwise(
    partials={"x": lambda x, y: _slope(x, y), "y": lambda x, y: _slope(y, x)},
    samples=broadcast_pairs,
)
def betaln(xp, x, y, /):
    """Compute the logarithm of the absolute value of ``beta``, without overflow."""
    return through_numpy("betaln", x, y)


def _beta_by(x, y, out):
    """Return the derivative of ``beta(x, y)`` with respect to ``x``, at its zeros too.

    They are where ``x + y`` is at a pole: from there on
    ``beta(x, y) = gamma(x) * gamma(y) * gamma(1 - x - y) * sin(pi * (x + y)) / pi``.
    """
    x, y = side_by_side(x, y)
    first = less(x, y)
    low, high = where(first, x, y), where(first, y, x)
    past = logical_and(less(add(x, y), 0.5), less(low, 0))
    plain = where(past, 0.0, out) * _slope(where(past, 1.0, x), where(past, 1.0, y))
    if none_of(past):
        return plain
    low, high = where(past, low, -0.5), where(past, high, -0.5)
    rest = 1 - add(low, high)
    gammas = beta(high, rest) * (math.pi / sin(math.pi * low))
    turned = where(past, out, 0.0) * (digamma(where(past, x, 1.0)) - digamma(rest))
    return where(past, turned + gammas * cos(math.pi * (1 - rest)), plain)


@elementwise(
    partials={"x": _beta_by, "y": lambda x, y, out: _beta_by(y, x, out)},
    samples=broadcast_pairs,
)
def beta(xp, x, y, /):
    """Compute the beta function, ``gamma(x) * gamma(y) / gamma(x + y)``."""
    return through_numpy("beta", x, y)


def _choices(draw):
    for sample in broadcast_pairs(draw):
        n, k = sample.arrays
        yield Sample((n + 2, k))
    yield Sample((4.0, draw(3)))
    yield Sample((draw(3) + 2, 2))


def _binom_by_n(n, k, out):
    n, k = side_by_side(n, k)
    past, start, rest = _reflected(n, k)
    plain = where(past, 0.0, out) * digamma_rise(where(past, 1.0, subtract(n, k) + 1), k)
    turned = where(past, out, 0.0) * (digamma(start) - digamma(rest))
    return where(past, turned - beta(start, rest) * cos(math.pi * rest), plain)


def _binom_by_k(n, k, out):
    n, k = side_by_side(n, k)
    past, start, rest = _reflected(n, k)
    near = digamma(where(past, 1.0, subtract(n, k) + 1))
    plain = where(past, 0.0, out) * (near - digamma(k + 1))
    turned = where(past, out, 0.0) * (digamma(rest) - digamma(k + 1))
    return where(past, turned + beta(start, rest) * cos(math.pi * rest), plain)


def _reflected(n, k):
    """Tell where ``gamma(n - k + 1)`` is near its poles, or past them, and its place in ``beta``.

    There the coefficient is ``beta(n + 1, k - n) * sin(pi * (k - n)) / pi``.
    """
    past = less(subtract(n, k), -0.5)
    return past, where(past, n + 1, 1.0), where(past, subtract(k, n), 1.0)


@elementwise(
    partials={"n": _binom_by_n, "k": _binom_by_k},
    samples=_choices,
)
def binom(xp, n, k, /):
    """Compute the binomial coefficient, ``gamma(n + 1) / (gamma(k + 1) * gamma(n - k + 1))``.

    Where ``k`` is a negative integer it is 0, and its derivative NaN.
    """
    return through_numpy("binom", n, k)


def _densities(draw):
    for sample in broadcast_pairs(draw):
        yield Sample((*sample.arrays, draw()))
    yield Sample((draw(3), draw(3) - 3, draw(3)))


# Of higher powers, far from 0, one lowered and the other would each have roundings of its own.
HIGH, FAR_FROM_ZERO, NEAR_ZERO = 8.0, 0.1, 1e-9


def lowers(x, power):
    """Tell where the slope of ``x**power`` is computed from the power that is lower by 1."""
    return logical_or(less(power, HIGH), less(x, FAR_FROM_ZERO))


def lowered(x, power):
    """Return ``power - 1``, but where 0 multiplies what that would make infinite."""
    return where(logical_and(equal(power, 0), less(x, NEAR_ZERO)), 0.0, power - 1)


def _density_slope(x, power, constant, out):
    near = lowers(x, power)
    lower = power_density(x, lowered(x, power), constant)
    return where(near, lower, out / where(near, 1.0, x)) * power - out


@elementwise(
    partials={
        "x": _density_slope,
        "power": lambda x, out: xlogy(out, x),
        "constant": lambda out: -out,
    },
    samples=_densities,
)
def power_density(xp, x, power, constant, /):
    """Compute ``x**power * exp(-x - constant)``, whose derivatives are such too, at 0 as well."""
    return xp.exp(xlogy(power, x) - x - constant)
