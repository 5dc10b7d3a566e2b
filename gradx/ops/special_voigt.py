"""Profiles of spectral lines, by the Faddeeva function of ``x + y * 1j``; ``y`` is not negative."""

import math

from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import where
from gradx.ops.comparison import equal, greater, less
from gradx.ops.exponential import exp
from gradx.ops.special_host import NUMBERS, beside, side_by_side, through_numpy

# Beyond, squared, the asymptotic series is used, whose terms then fall below the last digit.
FAR, TERMS = 49.0, 26
ROOT = 2 / math.sqrt(math.pi)


def _places(draw):
    for shape in [(), (3,), (2, 3), (0,)]:
        yield Sample((draw(*shape) - 1.2, draw(*shape)))
    yield Sample((draw(2, 1), 9 + draw(3)))


def _slope(x, y):
    """Return the parts of the derivative, ``-2 * z * w + ROOT * 1j``, which cancels far out."""
    x, y = side_by_side(x, y)
    far = greater(x * x + y * y, FAR)
    x_near, y_near = where(far, 0.0, x), where(far, 1.0, y)
    u, v = faddeeva_real(x_near, y_near), faddeeva_imag(x_near, y_near)
    x_far, y_far = where(far, x, 8.0), where(far, y, 0.0)
    tail, turned = _tail(x_far, y_far)
    # The series lacks what is all of the real part where y is 0, and nothing farther up.
    low = where(less(y_far, 1.0), x_far, 30.0)
    bell = 2 * low * exp(-low * low)
    real = where(far, ROOT * turned - bell, -2 * (x_near * u - y_near * v))
    return real, where(far, -ROOT * tail, ROOT - 2 * (x_near * v + y_near * u))


def _tail(x, y):
    """Return the parts of ``q * (1 + 3 * q * (1 + 5 * q * (...)))``, with ``q = 0.5 / z**2``."""
    size = x * x + y * y
    across, along = x / size, -y / size
    q, r = 0.5 * (across * across - along * along), across * along
    real, imag = 0.0 * x, 0.0 * x
    for k in range(TERMS, 0, -1):
        odd, above = 2 * k - 1, 1 + real
        real, imag = odd * (q * above - r * imag), odd * (q * imag + r * above)
    return real, imag


@elementwise(
    partials={"x": lambda x, y: _slope(x, y)[0], "y": lambda x, y: -_slope(x, y)[1]},
    samples=_places,
)
def faddeeva_real(xp, x, y, /):
    """Compute the real part of the Faddeeva function ``exp(-z**2) * erfc(-z * 1j)``."""
    return through_numpy("faddeeva_real", x, y)


@elementwise(
    partials={"x": lambda x, y: _slope(x, y)[1], "y": lambda x, y: _slope(x, y)[0]},
    samples=_places,
)
def faddeeva_imag(xp, x, y, /):
    """Compute the imaginary part of the Faddeeva function."""
    return through_numpy("faddeeva_imag", x, y)


def _widths(draw):
    yield Sample((draw(3) + 0.5, draw(3), draw(3)))
    yield Sample((draw(2, 1) - 1.2, 0.5, draw(3)))


@composed(samples=_widths)
def voigt_profile(x, sigma, gamma, /):
    """Compute the density at ``x`` of the sum of a normal and a Cauchy variable, both about 0.

    ``sigma`` is the standard deviation of the one and ``gamma`` the half width at half maximum of
    the other; neither is negative.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.voigt_profile(np.asarray(1.0), 1.0, 0.5)), 6)
    0.20018
    """
    array = next((given for given in (x, sigma, gamma) if type(given) not in NUMBERS), x)
    x, sigma, gamma = [beside(given, array) for given in (x, sigma, gamma)]
    sharp = equal(sigma, 0.0)  # a Cauchy variable alone
    scale = math.sqrt(2) * where(sharp, 1.0, sigma)
    blurred = faddeeva_real(x / scale, gamma / scale) / (math.sqrt(math.pi) * scale)
    alone = where(sharp, gamma, 1.0)
    return where(sharp, alone / (math.pi * (x * x + alone * alone)), blurred)
