"""The larger, the smaller, and limits to both."""

import math

from gradx.core.arrays import is_array, is_number
from gradx.core.op import composed, primitive
from gradx.core.samples import Sample, broadcast_pairs
from gradx.ops.arithmetic import where
from gradx.ops.comparison import equal, greater, less
from gradx.ops.creation import zeros_like


def _pairs(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(3), 1.2345))
    yield Sample((1, draw(3)))


def _or_nan(g, x):
    """Return ``g``, and NaN where ``x`` is."""
    return where(equal(x, x), g, math.nan)


def _share_of_maximum(g, won, tied, x):
    return where(won, g, where(tied, 0.5 * g, _or_nan(0.0 * g, x)))


# Not weights to multiply by: what loses stays 0, whatever its cotangent.
_MAXIMUM = {
    "x": lambda g, x, y: _share_of_maximum(g, greater(x, y), equal(x, y), x),
    "y": lambda g, x, y: _share_of_maximum(g, less(x, y), equal(x, y), y),
}
_MINIMUM = {
    "x": lambda g, x, y: _share_of_maximum(g, less(x, y), equal(x, y), x),
    "y": lambda g, x, y: _share_of_maximum(g, greater(x, y), equal(x, y), y),
}


@primitive(vjp=_MAXIMUM, jvp=_MAXIMUM, samples=_pairs, elementwise=True)
def maximum(xp, x, y, /):
    """Choose the larger of each pair; where they tie, each gets half the derivative."""
    return xp.maximum(x, y)


@primitive(vjp=_MINIMUM, jvp=_MINIMUM, samples=_pairs, elementwise=True)
def minimum(xp, x, y, /):
    """Choose the smaller of each pair; where they tie, each gets half the derivative."""
    return xp.minimum(x, y)


def _within(g, x, low, high):
    """Keep what is for elements on the closed interval, and for NaN."""
    if low is not None:
        g = where(less(x, low), 0.0, g)
    return g if high is None else where(greater(x, high), 0.0, g)


def _limits(draw):
    x = draw(2, 3) * 2 - 1
    yield Sample((x, 0.3, 1.7))
    yield Sample((x, None, 1.1))
    yield Sample((x, 0.9, None))
    yield Sample((x, None, None))
    yield Sample((x, draw(3) - 0.4, draw(2, 1) + 1.0))
    yield Sample((draw(3), draw() - 0.2, None))
    yield Sample((draw(0, 2), 0.5, 1.0))
    yield Sample((draw(), 0.75, 1.25))


def _lower_limit(g, x, low, high):
    g = where(less(x, low), g, 0.0)
    return g if high is None else where(greater(low, high), 0.0, g)


def _upper_limit(g, x, low, high):
    # Where the limits are crossed, the upper one is all that counts.
    return where(greater(x if low is None else maximum(x, low), high), g, 0.0)


_CLIP = {
    "x": _within,
    "low": _lower_limit,
    "high": _upper_limit,
}


@primitive(vjp=_CLIP, jvp=_CLIP, samples=_limits, elementwise=True)
def clip_between(xp, x, low, high, /):
    """Limit elements to an interval, each end of which may be ``None``."""
    return xp.clip(x, low, high)


@composed(samples=_limits)
def clip(x, /, min=None, max=None):
    """Limit elements to the interval from ``min`` to ``max``, either of which may be left out.

    The derivative is 1 inside and at both ends.

    >>> import numpy as np, gradx as gx
    >>> gx.clip(np.asarray([-1.0, 0.5, 2.0]), 0.0, max=1.0)
    array([0. , 0.5, 1. ])
    """
    if is_number(x):
        arrays = [limit for limit in (min, max) if is_array(limit) and not is_number(limit)]
        x = x + zeros_like(arrays[0]) if arrays else x
    return clip_between(x, min, max)
