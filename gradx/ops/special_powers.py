"""Powers, roots and angles as ``scipy.special`` has them: Box and Cox, Huber, Wright, degrees."""

import math

from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample, broadcast_pairs, single_arrays, single_within
from gradx.ops.arithmetic import add, divide, multiply, quotient, subtract, where
from gradx.ops.comparison import equal, less, less_equal, logical_and, logical_or
from gradx.ops.creation import zeros_like
from gradx.ops.exponential import exp, expm1, log, log1p
from gradx.ops.powers import pow, sqrt
from gradx.ops.signs import abs
from gradx.ops.special_bessel import exprel
from gradx.ops.special_host import side_by_side, through_numpy
from gradx.ops.special_integrals import log_ratio
from gradx.ops.trigonometric import sin

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


def _powers(draw):
    yield from broadcast_pairs(draw)
    yield Sample((draw(3), draw(3) * 0))
    yield Sample((draw(3), draw(3) * 1e-4 - 1e-4))
    yield Sample((draw(3), 0.5))


def _spread(x, parameter):
    """Return both as arrays: a number of a captured graph is none, and chooses nothing."""
    x, parameter = side_by_side(x, parameter)
    return x, add(parameter, zeros_like(x)) if x.ndim else parameter


@composed(samples=_powers)
def boxcox(x, lmbda, /):
    """Compute ``(x**lmbda - 1) / lmbda``, and ``log(x)`` where ``lmbda`` is 0.

    >>> import numpy as np, gradx as gx
    >>> gx.special.boxcox(np.asarray([1.0, 3.0]), 2.0)
    array([0., 4.])
    """
    x, lmbda = _spread(x, lmbda)
    return _transformed(log, x, lmbda, equal(x, 0), 1.0)


def _transformed(logarithm, x, lmbda, zero, harmless):
    """Transform ``x``; at its ends, of which ``zero`` is the lower, by limits."""
    top = equal(x, math.inf)
    end = logical_or(logical_and(zero, less(0, lmbda)), logical_and(top, less(lmbda, 0)))
    along = logarithm(where(end, harmless, x))
    flat = logical_and(equal(lmbda, 0), logical_or(zero, top))
    size = multiply(where(flat, 0.0, lmbda), where(flat, 0.0, along))
    # Of the product with exprel, nothing would be left of the small power that is the derivative.
    far = less(size, -1.0)
    near = along * exprel(where(far, 0.0, size))
    found = where(far, divide(expm1(where(far, size, -1.0)), where(far, lmbda, 1.0)), near)
    return where(end, -1 / where(end, lmbda, 1.0), found)


@composed(samples=_powers)
def boxcox1p(x, lmbda, /):
    """Compute ``boxcox(1 + x, lmbda)``, accurately near 0."""
    x, lmbda = _spread(x, lmbda)
    return _transformed(log1p, x, lmbda, equal(x, -1), 0.0)


@composed(samples=_powers)
def inv_boxcox(y, lmbda, /):
    """Undo ``boxcox`` in its first argument."""
    return exp(_stretched(y, lmbda))


@composed(samples=_powers)
def inv_boxcox1p(y, lmbda, /):
    """Undo ``boxcox1p`` in its first argument."""
    return expm1(_stretched(y, lmbda))


def _stretched(y, lmbda):
    """Return ``log1p(lmbda * y) / lmbda``, in floating point: whole numbers would overflow."""
    y, lmbda = side_by_side(y * 1.0, lmbda)
    size = multiply(lmbda, y)
    far = less(1.0, size)
    near = multiply(where(far, 0.0, y), log_ratio(where(far, 0.0, size)))
    return where(far, divide(log1p(where(far, size, 0.0)), where(far, lmbda, 1.0)), near)


def _residuals(draw):
    for sample in broadcast_pairs(draw):
        delta, r = sample.arrays
        yield Sample((delta, r * 4 - 5))
    yield Sample((1.0, draw(3)))


@composed(samples=_residuals)
def huber(delta, r, /):
    """Compute half the square of ``r``, and beyond ``delta`` go on as a line."""
    r, delta = _spread(r, delta)
    size = abs(r)
    found = where(
        less_equal(size, delta), 0.5 * r * r, multiply(delta, subtract(size, 0.5 * delta))
    )
    return where(less(delta, 0), math.inf, found)


@composed(samples=_residuals)
def pseudo_huber(delta, r, /):
    """Compute the smooth relative of ``huber``: ``delta**2 * (sqrt(1 + (r / delta)**2) - 1)``."""
    r, delta = _spread(r, delta)
    none = equal(delta, 0)
    slope = divide(where(none, 0.0, r), where(none, 1.0, delta))
    found = where(none, 0.0, r) ** 2 / (1 + sqrt(1 + slope * slope))
    return where(less(delta, 0), math.inf, found)


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
    # Not from the output, which a small power is lost in.
    x, y = side_by_side(x, y)
    return multiply(pow(x, y), log(where(equal(x, 0), 1.0, x)))


@elementwise(partials={"x": lambda x: (1 + x) ** -2.0}, samples=single_within(0.1, 3.5))
def share_of_one_more(xp, x, /):
    """Compute ``x / (1 + x)``; far out, the derivative of the quotient would cancel."""
    return x / (1 + x)


@elementwise(partials={"x": lambda out: share_of_one_more(out)}, samples=_signed)
def wrightomega(xp, x, /):
    """Solve ``y + log(y) = x``: Wright's omega function."""
    return through_numpy("wrightomega", x)
