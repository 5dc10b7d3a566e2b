"""The error function and its complement, float32 and float64, for vectors.

Within [-1, 1] erf is x times a polynomial in x**2; beyond, 1 - exp(-x**2) S(t) / (1 + 2 x) with
S a polynomial in t = (x - 4) / (x + 4) that stays near 1 (M. Shepherd and J. Laframboise,
Mathematics of Computation 36, 1981). The rounding of x**2,
which exp would magnify, is carried along in a second float.
"""

from gradx.backends.native import coefficients
from gradx.backends.native.exponential import exp
from gradx.backends.native.formats import FORMATS
from gradx.backends.native.values import (
    Value,
    bounded,
    magnitude,
    muladd,
    polynomial,
    with_sign_of,
)

# Beyond this erfc is 0.
ERFC_BOUND = {"float32": 10.3, "float64": 27.5}
CENTER = 4.0


def _square(x: Value) -> tuple[Value, Value]:
    """Return ``x * x`` and what its rounding lost."""
    result = x * x
    if x.code.processor.fused_multiply_add:
        return result, muladd(x, x, -result)
    mask = -1 << (FORMATS[x.dtype].mantissa // 2 + 1)
    high = (x.bits() & mask).from_bits()
    low = x - high
    return result, ((high * high - result) + 2.0 * high * low) + low * low


def _complement(x: Value) -> Value:
    """Compute ``erfc`` from 0.5 up."""
    square, lost = _square(x)
    scaled = polynomial((x - CENTER) / (x + CENTER), coefficients.SCALED_ERFC[x.dtype])
    small = exp(-square)
    return (scaled / (1.0 + 2.0 * x)) * (small - small * lost)


def _near_0(x: Value) -> Value:
    return muladd(x, polynomial(x * x, coefficients.ERF[x.dtype]), x)


def erf(x: Value) -> Value:
    """Take the error function."""
    size = magnitude(x)
    far = with_sign_of(1.0 - _complement(bounded(size, 0.5, ERFC_BOUND[x.dtype])), x)
    return (size > 1.0).where(far, _near_0(x))


def erfc(x: Value) -> Value:
    """Compute ``1 - erf(x)``, accurately where that is small."""
    size = magnitude(x)
    tail = _complement(bounded(size, 0.5, ERFC_BOUND[x.dtype]))
    far = (x < 0.0).where(2.0 - tail, tail)
    return (size > 0.5).where(far, 1.0 - _near_0(x))
