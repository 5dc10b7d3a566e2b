"""The incomplete beta functions, and their derivatives of any order by their shapes.

``special_shapes.py`` says how those are computed.
"""

import math

from gradx.core.op import elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import add, where
from gradx.ops.comparison import equal, isinf, less, logical_and
from gradx.ops.exponential import log, log1p
from gradx.ops.signs import abs
from gradx.ops.special_entropy import xlog1py, xlogy
from gradx.ops.special_gamma import STIRLING_FROM, betaln, digamma_rise, lowered, lowers, zeta
from gradx.ops.special_host import none_of, side_by_side, through_numpy
from gradx.ops.special_shapes import (
    end_of,
    integrate,
    log_of,
    log_ratio,
    moment_of_two,
    stirling,
    times_logarithms,
)

# Where what is added is less than this part, so many terms of the series in it are all that count.
LITTLE, TERMS = 2.0**-7, 7


def _powers(draw):
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample((draw(*shape) * 0.4, draw(*shape[-1:]) - 1, draw(*shape), draw()))
    yield Sample((draw(3) * 0.4, 9 + draw(3), 9 + draw(3), draw(3)))


def _slope_of_powers(x, p, q, constant, out):
    """Lower each power in turn: at 0 and at 1 nothing may be divided by the one that vanishes."""
    low, high = lowered(x, p), lowered(1 - x, q)
    near_zero, near_one = lowers(x, p), lowers(1 - x, q)
    rising = where(near_zero, powers_density(x, low, q, constant), out / where(near_zero, 1.0, x))
    falling = where(
        near_one, powers_density(x, p, high, constant), out / where(near_one, 1.0, 1 - x)
    )
    # What is infinite at an end outgrows the other.
    rising, falling = (
        where(logical_and(isinf(falling), less(0.5, x)), 0.0, rising),
        where(logical_and(isinf(rising), less(x, 0.5)), 0.0, falling),
    )
    return rising * p - falling * q


@elementwise(
    partials={
        "x": _slope_of_powers,
        "p": lambda x, out: xlogy(out, x),
        "q": lambda x, out: xlog1py(out, -x),
        "constant": lambda out: -out,
    },
    samples=_powers,
)
def powers_density(xp, x, p, q, constant, /):
    """Compute ``x**p * (1 - x)**q * exp(-constant)``, whose derivatives are such too."""
    return xp.exp(xlogy(p, x) + xlog1py(q, -x) - constant)


def density_of_beta(a, b, x):
    """Return the density of the beta distribution."""
    a, x = side_by_side(a, x)
    b, x = side_by_side(b, x)
    return powers_density(x, a - 1, b - 1, betaln(a, b))


def by_shapes(a, b, x, by_a, by_b):
    """Return a derivative of ``betainc`` by its shapes, of which some may be numbers."""
    a, x = side_by_side(a, x)
    b, x = side_by_side(b, x)
    return beta_by_shapes(a, b, x, by_a=by_a, by_b=by_b)


def _cumulants(a, b, start, end, orders):
    """Return those of both logarithms but for these: first ones, and a dictionary of the others.

    They are derivatives of ``gammaln(a + b) - gammaln(a) - gammaln(b)``, in which ``start`` and
    ``end`` may stand for ``a`` and ``b`` in the gamma functions of their own.
    """
    whole = add(a, b)
    firsts = digamma_rise(start, b - (start - a)), digamma_rise(end, a - (end - b))
    others = {}
    for i in range(1, orders[0] + 1):
        for j in range(1, orders[1] + 1):
            others[i, j] = _polygamma(i + j, whole)
    others |= {(i, 0): _rise(i, start, b - (start - a)) for i in range(2, orders[0] + 1)}
    others |= {(0, j): _rise(j, end, a - (end - b)) for j in range(2, orders[1] + 1)}
    return firsts, others


