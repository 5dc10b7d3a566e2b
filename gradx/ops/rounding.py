"""Steps: rounding, integer division and what it leaves.

Their derivatives are 0 wherever they have one, and gradx says 0 at the steps too,
so no transform follows the steps themselves.
"""

from gradx.core.op import constant, elementwise
from gradx.core.samples import Sample, broadcast_pairs, single_arrays


def _signed(draw):
    yield from single_arrays(draw)
    yield Sample((draw(5) * 4 - 5,))
    yield Sample((draw(4) * 0.0 + 2.5,))


def _signed_or_complex(draw):
    yield from _signed(draw)
    yield Sample((draw(3) * 4 - 5j * draw(3),))


def _signed_pairs(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(5) * 4 - 5, draw(5)))
    yield Sample((draw(5) * 4, -draw(5)))
    yield Sample((draw(3) * 4, 1.5))


@constant(samples=_signed, elementwise=True)
def floor(xp, x, /):
    """Round down."""
    return xp.floor(x)


@constant(samples=_signed, elementwise=True)
def ceil(xp, x, /):
    """Round up."""
    return xp.ceil(x)


@constant(samples=_signed, elementwise=True)
def trunc(xp, x, /):
    """Round towards zero."""
    return xp.trunc(x)


@constant(samples=_signed_or_complex, elementwise=True)
def round(xp, x, /):
    """Round to the nearest integer, halves to even ones."""
    return xp.round(x)


@constant(samples=_signed_pairs, elementwise=True)
def floor_divide(xp, x, y, /):
    """Divide and round down: ``x // y``."""
    return xp.floor_divide(x, y)


@elementwise(
    # x - floor(x / y) * y, between the steps of floor.
    partials={"x": 1, "y": lambda x, y: -floor_divide(x, y)},
    samples=_signed_pairs,
)
def remainder(xp, x, y, /):
    """Return what floor division leaves, with the sign of ``y``: ``x % y``."""
    return xp.remainder(x, y)
