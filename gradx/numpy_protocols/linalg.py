"""``np.linalg`` on Tensors."""

import math
from functools import cache
from typing import Any

import numpy as np

from gradx.core.arrays import is_kind, reading_stalls, untracked
from gradx.errors import ShapeError
from gradx.numpy_protocols.arranging import flat
from gradx.numpy_protocols.products import cross_of, outer
from gradx.ops import elementwise as ew
from gradx.ops.along import take_along_axis
from gradx.ops.creation import ones_like
from gradx.ops.linalg import diagonal, matmul, tensordot, trace, tril, vecdot
from gradx.ops.linalg_determinants import det, slogdet
from gradx.ops.linalg_eigen import EigResult, eig, eigh, eigvals, eigvalsh
from gradx.ops.linalg_factorizations import SVDResult, cholesky, qr, svd, svdvals
from gradx.ops.linalg_least_squares import lstsq, pinv
from gradx.ops.linalg_norms import matrix_norm, matrix_rank, norm, vector_norm
from gradx.ops.linalg_products import matrix_power, multi_dot
from gradx.ops.linalg_solving import inv, solve
from gradx.ops.searching import count_nonzero
from gradx.ops.shapes import astype, matrix_transpose, moveaxis, reshape
from gradx.ops.sorting import argsort, sort
from gradx.ops.statistical import any


def _hermitian(a, UPLO):
    """Return the matrix that LAPACK reads from one triangle: the other one does not matter."""
    if a.ndim < 2:
        raise ShapeError(f"np.linalg: a matrix or a stack of them, got shape {tuple(a.shape)}")
    a = a if UPLO.upper() == "L" else ew.conj(matrix_transpose(a))
    below = tril(a, k=-1)
    middle = tril(a) - below
    if is_kind(a, "complex floating"):
        middle = ew.real(middle)  # nor do imaginary parts on the diagonal
    return below + ew.conj(matrix_transpose(below)) + middle


@cache
def _numpy_has_real_ones() -> bool:
    """Tell whether NumPy finds real eigenvalues of real matrices, as before its version 2.5."""
    return np.linalg.eigvals(np.eye(1)).dtype.kind == "f"


def _as_real_where_all_are(a, *found):
    """Return eigenvalues, and what belongs to them, as real arrays where NumPy does so."""
    values = untracked(found[0])
    if not _numpy_has_real_ones() or is_kind(a, "complex floating") or reading_stalls(found[0]):
        return found
    if np.any(values.imag):
        return found
    return tuple([ew.real(x) for x in found])


def _eig(a):
    return EigResult(*_as_real_where_all_are(a, *eig(a)))


def _eigvals(a):
    return _as_real_where_all_are(a, eigvals(a))[0]


def _qr(a, mode="reduced"):
    return qr(a).R if mode == "r" else qr(a, mode=mode)


def _svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    if hermitian:
        return _svd_by_eigenvalues(a) if compute_uv else _svdvals_by_eigenvalues(a)
    return svd(a, full_matrices=full_matrices) if compute_uv else svdvals(a)


def _svd_by_eigenvalues(a):
    """Take singular values for the eigenvalues with their signs, as NumPy does.

    Two of them may be equal where the eigenvalues are not, and nothing is lost.
    """
    eigenvalues, vectors = eigh(_hermitian(a, "L"))
    signs = ew.copysign(ones_like(eigenvalues), eigenvalues)
    values = eigenvalues * signs  # abs would have no derivative at 0
    order = argsort(values, axis=-1, descending=True)
    signs, values = (take_along_axis(x, order, axis=-1) for x in (signs, values))
    left = take_along_axis(vectors, order[..., None, :], axis=-1)
    return SVDResult(left, values, ew.conj(matrix_transpose(left * signs[..., None, :])))


def _svdvals_by_eigenvalues(a):
    eigenvalues = eigvalsh(_hermitian(a, "L"))
    signs = ew.copysign(ones_like(eigenvalues), eigenvalues)
    return sort(eigenvalues * signs, axis=-1, descending=True)


def _pinv(a, rcond=None, hermitian=False, *, rtol=None):
    a = _hermitian(a, "L") if hermitian else a
    return pinv(a, rtol=rcond if rtol is None else rtol)