def _rise(order, x, y):
    """Return what a polygamma function rises by from ``x`` to ``x + y``, little or not."""
    short = less(abs(y), LITTLE * x)
    plain = _polygamma(order, add(x, y)) - _polygamma(order, x)
    if none_of(short):
        return plain
    little, start = where(short, y, 0.0), where(short, x, 1.0)
    rise = 0.0
    for n in range(TERMS, 0, -1):
        rise = little / n * (rise + _polygamma(order + n, start))
    return where(short, rise, plain)


def _polygamma(order, x):
    """Return the derivative of ``gammaln``, of an order from 2 on."""
    return (-1) ** order * math.factorial(order - 1) * zeta(1.0 * order, x)


def _density_by_shapes(a, b, x, by_a, by_b):
    """Return the derivative of the density by its shapes."""
    a, x = side_by_side(a, x)
    b, x = side_by_side(b, x)
    firsts, others = _cumulants(a, b, a, b, (by_a, by_b))
    density = density_of_beta(a, b, x)
    low = log_of(x, log(where(equal(x, 0), 1.0, x)))
    high = log_of(1 - x, log1p(where(equal(x, 1), 0.0, -x)))
    firsts = add(firsts[0], low), add(firsts[1], high)
    return times_logarithms(density, moment_of_two((by_a, by_b), firsts, others))


def _shapes(draw):
    for by_a, by_b in [(1, 0), (0, 1), (1, 1)]:
        places = draw(3) * 0.1 + 0.4
        yield Sample((draw(2, 1) + 1, draw() + 1, places), {"by_a": by_a, "by_b": by_b})
    yield Sample((draw() + 4, draw(3), 0.8 - draw(3) * 0.3), {"by_a": 0, "by_b": 2})


@elementwise(
    partials={
        "a": lambda a, b, x, by_a, by_b: beta_by_shapes(a, b, x, by_a=by_a + 1, by_b=by_b),
        "b": lambda a, b, x, by_a, by_b: beta_by_shapes(a, b, x, by_a=by_a, by_b=by_b + 1),
        "x": _density_by_shapes,
    },
    samples=_shapes,
)
def beta_by_shapes(xp, a, b, x, /, *, by_a, by_b):
    """Compute the derivative of ``betainc`` by ``a`` and ``b``, as often as they say."""
    dtype = xp.result_type(a, b, x)
    a, b, x = xp.broadcast_arrays(*(xp.astype(array, xp.float64) for array in (a, b, x)))
    proper = (a > 0) & (b > 0) & (a < math.inf) & (b < math.inf)
    inside, end = proper & (x > 0) & (x < 1), proper & ((x == 0) | (x == 1))
    a, b, x = (
        xp.where(inside, array, harmless) for array, harmless in ((a, 1.0), (b, 1.0), (x, 0.5))
    )
    found = _integrated(xp, a, b, x, (by_a, by_b))
    return xp.astype(xp.where(inside, found, xp.where(end, xp.zeros_like(x), math.nan)), dtype)


def _integrated(xp, a, b, x, orders):
    """Integrate the thin tail; near an end where the density is infinite, of a shape plus 1."""
    near = xp.where(x <= 0.5, x, 1 - x) * (a + b) <= 1
    low, high = near & (x <= 0.5) & (a < 1), near & (x > 0.5) & (b < 1)
    logarithms = xp.log(x), xp.log1p(-x)
    front = _front(xp, a, b, x, logarithms)
    start, end = xp.where(low, a + 1, a), xp.where(high, b + 1, b)

    firsts, others = _cumulants(a, b, start, end, orders)
    here = firsts[0] + logarithms[0], firsts[1] + logarithms[1]
    lacking = front * moment_of_two(orders, here, others)
    lacking = xp.where(low, lacking / a, xp.where(high, -lacking / b, 0.0))
    up = xp.where(low, x * (a + b) / a, xp.where(high, (1 - x) * (a + b) / b, 1.0))
    sign = 1 - 2 * xp.astype(x * (start + end) < start, xp.float64)
    return lacking - sign * front * up * _tail(xp, start, end, x, sign, orders)


