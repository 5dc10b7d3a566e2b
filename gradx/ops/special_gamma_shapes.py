"""The incomplete gamma functions, and their derivatives of any order by shape.

``special_shapes.py`` says how those are computed.
"""

import math

from gradx.core.op import elementwise
from gradx.core.samples import Sample, broadcast_pairs
from gradx.ops.arithmetic import add, where
from gradx.ops.comparison import equal
from gradx.ops.exponential import log
from gradx.ops.signs import abs
from gradx.ops.special_gamma import STIRLING_FROM, digamma, gammaln, power_density, zeta
from gradx.ops.special_host import side_by_side, through_numpy
from gradx.ops.special_shapes import (
    end_of,
    integrate,
    log_of,
    log_ratio,
    moment,
    stirling,
    times_logarithms,
)

ROOT_TWO_PI = math.sqrt(2 * math.pi)
# Below, the function of the shape plus 1 is taken, and what it lacks added.
NEAR_ZERO = 0.5


def density_of_gamma(a, x):
    """Return the density of the gamma distribution."""
    a, x = side_by_side(a, x)
    return power_density(x, a - 1, gammaln(a))


def _cumulants(a, order):
    """Return minus the derivatives of ``gammaln(a)`` from the first to that of the order."""
    found = [-digamma(a)]
    for k in range(2, order + 1):
        found.append((-1) ** (k - 1) * math.factorial(k - 1) * zeta(1.0 * k, a))
    return found


def _polynomial(a, first, rest, order):
    """Return by what ``exp(a * L) / gamma(a + 1)`` is multiplied in a derivative of ``a`` times it.

    It is taken for ``exp(a * L) / gamma(a)``, whose own cumulants would cancel near 0.
    """
    return a * moment(order, first, rest) + order * moment(order - 1, first, rest)


def _density_by_shape(a, x, order):
    """Return the derivative of the density by its shape."""
    a, x = side_by_side(a, x)
    first, *rest = _cumulants(a + 1, order)
    first = add(first, log_of(x, log(where(equal(x, 0), 1.0, x))))
    polynomial = _polynomial(a, first, rest, order)
    return times_logarithms(power_density(x, a - 1, gammaln(a + 1)), polynomial)


def _shapes(draw):
    for order in [1, 2]:
        for sample in broadcast_pairs(draw):
            yield Sample(tuple(abs(array) for array in sample.arrays), {"order": order})
    yield Sample((draw(3) + 4, draw(3)), {"order": 1})


@elementwise(
    partials={
        "a": lambda a, x, order: gamma_by_shape(a, x, order=order + 1),
        "x": _density_by_shape,
    },
    samples=_shapes,
)
def gamma_by_shape(xp, a, x, /, *, order):
    """Compute the derivative of ``gammainc`` by ``a``, of an order from 1 on."""
    dtype = xp.result_type(a, x)
    a, x = xp.broadcast_arrays(xp.astype(a, xp.float64), xp.astype(x, xp.float64))
    inside = (a >= 0) & (x > 0) & (a < math.inf) & (x < math.inf)
    end = (a > 0) & ((x == 0) | (x == math.inf))
    found = _by_shape(xp, xp.where(inside, a, 1.0), xp.where(inside, x, 1.0), order)
    return xp.astype(xp.where(inside, found, xp.where(end, xp.zeros_like(x), math.nan)), dtype)


def _by_shape(xp, a, x, order):
    """Integrate the thin tail in the logarithm of its places."""
    raised = (x <= NEAR_ZERO) & (a < 1)
    front = _front(xp, a, x)
    first, *rest = _cumulants(a + 1, order)
    first = first + xp.log(x)
    lacking = xp.where(raised, front * moment(order, first, rest), 0.0)
    front = xp.where(raised, front * x / (a + 1), front)
    for k in range(order):
        step = xp.where(raised, (-1) ** (k + 1) * math.factorial(k) / (a + 1) ** (k + 1), 0.0)
        if k == 0:
            first = first + step
        else:
            rest[k - 1] = rest[k - 1] + step
    shape = xp.where(raised, a + 1, a)
    sign = 2 * xp.astype(shape * first + 1 > 0, xp.float64) - 1
    tail = _tail(xp, shape, x, sign, first, rest, order)
    return lacking - sign * front * tail


def _front(xp, a, x):
    """Return ``x**a * exp(-x) / gamma(a + 1)``, by Stirling's formula where it has more digits."""
    large = a > STIRLING_FROM
    some = xp.where(large, 1.0, a)
    plain = xp.exp(some * xp.log(x) - x - gammaln(some + 1))
    some = xp.where(large, a, STIRLING_FROM)
    fallen = some * log_ratio(xp, x, some, x - some) - (x - some)
    many = xp.exp(fallen - stirling(some)) / (ROOT_TWO_PI * xp.sqrt(some))
    return xp.where(large, many, plain)


def _tail(xp, a, x, sign, first, rest, order):
    """Integrate from ``x`` up or down, as the sign says, over the integrand at ``x``."""

    def fall(v):
        grown = xp.expm1(sign * v)
        return x * grown - a * sign * v, xp.abs(x * grown + (x - a))

    def values(v):
        along = signs * v
        fallen = xp.exp(shapes * along - places * xp.expm1(along))
        here = firsts + along
        return fallen * (
            shapes * moment(order, here, rests) + order * moment(order - 1, here, rests)
        )

    shapes, places, signs, firsts = (array[..., None] for array in (a, x, sign, first))
    rests = [array[..., None] for array in rest]
    slope = sign * (x - a)
    return integrate(xp, values, end_of(xp, fall, xp.where(slope > 0, slope, 0.0), x))


def _shares(draw):
    for number in [2, 2.5, 4.0]:
        yield Sample((number, draw(3)))
    for a, x in [((), (3,)), ((2, 1), (3,)), ((3,), ()), ((0, 3), (3,))]:
        yield Sample((1 + draw(*a), draw(*x)))
    yield Sample((draw(3), 0.1 * draw(3) + 0.2))
    yield Sample((1.0, draw(3)))


def _by_a(a, x):
    return gamma_by_shape(*side_by_side(a, x), order=1)


@elementwise(partials={"a": _by_a, "x": lambda a, x: density_of_gamma(a, x)}, samples=_shares)
def gammainc(xp, a, x, /):
    """Compute the probability of a number below ``x`` in the gamma distribution of shape ``a``.

    Derivatives by ``a`` have 9 digits up to shapes of 1e10, but near their zeros.

    >>> import numpy as np, gradx as gx
    >>> a, x = np.asarray([1.0, 2.0]), np.asarray(1.5)
    >>> gx.grad(lambda a: gx.sum(gx.special.gammainc(a, x)))(a).round(6)
    array([-0.319285, -0.313489])
    """
    return through_numpy("gammainc", a, x)


@elementwise(
    partials={"a": lambda a, x: -_by_a(a, x), "x": lambda a, x: -density_of_gamma(a, x)},
    samples=_shares,
)
def gammaincc(xp, a, x, /):
    """Compute ``1 - gammainc(a, x)``, accurately where it is small; see there."""
    return through_numpy("gammaincc", a, x)
