"""Integrals with names of their own: exponential, elliptic, Dawson's, Owen's."""

import math

from gradx.core.op import elementwise
from gradx.core.samples import Sample, single_arrays, single_within
from gradx.ops.arithmetic import multiply, quotient, where
from gradx.ops.comparison import equal, greater, less
from gradx.ops.creation import ones_like
from gradx.ops.exponential import exp, log1p
from gradx.ops.extremes import clip
from gradx.ops.signs import abs
from gradx.ops.special import erf
from gradx.ops.special_entropy import xlogy
from gradx.ops.special_host import refusing, side_by_side, through_numpy, whole_part

_inside = single_within(0.3, 0.6)
_signed = single_within(-2.5, 3.5)


# Beyond, exp(x) / x overflows.
HUGE = 1e3


def _slope_of_exponential(x, out):
    # In one product, where exp(x) / x - exp(x) / x**2 would be infinity less infinity; beyond
    # HUGE the square of x would overflow too.
    return out * (1 - quotient(ones_like(x), clip(x, max=HUGE)))


@elementwise(partials={"x": _slope_of_exponential}, samples=single_arrays)
def exponential_over(xp, x, /):
    """Compute ``exp(x) / x``, as long as that does not overflow itself."""
    half = xp.exp(0.5 * x)
    return half * quotient(half, xp.clip(x, None, xp.finfo(x.dtype).max))


@elementwise(partials={"x": lambda x: exponential_over(x)}, samples=single_arrays)
def expi(xp, x, /):
    """Compute the exponential integral: of ``exp(t) / t`` from minus infinity to ``x``."""
    return through_numpy("expi", x)


@elementwise(partials={"x": lambda x: exponential_over(-x)}, samples=single_arrays)
def exp1(xp, x, /):
    """Compute the exponential integral of ``exp(-t) / t`` from ``x`` to infinity."""
    return through_numpy("exp1", x)


def _orders(draw):
    for n in [0, 1, 2]:
        yield Sample((n, draw(3)))
    yield Sample((3, draw(2, 3)))


def _lower_order(n, x):
    """Return the function of order ``n - 1``, which of order -1 is elementary."""
    n = whole_part(n, x)
    lowest = equal(n, 0) if hasattr(n, "shape") else n == 0
    if lowest is False:
        return expn(n - 1, x)
    # All terms of its derivatives have one sign, and may overflow.
    inverse = quotient(ones_like(x), x)
    elementary = exp(-x) * (inverse + inverse * inverse)
    if lowest is True:
        return elementary
    return where(lowest, elementary, expn(where(lowest, 0, n - 1), x))


@elementwise(
    partials={"n": refusing("expn", "n"), "x": lambda n, x: -_lower_order(n, x)},
    samples=_orders,
)
def expn(xp, n, x, /):
    """Integrate ``exp(-x * t) / t**n`` over ``t`` from 1 to infinity; ``n`` is a whole number."""
    return through_numpy("expn", n, x)


# Below, the logarithm's series is used: so many terms have all digits there.
SERIES_BELOW, TERMS = 0.02, 10


def log_ratio(u):
    """Return ``log(1 + u) / u``, smooth at 0."""
    near = less(abs(u), SERIES_BELOW)
    small, large = where(near, u, 0.0), where(near, 1.0, u)
    series = 0.0 * small
    for k in range(TERMS, -1, -1):
        series = (-1) ** k / (k + 1) + small * series
    return where(near, series, log1p(large) / large)


def _slope_of_spence(x):
    """Return ``log(x) / (1 - x)``, smooth at 1."""
    low = less(x, 0.5)
    near_zero = where(low, x, 0.25)
    return where(low, xlogy(1.0, near_zero) / (1 - near_zero), -log_ratio(where(low, 0.0, x - 1)))


@elementwise(partials={"x": _slope_of_spence}, samples=single_arrays)
def spence(xp, x, /):
    """Compute Spence's function: the integral of ``log(t) / (1 - t)`` from 1 to ``x``."""
    return through_numpy("spence", x)


# Above, the asymptotic series is used, whose terms then fall below the last digit.
TAIL_ABOVE, TAIL_TERMS = 7.0, 26


def _slope_of_dawson(x, out):
    """Return ``1 - 2 * x * out``, which would cancel where ``x`` is large."""
    far = greater(abs(x), TAIL_ABOVE)
    large = where(far, x, TAIL_ABOVE)
    u, tail = 0.5 / large / large, 0.0
    for k in range(TAIL_TERMS, 0, -1):
        tail = (2 * k - 1) * u * (1 + tail)
    return where(far, -tail, 1 - 2 * where(far, 0.0, x) * out)