def _front(xp, a, b, x, logarithms):
    """Return ``x**a * (1 - x)**b / beta(a, b)``, by Stirling's formula where it has more digits."""
    large = (a > STIRLING_FROM) & (b > STIRLING_FROM)
    low, high = xp.where(large, 1.0, a), xp.where(large, 1.0, b)
    plain = xp.exp(low * logarithms[0] + high * logarithms[1] - betaln(low, high))
    low, high = xp.where(large, a, 32.0), xp.where(large, b, 32.0)
    whole, apart = low + high, x * high - (1 - x) * low
    fallen = low * log_ratio(xp, x * whole, low, apart)
    fallen = fallen + high * log_ratio(xp, (1 - x) * whole, high, -apart)
    rest = stirling(whole) - stirling(low) - stirling(high)
    many = xp.exp(fallen + rest) * xp.sqrt(low / whole * high / (2 * math.pi))
    return xp.where(large, many, plain)


def _tail(xp, a, b, x, sign, orders):
    """Integrate from ``x`` up or down, as the sign says, over the integrand at ``x``."""
    whole = a + b
    firsts, others = _cumulants(a, b, a, b, orders)
    logarithms = xp.log(x), xp.log1p(-x)
    odds = logarithms[0] - logarithms[1]

    def fall(v):
        below, above = _logarithms(xp, odds + sign * v)
        fallen = a * (logarithms[0] - below) + b * (logarithms[1] - above)
        return fallen, xp.abs(whole * xp.exp(below) - a)

    def values(v):
        along = signs * v
        below, above = _logarithms(xp, far_odds + along)
        fallen = starts * (below - bottom) + ends * (above - top)
        # Of large shapes nothing is far, and that would be a small difference.
        near = xp.abs(along) < 1
        close = xp.where(near, along, 0.0)
        change = starts * close - (starts + ends) * xp.log1p(places * xp.expm1(close))
        fallen = xp.where(near, change, fallen)
        at = far_firsts[0] + below, far_firsts[1] + above
        return xp.exp(fallen) * moment_of_two(orders, at, far_others)

    starts, ends, places, signs, far_odds = (y[..., None] for y in (a, b, x, sign, odds))
    bottom, top = (array[..., None] for array in logarithms)
    far_firsts = [array[..., None] for array in firsts]
    far_others = {key: array[..., None] for key, array in others.items()}
    slope, bend = sign * (whole * x - a), whole * x * (1 - x)
    return integrate(xp, values, end_of(xp, fall, xp.where(slope > 0, slope, 0.0), bend))


def _logarithms(xp, odds):
    """Return those of a number and of 1 less the number, of the logarithm of its odds."""
    rest = xp.log1p(xp.exp(-xp.abs(odds)))
    return xp.where(odds < 0, odds, 0.0) - rest, xp.where(odds < 0, 0.0, -odds) - rest


def _shares(draw):
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample((1.5, 2.0, draw(*shape) * 0.4))
    yield Sample((draw(2, 1) + 1, draw() + 1, draw(3) * 0.4))


@elementwise(
    partials={
        "a": lambda a, b, x: by_shapes(a, b, x, 1, 0),
        "b": lambda a, b, x: by_shapes(a, b, x, 0, 1),
        "x": lambda a, b, x: density_of_beta(a, b, x),
    },
    samples=_shares,
)
def betainc(xp, a, b, x, /):
    """Compute the probability of a number below ``x`` in the beta distribution.

    ``a`` and ``b`` are its shapes, ``x`` is from 0 to 1. Derivatives by them have 9 digits where
    they are from 1e-3 to 1e5, and fewer where they cancel: near their zeros, and beyond.
    """
    return through_numpy("betainc", a, b, x)


@elementwise(
    partials={
        "a": lambda a, b, x: -by_shapes(a, b, x, 1, 0),
        "b": lambda a, b, x: -by_shapes(a, b, x, 0, 1),
        "x": lambda a, b, x: -density_of_beta(a, b, x),
    },
    samples=_shares,
)
def betaincc(xp, a, b, x, /):
    """Compute ``1 - betainc(a, b, x)``, accurately where it is small; see there."""
    return through_numpy("betaincc", a, b, x)
