"""More of the gamma function: inverses, its reciprocal, and probabilities made of it."""

import math

from gradx.core.op import composed, constant, elementwise
from gradx.core.samples import Sample, broadcast_pairs, single_arrays
from gradx.errors import DTypeError, ShapeError
from gradx.ops.arithmetic import add, multiply, quotient, where
from gradx.ops.comparison import equal, less, less_equal, logical_and, logical_not
from gradx.ops.rounding import floor, remainder, round
from gradx.ops.signs import abs
from gradx.ops.special_beta import inside, is_share, like
from gradx.ops.special_gamma import (
    SHORT,
    digamma,
    digamma_rise,
    gamma,
    gammaln,
    power_density,
    zetac,
)
from gradx.ops.special_gamma import zeta as hurwitz_zeta
from gradx.ops.special_gamma_shapes import gamma_by_shape, gammainc, gammaincc
from gradx.ops.special_host import side_by_side, through_numpy
from gradx.ops.trigonometric import cos, sin


def _probabilities(draw):
    for a, p in [((), (3,)), ((2, 1), (3,)), ((3,), ()), ((0, 3), (3,))]:
        yield Sample((draw(*a) + 2, draw(*p) * 0.1 + 0.4))
    yield Sample((2.5, draw(3) * 0.1 + 0.4))


def _slope(a, out):
    """Return 1 over the density of the gamma distribution."""
    a, out = side_by_side(a, out)
    return quotient(out * 0 + 1, power_density(out, a - 1, gammaln(a)))


def _moves(a, out):
    """Return how a place moves with the shape, so that its probability stays."""
    a, out = side_by_side(a, out)
    return -gamma_by_shape(a, out, order=1) * _slope(a, out)


@elementwise(
    partials={"a": _moves, "p": lambda a, out: _slope(a, out)},
    samples=_probabilities,
)
def gammaincinv(xp, a, p, /):
    """Undo ``gammainc`` in its last argument."""
    return through_numpy("gammaincinv", a, p)


@elementwise(
    partials={"a": _moves, "p": lambda a, out: -_slope(a, out)},
    samples=_probabilities,
)
def gammainccinv(xp, a, p, /):
    """Undo ``gammaincc`` in its last argument."""
    return through_numpy("gammainccinv", a, p)


def _anywhere(draw):
    yield from single_arrays(draw)
    yield Sample((0.1 * draw(3) - 2.6,))
    yield Sample((draw(2) * 0 - 2.0,))


def _slope_of_reciprocal(x):
    """Return the derivative; where gamma has its poles, of ``sin(pi * x) * gamma(1 - x) / pi``."""
    left = less(x, 0.5)
    low, high = where(left, x, 0.0), where(left, 1.0, x)
    whole = round(low)
    angle, turn = math.pi * (low - whole), 1 - 2 * remainder(whole, 2.0)
    mirrored = turn * gamma(1 - low)
    reflected = mirrored * (cos(angle) - sin(angle) * digamma(1 - low) / math.pi)
    return where(left, reflected, -rgamma(high) * digamma(high))


@elementwise(partials={"x": _slope_of_reciprocal}, samples=single_arrays)
def rgamma(xp, x, /):
    """Compute ``1 / gamma(x)``, which is 0 where ``gamma`` has a pole."""
    return through_numpy("rgamma", x)


def _zetas(draw):
    yield Sample((2.0, draw(3)))
    yield Sample((1.5, draw(2, 3)))


@composed(samples=_zetas)
def zeta(x, q=None, /):
    """Compute the Hurwitz zeta function: the sum of ``(k + q)**-x`` over ``k = 0, 1, ...``.

    Without ``q`` it is Riemann's, also below 1. There is no derivative with respect to ``x``.

    Raises:
        TypeError: a derivative with respect to ``x`` is asked for.

    >>> import numpy as np, gradx as gx
    >>> f"{gx.special.zeta(np.asarray(2.0)):.12f}"
    '1.644934066848'
    """
    return zetac(x) + 1 if q is None else hurwitz_zeta(x, q)


@constant(samples=_anywhere, elementwise=True)
def gammasgn(xp, x, /):
    """Return the sign of ``gamma``."""
    return through_numpy("gammasgn", x)


@composed(samples=single_arrays)
def loggamma(x, /):
    """Compute the logarithm of ``gamma`` of real numbers: NaN where they are negative."""
    return where(less(x, 0), math.nan, gammaln(where(less(x, 0), 1.0, x)))


