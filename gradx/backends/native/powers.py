"""Powers: by products where the exponent is a small known number, else through logarithms.

In float32, x**y is exp(y log x) computed in float64, for positive and finite x and y; the rest,
and float64, whose logarithm would need more digits than float64 has, is left to the C library.
"""

import math

from gradx.backends.native import exponential, library
from gradx.backends.native.values import Value, magnitude


def _square_root(x: Value) -> Value:
    # As pow has it: of -0 it is 0, of -inf it is inf.
    root = x.code.intrinsic("sqrt", x.dtype, x + 0.0)
    return x.equal(-math.inf).where(math.inf, root)


BY_PRODUCTS = {
    0: lambda x: x.like(1.0),
    1: lambda x: x,
    2: lambda x: x * x,
    3: lambda x: x * x * x,
    -1: lambda x: 1.0 / x,
    0.5: _square_root,
}


def constant_power(x: Value, exponent: float) -> Value:
    """Raise to a power that is known."""
    if exponent in BY_PRODUCTS:
        return BY_PRODUCTS[exponent](x)
    return power(x, x.like(exponent))


def power(x: Value, y: Value) -> Value:
    """Raise to a power."""
    if x.dtype == "float64":
        return library.from_library("pow", x, y)
    ordinary = (x > 0.0) & (x < math.inf) & (magnitude(y) < math.inf)
    wide = exponential.exp(y.to("float64") * exponential.log(x.to("float64")))
    return library.with_library("pow", (x, y), ~ordinary, wide.to("float32"))
