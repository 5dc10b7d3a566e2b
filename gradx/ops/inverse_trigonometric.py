"""Angles and areas: the inverses of trigonometric and hyperbolic functions."""

from gradx.core.arrays import is_kind
from gradx.core.op import elementwise, primitive
from gradx.core.samples import Sample, broadcast_pairs, single_arrays, single_within
from gradx.ops.arithmetic import quotient
from gradx.ops.powers import hypot, part_of_length, sqrt


def _within_one(draw):
    yield from single_within(-0.7, 0.7)(draw)
    yield Sample((draw(3) - 1j * draw(3),))


def _above_one(draw):
    for sample in single_arrays(draw):
        yield Sample((sample.arrays[0] + 0.75,))
    yield Sample((draw(3) - 1j * draw(3),))


def _any(draw):
    yield from single_within(-2.0, 2.0)(draw)
    yield Sample((draw(3) - 1j * draw(3),))


@elementwise(partials={"x": lambda x: -2 * x}, samples=_any)
def one_minus_square(xp, x, /):
    """Compute ``1 - x**2``, accurately near 1; its own rule makes it so near 0 too."""
    if is_kind(x, "complex floating"):
        # On a branch cut the sign of a zero says which side: x - 1 keeps it, 1 - x does not.
        return (x - 1) * (-x - 1)
    return (1 - x) * (1 + x)


def _root(x):
    return sqrt(one_minus_square(x))


def _hyperbolic_root(x):
    # Less -1, not plus 1: that keeps the sign of a zero, as above.
    return sqrt(x * x - (-1)) if is_kind(x, "complex floating") else hypot(x, 1.0)


def _bell(x):
    """Return ``1 / (1 + x**2)``, without overflow."""
    if is_kind(x, "complex floating"):
        return 1 / (1 + x * x)
    length = hypot(x, 1.0)
    return 1 / length / length


# Infinite at the ends of the domain, without a warning.
_ASIN = {"x": lambda g, x: quotient(g, _root(x))}
_ACOS = {"x": lambda g, x: quotient(-g, _root(x))}
_ACOSH = {"x": lambda g, x: quotient(quotient(g, sqrt(x - 1)), sqrt(-(-x - 1)))}


@primitive(vjp=_ASIN, jvp=_ASIN, samples=_within_one, elementwise=True)
def asin(xp, x, /):
    """Return the angle with this sine, between -pi/2 and pi/2."""
    return xp.asin(x)


@primitive(vjp=_ACOS, jvp=_ACOS, samples=_within_one, elementwise=True)
def acos(xp, x, /):
    """Return the angle with this cosine, between 0 and pi."""
    return xp.acos(x)


@elementwise(partials={"x": _bell}, samples=_any)
def atan(xp, x, /):
    """Return the angle with this tangent, between -pi/2 and pi/2."""
    return xp.atan(x)


@elementwise(partials={"x": lambda x: 1 / _hyperbolic_root(x)}, samples=_any)
def asinh(xp, x, /):
    """Return the number with this hyperbolic sine."""
    return xp.asinh(x)


@primitive(vjp=_ACOSH, jvp=_ACOSH, samples=_above_one, elementwise=True)
def acosh(xp, x, /):
    """Return the number above 0 with this hyperbolic cosine."""
    return xp.acosh(x)


@elementwise(partials={"x": lambda x: 1 / one_minus_square(x)}, samples=_within_one)
def atanh(xp, x, /):
    """Return the number with this hyperbolic tangent."""
    return xp.atanh(x)


def _over_length_squared(part, other):
    length = hypot(part, other)
    return part_of_length(part_of_length(part, length), length)


def _plane(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(4) * 2 - 2.25, draw(4)))
    yield Sample((draw(3), -draw(3)))
    yield Sample((draw(3), 1.5))


@elementwise(
    partials={
        "x": lambda x, y: _over_length_squared(y, x),
        "y": lambda x, y: -_over_length_squared(x, y),
    },
    samples=_plane,
)
def atan2(xp, x, y, /):
    """Return the angle of the point ``(y, x)``, from -pi to pi: that of ``x / y``, by quadrant."""
    return xp.atan2(x, y)
