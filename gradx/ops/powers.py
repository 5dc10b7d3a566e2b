"""Powers, roots and the length of a vector of two.

What happens at 0 is promised in the documentation: ``sqrt`` and ``x**0.5`` have an
infinite derivative there, ``x**0`` and ``hypot`` have 0.
"""

import cmath
import math

from gradx.core.arrays import PYTHON_SCALARS, is_kind
from gradx.core.op import elementwise, primitive
from gradx.core.samples import Sample, broadcast_pairs, single_arrays
from gradx.ops.arithmetic import divide, quotient, where
from gradx.ops.comparison import equal, isinf, logical_and, logical_not, logical_or
from gradx.ops.creation import ones_like, zeros_like
from gradx.ops.exponential import log
from gradx.ops.signs import sign


def _signed(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * 2 - 2.5,))


def _signed_or_complex(draw):
    yield from _signed(draw)
    yield Sample((draw(3) - 1j * draw(3),))


def _positive_or_complex(draw):
    yield from single_arrays(draw)
    yield Sample((draw(3) - 1j * draw(3),))


@elementwise(partials={"x": lambda x: 2 * x}, samples=_signed_or_complex)
def square(xp, x, /):
    """Multiply each element by itself."""
    return xp.square(x)


# Infinite at 0, without a warning.
_SQRT = {"x": lambda g, out: quotient(0.5 * g, out)}


@primitive(vjp=_SQRT, jvp=_SQRT, samples=_positive_or_complex, elementwise=True)
def sqrt(xp, x, /):
    """Take the square root, the one in the right half plane."""
    return xp.sqrt(x)


def _power_by_x(x, y):
    """Return ``y * x**(y - 1)``, and 0 where ``y`` is 0, at 0 too."""
    if type(y) not in PYTHON_SCALARS:
        # x**(y - 1) does not matter where y is 0, unless it is infinite.
        both_zero = logical_and(equal(x, 0), equal(y, 0))
        return y * quiet_pow(x, where(both_zero, ones_like(x), y - 1))
    if y in (0, 1):
        return y
    return y * x if y == 2 else y * quiet_pow(x, y - 1)


def _power_by_y(x, y, out):
    """Return ``x**y * log(x)``, and its limits where ``x`` is 0: 0, or that of a pole."""
    if type(x) not in PYTHON_SCALARS:
        return out * log_of_base(x, out)
    if type(x) is complex or (x < 0 and is_kind(out, "complex floating")):
        return out * (cmath.log(x) if x else 0.0)
    if x == 0:
        return out * where(isinf(out), -out, 0.0)
    return out * (math.log(x) if x > 0 else math.nan)


def log_of_base(x, power):
    """Return ``log(x)``, and 0 where ``x`` is 0 and ``power``, one of it, is finite."""
    # Of the kind of the power: to a complex one, a negative number has a logarithm.
    none = logical_and(equal(x, 0), logical_not(isinf(power)))
    return log(where(none, ones_like(power), x))


def _powers(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(3) + 1j * draw(3), draw(3) - 1j * draw(3)))
    for exponent in [0, 1, 2, 3, -1, -2, 0.5, 1.5, -0.5, 2.0]:
        yield Sample((draw(3), exponent))
    yield Sample((draw(3) - 1j * draw(3), 2))
    yield Sample((-draw(3), 3))
    yield Sample((2.0, draw(3)))


_POWER = {"x": _power_by_x, "y": _power_by_y}


@elementwise(partials=_POWER, samples=_powers)
def pow(xp, x, y, /):
    """Raise to a power: ``x**y``."""
    return xp.pow(x, y)


@elementwise(partials=_POWER, samples=_powers)
def quiet_pow(xp, x, y, /):
    """Raise to a power where 0 to a negative one is expected: infinite, without a warning."""
    if type(x) in PYTHON_SCALARS:
        return xp.pow(x, y)
    if _is_complex(xp, x, y):
        return xp.pow(x, y)
    singular = (x == 0) & (y < 0)
    return xp.where(singular, math.inf, xp.pow(xp.where(singular, xp.ones_like(x), x), y))


def _is_complex(xp, *values):
    return any(
        type(v) is complex if type(v) in PYTHON_SCALARS else xp.isdtype(v.dtype, "complex floating")
        for v in values
    )


def part_of_length(x, length):
    """Return ``x / length``: 0 where the length is 0, the sign of ``x`` where that is infinite."""
    if type(x) in PYTHON_SCALARS or is_kind(x, "bool"):  # which has no sign
        x = x + zeros_like(length)
    special = logical_or(equal(length, 0), isinf(x))
    return where(special, sign(x), divide(x, where(special, 1.0, length)))


def _plane(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(4) * 2 - 2.5, draw(4) * 2 - 2.5))
    yield Sample((draw(3), -1.5))


@elementwise(
    partials={"x": lambda x, y: direction(x, y), "y": lambda x, y: direction(y, x)},
    samples=_plane,
)
def hypot(xp, x, y, /):
    """Return the length of the vector ``(x, y)``, without overflow."""
    return xp.hypot(x, y)


# Not from the length: 1 / h - x**2 / h**3 would cancel where y is small.
def _along(x, y):
    across = direction(y, x)
    return part_of_length(across * across, hypot(x, y))


def _across(x, y):
    return -part_of_length(direction(x, y) * direction(y, x), hypot(x, y))


@elementwise(partials={"x": _along, "y": _across}, samples=_plane)
def direction(xp, x, y, /):
    """Compute ``x / hypot(x, y)``: 0 at the origin, the sign of ``x`` where that is infinite."""
    length = xp.hypot(x, y)
    x = x + xp.zeros_like(length)
    special = (length == 0) | xp.isinf(x)
    return xp.where(special, xp.sign(x), x / xp.where(special, xp.ones_like(length), length))
