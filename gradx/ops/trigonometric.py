"""Sines and cosines, of angles and hyperbolic."""

import math
from functools import reduce

from gradx.core.arrays import is_kind
from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample, single_arrays
from gradx.ops.arithmetic import where
from gradx.ops.comparison import less
from gradx.ops.signs import abs


def _signed_or_complex(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * 2 - 2.5,))
    yield Sample((draw(3) - 1j * draw(3),))


def _below_half_pi(draw):
    for sample in single_arrays(draw):
        yield Sample((sample.arrays[0] - 1.0,))
    yield Sample((draw(3) - 1j * draw(3),))


@elementwise(partials={"x": lambda x: cos(x)}, samples=_signed_or_complex)
def sin(xp, x, /):
    """Take the sine of angles in radians."""
    return xp.sin(x)


@elementwise(partials={"x": lambda x: -sin(x)}, samples=_signed_or_complex)
def cos(xp, x, /):
    """Take the cosine of angles in radians."""
    return xp.cos(x)


def _secant_squared(x, out):
    # Of complex numbers far from the real axis nothing is left of 1 + out**2.
    return sech_squared(1j * x) if is_kind(x, "complex floating") else 1 + out * out


@elementwise(partials={"x": _secant_squared}, samples=_below_half_pi)
def tan(xp, x, /):
    """Take the tangent of angles in radians."""
    return xp.tan(x)


@elementwise(partials={"x": lambda x: cosh(x)}, samples=_signed_or_complex)
def sinh(xp, x, /):
    """Take the hyperbolic sine."""
    return xp.sinh(x)


@elementwise(partials={"x": lambda x: sinh(x)}, samples=_signed_or_complex)
def cosh(xp, x, /):
    """Take the hyperbolic cosine."""
    return xp.cosh(x)


# Not 1 - out**2: nothing of it is left where out is nearly 1.
@elementwise(partials={"x": lambda x: sech_squared(x)}, samples=_below_half_pi)
def tanh(xp, x, /):
    """Take the hyperbolic tangent."""
    return xp.tanh(x)


@elementwise(partials={"x": lambda x, out: -2 * tanh(x) * out}, samples=_below_half_pi)
def sech_squared(xp, x, /):
    """Compute ``1 / cosh(x)**2``, without overflow: the derivative of ``tanh``."""
    small = decay_of(xp, 2 * x)
    return 4 * small / ((1 + small) * (1 + small))


def decay_of(xp, x):
    """Compute ``exp(-x)`` of ``x`` or ``-x``, whichever is not negative: of a plain array."""
    is_complex = xp.isdtype(x.dtype, "complex floating")
    return xp.exp(xp.where(xp.real(x) < 0, x, -x) if is_complex else -xp.abs(x))


def _beside_zero(draw):
    yield from single_arrays(draw)
    yield Sample((draw(4) * 0.2 - 0.21,))
    yield Sample((draw(3) - 3,))


@composed(samples=_beside_zero)
def sinc(x, /):
    """Compute ``sin(pi * x) / (pi * x)``, which is 1 at 0.

    >>> import numpy as np, gradx as gx
    >>> gx.sinc(np.asarray([0.0, 0.5]))
    array([1.        , 0.63661977])
    """
    angle = x * math.pi
    # Near 0 by its series, whose derivatives are right there too.
    near = less(abs(angle), 0.3)
    small = where(near, angle, 0.0)
    square = small * small
    series = reduce(
        lambda tail, n: 1 - square / ((2 * n) * (2 * n + 1)) * tail, range(9, 0, -1), 1.0
    )
    away = where(near, 1.0, angle)
    return where(near, series, sin(away) / away)
