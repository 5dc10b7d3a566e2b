"""Kelvin's functions: the parts of Bessel functions of ``x`` times a root of ``1j``.

Their equation, ``y'' = 1j * y - y' / x``, gives all derivatives from the second on.
"""

import math
from typing import Any

from gradx.core.op import composed, elementwise
from gradx.core.samples import single_arrays, single_within
from gradx.ops.arithmetic import where
from gradx.ops.comparison import less
from gradx.ops.complex import from_parts
from gradx.ops.signs import abs
from gradx.ops.special_host import through_numpy

_signed = single_within(-2.5, 3.5)
# Below, the power series is used, of which so many terms have all digits there.
SERIES_BELOW, TERMS = 1.0, 6


def _over(x: Any, slope: Any, first: int) -> Any:
    """Return ``slope(x) / x``; near 0, where that would be 0 / 0, its series from ``first``."""
    near = less(abs(x), SERIES_BELOW)
    small, large = where(near, x, 0.0), where(near, SERIES_BELOW, x)
    half = 0.25 * small * small
    total = 0.0 * small
    for n in range(first + 2 * TERMS, first - 1, -2):
        total = 0.5 * n / math.factorial(n) ** 2 - half * half * total
    return where(near, total if first == 1 else -half * total, slope(large) / large)


@elementwise(partials={"x": lambda x: berp(x)}, samples=_signed)
def ber(xp, x, /):
    """Compute Kelvin's function ber, the real part of ``jv(0, x * exp(0.75j * pi))``.

    >>> import numpy as np, gradx as gx
    >>> round(float(gx.special.ber(np.asarray(1.0))), 6)
    0.984382
    """
    return through_numpy("ber", x)


@elementwise(partials={"x": lambda x: beip(x)}, samples=_signed)
def bei(xp, x, /):
    """Compute Kelvin's function bei, the imaginary part that belongs to ``ber``."""
    return through_numpy("bei", x)


@elementwise(partials={"x": lambda x: -bei(x) - _over(x, berp, 2)}, samples=_signed)
def berp(xp, x, /):
    """Compute the derivative of ``ber``."""
    return through_numpy("berp", x)


@elementwise(partials={"x": lambda x: ber(x) - _over(x, beip, 1)}, samples=_signed)
def beip(xp, x, /):
    """Compute the derivative of ``bei``."""
    return through_numpy("beip", x)


@elementwise(partials={"x": lambda x: kerp(x)}, samples=single_arrays)
def ker(xp, x, /):
    """Compute Kelvin's function ker, the real part of ``kv(0, x * exp(0.25j * pi))``."""
    return through_numpy("ker", x)


@elementwise(partials={"x": lambda x: keip(x)}, samples=single_arrays)
def kei(xp, x, /):
    """Compute Kelvin's function kei, the imaginary part that belongs to ``ker``."""
    return through_numpy("kei", x)


@elementwise(partials={"x": lambda x, out: -kei(x) - out / x}, samples=single_arrays)
def kerp(xp, x, /):
    """Compute the derivative of ``ker``."""
    return through_numpy("kerp", x)


@elementwise(partials={"x": lambda x, out: ker(x) - out / x}, samples=single_arrays)
def keip(xp, x, /):
    """Compute the derivative of ``kei``."""
    return through_numpy("keip", x)


@composed(samples=single_arrays)
def kelvin(x, /):
    """Return ``ber + 1j * bei``, the same of ``ker`` and ``kei``, and the slopes of both."""
    pairs = (ber, bei), (ker, kei), (berp, beip), (kerp, keip)
    first, second, slope, second_slope = [from_parts(f(x), g(x)) for f, g in pairs]
    return first, second, slope, second_slope
