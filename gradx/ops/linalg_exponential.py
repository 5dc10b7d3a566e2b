"""The exponential of a matrix.

It is computed by scaling, a Padé approximant and squaring (Higham 2005). Its derivative
along ``E`` is the upper right block of ``exp([[x, E], [0, x]])`` (Van Loan 1978), which is an
exponential again, so derivatives of every order follow.
"""

from itertools import accumulate

from gradx.core.op import primitive
from gradx.core.samples import Sample
from gradx.ops.creation import stop_gradient, zeros_like
from gradx.ops.elementwise import abs, equal, where
from gradx.ops.joining import concat
from gradx.ops.linalg_parts import identity_like
from gradx.ops.shapes import matrix_transpose, sum
from gradx.ops.slicing import getitem
from gradx.ops.statistical import max

# Of the approximant of degree 13, exact in double precision for norms up to BOUND.
COEFFICIENTS = list(
    accumulate(range(1, 14), lambda last, k: last * (14 - k) / (k * (27 - k)), initial=1.0)
)
BOUND = 5.371920351148152


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
    upper = concat([x, along / size], axis=-1)
    lower = concat([zeros_like(x), x], axis=-1)
    count = x.shape[-1]
    block = (..., slice(0, count), slice(count, None))
    return getitem(expm(concat([upper, lower], axis=-2)), block) * size


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
    halvings = _halvings(xp, x)
    out = _approximant(xp, x * 0.5**halvings)
    for squaring in range(int(xp.max(halvings))):
        out = xp.where(squaring < halvings, xp.matmul(out, out), out)
    return out


def _halvings(xp, x):
    """Return how often to halve each matrix before its norm is small."""
    norm = xp.max(xp.sum(xp.abs(x), axis=-2, keepdims=True), axis=-1, keepdims=True)
    # What is not finite comes out as NaN, however it is scaled.
    usable = xp.isfinite(norm) & (norm > BOUND)
    return xp.where(usable, xp.ceil(xp.log2(xp.where(usable, norm, BOUND) / BOUND)), 0.0)


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
