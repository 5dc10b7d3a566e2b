"""Incomplete elliptic integrals, Jacobi's functions and the arithmetic-geometric mean.

Derivatives by the parameter are integrals of positive functions, which do not cancel.
"""

import math
from typing import Any

from gradx.backends.carlson import elliptic_moment as moment_of_arrays
from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import add, divide, multiply, where
from gradx.ops.comparison import equal, greater, logical_and
from gradx.ops.powers import pow, sqrt
from gradx.ops.signs import abs
from gradx.ops.special_carlson import carlson
from gradx.ops.special_host import on_host, side_by_side, through_numpy
from gradx.ops.trigonometric import cos, sin


def _amplitudes(draw):
    for phi, m in [((), ()), ((3,), (3,)), ((2, 1), (3,)), ((0, 3), (3,))]:
        yield Sample((3 * draw(*phi) - 4.2, 0.4 * draw(*m) - 0.3))
    yield Sample((0.7, 0.4 * draw(3)))
    yield Sample((draw(3) - 1.2, 0.5))


def _moments(draw):
    for sample in _amplitudes(draw):
        yield Sample(sample.arrays, {"sines": 1, "roots": 0})


def _width(phi: Any, m: Any) -> Any:
    """Return ``1 - m * sin(phi)**2``, in which nothing cancels where ``m`` is 1 or less."""
    phi, m = side_by_side(phi, m)
    sine, cosine = sin(phi), cos(phi)
    return add(cosine * cosine, multiply(1 - m, sine * sine))


def _slope_of_moment(phi, m, sines, roots):
    phi, m = side_by_side(phi, m)
    return multiply(sin(phi) ** (2 * sines), pow(_width(phi, m), -0.5 - roots))


@elementwise(
    partials={
        "phi": _slope_of_moment,
        "m": lambda phi, m, sines, roots: (
            (0.5 + roots) * elliptic_moment(phi, m, sines=sines + 1, roots=roots + 1)
        ),
    },
    samples=_moments,
)
def elliptic_moment(xp, phi, m, /, *, sines, roots):
    """Integrate ``sin(t)**(2 * sines) * (1 - m * sin(t)**2)**(-roots - 1 / 2)`` to ``phi``."""
    function = lambda phi, m: moment_of_arrays(phi, m, sines, roots)
    return on_host("elliptic_moment", function, phi, m)


@elementwise(
    partials={
        "phi": lambda phi, m: pow(_width(phi, m), -0.5),
        "m": lambda phi, m: 0.5 * elliptic_moment(phi, m, sines=1, roots=1),
    },
    samples=_amplitudes,
)
def ellipkinc(xp, phi, m, /):
    """Compute the incomplete elliptic integral of the first kind.

    It is that of ``(1 - m * sin(t)**2)**-0.5`` from 0 to the amplitude ``phi``; ``m`` is the
    parameter, the square of the modulus.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.ellipkinc(np.asarray(1.0), 0.5)), 6)
    1.083217
    """
    return through_numpy("ellipkinc", phi, m)


@elementwise(
    partials={
        "phi": lambda phi, m: sqrt(_width(phi, m)),
        "m": lambda phi, m: -0.5 * elliptic_moment(phi, m, sines=1, roots=0),
    },
    samples=_amplitudes,
)
def ellipeinc(xp, phi, m, /):
    """Compute the incomplete elliptic integral of the second kind; see ``ellipkinc``."""
    return through_numpy("ellipeinc", phi, m)


def _modules(draw):
    for u, m in [((), ()), ((3,), (3,)), ((2, 1), (3,)), ((0, 3), (3,))]:
        yield Sample((3 * draw(*u) - 4.2, 0.4 * draw(*m)))
    yield Sample((0.7, 0.4 * draw(3)))
    yield Sample((draw(3) - 1.2, 0.5))


def _amplitude_by_parameter(u, m):
    """Differentiate ``ellipkinc(phi, m) = u``."""
    return multiply(-jacobi_delta(u, m), _rise_of_first_kind(u, m))


