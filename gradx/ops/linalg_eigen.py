"""Eigenvalues and eigenvectors.

An eigenvector may be multiplied by any number of size 1, so its derivative is a
convention: here it is orthogonal to the vector, ``v.conj() @ dv == 0``, which keeps its
length and does not turn its phase. What does not depend on the choice of vectors has
the right derivative; what does, for complex matrices, has none.

Where eigenvalues are equal, vectors have no derivative either, and it is NaN; sums of
functions of the eigenvalues alone have the right one.
"""

from typing import Any, NamedTuple

from gradx.core.op import primitive
from gradx.core.samples import Sample
from gradx.ops.linalg import diagonal, matmul
from gradx.ops.linalg_parts import (
    adjoint,
    conjugated,
    diagonal_times,
    hermitian_part,
    identity_like,
    inverse_gaps,
    multiply_used,
    pull_back_values,
    real_part,
    rows_of_unused,
    square_matrices,
    times_diagonal,
)
from gradx.ops.linalg_solving import solve
from gradx.ops.shapes import expand_dims, matrix_transpose, sum


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors: the columns of a unitary matrix."""

    eigenvalues: Any
    eigenvectors: Any


class EigResult(NamedTuple):
    """Eigenvalues, and eigenvectors: columns of length 1. Both are complex."""

    eigenvalues: Any
    eigenvectors: Any


# The derivative is that of symmetric matrices, so what is sampled here has to be one
# whatever is added to it; others are in tests/test_linalg.py.
def _symmetric(draw):
    for shape in [(1, 1), (2, 1, 1), (0, 0), (0, 1, 1)]:
        yield Sample((draw(*shape),))
    yield Sample((draw(1, 1) + 0j,))


def _eigh_vjp(g, out, live):
    values, vectors = out
    g_values, g_vectors = g
    if g_vectors is None:
        return pull_back_values(g_values, vectors, vectors, live)
    if g_values is not None:
        return _eigh_vjp((g_values, None), out, None) + _eigh_vjp((None, g_vectors), out, None)
    turned = matmul(matrix_transpose(g_vectors), vectors)
    inner = -hermitian_part(multiply_used(turned, inverse_gaps(values), rows_of_unused(live)))
    return matrix_transpose(vectors @ inner @ adjoint(vectors))


def _eigh_jvp(g, out):
    values, vectors = out
    inner = adjoint(vectors) @ hermitian_part(g) @ vectors
    return EighResult(real_part(diagonal(inner)), vectors @ (inverse_gaps(values) * inner))


@primitive(results=EighResult, vjp={"x": _eigh_vjp}, jvp={"x": _eigh_jvp}, samples=_symmetric)
def eigh(xp, x, /, *, upper=False):
    """Find the eigenvalues and eigenvectors of a symmetric or Hermitian matrix.

    Only the lower triangle of ``x`` is read, or the upper one. The gradient is that of a
    function of symmetric matrices, so it is symmetric itself, as in PyTorch and JAX. It is NaN
    where eigenvectors of equal eigenvalues are used.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.eigh(np.asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    array([1., 2.])
    """
    if not upper:
        return EighResult(*xp.linalg.eigh(x))
    mirrored = xp.conj(x) if xp.isdtype(x.dtype, "complex floating") else x
    return EighResult(*xp.linalg.eigh(mirrored.mT))


def _eigvalsh_vjp(g, x, live):
    vectors = eigh(x).eigenvectors
    return pull_back_values(g, vectors, vectors, live)


def _eigvalsh_jvp(g, x):
    vectors = eigh(x).eigenvectors
    return sum(real_part(conjugated(vectors) * matmul(g, vectors)), axis=-2)


@primitive(vjp={"x": _eigvalsh_vjp}, jvp={"x": _eigvalsh_jvp}, samples=_symmetric)
def eigvalsh(xp, x, /):
    """Find the eigenvalues of a symmetric or Hermitian matrix, in ascending order.

    As for ``eigh``, the lower triangle is read and the gradient is symmetric. A sum of
    the same function of every eigenvalue has the right gradient where some are equal.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.eigvalsh(np.asarray([[2.0, 0.0], [0.0, 1.0]]))
    array([1., 2.])
    """
    return xp.linalg.eigvalsh(x)


def _as_complex(xp, x):
    """Return complex numbers, which some libraries do not where all are real."""
    if xp.isdtype(x.dtype, "complex floating"):
        return x
    return xp.astype(x, xp.complex64 if x.dtype == xp.float32 else xp.complex128)


def _eig_vjp(g, out, live):
    values, vectors = out
    g_values, g_vectors = g
    inner = 0.0
    if g_vectors is not None:
        row = matrix_transpose(g_vectors)
        along = diagonal_times(diagonal(matmul(row, vectors)), adjoint(vectors))
        unused = rows_of_unused(live)
        inner = multiply_used((along - row) @ vectors, inverse_gaps(values), unused)
    if g_values is not None:
        inner = inner + expand_dims(g_values, -2) * identity_like(vectors)
    # G_x = V inner V^-1, transposed.
    return solve(matrix_transpose(vectors), matrix_transpose(vectors @ inner))


def _eig_jvp(g, out):
    values, vectors = out
    inner = solve(vectors, matmul(g, vectors))
    turned = vectors @ (inverse_gaps(values) * inner)
    along = diagonal(adjoint(vectors) @ turned)
    return EigResult(diagonal(inner), turned - times_diagonal(vectors, along))


# Eigenvectors of LAPACK turn their phase where these do not: they are in tests/test_linalg.py.
def _one_dimensional(draw):
    for shape in [(1, 1), (2, 1, 1), (0, 0)]:
        yield Sample((draw(*shape),))
    yield Sample((draw(1, 1) - 1j * draw(1, 1),))


@primitive(results=EigResult, vjp={"x": _eig_vjp}, jvp={"x": _eig_jvp}, samples=_one_dimensional)
def eig(xp, x, /):
    """Find the eigenvalues and eigenvectors of a square matrix; both are complex.

    Raises:
        ValueError: the matrix is not square; a derivative where eigenvectors do not span.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.eig(np.asarray([[0.0, -1.0], [1.0, 0.0]])).eigenvalues
    array([0.+1.j, 0.-1.j])
    """
    values, vectors = xp.linalg.eig(x)
    return EigResult(_as_complex(xp, values), _as_complex(xp, vectors))


def _eigvals_vjp(g, x):
    return _eig_vjp((g, None), eig(x), None)


def _eigvals_jvp(g, x):
    vectors = eig(x).eigenvectors
    return diagonal(solve(vectors, g @ vectors))


@primitive(vjp={"x": _eigvals_vjp}, jvp={"x": _eigvals_jvp}, samples=square_matrices)
def eigvals(xp, x, /):
    """Find the eigenvalues of a square matrix; they are complex.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.eigvals(np.asarray([[0.0, -1.0], [1.0, 0.0]]))
    array([0.+1.j, 0.-1.j])
    """
    return _as_complex(xp, xp.linalg.eigvals(x))
