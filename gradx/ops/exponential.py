"""Exponentials and logarithms, and the logistic function that joins them."""

import math

from gradx.core.arrays import is_number
from gradx.core.op import elementwise, primitive
from gradx.core.samples import Sample, broadcast_pairs, single_arrays
from gradx.ops.arithmetic import where
from gradx.ops.comparison import equal, isinf, logical_and
from gradx.ops.creation import zeros_like
from gradx.ops.trigonometric import decay_of, tanh


def _signed_or_complex(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * 2 - 2.5,))
    yield Sample((draw(3) - 1j * draw(3),))


def _positive_or_complex(draw):
    yield from single_arrays(draw)
    yield Sample((draw(3) - 1j * draw(3),))
    yield Sample((-draw(3) + 1j * draw(3),))


@elementwise(partials={"x": lambda out: out}, samples=_signed_or_complex)
def exp(xp, x, /):
    """Raise e to each element."""
    return xp.exp(x)


# Not out + 1, which is 0 in the tail.
@elementwise(partials={"x": lambda x: exp(x)}, samples=_signed_or_complex)
def expm1(xp, x, /):
    """Compute ``exp(x) - 1``, accurately near 0."""
    return xp.expm1(x)


# One division, where a partial derivative 1 / x would take two operations.
_LOG = {"x": lambda g, x: g / x}
_LOG1P = {"x": lambda g, x: g / (1 + x)}
_LOG2 = {"x": lambda g, x: g / (x * math.log(2))}
_LOG10 = {"x": lambda g, x: g / (x * math.log(10))}


@primitive(vjp=_LOG, jvp=_LOG, samples=_positive_or_complex, elementwise=True)
def log(xp, x, /):
    """Take the natural logarithm."""
    return xp.log(x)


@primitive(vjp=_LOG1P, jvp=_LOG1P, samples=_positive_or_complex, elementwise=True)
def log1p(xp, x, /):
    """Compute ``log(1 + x)``, accurately near 0."""
    return xp.log1p(x)


@primitive(vjp=_LOG2, jvp=_LOG2, samples=_positive_or_complex, elementwise=True)
def log2(xp, x, /):
    """Take the logarithm to base 2."""
    return xp.log2(x)


@primitive(vjp=_LOG10, jvp=_LOG10, samples=_positive_or_complex, elementwise=True)
def log10(xp, x, /):
    """Take the logarithm to base 10."""
    return xp.log10(x)


def _signed_real(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * 8 - 10.0,))


def sigmoid_of(xp, x):
    """Compute ``sigmoid`` of a plain array of library ``xp``."""
    small = xp.exp(xp.abs(x) * -1.0)  # which unsigned integers have too
    return xp.where(x < 0, small, xp.ones_like(x)) / (1 + small)


# Not out * (1 - out): of 1 - out nothing is left where out is nearly 1.
@elementwise(partials={"x": lambda x: sigmoid_slope(x)}, samples=_signed_real)
def sigmoid(xp, x, /):
    """Compute ``1 / (1 + exp(-x))``, without overflow."""
    return sigmoid_of(xp, x)


@elementwise(partials={"x": lambda x, out: -tanh(0.5 * x) * out}, samples=_signed_real)
def sigmoid_slope(xp, x, /):
    """Compute the derivative of ``sigmoid``, accurately in both tails."""
    small = decay_of(xp, x)
    return small / ((1 + small) * (1 + small))


def _share_of_sum(x, y):
    """Return ``exp(x) / (exp(x) + exp(y))``; half where both are the same infinity."""
    if is_number(x):
        x = x + zeros_like(y)
    if is_number(y):
        y = y + zeros_like(x)
    level = logical_and(equal(x, y), isinf(x))
    return sigmoid(where(level, 0.0, x) - where(level, 0.0, y))


def _pairs(draw):
    yield from broadcast_pairs(draw)
    x = draw(3)
    yield Sample((x, x + 0.0))
    yield Sample((draw(3), 1.0))
    yield Sample((draw(3), -40 * draw(3)))


@elementwise(
    partials={"x": _share_of_sum, "y": lambda x, y: _share_of_sum(y, x)},
    samples=_pairs,
)
def logaddexp(xp, x, y, /):
    """Compute ``log(exp(x) + exp(y))``, without overflow."""
    return xp.logaddexp(x, y)
