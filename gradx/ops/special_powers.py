"""Powers, roots and angles as ``scipy.special`` has them: Box and Cox, Huber, Wright, degrees."""

import math

from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample, broadcast_pairs, single_arrays, single_within
from gradx.ops.arithmetic import add, multiply, quotient, subtract, where
from gradx.ops.comparison import equal, greater, less, less_equal, logical_and
from gradx.ops.powers import direction, hypot, log_of_base, part_of_length, pow, quiet_pow
from gradx.ops.rounding import floor, remainder, round
from gradx.ops.signs import abs
from gradx.ops.special_host import beside, side_by_side, spread, through_numpy
from gradx.ops.trigonometric import sin, sinc

DEGREE = math.pi / 180

_signed = single_within(-2.5, 3.5)


def _cbrt_slope_by(x, out):
    # Not from the root, whose powers overflow to both signs where this one does.
    return -2 * quotient(out, 3 * x)


@elementwise(partials={"x": _cbrt_slope_by}, samples=single_arrays)
def cbrt_slope(xp, x, /):
    """Compute the derivative of ``cbrt``, which is infinite at 0."""
    root = through_numpy("cbrt", x)
    return quotient(xp.ones_like(root), 3 * root * root)


@elementwise(partials={"x": lambda x: cbrt_slope(x)}, samples=single_arrays)
def cbrt(xp, x, /):
    """Compute the cube root, which of negative numbers is negative."""
    return through_numpy("cbrt", x)


@composed(samples=_signed)
def exp2(x, /):
    """Raise 2 to a power."""
    return pow(2.0, x)


@composed(samples=_signed)
def exp10(x, /):
    """Raise 10 to a power."""
    return pow(10.0, x)


@elementwise(partials={"x": lambda x: -sin(x)}, samples=_signed)
def cosm1(xp, x, /):
    """Compute ``cos(x) - 1``, accurately near 0."""
    return through_numpy("cosm1", x)


@elementwise(partials={"x": lambda x: DEGREE * cosdg(x)}, samples=_signed)
def sindg(xp, x, /):
    """Compute the sine of an angle in degrees."""
    return through_numpy("sindg", x)


@elementwise(partials={"x": lambda x: -DEGREE * sindg(x)}, samples=_signed)
def cosdg(xp, x, /):
    """Compute the cosine of an angle in degrees."""
    return through_numpy("cosdg", x)


@elementwise(partials={"x": lambda out: DEGREE * (1 + out * out)}, samples=_signed)
def tandg(xp, x, /):
    """Compute the tangent of an angle in degrees."""
    return through_numpy("tandg", x)


def _angles(draw):
    yield Sample((draw(3) * 40,))


@elementwise(partials={"x": lambda out: -DEGREE * (1 + out * out)}, samples=_angles)
def cotdg(xp, x, /):
    """Compute the cotangent of an angle in degrees."""
    return through_numpy("cotdg", x)


def _parts(draw):
    yield Sample((draw(3), draw(3), draw(3)))
    yield Sample((2.0, 3.0, draw(3)))


@composed(samples=_parts)
def radian(d, m, s, /):
    """Convert ``d`` degrees, ``m`` minutes and ``s`` seconds to radians."""
    d, s = side_by_side(d, s)
    m, s = side_by_side(m, s)
    return DEGREE * add(add(d, m / 60), s / 3600)


def _residuals(draw):
    for sample in broadcast_pairs(draw):
        delta, r = sample.arrays
        yield Sample((delta, r * 4 - 5))
    yield Sample((1.0, draw(3)))


@composed(samples=_residuals)
def huber(delta, r, /):
    """Compute half the square of ``r``, and beyond ``delta`` go on as a line."""
    r, delta = spread(r, delta)
    size = abs(r)
    found = where(
        less_equal(size, delta), 0.5 * r * r, multiply(delta, subtract(size, 0.5 * delta))
    )
    return where(less(delta, 0), math.inf, found)


@elementwise(
    partials={
        "x": lambda x, y: part_of_length(direction(y, x), add(hypot(x, y), y)),
        "y": lambda x, y: -part_of_length(direction(x, y), add(hypot(x, y), y)),
    },
    samples=broadcast_pairs,
)
def half_turn(xp, x, y, /):
    """Compute ``x / (hypot(x, y) + y)``: the tangent of half the angle from ``y`` to ``x``.

    ``y`` is not negative.
    """
    return part_of_length(x, xp.hypot(x, y) + y)


# Where the curve is nearly a line, the two terms of other formulas cancel.
@elementwise(
    partials={
        "delta": lambda delta, r: (
            r * half_turn(r, delta) * (direction(r, delta) * half_turn(r, delta))
        ),
        "r": lambda delta, r: multiply(delta, direction(r, delta)),
    },
    samples=broadcast_pairs,
)
def smooth_huber(xp, delta, r, /):
    """Compute ``delta * (hypot(r, delta) - delta)``."""
    return delta * (r * half_turn(r, delta))


@composed(samples=_residuals)
def pseudo_huber(delta, r, /):
    """Compute the smooth relative of ``huber``: ``delta**2 * (sqrt(1 + (r / delta)**2) - 1)``."""
    r, delta = spread(r, delta)
    negative = less(delta, 0)
    return where(negative, math.inf, smooth_huber(where(negative, 1.0, delta), r))


@elementwise(
    partials={
        "x": lambda x, y: _power_by_base(x, y),
        "y": lambda x, y: _power_by_exponent(x, y),
    },
    samples=broadcast_pairs,
)
def powm1(xp, x, y, /):
    """Compute ``x**y - 1``, accurately where it is small."""
    return through_numpy("powm1", x, y)


def _power_by_base(x, y):
    x, y = side_by_side(x, y)
    return multiply(y, pow(x, y - 1))


def _power_by_exponent(x, y):
    # Not from the output, in which a small power is lost.
    x, y = side_by_side(x, y)
    power = quiet_pow(x, y)
    return multiply(power, log_of_base(x, power))


def _omega_slope(out):
    """Return ``out / (1 + out)``, whose own derivative would cancel where it is near 1."""
    large = greater(out, 1)
    near_one = 1 - 1 / (1 + where(large, out, 1.0))
    small = where(large, 1.0, out)
    return where(large, near_one, small / (1 + small))


@elementwise(partials={"x": _omega_slope}, samples=_signed)
def wrightomega(xp, x, /):
    """Solve ``y + log(y) = x``: Wright's omega function."""
    return through_numpy("wrightomega", x)


def _periods(draw):
    yield Sample((3 * draw(3), 4))
    yield Sample((6 * draw(2, 3) - 7, 5))


@composed(samples=_periods)
def diric(x, n, /):
    """Compute ``sin(n * x / 2) / (n * sin(x / 2))``, and its limit where that is 0 / 0.

    ``n`` is a positive whole number, or an array of them; of others it is NaN.
    """
    turns = round(x / (2 * math.pi))
    rest = x / (2 * math.pi) - turns
    n = beside(n, x)
    side = 1 - 2 * remainder(multiply(turns, n - 1), 2.0)
    kernel = multiply(side, sinc(multiply(n, rest)) / sinc(rest))
    return where(logical_and(greater(n, 0), equal(n, floor(n))), kernel, math.nan)
