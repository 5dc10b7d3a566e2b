"""Derivatives of scaled modified Bessel functions far out, where their formulas cancel.

``i0e``, ``i1e``, ``k0e`` and ``k1e`` are there ``x**-0.5`` times a series in ``1 / x``, Hankel's
(DLMF 10.40.1 and 10.40.2), and so are their derivatives, term by term.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from gradx.core.arrays import untracked
from gradx.ops.arithmetic import where
from gradx.ops.comparison import greater
from gradx.ops.creation import place_of
from gradx.ops.powers import sqrt
from gradx.ops.signs import abs, sign

# From here on so many terms give all digits of float64.
FAR, TERMS, TERMS_OF_HALF = 20.0, 30, 4

Slope = Callable[[Any, Any], Any]


def slope_of_first_kind(slope: Slope, x: Any, out: Any, order: int) -> Any:
    """Return the slope of ``i0e`` or ``i1e``: ``slope(x, out)``, and the series' far out."""
    side = sign(x)
    size, turned = (side * out, 1.0) if order else (out, side)
    series = lambda x, size: turned * _far(x, size, _coefficients(order, -1), 2 * math.pi)
    return _near_or_far(slope, series, x, out, size)


def slope_of_second_kind(slope: Slope, x: Any, out: Any, order: int) -> Any:
    """Return the slope of ``k0e`` or ``k1e`` in the same way."""
    series = lambda x, size: _far(x, size, _coefficients(order, 1), 2 / math.pi)
    return _near_or_far(slope, series, x, out, out)


def _near_or_far(slope, series, x, out, size):
    far = greater(abs(x), FAR)
    near = slope(where(far, 1.0, x), where(far, 1.0, out))
    return where(far, series(where(far, abs(x), FAR), where(far, size, 1.0)), near)


def _far(x, size, coefficients, square_of_scale):
    """Differentiate ``size``, the sum of ``coefficients[k] / x**(k + 1/2)``, over a scale."""
    # Half precision would not hold the later coefficients, and is exact after few terms.
    largest = float(place_of(x)[0].finfo(untracked(x).dtype).max)
    total = 0.0
    for k in range(TERMS if largest > math.fabs(coefficients[-1]) else TERMS_OF_HALF, 0, -1):
        total = (k * coefficients[k] + total) / x
    return -(0.5 * size + total / sqrt(square_of_scale * x)) / x


@cache
def _coefficients(order, sign_of_terms):
    found = [1.0]
    for k in range(1, TERMS + 1):
        found.append(sign_of_terms * found[-1] * (4 * order**2 - (2 * k - 1) ** 2) / (8 * k))
    return found