@elementwise(partials={"x": _slope_of_dawson}, samples=_signed)
def dawsn(xp, x, /):
    """Compute Dawson's integral: ``exp(-x**2)`` times that of ``exp(t**2)`` from 0 to ``x``."""
    return through_numpy("dawsn", x)


@elementwise(partials={"x": lambda x: 2 / math.sqrt(math.pi) * exp(x * x)}, samples=_signed)
def erfi(xp, x, /):
    """Compute the imaginary error function, ``-1j * erf(1j * x)``."""
    return through_numpy("erfi", x)


# K(m) is half of pi times the sum of these, times powers of m; E(m) has them over 1 - 2 n.
_COEFFICIENTS = [(math.comb(2 * n, n) / 4**n) ** 2 for n in range(15)]
ELLIPTIC_BELOW = 0.05


def _near_and_far(m, series, formula):
    """Choose for each parameter: a series near 0, where the formula cancels."""
    near = less(abs(m), ELLIPTIC_BELOW)
    small, total = where(near, m, 0.0), 0.0 * m
    for coefficient in reversed(series):
        total = 0.5 * math.pi * coefficient + small * total
    return where(near, total, formula(where(near, 0.5, m)))


def _slope_of_first(m):
    series = [n * c for n, c in enumerate(_COEFFICIENTS)][1:]
    formula = lambda m: (ellipe(m) - (1 - m) * ellipk(m)) / (2 * m * (1 - m))
    return _near_and_far(m, series, formula)


def _slope_of_second(m):
    series = [n * c / (1 - 2 * n) for n, c in enumerate(_COEFFICIENTS)][1:]
    return _near_and_far(m, series, lambda m: (ellipe(m) - ellipk(m)) / (2 * m))


@elementwise(partials={"m": _slope_of_first}, samples=_inside)
def ellipk(xp, m, /):
    """Compute the complete elliptic integral of the first kind, of the parameter ``m``."""
    return through_numpy("ellipk", m)


def _by_complement(p, formula, slope):
    """Return ``formula`` of a small ``p``, else ``slope`` of ``1 - p``, both with the sign of p."""
    small = less(p, 0.5)
    return where(small, formula(where(small, p, 0.25)), -slope(1 - where(small, 0.75, p)))


def _slope_of_first_by_complement(p):
    formula = lambda p: (p * ellipkm1(p) - ellipem1(p)) / (2 * (1 - p)) / p
    return _by_complement(p, formula, _slope_of_first)


def _slope_of_second_by_complement(p):
    formula = lambda p: (ellipkm1(p) - ellipem1(p)) / (2 * (1 - p))
    return _by_complement(p, formula, _slope_of_second)


@elementwise(partials={"p": _slope_of_second_by_complement}, samples=_inside)
def ellipem1(xp, p, /):
    """Compute ``ellipe(1 - p)``, whose derivative grows as ``p`` vanishes."""
    return through_numpy("ellipe", 1 - p)


@elementwise(partials={"p": _slope_of_first_by_complement}, samples=_inside)
def ellipkm1(xp, p, /):
    """Compute ``ellipk(1 - p)``, accurately where ``p`` is small."""
    return through_numpy("ellipkm1", p)


@elementwise(partials={"m": _slope_of_second}, samples=_inside)
def ellipe(xp, m, /):
    """Compute the complete elliptic integral of the second kind, of the parameter ``m``."""
    return through_numpy("ellipe", m)


def _heights(draw):
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample((draw(*shape) - 1.2, draw(*shape)))
    yield Sample((0.5, draw(3)))


def _by_height(h, a):
    h, a = side_by_side(h, a)
    return -exp(-0.5 * h * h) * erf(multiply(a, h) / math.sqrt(2)) / math.sqrt(8 * math.pi)


def _by_slope(h, a):
    h, a = side_by_side(h, a)
    above = 1 + a * a
    return exp(multiply(-0.5 * h * h, above)) / (2 * math.pi * above)


@elementwise(
    partials={"h": lambda h, a: _by_height(h, a), "a": lambda h, a: _by_slope(h, a)},
    samples=_heights,
)
def owens_t(xp, h, a, /):
    """Compute Owen's T: how probable two normal numbers are above ``h`` and below a slope."""
    return through_numpy("owens_t", h, a)
