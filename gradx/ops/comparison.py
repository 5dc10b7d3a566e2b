"""Questions about elements, answered with booleans: comparisons, tests, logic.

Their answers do not vary with their inputs, so no transform follows them.
"""

from gradx.core.op import constant
from gradx.core.samples import Sample, broadcast_pairs, single_arrays


def _pairs(draw):
    yield from broadcast_pairs(draw)
    x = draw(4)
    yield Sample((x, x + 0.0))
    yield Sample((draw(3), 1.0))
    yield Sample((1, draw(3)))


def _truths(draw):
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample((draw(*shape) > 1.2,))


def _truth_pairs(draw):
    for x, y in [((4,), (4,)), ((2, 1), (3,)), ((), (3,)), ((0,), (1,))]:
        yield Sample((draw(*x) > 1.2, draw(*y) > 1.2))
    yield Sample((draw(3) > 1.2, True))


def _hard_values(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * float("inf"),))
    yield Sample((-draw(3) * float("inf"),))
    yield Sample((draw(2) * float("nan"),))
    yield Sample((draw(2) * -0.0,))


def _hard_values_or_complex(draw):
    yield from _hard_values(draw)
    yield Sample((draw(3) + 1j * draw(3),))


@constant(samples=_pairs, elementwise=True)
def equal(xp, x, y, /):
    """Compare: ``x == y``."""
    return xp.equal(x, y)


@constant(samples=_pairs, elementwise=True)
def not_equal(xp, x, y, /):
    """Compare: ``x != y``."""
    return xp.not_equal(x, y)


@constant(samples=_pairs, elementwise=True)
def less(xp, x, y, /):
    """Compare: ``x < y``."""
    return xp.less(x, y)


@constant(samples=_pairs, elementwise=True)
def less_equal(xp, x, y, /):
    """Compare: ``x <= y``."""
    return xp.less_equal(x, y)


@constant(samples=_pairs, elementwise=True)
def greater(xp, x, y, /):
    """Compare: ``x > y``."""
    return xp.greater(x, y)


@constant(samples=_pairs, elementwise=True)
def greater_equal(xp, x, y, /):
    """Compare: ``x >= y``."""
    return xp.greater_equal(x, y)


@constant(samples=_hard_values_or_complex, elementwise=True)
def isfinite(xp, x, /):
    """Tell which elements are neither infinite nor NaN."""
    return xp.isfinite(x)


@constant(samples=_hard_values_or_complex, elementwise=True)
def isinf(xp, x, /):
    """Tell which elements are infinite, of either sign."""
    return xp.isinf(x)


@constant(samples=_hard_values_or_complex, elementwise=True)
def isnan(xp, x, /):
    """Tell which elements are NaN."""
    return xp.isnan(x)


@constant(samples=_hard_values, elementwise=True)
def signbit(xp, x, /):
    """Tell which elements have their sign bit set: negative ones and ``-0.0``."""
    return xp.signbit(x)


@constant(samples=_truth_pairs, elementwise=True)
def logical_and(xp, x, y, /):
    """Tell where both hold."""
    return xp.logical_and(x, y)


@constant(samples=_truth_pairs, elementwise=True)
def logical_or(xp, x, y, /):
    """Tell where at least one holds."""
    return xp.logical_or(x, y)


@constant(samples=_truth_pairs, elementwise=True)
def logical_xor(xp, x, y, /):
    """Tell where exactly one holds."""
    return xp.logical_xor(x, y)


@constant(samples=_truths, elementwise=True)
def logical_not(xp, x, /):
    """Tell where it does not hold."""
    return xp.logical_not(x)
