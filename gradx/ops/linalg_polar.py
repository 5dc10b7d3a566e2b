"""The polar decomposition: a matrix is one with orthonormal columns times a positive one.

Both are smooth in a matrix of full rank, also where singular values are equal and its singular
vectors have no derivatives: where those divide by differences of singular values, these divide
by sums. So they are ops of their own, and each derivative is made of the same ops again.
"""

import math
from typing import Any, NamedTuple

from gradx.core.op import composed, primitive
from gradx.core.samples import Sample
from gradx.errors import ShapeError
from gradx.ops.elementwise import add, subtract
from gradx.ops.linalg import matmul
from gradx.ops.linalg_factorizations import tall_and_wide
from gradx.ops.linalg_parts import (
    adjoint,
    conjugated,
    far_from_singular,
    hermitian_part,
    precision_of,
)
from gradx.ops.linalg_solving import solve


class PolarResult(NamedTuple):
    """``x == U @ P``, or ``P @ U``: orthonormal columns or rows, and a positive matrix."""

    U: Any
    P: Any


def _equations(draw):
    for shape in [(3, 3), (2, 2, 2), (1, 1), (0, 0)]:
        yield Sample((far_from_singular(draw, *shape), draw(*shape)))
    yield Sample((far_from_singular(draw, 2, 2) - 1j * draw(2, 2), draw(2, 2) + 1j * draw(2, 2)))


def _of_moved_matrix(g, x, out):
    moved = hermitian_part(g)
    return -positive_sylvester(x, matmul(moved, out) + matmul(out, moved))


def _to_matrix(g, x, out):
    back = positive_sylvester(x, conjugated(g))
    return -conjugated(hermitian_part(matmul(back, adjoint(out)) + matmul(adjoint(out), back)))


@primitive(
    vjp={
        "x": _to_matrix,
        "y": lambda g, x: conjugated(positive_sylvester(x, conjugated(g))),
    },
    jvp={"x": _of_moved_matrix, "y": lambda g, x: positive_sylvester(x, g)},
    samples=_equations,
)
def positive_sylvester(xp, x, y, /):
    """Solve ``x @ out + out @ x = y``, where ``x`` is the Hermitian part of what is given.

    Where two of its eigenvalues are 0 but for rounding, and ``y`` is not, the result is NaN.
    """
    if 0 in y.shape:
        return xp.asarray(y, copy=True)
    values, vectors = xp.linalg.eigh(hermitian_part(x))
    turned = xp.matmul(xp.matmul(adjoint(vectors), y), vectors)
    sums = values[..., :, None] + values[..., None, :]
    nothing, none = _is_rounding(xp, sums), _is_rounding(xp, turned)
    parts = turned / xp.where(nothing, 1.0, sums)
    parts = xp.where(nothing & none, 0.0, xp.where(nothing, math.nan, parts))
    return xp.matmul(xp.matmul(vectors, parts), adjoint(vectors))


def _is_rounding(xp, x):
    sizes = xp.abs(x)
    largest = xp.max(sizes, axis=(-2, -1), keepdims=True)
    return sizes <= largest * (x.shape[-1] * precision_of(x))


def _turned(g, x, out):
    """Return the derivative of the unitary factor along ``g``: of a tall matrix, or a square one.

    Higham, "Functions of Matrices" (2008), section 8.5.
    """
    positive = matmul(adjoint(out), x)
    inner = matmul(adjoint(out), g)
    turned = matmul(out, positive_sylvester(positive, subtract(inner, adjoint(inner))))
    if x.shape[-2] == x.shape[-1]:
        return turned
    beyond = subtract(g, matmul(out, inner))
    return add(turned, adjoint(solve(hermitian_part(positive), adjoint(beyond))))


def _unitary_jvp(g, x, out):
    if x.shape[-2] < x.shape[-1]:
        return adjoint(_turned(adjoint(g), adjoint(x), adjoint(out)))
    return _turned(g, x, out)


def _unitary_vjp(g, x, out):
    # The derivative is its own adjoint.
    return conjugated(_unitary_jvp(conjugated(g), x, out))


@primitive(vjp={"x": _unitary_vjp}, jvp={"x": _unitary_jvp}, samples=tall_and_wide)
def unitary_factor(xp, x, /):
    """Return the matrix with orthonormal columns, or rows, that is nearest to ``x``."""
    u, _, vh = xp.linalg.svd(x, full_matrices=False)
    return xp.matmul(u, vh)


def _sides(draw):
    for sample in tall_and_wide(draw):
        yield sample
        yield Sample(sample.arrays, {"side": "left"})


@composed(samples=_sides)
def polar(x, /, *, side="right"):
    """Decompose matrices: ``x == U @ P``, or ``x == P @ U`` where ``side`` is ``"left"``.

    ``U`` has orthonormal columns, or rows if ``x`` has fewer of them than columns, and ``P`` is
    Hermitian, with no negative eigenvalue. Both have derivatives of every order where ``x`` has
    full rank, also where singular values are equal.

    Raises:
        ValueError: ``side`` is another, or ``x`` is no matrix.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.polar(np.asarray([[0.0, -2.0], [3.0, 0.0]])).P
    array([[3., 0.],
           [0., 2.]])
    """
    if side not in ("left", "right"):
        raise ShapeError(f'polar: side={side!r}, expected "left" or "right"')
    if len(x.shape) < 2:
        raise ShapeError(f"polar: expected a matrix, or a stack of them, got {tuple(x.shape)}")
    unitary = unitary_factor(x)
    if side == "right":
        return PolarResult(unitary, hermitian_part(matmul(adjoint(unitary), x)))
    return PolarResult(unitary, hermitian_part(matmul(x, adjoint(unitary))))