@elementwise(
    partials={
        "u": lambda u, m: jacobi_delta(u, m),
        "m": lambda u, m: _amplitude_by_parameter(u, m),
    },
    samples=_modules,
)
def jacobi_amplitude(xp, u, m, /):
    """Compute Jacobi's amplitude: the ``phi`` of which ``ellipkinc(phi, m)`` is ``u``."""
    return through_numpy("jacobi_amplitude", u, m)


@elementwise(
    partials={
        "u": lambda u, m: multiply(jacobi_cosine(u, m), jacobi_delta(u, m)),
        "m": lambda u, m: multiply(jacobi_cosine(u, m), _amplitude_by_parameter(u, m)),
    },
    samples=_modules,
)
def jacobi_sine(xp, u, m, /):
    """Compute Jacobi's sn, the sine of the amplitude."""
    return through_numpy("jacobi_sine", u, m)


@elementwise(
    partials={
        "u": lambda u, m: -multiply(jacobi_sine(u, m), jacobi_delta(u, m)),
        "m": lambda u, m: -multiply(jacobi_sine(u, m), _amplitude_by_parameter(u, m)),
    },
    samples=_modules,
)
def jacobi_cosine(xp, u, m, /):
    """Compute Jacobi's cn, the cosine of the amplitude."""
    return through_numpy("jacobi_cosine", u, m)


def _delta_by(u, m):
    u, m = side_by_side(u, m)
    return -multiply(m, multiply(jacobi_sine(u, m), jacobi_cosine(u, m)))


def _delta_by_parameter(u, m):
    """Differentiate ``sqrt(1 - m * sn**2)``."""
    u, m = side_by_side(u, m)
    sine, delta = jacobi_sine(u, m), jacobi_delta(u, m)
    # What the amplitude's derivative has as a factor, it is not divided by.
    turned = multiply(m, multiply(jacobi_cosine(u, m), _rise_of_first_kind(u, m)))
    return sine * turned - divide(sine * sine, 2 * delta)


def _rise_of_first_kind(u, m):
    """Return what ``ellipkinc`` rises by with its parameter, at the amplitude of ``u``."""
    return 0.5 * elliptic_moment(jacobi_amplitude(u, m), m, sines=1, roots=1)


@elementwise(
    partials={
        "u": lambda u, m: _delta_by(u, m),
        "m": lambda u, m: _delta_by_parameter(u, m),
    },
    samples=_modules,
)
def jacobi_delta(xp, u, m, /):
    """Compute Jacobi's dn, the derivative of the amplitude by ``u``."""
    return through_numpy("jacobi_delta", u, m)


@composed(samples=_modules)
def ellipj(u, m, /):
    """Return Jacobi's elliptic functions sn, cn and dn, and the amplitude whose sine is sn.

    ``m`` is the parameter, between 0 and 1. Where it is within 1e-9 of 1, SciPy's values of a
    large ``u`` are approximate, and so are derivatives.
    """
    return jacobi_sine(u, m), jacobi_cosine(u, m), jacobi_delta(u, m), jacobi_amplitude(u, m)


def _means(draw):
    for a, b in [((), ()), ((3,), (3,)), ((2, 1), (3,)), ((0, 3), (3,))]:
        yield Sample((draw(*a), draw(*b)))
    yield Sample((1.5, draw(3)))
    yield Sample((draw(3), 1.5))


def _mean_by(a, b, out):
    """Differentiate Gauss's ``pi / 2 / elliprf(0, a**2, b**2)``, of numbers up to 1."""
    a, b = side_by_side(a, b)
    none = equal(out, 0)
    scale = where(none, 1.0, where(greater(abs(a), abs(b)), a, b))
    a, b, mean = where(none, a, a / scale), where(none, 1.0, b / scale), out / scale
    rise = carlson(a * a, b * b, 0.0, 0.0, halves=(3, 1, 1, 0))
    slope = multiply(mean * mean / math.pi, a * rise)
    return where(logical_and(none, equal(a, 0)), math.inf, where(none, 0.0, slope))


@elementwise(
    partials={
        "a": lambda a, b, out: _mean_by(a, b, out),
        "b": lambda a, b, out: _mean_by(b, a, out),
    },
    samples=_means,
)
def agm(xp, a, b, /):
    """Compute the arithmetic-geometric mean of two numbers of one sign."""
    return through_numpy("agm", a, b)
