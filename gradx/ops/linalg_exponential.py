"""The exponential of a matrix.

It is computed by scaling, a Padé approximant and squaring (Higham 2005). How often a matrix is
halved depends on its powers, not on its norm alone (Al-Mohy and Higham 2009): where they are
much smaller, as those of a triangular matrix can be, a norm would halve too often, and each
squaring loses digits. A matrix whose lower triangle is the larger one is transposed first: in
one of which the upper is, ``solve`` exchanges no rows, which would mix large elements with
small ones.

Its derivative along ``E`` is the upper right block of ``exp([[x, E], [0, x]])`` (Van Loan
1978), which is an exponential again, so derivatives of every order follow.
"""

import math
from itertools import accumulate

from gradx.core.op import primitive
from gradx.core.samples import Sample
from gradx.ops.creation import stop_gradient
from gradx.ops.elementwise import abs, equal, greater, where
from gradx.ops.linalg import tril, triu
from gradx.ops.linalg_parts import identity_like, upper_corner
from gradx.ops.shapes import matrix_transpose, sum
from gradx.ops.statistical import max

# Of the approximant of degree 13, exact in double precision for norms up to BOUND.
COEFFICIENTS = list(
    accumulate(range(1, 14), lambda last, k: last * (14 - k) / (k * (27 - k)), initial=1.0)
)
BOUND = 5.371920351148152
# Of the first term that the approximant lacks, ``x**27``, relative to double precision.
ERROR = math.factorial(13) ** 2 / math.factorial(26) / math.factorial(27) / 2.0**-53


def _matrices(draw):
    for shape in [(2, 2), (3, 3), (2, 2, 2), (1, 1), (0, 0), (0, 2, 2)]:
        yield Sample((draw(*shape) - 1.0,))
    yield Sample((6 * draw(2, 2) - 9,))
    yield Sample((draw(2, 2) - 1.5j * draw(2, 2),))


def _derivative(x, along):
    """Return the derivative of ``expm(x)`` along a matrix, which is scaled to a norm of 1.

    A large one would make the exponential scale ``x`` too much, and lose digits.
    """
    if 0 in x.shape:
        return along
    size = stop_gradient(max(sum(abs(along), axis=-2, keepdims=True), axis=-1, keepdims=True))
    size = where(equal(size, 0), 1.0, size)
    total = lambda part: sum(abs(stop_gradient(part)), axis=(-2, -1), keepdims=True)
    is_lower = greater(total(tril(x, k=-1)), total(triu(x, k=1)))
    turned = lambda matrix: where(is_lower, matrix_transpose(matrix), matrix)
    return turned(upper_corner(expm, turned(x), turned(along / size))) * size


@primitive(
    vjp={"x": lambda g, x: _derivative(matrix_transpose(x), g)},
    jvp={"x": lambda g, x: _derivative(x, g)},
    samples=_matrices,
)
def expm(xp, x, /):
    """Compute the exponential of a square matrix, or of each in a stack.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.expm(np.asarray([[0.0, 1.0], [0.0, 0.0]]))
    array([[1., 1.],
           [0., 1.]])
    """
    if 0 in x.shape:
        return xp.asarray(x, copy=True)
    turned = _total(xp, xp.tril(x, k=-1)) > _total(xp, xp.triu(x, k=1))
    out = _squared(xp, xp.where(turned, x.mT, x))
    return xp.where(turned, out.mT, out)


def _total(xp, x):
    return xp.sum(xp.abs(x), axis=(-2, -1), keepdims=True)


def _squared(xp, x):
    """Compute the exponential, by squaring that of the matrix halved some times."""
    halvings = _halvings(xp, x)
    out = _approximant(xp, x * 0.5**halvings)
    for squaring in range(int(xp.max(halvings))):
        out = xp.where(squaring < halvings, xp.matmul(out, out), out)
    return out


def _halvings(xp, x):
    """Return how often to halve each matrix before its exponential is that of the approximant."""
    norm = _norm(xp, x)
    # What is not finite comes out as NaN, however it is scaled.
    usable = xp.isfinite(norm) & (norm > BOUND)
    norm = xp.where(usable, norm, BOUND)
    most = xp.ceil(xp.log2(norm / BOUND))
    if not xp.any(usable):
        return most
    unit = xp.where(usable, x, 0.0) / norm
    growth = xp.where(usable, norm * _growth(xp, unit), BOUND)
    enough = _whole(xp, _log2(xp, growth / BOUND))
    # The terms that were left out, relative to the matrix that ``enough`` halvings leave.
    terms = _log2(xp, ERROR * _norm_of_power(xp, xp.abs(unit), 27))
    more = _whole(xp, terms / 26 + xp.log2(norm) - enough)
    return xp.where(usable, xp.minimum(enough + more, most), 0.0)


def _log2(xp, x):
    return xp.log2(xp.clip(x, float(xp.finfo(x.dtype).smallest_normal), None))


def _whole(xp, count):
    return xp.clip(xp.ceil(count), 0.0, None)


def _norm(xp, x):
    return xp.max(xp.sum(xp.abs(x), axis=-2, keepdims=True), axis=-1, keepdims=True)


def _growth(xp, x):
    """Return what the powers of a matrix that the approximant lacks grow like."""
    x4 = xp.matmul(xp.matmul(x, x), xp.matmul(x, x))
    x6 = xp.matmul(xp.matmul(x4, x), x)
    roots = {n: _norm(xp, power) ** (1 / n) for n, power in _powers(xp, x4, x6)}
    low, high = xp.maximum(roots[6], roots[8]), xp.maximum(roots[8], roots[10])
    return xp.minimum(low, high)


def _powers(xp, x4, x6):
    return (6, x6), (8, xp.matmul(x4, x4)), (10, xp.matmul(x4, x6))


def _norm_of_power(xp, x, n):
    """Return the norm of a power of a matrix without negative elements, without that power."""
    row = xp.ones_like(x[..., :1, :])
    for _ in range(n):
        row = xp.matmul(row, x)
    return xp.max(row, axis=-1, keepdims=True)


def _approximant(xp, x):
    c = COEFFICIENTS
    identity = identity_like(x)
    x2 = xp.matmul(x, x)
    x4 = xp.matmul(x2, x2)
    x6 = xp.matmul(x4, x2)
    odd = xp.matmul(x6, c[13] * x6 + c[11] * x4 + c[9] * x2)
    odd = xp.matmul(x, odd + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * identity)
    even = xp.matmul(x6, c[12] * x6 + c[10] * x4 + c[8] * x2)
    even = even + c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * identity
    return xp.linalg.solve(even - odd, even + odd)
