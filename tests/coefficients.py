"""The polynomials of the native elementary functions, derived: ``python -m tests.coefficients``.

Prints ``gradx/backends/native/coefficients.py``. Each polynomial interpolates its function,
to 200 bits, at the Chebyshev nodes of an interval (``mpmath.chebyfit``): within one bit of the
best polynomial of its degree. The functions are chosen so that what their error is multiplied
with is small.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import mpmath as mp
import numpy as np

mp.mp.prec = 200


class Recipe(NamedTuple):
    """A function, where it is needed, and the number of coefficients for each dtype."""

    function: Callable
    low: dict[str, mp.mpf]
    high: dict[str, mp.mpf]
    terms: dict[str, int]


def both(value):
    """Give both dtypes the same."""
    return {"float32": mp.mpf(value), "float64": mp.mpf(value)}


def of_square(function, at_0):
    """Turn a function of x into one of z = x**2, with its limit at 0."""
    return lambda z: at_0 if z == 0 else function(mp.sqrt(z))


def about_0(function, at_0):
    """Give a function its limit where cancellation would leave nothing."""
    return lambda x: at_0 if abs(x) < mp.mpf(2) ** -60 else function(x)


def of_ratio(function, center):
    """Turn a function of x into one of t = (x - center) / (x + center)."""
    return lambda t: function(center * (1 + t) / (1 - t))


def ratio(x, center):
    """Return t of ``of_ratio``."""
    return (mp.mpf(x) - center) / (mp.mpf(x) + center)


def scaled_erfc(x):
    """Compute ``(1 + 2 x) exp(x**2) erfc(x)``, which stays near 1."""
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


HALF_LN2 = mp.log(2) / 2 * mp.mpf("1.0001")
QUARTER_PI_SQUARED = (mp.pi / 4) ** 2 * mp.mpf("1.0002")
CENTER = 4  # of the ratio that scaled_erfc is a polynomial of

RECIPES = {
    # exp(r) = 1 + r + r**2 * EXP(r)
    "EXP": Recipe(
        about_0(lambda r: (mp.exp(r) - 1 - r) / r**2, mp.mpf(1) / 2),
        both(-HALF_LN2),
        both(HALF_LN2),
        {"float32": 5, "float64": 11},
    ),
    # 2 * atanh(s) = s * (2 + z * LOG(z)), z = s**2
    "LOG": Recipe(
        of_square(lambda s: (2 * mp.atanh(s) / s - 2) / s**2, mp.mpf(2) / 3),
        both(0),
        both("0.02945"),  # s = (sqrt(2) - 1) / (sqrt(2) + 1)
        {"float32": 3, "float64": 7},
    ),
    # sin(r) = r + r * z * SIN(z), z = r**2
    "SIN": Recipe(
        of_square(lambda r: (mp.sin(r) / r - 1) / r**2, -mp.mpf(1) / 6),
        both(0),
        both(QUARTER_PI_SQUARED),
        {"float32": 4, "float64": 7},
    ),
    # cos(r) = 1 - z / 2 + z**2 * COS(z), z = r**2
    "COS": Recipe(
        of_square(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4, mp.mpf(1) / 24),
        both(0),
        both(QUARTER_PI_SQUARED),
        {"float32": 4, "float64": 7},
    ),
    # erf(x) = x + x * ERF(z), z = x**2, for |x| < 1
    "ERF": Recipe(
        of_square(lambda x: mp.erf(x) / x - 1, 2 / mp.sqrt(mp.pi) - 1),
        both(0),
        both(1),
        {"float32": 7, "float64": 13},
    ),
    # erfc(x) = exp(-x**2) / (1 + 2 x) * SCALED_ERFC((x - 4) / (x + 4)), for x from 0.5 to where
    # it is 0
    "SCALED_ERFC": Recipe(
        of_ratio(scaled_erfc, CENTER),
        both(ratio("0.5", CENTER)),
        {"float32": ratio("10.3", CENTER), "float64": ratio("27.5", CENTER)},
        {"float32": 11, "float64": 23},
    ),
}


def rounded(coefficient, dtype):
    """Round to a dtype, as a Python number."""
    return float(np.dtype(dtype).type(float(coefficient)))


def derive(name, dtype):
    """Return the coefficients of one polynomial, the constant term first."""
    recipe = RECIPES[name]
    interval = [recipe.low[dtype], recipe.high[dtype]]
    with warnings.catch_warnings():
        # mpmath 1.4 asks for asc=True, which 1.3 does not have.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = mp.chebyfit(recipe.function, interval, recipe.terms[dtype])
    return tuple(rounded(c, dtype) for c in reversed(found))


def written(number, dtype):
    """Write a number so that it reads back as itself."""
    return f"{number:.9g}" if dtype == "float32" else repr(number)


def main():
    """Print the module."""
    print('"""Coefficients of the polynomials in the elementary functions, constant term first.')
    print("\nMade by ``python -m tests.coefficients``, which says of what and how.")
    print('"""\n\nPolynomial = dict[str, tuple[float, ...]]')
    for name in RECIPES:
        print(f"\n{name}: Polynomial = {{")
        for dtype in ("float32", "float64"):
            print(f'    "{dtype}": (')
            for number in derive(name, dtype):
                print(f"        {written(number, dtype)},")
            print("    ),")
        print("}")


if __name__ == "__main__":
    main()