@elementwise(
    partials={
        "a": lambda a, m, out: _rise_by_start(a, m, out),
        "m": lambda a, m, out: out * digamma(add(*side_by_side(a, m))),
    },
    samples=broadcast_pairs,
)
def poch(xp, a, m, /):
    """Compute the rising factorial, ``gamma(a + m) / gamma(a)``."""
    return through_numpy("poch", a, m)


def _rise_by_start(a, m, out):
    """Return the derivative by ``a``: near the poles of its gamma function, by the reciprocal."""
    a, m = side_by_side(a, m)
    end = add(a, m)
    # At a pole to which another one is the answer: of whole factors, all negative, by their sizes.
    turned = logical_and(logical_and(less(end, 0.5), equal(m, floor(m))), equal(a, floor(a)))
    turned = logical_and(less(a, 0.5), turned)
    low = logical_and(less(a, 0.5), less_equal(SHORT * a, abs(m)))
    low = logical_and(low, logical_not(turned))
    start = where(turned, 1 - end, where(low, 1.0, a))
    plain = where(turned, -out, out) * digamma_rise(start, m)
    end = where(low, end, 1.0)
    return where(low, out * digamma(end) + gamma(end) * _slope_of_reciprocal(a), plain)


def _multivariate(draw):
    yield Sample((draw(3) + 2, 3))
    yield Sample((draw() + 2, 1))


@composed(samples=_multivariate)
def multigammaln(a, d, /):
    """Compute the logarithm of the multivariate gamma function of dimension ``d``.

    Raises:
        TypeError: ``d`` is not an integer.
        ValueError: ``d`` is not positive.
    """
    if int(d) != d:
        raise DTypeError(f"multigammaln: d is a whole number, got {d!r}")
    if d < 1:
        raise ShapeError(f"multigammaln: d is at least 1, got {d}")
    total = gammaln(a)
    for j in range(1, int(d)):
        total = total + gammaln(a - 0.5 * j)
    return total + d * (d - 1) / 4 * math.log(math.pi)


def _chi_squares(draw):
    yield Sample((3.0, draw(3)))
    yield Sample((2.5, draw(2, 3)))


@composed(samples=_chi_squares)
def chdtr(v, x, /):
    """Compute the probability of a number below ``x`` in the chi-squared distribution.

    It has ``v`` degrees of freedom.
    """
    return gammainc(v * 0.5, x * 0.5)


@composed(samples=_chi_squares)
def chdtrc(v, x, /):
    """Compute ``1 - chdtr(v, x)``, accurately where it is small; see there."""
    return gammaincc(v * 0.5, x * 0.5)


def _chances(draw):
    yield Sample((4, draw(3) * 0.1 + 0.4))


@composed(samples=_chances)
def chdtri(v, p, /):
    """Undo ``chdtrc`` in its last argument: find ``x`` where ``chdtrc(v, x)`` is ``p``."""
    return inside(is_share(p), 2 * gammainccinv(v * 0.5, p))


def _rates(draw):
    yield Sample((draw(3), 2.0, draw(3)))
    yield Sample((1.5, 2.5, draw(3)))


@composed(samples=_rates)
def gdtr(a, b, x, /):
    """Compute the probability of a number below ``x`` in the gamma distribution.

    ``a`` is its rate and ``b`` its shape.
    """
    return inside(x >= 0, gammainc(b, multiply(a, x * 1.0)))


@composed(samples=_rates)
def gdtrc(a, b, x, /):
    """Compute ``1 - gdtr(a, b, x)``, accurately where it is small; see there."""
    return inside(x >= 0, gammaincc(b, multiply(a, x * 1.0)))


def _counts(draw):
    yield Sample((2, draw(3)))
    yield Sample(((draw(3) * 2).astype("int64"), draw(3)))


@composed(samples=_counts)
def pdtr(k, m, /):
    """Compute the probability of at most ``k`` events where ``m`` are expected.

    >>> import numpy as np, gradx as gx
    >>> print(f"{float(gx.special.pdtr(0, np.asarray(1.0))):.6f}")
    0.367879
    """
    return gammaincc(like(k, m) + 1, m)


@composed(samples=_counts)
def pdtrc(k, m, /):
    """Compute the probability of more than ``k`` events where ``m`` are expected."""
    return gammainc(like(k, m) + 1, m)


@composed(samples=_chances)
def pdtri(k, y, /):
    """Undo ``pdtr`` in its last argument: find ``m`` where ``pdtr(k, m)`` is ``y``."""
    return inside((y >= 0) & (y < 1), gammainccinv(like(k, y) + 1, y))
