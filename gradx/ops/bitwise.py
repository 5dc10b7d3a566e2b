"""Bits of integers and booleans, which have no derivative."""

from gradx.core.op import constant
from gradx.core.samples import Sample


def _integers(draw, shape):
    return (draw(*shape) * 8 - 9).astype("int64")


def _pairs(draw):
    for x, y in [((4,), (4,)), ((2, 1), (3,)), ((), (3,)), ((0,), (1,))]:
        yield Sample((_integers(draw, x), _integers(draw, y)))
    yield Sample((_integers(draw, (3,)), 5))


def _pairs_or_truths(draw):
    yield from _pairs(draw)
    yield Sample((draw(3) > 1.2, draw(3) > 1.2))


def _singles(draw):
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample((_integers(draw, shape),))
    yield Sample((draw(3) > 1.2,))


def _shifts(draw):
    for sample in _pairs(draw):
        x, y = sample.arrays
        yield Sample((x, abs(y)))


@constant(samples=_pairs_or_truths, elementwise=True)
def bitwise_and(xp, x, y, /):
    """Combine bits: ``x & y``."""
    return xp.bitwise_and(x, y)


@constant(samples=_pairs_or_truths, elementwise=True)
def bitwise_or(xp, x, y, /):
    """Combine bits: ``x | y``."""
    return xp.bitwise_or(x, y)


@constant(samples=_pairs_or_truths, elementwise=True)
def bitwise_xor(xp, x, y, /):
    """Combine bits: ``x ^ y``."""
    return xp.bitwise_xor(x, y)


@constant(samples=_singles, elementwise=True)
def bitwise_invert(xp, x, /):
    """Flip every bit: ``~x``."""
    return xp.bitwise_invert(x)


@constant(samples=_shifts, elementwise=True)
def bitwise_left_shift(xp, x, y, /):
    """Shift bits: ``x << y``."""
    return xp.bitwise_left_shift(x, y)


@constant(samples=_shifts, elementwise=True)
def bitwise_right_shift(xp, x, y, /):
    """Shift bits: ``x >> y``."""
    return xp.bitwise_right_shift(x, y)
