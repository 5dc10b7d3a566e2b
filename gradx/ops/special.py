"""The error function, and the normal distribution's probability, which array libraries lack.

Near 0 and beyond they are the formulas of ``gradx/backends/native/special.py``, with the
same coefficients.
"""

import math

from gradx.backends.native.coefficients import ERF, SCALED_ERFC
from gradx.core.op import elementwise
from gradx.core.samples import Sample, single_arrays
from gradx.errors import DTypeError
from gradx.ops.exponential import exp

ROOT_HALF = math.sqrt(0.5)
NORMAL_PEAK = 1 / math.sqrt(2 * math.pi)

# Beyond this erfc is 0.
ERFC_BOUND = 27.5


def _polynomial(x, coefficients):
    *rest, value = coefficients
    for coefficient in reversed(rest):
        value = value * x + coefficient
    return value


def _near_zero(xp, x):
    """Compute ``erf`` up to 1 of a plain array of library ``xp``; beyond it, no matter what."""
    x = xp.clip(x, -1.0, 1.0)
    return x + x * _polynomial(x * x, ERF[_precision(xp, x)])


def _tail(xp, size):
    """Compute ``erfc`` from 0.5 up; below, no matter what."""
    size = xp.clip(size, 0.5, ERFC_BOUND)
    scaled = _polynomial((size - 4) / (size + 4), SCALED_ERFC[_precision(xp, size)])
    return scaled / (1 + 2 * size) * xp.exp(-size * size)


def _precision(xp, x):
    return "float32" if x.dtype == xp.float32 else "float64"


def erf_of(xp, x):
    """Compute the error function of a plain array of library ``xp``."""
    size = xp.abs(x)
    far = 1 - _tail(xp, size)
    return xp.where(size < 1, _near_zero(xp, x), xp.where(x < 0, -far, far))


def normal_probability_of(xp, x):
    """Compute the probability of a number below ``x`` in the normal distribution."""
    x = ROOT_HALF * x
    size = xp.abs(x)
    tail = 0.5 * _tail(xp, size)
    far = xp.where(x < 0, tail, 1 - tail)
    return xp.where(size < 0.5, 0.5 + 0.5 * _near_zero(xp, x), far)


def _signed(draw):
    yield from single_arrays(draw)
    yield Sample((draw(5) * 4 - 5.0,))
    yield Sample((draw(4) - 1.2,))


@elementwise(
    partials={"x": lambda x: 2 / math.sqrt(math.pi) * exp(-x * x)},
    samples=_signed,
)
def erf(xp, x, /):
    """Compute the error function of real numbers, to about the last digit.

    Raises:
        TypeError: the array is not of real numbers.

    >>> import numpy as np, gradx as gx
    >>> float(gx.special.erf(np.asarray(0.5)))
    0.5204998778130465
    """
    if xp.isdtype(x.dtype, "integral"):
        x = xp.astype(x, xp.float64)
    elif not xp.isdtype(x.dtype, "real floating"):
        raise DTypeError(f"erf: expected real numbers, got {x.dtype}")
    return erf_of(xp, x)


@elementwise(partials={"x": lambda x: NORMAL_PEAK * exp(-0.5 * x * x)}, samples=_signed)
def normal_probability(xp, x, /):
    """Compute ``ndtr``, with no other library: what ``gelu`` multiplies by."""
    return normal_probability_of(xp, x)
