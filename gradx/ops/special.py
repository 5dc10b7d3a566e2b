"""Special functions of mathematics that array libraries lack or name differently."""

import math

from gradx.core.op import elementwise
from gradx.core.samples import Sample, single_arrays
from gradx.errors import DTypeError
from gradx.ops.exponential import exp

# From S. L. Moshier's Cephes library, ndtr.c: rational approximations with relative
# errors below 4e-16, highest power first. On [-1, 1] erf(x) = x T(x**2) / U(x**2);
# beyond, erfc(x) = exp(-x**2) P(x) / Q(x) for x up to 8.
T = (
    9.60497373987051638749e0,
    9.00260197203842689217e1,
    2.23200534594684319226e3,
    7.00332514112805075473e3,
    5.55923013010394962768e4,
)
U = (
    1.0,
    3.35617141647503099647e1,
    5.21357949780152679795e2,
    4.59432382970980127987e3,
    2.26290000613890934246e4,
    4.92673942608635921086e4,
)
P = (
    2.46196981473530512524e-10,
    5.64189564831068821977e-1,
    7.46321056442269912687e0,
    4.86371970985681366614e1,
    1.96520832956077098242e2,
    5.26445194995477358631e2,
    9.34528527171957607540e2,
    1.02755188689515710272e3,
    5.57535335369399327526e2,
)
Q = (
    1.0,
    1.32281951154744992508e1,
    8.67072140885989742329e1,
    3.54937778887819891062e2,
    9.75708501743205489753e2,
    1.82390916687909736289e3,
    2.24633760818710981792e3,
    1.65666309194161350182e3,
    5.57535340817727675546e2,
)
# erf is 1 to the last digit of float64 from here on.
ERF_IS_ONE = 6.0


def _polynomial(x, coefficients):
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


def erf_of(xp, x):
    """Compute the error function of a plain array of library ``xp``."""
    size = xp.clip(xp.abs(x), None, ERF_IS_ONE)
    # Where the other formula holds, each is given what cannot overflow or divide by 0.
    small = xp.clip(x, -1.0, 1.0)
    squared = small * small
    near = small * _polynomial(squared, T) / _polynomial(squared, U)
    far = 1 - xp.exp(-size * size) * _polynomial(size, P) / _polynomial(size, Q)
    return xp.where(size < 1, near, xp.where(x < 0, -far, far))


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
        TypeError: the array is not of real floating-point numbers.

    >>> import numpy as np, gradx as gx
    >>> float(gx.special.erf(np.asarray(0.5)))
    0.5204998778130465
    """
    if not xp.isdtype(x.dtype, "real floating"):
        raise DTypeError(f"erf: expected real floating-point numbers, got {x.dtype}")
    return erf_of(xp, x)