def _lstsq(a, b, rcond=None):
    if isinstance(rcond, int | float) and not 0 < rcond < 1:
        rcond = None  # LAPACK takes its own precision
    found = lstsq(a, b, rtol=rcond)
    found = found._replace(rank=astype(found.rank, np.int32))
    rank, (rows, columns) = untracked(found.rank), a.shape
    deficient = rank.ndim == 0 and not reading_stalls(rank) and rank < columns
    if rows > columns and not deficient:
        return found if b.ndim > 1 else found._replace(residuals=reshape(found.residuals, (1,)))
    return found._replace(residuals=flat(found.residuals)[:0])  # as NumPy says that there are none


def _matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    if A.ndim < 2:
        return astype(any(ew.not_equal(A, 0)), np.int64)
    A = _hermitian(A, "L") if hermitian else A
    if tol is None:
        return matrix_rank(A, rtol=rtol)
    return count_nonzero(ew.greater(svdvals(A), np.expand_dims(tol, -1)), axis=-1)


def _cond(x, p=None):
    if p is None or p in (2, -2):
        values = svdvals(x)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    return norm(x, p, (-2, -1)) * norm(inv(x), p, (-2, -1))


def _tensorinv(a, ind=2):
    before, after = a.shape[:ind], a.shape[ind:]
    return reshape(inv(reshape(a, (math.prod(before), math.prod(after)))), (*after, *before))


def _tensorsolve(a, b, axes=None):
    if axes is not None:
        a = moveaxis(a, tuple(axes), tuple(range(-len(axes), 0)))
    unknowns = a.shape[b.ndim :]
    found = solve(reshape(a, (b.size, math.prod(unknowns))), reshape(b, (-1,)))
    return reshape(found, unknowns)


def _vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    return vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)


FUNCTIONS: dict[Any, Any] = {
    np.linalg.cholesky: lambda a, /, *, upper=False: cholesky(
        _hermitian(a, "U" if upper else "L"), upper=upper
    ),
    np.linalg.cond: _cond,
    np.linalg.cross: lambda x1, x2, /, *, axis=-1: cross_of(x1, x2, axis=axis),
    np.linalg.det: det,
    np.linalg.diagonal: lambda x, /, *, offset=0: diagonal(x, offset=offset),
    np.linalg.eig: _eig,
    # LAPACK turns the vectors that it finds from the other triangle another way.
    np.linalg.eigh: lambda a, UPLO="L": eigh(_hermitian(a, UPLO), upper=UPLO.upper() == "U"),
    np.linalg.eigvals: _eigvals,
    np.linalg.eigvalsh: lambda a, UPLO="L": eigvalsh(_hermitian(a, UPLO)),
    np.linalg.inv: inv,
    np.linalg.lstsq: _lstsq,
    np.linalg.matmul: matmul,
    np.linalg.matrix_norm: lambda x, /, *, keepdims=False, ord="fro": matrix_norm(
        x, keepdims=keepdims, ord=ord
    ),
    np.linalg.matrix_power: lambda a, n: matrix_power(a, n),
    np.linalg.matrix_rank: _matrix_rank,
    np.linalg.matrix_transpose: matrix_transpose,
    np.linalg.multi_dot: lambda arrays, *, out=None: multi_dot(arrays),
    np.linalg.norm: lambda x, ord=None, axis=None, keepdims=False: norm(x, ord, axis, keepdims),
    np.linalg.outer: outer,
    np.linalg.pinv: _pinv,
    np.linalg.qr: _qr,
    np.linalg.slogdet: slogdet,
    np.linalg.solve: lambda a, b: solve(a, b),
    np.linalg.svd: _svd,
    np.linalg.svdvals: svdvals,
    np.linalg.tensordot: lambda x1, x2, /, *, axes=2: tensordot(x1, x2, axes=axes),
    np.linalg.tensorinv: _tensorinv,
    np.linalg.tensorsolve: _tensorsolve,
    np.linalg.trace: lambda x, /, *, offset=0, dtype=None: trace(x, offset=offset, dtype=dtype),
    np.linalg.vecdot: lambda x1, x2, /, *, axis=-1: vecdot(x1, x2, axis=axis),
    np.linalg.vector_norm: _vector_norm,
}
