"""Functions of waves: integrals of sines and cosines, Airy's functions."""

import math

from gradx.core.op import composed, elementwise
from gradx.core.samples import single_arrays, single_within
from gradx.ops.extremes import clip
from gradx.ops.special_host import through_numpy
from gradx.ops.special_hypergeometric import hyp0f1
from gradx.ops.special_integrals import exponential_over
from gradx.ops.trigonometric import cos, sin, sinc

_signed = single_within(-2.5, 3.5)
_slow = single_within(-0.8, 1.1)
HALF_PI = 0.5 * math.pi


@elementwise(partials={"x": lambda x: sinc(x / math.pi)}, samples=_signed)
def sine_integral(xp, x, /):
    """Integrate ``sin(t) / t`` from 0 to ``x``."""
    return through_numpy("sine_integral", x)


@elementwise(partials={"x": lambda x: cos(x) / x}, samples=single_arrays)
def cosine_integral(xp, x, /):
    """Compute the cosine integral: minus that of ``cos(t) / t`` from ``x`` to infinity."""
    return through_numpy("cosine_integral", x)


@composed(samples=single_arrays)
def sici(x, /):
    """Return the sine integral and the cosine integral of ``x``.

    >>> import numpy as np, gradx as gx
    >>> sine, cosine = gx.special.sici(np.asarray(1.0))
    >>> round(float(sine), 6), round(float(cosine), 6)
    (0.946083, 0.337404)
    """
    return sine_integral(x), cosine_integral(x)


# Beyond, hyperbolic functions overflow, and a square may too.
HUGE = 1e3


def _slope_of_hyperbolic_sine(x):
    """Return ``sinh(x) / x``, of whose derivatives no terms cancel: DLMF 10.39.9."""
    return hyp0f1(1.5, 0.25 * x * clip(x, -HUGE, HUGE))


@elementwise(partials={"x": _slope_of_hyperbolic_sine}, samples=_signed)
def hyperbolic_sine_integral(xp, x, /):
    """Integrate ``sinh(t) / t`` from 0 to ``x``."""
    return through_numpy("hyperbolic_sine_integral", x)


def _slope_of_hyperbolic_cosine(x):
    """Return ``cosh(x) / x``, of whose derivatives no term is infinite with the other sign."""
    return 0.5 * (exponential_over(x) - exponential_over(-x))


@elementwise(partials={"x": _slope_of_hyperbolic_cosine}, samples=single_arrays)
def hyperbolic_cosine_integral(xp, x, /):
    """Integrate ``(cosh(t) - 1) / t`` from 0 to ``x``, and add ``log(x)`` and Euler's constant."""
    return through_numpy("hyperbolic_cosine_integral", x)


@composed(samples=single_arrays)
def shichi(x, /):
    """Return the hyperbolic sine integral and the hyperbolic cosine integral of ``x``."""
    return hyperbolic_sine_integral(x), hyperbolic_cosine_integral(x)


@elementwise(partials={"x": lambda x: sin(HALF_PI * x * x)}, samples=_slow)
def fresnel_sine(xp, x, /):
    """Integrate ``sin(pi * t**2 / 2)`` from 0 to ``x``."""
    return through_numpy("fresnel_sine", x)


@elementwise(partials={"x": lambda x: cos(HALF_PI * x * x)}, samples=_slow)
def fresnel_cosine(xp, x, /):
    """Integrate ``cos(pi * t**2 / 2)`` from 0 to ``x``."""
    return through_numpy("fresnel_cosine", x)


@composed(samples=_slow)
def fresnel(x, /):
    """Return Fresnel's integrals of ``sin(pi * t**2 / 2)`` and of the cosine, from 0 to ``x``."""
    return fresnel_sine(x), fresnel_cosine(x)


@elementwise(partials={"x": lambda x: airy_slope(x)}, samples=_signed)
def airy_function(xp, x, /):
    """Compute Airy's function Ai, which vanishes at infinity."""
    return through_numpy("airy_function", x)


# As Airy's equation says, y'' = x * y.
@elementwise(partials={"x": lambda x: x * airy_function(x)}, samples=_signed)
def airy_slope(xp, x, /):
    """Compute the derivative of Airy's function Ai."""
    return through_numpy("airy_slope", x)


@elementwise(partials={"x": lambda x: second_airy_slope(x)}, samples=_signed)
def second_airy_function(xp, x, /):
    """Compute Airy's function of the second kind, Bi."""
    return through_numpy("second_airy_function", x)


@elementwise(partials={"x": lambda x: x * second_airy_function(x)}, samples=_signed)
def second_airy_slope(xp, x, /):
    """Compute the derivative of Airy's function Bi."""
    return through_numpy("second_airy_slope", x)


@composed(samples=_signed)
def airy(x, /):
    """Return Airy's functions and their derivatives: Ai, Ai', Bi and Bi'."""
    return airy_function(x), airy_slope(x), second_airy_function(x), second_airy_slope(x)
