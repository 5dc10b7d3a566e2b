"""Exponentials and logarithms, float32 and float64, for vectors.

``exp``: x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite, ln 2 in two parts), a polynomial
in r, the exponent put in by adding to the bits. ``log``: x = 2**n m with m between sqrt(1/2)
and sqrt(2), f = m - 1, and the odd series of 2 atanh(f / (2 + f)) as arranged in FDLIBM's
``e_log.c`` so that nothing cancels; ``log1p`` after its ``s_log1p.c``. Every special value
comes out of the arithmetic or of one choice at the end. Errors are stated and tested in
``tests/native``, and listed in the documentation.
"""

import math
from typing import NamedTuple

import numpy as np

from gradx.backends.native import coefficients
from gradx.backends.native.formats import (
    FORMATS,
    LN2,
    LOG2_E,
    LOG10_2,
    LOG10_E,
    nearest_multiple,
    parts,
    power_of_2,
    small_integer,
)
from gradx.backends.native.values import (
    Value,
    bounded,
    magnitude,
    muladd,
    polynomial,
    with_sign_of,
)

# The high part times any exponent is exact.
LN2_PARTS = {
    "float32": parts(LN2, 12, dtype="float32"),
    "float64": parts(LN2, 32),
}
# Between these exp is a normal number.
EXP_ORDINARY = {"float32": (-87.0, 88.0), "float64": (-708.0, 709.0)}
# Beyond these exp is 0 or infinite, and so it is at them.
EXP_BOUNDS = {"float32": (-104.0, 89.0), "float64": (-746.0, 710.0)}
# Beyond these expm1 is -1 to the last digit, or infinite.
EXPM1_BOUNDS = {"float32": (-18.0, 89.0), "float64": (-39.0, 710.0)}
# Up to this exp(2 x) is far from overflow.
TANH_BOUND = {"float32": 40.0, "float64": 350.0}


def _reduced(x: Value) -> tuple[Value, Value]:
    """Return n and ``exp(x) / 2**n - 1``, for x within the bounds of ``exp``."""
    high, low = LN2_PARTS[x.dtype]
    turns, n = nearest_multiple(x, LOG2_E)
    r = muladd(turns, -low, muladd(turns, -high, x))
    return n, muladd(r * r, polynomial(r, coefficients.EXP[x.dtype]), r)


def exp(x: Value) -> Value:
    """Raise e to each element."""
    low, high = EXP_ORDINARY[x.dtype]
    n, fraction = _reduced(x)
    shifted = (1.0 + fraction).bits() + (n << FORMATS[x.dtype].mantissa)
    extreme = ~((x > low) & (x < high))
    rare = lambda: x.code.apart(f"exp_{x.dtype}", _extreme_exp, x)
    return x.code.branch(extreme, shifted.from_bits(), rare)


def _extreme_exp(x: Value) -> Value:
    """Compute ``exp`` where it may be 0, denormal, infinite or NaN."""
    n, fraction = _reduced(bounded(x, *EXP_BOUNDS[x.dtype]))
    half = n >> 1  # 2**n in two factors: it may be beyond what a float holds
    return ((1.0 + fraction) * power_of_2(half)) * power_of_2(n - half)


def expm1(x: Value) -> Value:
    """Compute ``exp(x) - 1``, accurately near 0."""
    n, fraction = _reduced(bounded(x, *EXPM1_BOUNDS[x.dtype]))
    scale = power_of_2(n - 1)  # half of 2**n, which may be beyond what a float holds
    result = 2.0 * muladd(scale, fraction, scale - 0.5)
    tiny = magnitude(x) < 2.0 ** -(FORMATS[x.dtype].mantissa + 2)
    return tiny.where(x, result)


def _expm1_of_positive(x: Value) -> Value:
    """Compute ``expm1`` between 0 and where it is far from overflow."""
    n, fraction = _reduced(x)
    scale = power_of_2(n)
    return muladd(scale, fraction, scale - 1.0)


def tanh(x: Value) -> Value:
    """Take the hyperbolic tangent: of |x| it is e / (e + 2) with e = expm1(2 |x|)."""
    _, grown = _grown(x)
    return with_sign_of(grown / (grown + 2.0), x)


def _grown(x: Value) -> tuple[Value, Value]:
    """Return |x|, at most the bound, and ``expm1(2 |x|)``."""
    size = magnitude(x)
    bound = TANH_BOUND[x.dtype]
    size = (size > bound).where(bound, size)
    return size, _expm1_of_positive(size + size)


def sech_squared(x: Value) -> Value:
    """Compute ``1 / cosh(x)**2`` of what ``tanh`` computes: in one loop that is done once."""
    size, grown = _grown(x)
    above = grown + 2.0
    result = (4.0 / above) * ((grown + 1.0) / above)
    beyond = (magnitude(x) > size) | x.differs(x)
    rare = lambda: x.code.apart(f"sech_squared_{x.dtype}", _sech_squared_of_large, x)
    return x.code.branch(beyond, result, rare)


def _sech_squared_of_large(x: Value) -> Value:
    small = exp(-2.0 * magnitude(x))
    return (4.0 * small) / ((1.0 + small) * (1.0 + small))


def sigmoid(x: Value) -> Value:
    """Compute ``1 / (1 + exp(-x))``, without overflow and without underflow to 0."""
    small = exp(-magnitude(x))
    return (x < 0.0).where(small, 1.0) / (1.0 + small)


