"""Products with logarithms that are 0 where their factor is, and the logistic function's inverse.

At 0 they are what probabilities need: ``0 * log(0)`` is 0. Their derivatives there are
limits, infinite ones too; where both arguments are 0 there is none, and what stands for
it is promised in the documentation.
"""

from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample, broadcast_pairs, single_arrays, single_within
from gradx.ops.arithmetic import multiply, negative, quotient, where
from gradx.ops.comparison import equal, logical_and
from gradx.ops.creation import ones_like
from gradx.ops.neural import softplus
from gradx.ops.special_host import beside, side_by_side, through_numpy


def _pairs(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(3) - 1.2, draw(3)))
    yield Sample((1.5, draw(3)))
    yield Sample((draw(3), 2.5))


def _positive_pairs(draw):
    yield from broadcast_pairs(draw)
    x = draw(3)
    yield Sample((x, x + 0.0))
    yield Sample((1.5, draw(3)))
    yield Sample((draw(3), 2.5))


def _quiet_log(x):
    """Return the logarithm, without a warning where it is infinite."""
    return xlogy(1.0, x)


def _or_one(value, x, y):
    """Return ``value``, and 1 where both ``x`` and ``y`` are 0."""
    return where(logical_and(equal(x, 0), equal(y, 0)), 1.0, value)


def _ratio(x, y):
    """Return ``x / y``, and 0 where both are 0: there nothing that ``x`` multiplies matters."""
    x, y = side_by_side(x, y)
    return quotient(x, _or_one(y, x, y))


def _log_ratio(x, y):
    """Return ``log(x / y)``, and 0 where both are 0."""
    x, y = side_by_side(x, y)
    return _quiet_log(_or_one(x, x, y)) - _quiet_log(_or_one(y, x, y))


@elementwise(
    partials={"x": lambda x, y: _quiet_log(beside(y, x)), "y": lambda x, y: _ratio(x, y)},
    samples=_pairs,
)
def xlogy(xp, x, y, /):
    """Compute ``x * log(y)``, and 0 where ``x`` is 0.

    >>> import numpy as np, gradx as gx
    >>> gx.special.xlogy(np.asarray([0.0, 1.0]), np.asarray([0.0, 1.0]))
    array([0., 0.])
    """
    return through_numpy("xlogy", x, y)


@elementwise(
    partials={
        "x": lambda x, y: xlog1py(1.0, beside(y, x)),
        "y": lambda x, y: _ratio(x, 1 + y),
    },
    samples=_pairs,
)
def xlog1py(xp, x, y, /):
    """Compute ``x * log(1 + y)``, accurately near ``y = 0``, and 0 where ``x`` is 0."""
    return through_numpy("xlog1py", x, y)


@elementwise(partials={"x": lambda x: -1 - _quiet_log(x)}, samples=single_arrays)
def entr(xp, x, /):
    """Compute ``-x * log(x)``: 0 at 0, and ``-inf`` below."""
    return through_numpy("entr", x)


@elementwise(
    partials={"x": lambda x, y: 1 + _log_ratio(x, y), "y": lambda x, y: -_ratio(x, y)},
    samples=_positive_pairs,
)
def rel_entr(xp, x, y, /):
    """Compute ``x * log(x / y)``: 0 where ``x`` is 0, infinite outside of ``x, y >= 0``."""
    return through_numpy("rel_entr", x, y)


@elementwise(
    partials={"x": lambda x, y: _log_ratio(x, y), "y": lambda x, y: 1 - _ratio(x, y)},
    samples=_positive_pairs,
)
def kl_div(xp, x, y, /):
    """Compute ``x * log(x / y) - x + y``: ``y`` where ``x`` is 0, infinite outside."""
    return through_numpy("kl_div", x, y)


_inside = single_within(0.3, 0.7)


# Not 1 / (x * (1 - x)), whose own derivative would be NaN at 0 and at 1.
@elementwise(
    partials={"x": lambda x: quotient(ones_like(x), x) + quotient(ones_like(x), 1 - x)},
    samples=_inside,
)
def logit(xp, x, /):
    """Compute ``log(x / (1 - x))``, which undoes ``expit``: infinite at 0 and 1."""
    return through_numpy("logit", x)


@composed(samples=single_within(-2.5, 3.5))
def log_expit(x, /):
    """Compute ``log(expit(x))``, without underflow."""
    return negative(softplus(multiply(x, -1.0)))  # which unsigned integers have too
