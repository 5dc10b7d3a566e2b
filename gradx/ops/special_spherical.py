"""Spherical Bessel functions; each derivative is made of the neighbouring orders (DLMF 10.51).

So none is divided by ``z``, which may be 0.
"""

import math
from collections.abc import Callable
from typing import Any

from gradx.core.arrays import is_kind
from gradx.core.op import composed, elementwise
from gradx.core.samples import Sample
from gradx.ops.arithmetic import multiply, where
from gradx.ops.comparison import equal, greater, isinf
from gradx.ops.creation import zeros_like
from gradx.ops.shapes import astype
from gradx.ops.special_host import NUMBERS, refusing, through_numpy, whole_part


def _orders(draw):
    for n in [0, 1, 4]:
        yield Sample((n, draw(3)))
    yield Sample((2, draw()))
    yield Sample(((draw(2, 1) * 0 + [[0], [3]]).astype("int64"), draw(3)))
    yield Sample((1, draw(0, 3)))


def _as_real(n: Any, z: Any) -> Any:
    return n if type(n) in NUMBERS else astype(n, "float64" if type(z) in NUMBERS else z.dtype)


def _lower(function: Callable[..., Any], n: Any, z: Any) -> Any:
    """Return ``n`` times the function of order ``n - 1``, which of order 0 is nothing."""
    if type(n) in NUMBERS:
        return n * function(n - 1, z) if n else zeros_like(z)
    there = greater(n, 0)
    found = multiply(function(where(there, n - 1, 0), z), _as_real(n, z))
    return where(there, found, where(equal(n, 0), zeros_like(found), math.nan))


def _higher(function: Callable[..., Any], n: Any, z: Any) -> Any:
    return multiply(function(n + 1, z), _as_real(n + 1, z))


def _mean(n: Any, z: Any, total: Any) -> Any:
    return total / _as_real(2 * n + 1, z)


def _slope_of_first(n, z):
    return _mean(n, z, _lower(spherical_first, n, z) - _higher(spherical_first, n, z))


def _slope_of_second(n, z):
    # Where both are infinite, the one of the higher order is by far the larger.
    high = _higher(spherical_second, n, z)
    low = where(isinf(high), 0.0, _lower(spherical_second, n, z))
    return _mean(n, z, low - high)


def _slope_of_modified_first(n, z):
    function = spherical_modified_first
    return _mean(n, z, _lower(function, n, z) + _higher(function, n, z))


def _slope_of_modified_second(n, z):
    function = spherical_modified_second
    return -_mean(n, z, _lower(function, n, z) + _higher(function, n, z))


def _whole(n: Any, z: Any) -> Any:
    whole = type(n) not in NUMBERS and is_kind(n, "integral")
    return n if whole else whole_part(n, z)


@elementwise(
    partials={"n": refusing("spherical_jn", "n"), "z": _slope_of_first},
    samples=_orders,
)
def spherical_first(xp, n, z, /):
    """Compute the spherical Bessel function of the first kind and of order ``n``."""
    return through_numpy("spherical_first", n, z)


@elementwise(
    partials={"n": refusing("spherical_yn", "n"), "z": _slope_of_second},
    samples=_orders,
)
def spherical_second(xp, n, z, /):
    """Compute the spherical Bessel function of the second kind and of order ``n``."""
    return through_numpy("spherical_second", n, z)


@elementwise(
    partials={"n": refusing("spherical_in", "n"), "z": _slope_of_modified_first},
    samples=_orders,
)
def spherical_modified_first(xp, n, z, /):
    """Compute the modified spherical Bessel function of the first kind and of order ``n``."""
    return through_numpy("spherical_modified_first", n, z)


@elementwise(
    partials={"n": refusing("spherical_kn", "n"), "z": _slope_of_modified_second},
    samples=_orders,
)
def spherical_modified_second(xp, n, z, /):
    """Compute the modified spherical Bessel function of the second kind and of order ``n``."""
    return through_numpy("spherical_modified_second", n, z)


@composed(samples=_orders)
def spherical_jn(n, z, /, derivative=False):
    """Compute the spherical Bessel function of the first kind, or its derivative.

    The order ``n``, which is not negative, is cut off to a whole number; it may be an array.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.spherical_jn(0, np.asarray(1.0))), 6)
    0.841471
    """
    n = _whole(n, z)
    return _slope_of_first(n, z) if derivative else spherical_first(n, z)


@composed(samples=_orders)
def spherical_yn(n, z, /, derivative=False):
    """Compute the spherical Bessel function of the second kind, or its derivative."""
    n = _whole(n, z)
    return _slope_of_second(n, z) if derivative else spherical_second(n, z)


@composed(samples=_orders)
def spherical_in(n, z, /, derivative=False):
    """Compute the modified spherical Bessel function of the first kind, or its derivative."""
    n = _whole(n, z)
    return _slope_of_modified_first(n, z) if derivative else spherical_modified_first(n, z)


@composed(samples=_orders)
def spherical_kn(n, z, /, derivative=False):
    """Compute the modified spherical Bessel function of the second kind, or its derivative."""
    n = _whole(n, z)
    return _slope_of_modified_second(n, z) if derivative else spherical_modified_second(n, z)
