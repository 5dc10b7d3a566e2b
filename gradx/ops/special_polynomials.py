"""Orthogonal polynomials: each derivative is a polynomial of a degree less (DLMF 18.9).

With respect to anything but their last argument nobody knows a short formula.
"""

import math
from collections.abc import Callable
from typing import Any

from gradx.core.op import elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import multiply, where
from gradx.ops.comparison import equal, greater, logical_or, not_equal
from gradx.ops.rounding import floor
from gradx.ops.special_host import NUMBERS, refusing, through_numpy


def _degrees(draw):
    for degree in [0, 1, 4]:
        yield Sample((degree, 0.4 * draw(3)))
    yield Sample((3, 0.4 * draw(2, 3)))


def _with(*parameters):
    def samples(draw):
        for degree in [0, 1, 4]:
            yield Sample((degree, *parameters, 0.4 * draw(3)))
        yield Sample((3, *[parameter + 0 * draw(2, 1) for parameter in parameters], 0.4 * draw(3)))

    return samples


def _slope(n: Any, x: Any, lower: Callable[[Any], Any], factor: Any = 1.0) -> Any:
    """Return ``factor * lower(n - 1)``; 0 for a constant, of degree 0, and NaN for what is none."""
    if type(n) in NUMBERS:
        if n > 0 or n % 1:
            return multiply(lower(n - 1), factor)
        return multiply(x, 0.0 if n == 0 else math.nan)
    # Of whole degrees below 0 there are no polynomials.
    there = logical_or(greater(n, 0), not_equal(n, floor(n)))
    value = multiply(lower(where(there, n - 1, 0)), factor)
    return where(there, value, where(equal(n, 0), 0.0, multiply(value, math.nan)))


def _slope_of_gegenbauer(n, alpha, x):
    return _slope(n, x, lambda k: eval_gegenbauer(k, alpha + 1, x), 2 * alpha)


def _slope_of_jacobi(n, alpha, beta, x):
    lower = lambda k: eval_jacobi(k, alpha + 1, beta + 1, x)
    return _slope(n, x, lower, 0.5 * (n + alpha + beta + 1))


@elementwise(
    partials={
        "n": refusing("eval_jacobi", "n"),
        "alpha": refusing("eval_jacobi", "alpha"),
        "beta": refusing("eval_jacobi", "beta"),
        "x": lambda n, alpha, beta, x: _slope_of_jacobi(n, alpha, beta, x),
    },
    samples=_with(0.5, 1.5),
)
def eval_jacobi(xp, n, alpha, beta, x, /):
    """Evaluate the Jacobi polynomial of degree ``n`` and parameters ``alpha`` and ``beta``."""
    return through_numpy("eval_jacobi", n, alpha, beta, x)


@elementwise(
    partials={
        "n": refusing("eval_gegenbauer", "n"),
        "alpha": refusing("eval_gegenbauer", "alpha"),
        "x": lambda n, alpha, x: _slope_of_gegenbauer(n, alpha, x),
    },
    samples=_with(1.5),
)
def eval_gegenbauer(xp, n, alpha, x, /):
    """Evaluate the Gegenbauer polynomial of degree ``n`` and parameter ``alpha``."""
    return through_numpy("eval_gegenbauer", n, alpha, x)


@elementwise(
    partials={
        "n": refusing("eval_legendre", "n"),
        "x": lambda n, x: _slope_of_gegenbauer(n, 0.5, x),
    },
    samples=_degrees,
)
def eval_legendre(xp, n, x, /):
    """Evaluate the Legendre polynomial of degree ``n``.

    >>> import numpy as np, gradx as gx
    >>> gx.special.eval_legendre(2, np.asarray([0.0, 1.0]))
    array([-0.5,  1. ])
    """
    return through_numpy("eval_legendre", n, x)


@elementwise(
    partials={
        "n": refusing("eval_chebyt", "n"),
        "x": lambda n, x: _slope(n, x, lambda k: eval_chebyu(k, x), n),
    },
    samples=_degrees,
)
def eval_chebyt(xp, n, x, /):
    """Evaluate the Chebyshev polynomial of the first kind and degree ``n``."""
    return through_numpy("eval_chebyt", n, x)


@elementwise(
    partials={
        "n": refusing("eval_chebyu", "n"),
        "x": lambda n, x: _slope_of_gegenbauer(n, 1.0, x),
    },
    samples=_degrees,
)
def eval_chebyu(xp, n, x, /):
    """Evaluate the Chebyshev polynomial of the second kind and degree ``n``."""
    return through_numpy("eval_chebyu", n, x)


@elementwise(
    partials={
        "n": refusing("eval_hermite", "n"),
        "x": lambda n, x: _slope(n, x, lambda k: eval_hermite(k, x), 2 * n),
    },
    samples=_degrees,
)
def eval_hermite(xp, n, x, /):
    """Evaluate the physicists' Hermite polynomial of whole degree ``n``."""
    return through_numpy("eval_hermite", n, x)


@elementwise(
    partials={
        "n": refusing("eval_hermitenorm", "n"),
        "x": lambda n, x: _slope(n, x, lambda k: eval_hermitenorm(k, x), n),
    },
    samples=_degrees,
)
def eval_hermitenorm(xp, n, x, /):
    """Evaluate the probabilists' Hermite polynomial of whole degree ``n``."""
    return through_numpy("eval_hermitenorm", n, x)


@elementwise(
    partials={
        "n": refusing("eval_genlaguerre", "n"),
        "alpha": refusing("eval_genlaguerre", "alpha"),
        "x": lambda n, alpha, x: -_slope(n, x, lambda k: eval_genlaguerre(k, alpha + 1, x)),
    },
    samples=_with(0.5),
)
def eval_genlaguerre(xp, n, alpha, x, /):
    """Evaluate the generalized Laguerre polynomial of degree ``n`` and parameter ``alpha``."""
    return through_numpy("eval_genlaguerre", n, alpha, x)


@elementwise(
    partials={
        "n": refusing("eval_laguerre", "n"),
        "x": lambda n, x: -_slope(n, x, lambda k: eval_genlaguerre(k, 1.0, x)),
    },
    samples=_degrees,
)
def eval_laguerre(xp, n, x, /):
    """Evaluate the Laguerre polynomial of degree ``n``."""
    return through_numpy("eval_laguerre", n, x)
