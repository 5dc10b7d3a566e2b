"""Derivatives of scaled modified Bessel functions far out, where their formulas cancel.

``ive`` and ``kve`` are there ``x**-0.5`` times a series in ``1 / x``, Hankel's
(DLMF 10.40.1 and 10.40.2), and so are their derivatives, term by term.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from gradx.core.arrays import untracked
from gradx.ops.arithmetic import add, divide, multiply, where
from gradx.ops.comparison import greater, less
from gradx.ops.creation import place_of
from gradx.ops.powers import sqrt
from gradx.ops.rounding import remainder
from gradx.ops.signs import abs, sign
from gradx.ops.special_host import none_of, side_by_side

# From here on so many terms give all digits of float64.
FAR, TERMS, TERMS_OF_HALF, LARGEST_OF_HALF = 20.0, 30, 4, 65504

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


def slope_of_any_order(
    slope: Callable[..., Any], v: Any, x: Any, out: Any, sign_of_terms: int
) -> Any:
    """Return the slope of ``ive`` (-1) or ``kve`` (1) in the same way, of an order ``v``."""
    v, x = side_by_side(v, x)
    far = greater(abs(x), FAR + v * v)
    if none_of(far):
        return slope(v, x, out)
    order = where(far, v, 0.0)
    coefficients = [1.0, *_coefficients_of(order * order, sign_of_terms)]
    place, size = where(far, abs(x), FAR), where(far, out, 1.0)
    if sign_of_terms > 0:
        series = _far(place, size, coefficients, 2 / math.pi)
    else:
        # To the left, where only whole orders are, odd ones have the other sign.
        turned = where(less(x, 0), 1 - 2 * remainder(order, 2.0), 1.0)
        series = multiply(turned, _far(place, multiply(turned, size), coefficients, 2 * math.pi))
        series = multiply(sign(x), series)
    near = slope(where(far, 0.0, v), where(far, 1.0, x), where(far, 1.0, out))
    return where(far, series, near)


def _coefficients_of(square, sign_of_terms):
    found = 1.0
    for k in range(1, TERMS + 1):
        found = found * (4 * square - (2 * k - 1) ** 2) * (sign_of_terms / (8 * k))
        yield found


def _near_or_far(slope, series, x, out, size):
    far = greater(abs(x), FAR)
    near = slope(where(far, 1.0, x), where(far, 1.0, out))
    return where(far, series(where(far, abs(x), FAR), where(far, size, 1.0)), near)


def _far(x, size, coefficients, square_of_scale):
    """Differentiate ``size``, the sum of ``coefficients[k] / x**(k + 1/2)``, over a scale."""
    # Half precision would not hold the later coefficients, and is exact after few terms.
    largest = float(place_of(x)[0].finfo(untracked(x).dtype).max)
    total = 0.0 * x
    for k in range(TERMS if largest > LARGEST_OF_HALF else TERMS_OF_HALF, 0, -1):
        total = divide(add(k * coefficients[k], total), x)
    return -(0.5 * size + total / sqrt(square_of_scale * x)) / x


@cache
def _coefficients(order, sign_of_terms):
    return [1.0, *_coefficients_of(order**2, sign_of_terms)]
