"""The error function's relatives, and the normal distribution's functions made of them."""

import math

from gradx.core.op import elementwise
from gradx.core.samples import Sample, single_within
from gradx.ops.arithmetic import quotient, where
from gradx.ops.comparison import greater, less
from gradx.ops.exponential import exp
from gradx.ops.special import NORMAL_PEAK, ROOT_HALF
from gradx.ops.special_host import beside, none_of, through_numpy

ROOT_PI = math.sqrt(math.pi)

# Where the recurrence for repeated integrals is run backwards, and from which order:
# there it has converged to the last digit of float64.
BACKWARD_FROM, HIGHEST_ORDER = 2.0, 60

_signed = single_within(-2.5, 3.5)
_inside = single_within(0.35, 0.65)
_beside_one = single_within(0.7, 1.3)


@elementwise(partials={"x": lambda x: -2 / ROOT_PI * exp(-x * x)}, samples=_signed)
def erfc(xp, x, /):
    """Compute ``1 - erf(x)``, accurately where it is small."""
    return through_numpy("erfc", x)


@elementwise(partials={"x": lambda x: -2 * erfc_integral(x, order=1)}, samples=_signed)
def erfcx(xp, x, /):
    """Compute ``exp(x**2) * erfc(x)``, without overflow for large ``x``."""
    return through_numpy("erfcx", x)


def _integrals(draw):
    for order in [1, 2, 3]:
        yield Sample((draw(8) * 4 - 4.0,), {"order": order})
        yield Sample((draw(3) * 20,), {"order": order})


@elementwise(
    partials={"x": lambda x, order: -2 * (order + 1) * erfc_integral(x, order=order + 1)},
    samples=_integrals,
)
def erfc_integral(xp, x, /, *, order):
    """Compute ``exp(x**2)`` times the repeated integral of ``erfc`` from ``x`` to infinity.

    These are the derivatives of ``erfcx``; the formula with ``x * erfcx(x)`` would cancel.
    Their recurrence, DLMF 7.18.7, is stable upwards for small ``x`` and downwards else.
    """
    near, far = xp.clip(x, None, BACKWARD_FROM), xp.clip(x, BACKWARD_FROM, None)
    before, upwards = 2 / ROOT_PI, erfcx(near)
    for k in range(1, order + 1):
        before, upwards = upwards, (before - 2 * near * upwards) / (2 * k)
    downwards = erfcx(far)
    ratio = 1 / (far + xp.sqrt(far * far + 2 * HIGHEST_ORDER))
    for k in range(HIGHEST_ORDER, 0, -1):
        ratio = 1 / (2 * far + 2 * (k + 1) * ratio)
        if k <= order:
            downwards = downwards * ratio
    return xp.where(x < BACKWARD_FROM, upwards, downwards)


@elementwise(partials={"x": lambda out: ROOT_PI / 2 * exp(out * out)}, samples=_inside)
def erfinv(xp, x, /):
    """Undo ``erf``: infinite at 1 and -1."""
    return through_numpy("erfinv", x)


@elementwise(partials={"x": lambda out: -ROOT_PI / 2 * exp(out * out)}, samples=_beside_one)
def erfcinv(xp, x, /):
    """Undo ``erfc``, accurately where ``x`` is small."""
    return through_numpy("erfcinv", x)


@elementwise(partials={"x": lambda x: NORMAL_PEAK * exp(-0.5 * x * x)}, samples=_signed)
def ndtr(xp, x, /):
    """Compute the probability of a number below ``x`` in the normal distribution.

    >>> import numpy as np, gradx as gx
    >>> gx.special.ndtr(np.asarray([0.0, 1.96])).round(3)
    array([0.5  , 0.975])
    """
    return through_numpy("ndtr", x)


# Farther to the left, the density over the probability is ``-x`` times these times powers of
# ``1 / x**2``. From the formula, whose own derivatives cancel, nothing of the third would be left.
RATIO_BELOW = -1000.0
RATIO = (1, 1, -2, 10)


def _ratio_by_series(x):
    inverse = 1 / x
    u, total = inverse * inverse, 0.0
    for coefficient in reversed(RATIO):
        total = total * u + coefficient
    return -x * total


def _density_over_probability(x):
    """Return the derivative of ``log(ndtr(x))``, which is about ``-x`` far to the left."""
    far = less(x, RATIO_BELOW)
    if none_of(far):
        return _density_over_probability_nearby(x)
    by_series = _ratio_by_series(where(far, x, RATIO_BELOW))
    return where(far, by_series, _density_over_probability_nearby(where(far, 0.0, x)))


def _density_over_probability_nearby(x):
    positive = greater(x, 0)
    left, right = where(positive, 0.0, x), where(positive, x, 0.0)
    scaled = erfcx(-ROOT_HALF * left)
    on_the_left = quotient(beside(2 * NORMAL_PEAK, scaled), scaled)
    return where(positive, NORMAL_PEAK * exp(-0.5 * right * right) / ndtr(right), on_the_left)


@elementwise(partials={"x": _density_over_probability}, samples=_signed)
def log_ndtr(xp, x, /):
    """Compute the logarithm of ``ndtr``, without underflow.

    >>> import numpy as np, gradx as gx
    >>> x = np.asarray(-40.0)
    >>> round(float(gx.special.log_ndtr(x)), 6), round(float(gx.grad(gx.special.log_ndtr)(x)), 6)
    (-804.608442, 40.024969)
    """
    return through_numpy("log_ndtr", x)


def _quantile_slope(out):
    # Not exp(y + out**2 / 2), of which far to the left nothing is left where it is derived again.
    slope = _density_over_probability(out)
    return quotient(beside(1.0, slope), slope)


@elementwise(partials={"y": _quantile_slope}, samples=single_within(-2.0, -0.5))
def ndtri_exp(xp, y, /):
    """Undo ``log_ndtr``."""
    return through_numpy("ndtri_exp", y)


@elementwise(
    partials={"x": lambda out: exp(0.5 * out * out) / NORMAL_PEAK},
    samples=_inside,
)
def ndtri(xp, x, /):
    """Undo ``ndtr``: infinite at 0 and 1."""
    return through_numpy("ndtri", x)