def sigmoid_slope(x: Value) -> Value:
    """Compute the derivative of ``sigmoid``."""
    small = exp(-magnitude(x))
    above = 1.0 + small
    return small / (above * above)


class Logarithm(NamedTuple):
    """``log(2**exponent * (1 + f)) = exponent * ln 2 + (f - (half_square - correction))``."""

    exponent: Value
    f: Value
    half_square: Value  # f**2 / 2
    correction: Value  # s * (half_square + R(s**2))


def _of_mantissa(exponent: Value, f: Value) -> Logarithm:
    half_square = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    series = z * polynomial(z, coefficients.LOG[f.dtype])
    return Logarithm(exponent, f, half_square, s * (half_square + series))


def _split(x: Value) -> tuple[Value, Value]:
    """Return n and m of a positive normal ``x = 2**n * m``, m from sqrt(1/2) to sqrt(2)."""
    form = FORMATS[x.dtype]
    least = _bits_of(math.sqrt(0.5), x.dtype)
    above = x.bits() - least  # whole exponents, and what the mantissa is above sqrt(1/2)
    mantissa = (above & ((1 << form.mantissa) - 1)) + least
    return small_integer(above >> form.mantissa, x.dtype), mantissa.from_bits()


def _bits_of(number: float, dtype: str) -> int:
    return int(np.asarray(number, dtype).view("int32" if dtype == "float32" else "int64"))


def _logarithm(x: Value) -> Logarithm:
    form = FORMATS[x.dtype]
    # Denormal numbers are made normal first.
    denormal = x < 2.0 ** (1 - form.bias)
    lift = form.mantissa + 2
    exponent, mantissa = _split(denormal.where(x * 2.0**lift, x))
    exponent = exponent - denormal.where(float(lift), exponent.like(0.0))
    return _of_mantissa(exponent, mantissa - 1.0)


def _with_special_values(x: Value, result: Value) -> Value:
    """Give the logarithm of 0, of negative numbers, of infinity and of NaN."""
    result = (x < math.inf).where(result, x)  # infinity and NaN stay
    result = x.equal(0.0).where(-math.inf, result)
    return (x < 0.0).where(math.nan, result)


def log(x: Value) -> Value:
    """Take the natural logarithm."""
    high, low = LN2_PARTS[x.dtype]
    part = _logarithm(x)
    small = muladd(part.exponent, low, part.correction)
    result = muladd(part.exponent, high, -((part.half_square - small) - part.f))
    return _with_special_values(x, result)


def log1p(x: Value) -> Value:
    """Compute ``log(1 + x)``, accurately near 0."""
    high, low = LN2_PARTS[x.dtype]
    whole = 1.0 + x
    near = (x > -0.29) & (x < 0.41)  # then f = x, and nothing was lost
    back = whole - 1.0
    lost = (1.0 - (whole - back)) + (x - back)
    exponent, mantissa = _split(whole)
    exponent = near.where(exponent.like(0.0), exponent)
    part = _of_mantissa(exponent, near.where(x, mantissa - 1.0))
    lost = near.where(lost.like(0.0), lost / whole)
    small = muladd(part.exponent, low, part.correction + lost)
    result = muladd(part.exponent, high, -((part.half_square - small) - part.f))
    tiny = magnitude(x) < 2.0 ** -(FORMATS[x.dtype].mantissa + 2)
    return tiny.where(x, _with_special_values(whole, result))


def _in_base(x: Value, per_e: list[float], per_2: list[float]) -> Value:
    """Take the logarithm of another base, given the logarithms of e and of 2 in it."""
    part = _logarithm(x)
    form = FORMATS[x.dtype]
    mask = -1 << (form.mantissa // 2 + 1)
    high = ((part.f - part.half_square).bits() & mask).from_bits()
    low = ((part.f - high) - part.half_square) + part.correction
    small = muladd(low + high, per_e[1], low * per_e[0])
    small = muladd(part.exponent, per_2[1], small)
    # Both products are exact, so one rounding of their sum is all that is lost.
    whole, main = part.exponent * per_2[0], high * per_e[0]
    total = whole + main
    return _with_special_values(x, total + ((whole - total) + main + small))


PER_E = {
    "log2": {"float32": parts(LOG2_E, 12, dtype="float32"), "float64": parts(LOG2_E, 26)},
    "log10": {"float32": parts(LOG10_E, 12, dtype="float32"), "float64": parts(LOG10_E, 26)},
}
PER_2 = {
    "log2": {"float32": [1.0, 0.0], "float64": [1.0, 0.0]},
    "log10": {"float32": parts(LOG10_2, 12, dtype="float32"), "float64": parts(LOG10_2, 32)},
}


def log2(x: Value) -> Value:
    """Take the logarithm to base 2."""
    return _in_base(x, PER_E["log2"][x.dtype], PER_2["log2"][x.dtype])


def log10(x: Value) -> Value:
    """Take the logarithm to base 10."""
    return _in_base(x, PER_E["log10"][x.dtype], PER_2["log10"][x.dtype])


def softplus(x: Value) -> Value:
    """Compute ``log(1 + exp(x))``, without overflow."""
    zero = x.like(0.0)
    return (x < 0.0).where(zero, x) + log1p(exp(-magnitude(x)))


def logaddexp(x: Value, y: Value) -> Value:
    """Compute ``log(exp(x) + exp(y))``, without overflow."""
    larger = (x > y).where(x, y)
    distance = x.equal(y).where(0.0, magnitude(x - y))  # two equal infinities are not apart
    return (distance.differs(distance)).where(distance, larger + log1p(exp(-distance)))
