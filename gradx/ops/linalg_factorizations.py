"""Matrices as products of simpler ones: Cholesky, QR and singular value decompositions.

Where a factor is not unique its derivative is a convention. Columns of ``Q``, ``U`` and
``V`` may be multiplied by numbers of size 1: ``R`` keeps a real diagonal, and the phases of
a pair of singular vectors turn against each other. The columns that complete a basis
are turned no more than it takes to stay orthogonal to the others; what depends on
their span only has the right derivative. Singular vectors of equal singular values have
none, and it is NaN.
"""

import math
from typing import Any, NamedTuple

from gradx.core.op import primitive
from gradx.core.samples import Sample
from gradx.errors import ShapeError
from gradx.ops.elementwise import (
    abs,
    equal,
    less_equal,
    logical_and,
    not_equal,
    subtract,
    where,
)
from gradx.ops.joining import concat
from gradx.ops.linalg import diagonal, matmul, tril, triu
from gradx.ops.linalg_parts import (
    adjoint,
    conjugated,
    first_columns,
    first_rows,
    further_columns,
    further_rows,
    hermitian_part,
    identity_like,
    inverse_gaps,
    inverse_or_nan,
    is_complex,
    multiply_used,
    precision_of,
    pull_back_values,
    real_part,
    rounding_of,
    rows_of_unused,
    skew_part,
    times_diagonal,
)
from gradx.ops.linalg_solving import solve
from gradx.ops.shapes import expand_dims, matrix_transpose, sum
from gradx.ops.statistical import max


class QRResult(NamedTuple):
    """``x == Q @ R``: orthonormal columns, and an upper triangle."""

    Q: Any
    R: Any


class SVDResult(NamedTuple):
    """``x == U * S @ Vh``: orthonormal columns, singular values falling, orthonormal rows."""

    U: Any
    S: Any
    Vh: Any


# The derivative is that of symmetric matrices, so what is sampled here has to be one
# whatever is added to it; others are in tests/test_linalg.py.
def _positive_definite(draw):
    for upper in [False, True]:
        for shape in [(1, 1), (2, 1, 1), (0, 0), (0, 1, 1)]:
            yield Sample((draw(*shape),), {"upper": upper})
        yield Sample((draw(1, 1) + 0j,), {"upper": upper})


def _halved(x):
    """Halve the diagonal."""
    return x - 0.5 * (x * identity_like(x))


def _cholesky_vjp(g, out, upper):
    lower = adjoint(out) if upper else out
    row = matrix_transpose(tril(adjoint(g) if upper else g))  # the zeros of out take nothing
    inner = _halved(triu(matmul(row, lower)))
    # L^-H inner L^-1, by one solve from each side.
    half = solve(adjoint(lower), inner)
    both = matrix_transpose(solve(matrix_transpose(lower), matrix_transpose(half)))
    return matrix_transpose(hermitian_part(both))


def _cholesky_jvp(g, out, upper):
    lower = adjoint(out) if upper else out
    inner = solve(lower, adjoint(solve(lower, hermitian_part(g))))
    moved = lower @ _halved(tril(inner))
    return adjoint(moved) if upper else moved


@primitive(vjp={"x": _cholesky_vjp}, jvp={"x": _cholesky_jvp}, samples=_positive_definite)
def cholesky(xp, x, /, *, upper=False):
    """Factorize positive definite matrices: ``out @ out^H``, or ``out^H @ out`` if ``upper``.

    Only the lower triangle of ``x`` is read. The gradient is that of a function of
    symmetric matrices, so it is symmetric itself, as in PyTorch and JAX.

    Raises:
        ValueError: a matrix is not positive definite.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.cholesky(np.asarray([[4.0, 2.0], [2.0, 5.0]]))
    array([[2., 0.],
           [1., 2.]])
    """
    lower = xp.linalg.cholesky(x)
    if not upper:
        return lower
    factor = xp.matrix_transpose(lower)
    return xp.conj(factor) if xp.isdtype(x.dtype, "complex floating") else factor


def _complement_vjp(row, factor, count):
    """Turn the row cotangent of a completed factor into one of its first ``count`` columns."""
    main, rest = first_columns(factor, count), further_columns(factor, count)
    turned = adjoint(matmul(rest, matmul(further_rows(row, count), main)))
    return subtract(first_rows(row, count), turned)


def _complement_jvp(moved, factor, count):
    """Complete the tangent of the first ``count`` columns of a completed factor."""
    main, rest = first_columns(factor, count), further_columns(factor, count)
    return concat([moved, -matmul(main, matmul(adjoint(moved), rest))], axis=-1)


def _of_full_rank(draw, *shape):
    """Draw a matrix, or a stack of them, whose singular values are far apart and from 0."""
    x = draw(*shape)
    for place in range(min(shape[-2:])):
        x[..., place, place] += 3.0 * (place + 1)
    return x


def tall_and_wide(draw):
    for shape in [(3, 3), (3, 2), (2, 3), (2, 3, 2), (1, 1), (2, 0), (0, 2)]:
        yield Sample((_of_full_rank(draw, *shape),))
    yield Sample((_of_full_rank(draw, 3, 2) - 1j * draw(3, 2),))
    yield Sample((_of_full_rank(draw, 2, 3) - 1j * draw(2, 3),))


def _factorizations(draw):
    yield from tall_and_wide(draw)
    yield Sample((_of_full_rank(draw, 3, 2),), {"mode": "complete"})
    yield Sample((_of_full_rank(draw, 2, 3),), {"mode": "complete"})


def _independent(r):
    """Return ``r``, with NaN where its diagonal is rounding: such a column depends on others."""
    if 0 in r.shape:
        return r
    sizes = abs(r)
    rounding = max(sizes, axis=-2, keepdims=True) * (r.shape[-1] * precision_of(r))
    lost = logical_and(not_equal(r, 0), less_equal(sizes, rounding))
    return where(logical_and(lost, equal(identity_like(r), 1)), math.nan, r)


def _tall_qr_vjp(g_q, g_r, q, r):
    """Return the row cotangent of a tall ``x``, given those of ``q`` and ``r``, or ``None``."""
    inner, r = 0.0, _independent(r)
    if g_r is not None:
        inner = r @ g_r
    if g_q is not None:
        inner = inner - matmul(g_q, q)
    below = tril(inner, k=-1)
    on_diagonal = real_part(inner) * identity_like(r)
    total = (below + adjoint(below) + on_diagonal) @ adjoint(q)
    return solve(r, total if g_q is None else total + g_q)


def _tall_qr_jvp(g, q, r):
    r = _independent(r)
    scaled = matrix_transpose(solve(matrix_transpose(r), matrix_transpose(g)))
    inner = adjoint(q) @ scaled
    below = tril(inner, k=-1)
    turning = below - adjoint(below)
    if is_complex(inner):
        turning = turning + skew_part(inner) * identity_like(inner)
    return q @ turning + scaled - q @ inner, (inner - turning) @ r


def _qr_vjp(g, out):
    q, r = out
    g_q, g_r = g
    g_q = None if g_q is None else matrix_transpose(g_q)
    g_r = None if g_r is None else matrix_transpose(triu(g_r))  # the zeros of r take nothing
    rows, columns = q.shape[-2], r.shape[-1]
    if rows < columns:
        return _wide_qr_vjp(g_q, g_r, q, r, rows)
    if q.shape[-1] > columns:
        g_q = None if g_q is None else _complement_vjp(g_q, q, columns)
        g_r = None if g_r is None else first_columns(g_r, columns)
        q, r = first_columns(q, columns), first_rows(r, columns)
    return matrix_transpose(_tall_qr_vjp(g_q, g_r, q, r))


def _wide_qr_vjp(g_q, g_r, q, r, rows):
    """Of ``x = [x_1, x_2]`` the square part decides on ``q``; then ``r_2 = q^H @ x_2``."""
    first, rest = first_columns(r, rows), further_columns(r, rows)
    if g_r is None:
        left = matrix_transpose(_tall_qr_vjp(g_q, None, q, first))
        return concat([left, 0.0 * (q @ rest)], axis=-1)
    g_rest = further_rows(g_r, rows)
    through_q = adjoint(q @ rest @ g_rest)
    g_q = through_q if g_q is None else through_q + g_q
    left = _tall_qr_vjp(g_q, first_rows(g_r, rows), q, first)
    return matrix_transpose(concat([left, matmul(g_rest, adjoint(q))], axis=-2))


def _qr_jvp(g, out):
    q, r = out
    rows, columns = q.shape[-2], r.shape[-1]
    if rows < columns:
        moved_q, first = _tall_qr_jvp(first_columns(g, rows), q, first_columns(r, rows))
        rest = adjoint(moved_q) @ (q @ further_columns(r, rows))
        rest = rest + adjoint(q) @ further_columns(g, rows)
        return QRResult(moved_q, concat([first, rest], axis=-1))
    if q.shape[-1] == columns:
        return QRResult(*_tall_qr_jvp(g, q, r))
    moved_q, moved_r = _tall_qr_jvp(g, first_columns(q, columns), first_rows(r, columns))
    below = 0.0 * further_rows(r, columns)
    return QRResult(_complement_jvp(moved_q, q, columns), concat([moved_r, below], axis=-2))


@primitive(results=QRResult, vjp={"x": _qr_vjp}, jvp={"x": _qr_jvp}, samples=_factorizations)
def qr(xp, x, /, *, mode="reduced"):
    """Factorize matrices into orthonormal columns ``Q`` and an upper triangle ``R``.

    With ``mode="complete"`` ``Q`` is square and ``R`` has the shape of ``x``.

    Raises:
        ValueError: there is no such mode; a derivative where the first columns are dependent.

    >>> import numpy as np, gradx as gx
    >>> q, r = gx.linalg.qr(np.asarray([[3.0, 1.0], [4.0, 2.0], [0.0, 1.0]]))
    >>> q.shape, r.shape
    ((3, 2), (2, 2))
    """
    if mode not in ("reduced", "complete"):
        raise ShapeError(f"qr: mode is 'reduced' or 'complete', got {mode!r}")
    return QRResult(*xp.linalg.qr(x, mode=mode))


def _inverse_sums(values, real):
    """Return ``1 / (values[i] + values[j])``; of real matrices the diagonal does not matter."""
    sums = expand_dims(values, -2) + expand_dims(values, -1)
    rounding = expand_dims(rounding_of(values), (-2, -1))
    if not real:
        return inverse_or_nan(sums, rounding)
    unused = equal(identity_like(sums), 1)
    return where(unused, 0.0, inverse_or_nan(where(unused, 1.0, sums), rounding))


def _inverses(values):
    return inverse_or_nan(values, expand_dims(rounding_of(values), -1))


def _over_values(x, values, unused):
    """Divide each row of ``x`` by a singular value."""
    return multiply_used(x, expand_dims(_inverses(values), -1), unused)


def _svd_vjp(g, out, live):
    u, values, vh = out
    count = values.shape[-1]
    if g[1] is not None:
        right, others = adjoint(first_rows(vh, count)), (g[0], None, g[2])
        by_values = pull_back_values(g[1], first_columns(u, count), right, live)
        return by_values if g[0] is g[2] is None else by_values + _svd_vjp(others, out, None)
    g_u = _vectors_cotangent(g[0], u, count)
    # The row cotangent of V, from that of V^H.
    g_v = _vectors_cotangent(None if g[2] is None else adjoint(g[2]), adjoint(vh), count)
    unused = None
    if live is not None:
        unused = _unused(live if g[2] is None else matrix_transpose(live), count)
    u, vh = first_columns(u, count), first_rows(vh, count)
    return matrix_transpose(_reduced_svd_vjp(g_u, g_v, u, values, vh, unused))


def _unused(live, count):
    """Tell of which of the first ``count`` vectors nothing lives, nor of those that complete."""
    if live.shape[-1] > count:
        completing = sum(further_columns(live, count), axis=-1, keepdims=True)
        live = first_columns(live, count) + completing
    return rows_of_unused(live)


def _vectors_cotangent(g, vectors, count):
    if g is None:
        return None
    row = matrix_transpose(g)
    return row if vectors.shape[-1] == count else _complement_vjp(row, vectors, count)


def _reduced_svd_vjp(g_u, g_v, u, values, vh, unused):
    v = adjoint(vh)
    inner = _turning_cotangent(g_u, g_v, u, values, v, unused)
    total = matmul(matmul(v, inner), adjoint(u))
    if g_u is not None and u.shape[-2] > u.shape[-1]:
        total = total + matmul(v, _over_values(_beyond(g_u, u), values, unused))
    if g_v is not None and v.shape[-2] > v.shape[-1]:
        outside = _over_values(_beyond(g_v, v), values, unused)
        total = total + matmul(adjoint(outside), adjoint(u))
    return total


def _turning_cotangent(g_u, g_v, u, values, v, unused):
    by_u = 0.0 if g_u is None else matmul(g_u, u)
    by_v = 0.0 if g_v is None else matmul(g_v, v)
    together, apart = by_u + by_v, by_u - by_v
    sums = _inverse_sums(values, not is_complex(u))
    return skew_part(multiply_used(apart, sums, unused)) - hermitian_part(
        multiply_used(together, inverse_gaps(values), unused)
    )


def _beyond(row, vectors):
    """Return what a row cotangent says of directions outside of the span of ``vectors``."""
    return subtract(row, matmul(row, vectors) @ adjoint(vectors))


def _svd_jvp(g, out):
    u, values, vh = out
    count = values.shape[-1]
    v = adjoint(vh)
    main_u, main_v = first_columns(u, count), first_columns(v, count)
    inner = adjoint(main_u) @ g @ main_v
    together = inverse_gaps(values) * hermitian_part(inner)
    apart = _inverse_sums(values, not is_complex(u)) * skew_part(inner)
    moved_u = main_u @ (together + apart) + _turned_out(matmul(g, main_v), main_u, values)
    moved_v = main_v @ (together - apart) + _turned_out(matmul(adjoint(g), main_u), main_v, values)
    if u.shape[-1] > count:
        moved_u = _complement_jvp(moved_u, u, count)
    if v.shape[-1] > count:
        moved_v = _complement_jvp(moved_v, v, count)
    return SVDResult(moved_u, real_part(diagonal(inner)), adjoint(moved_v))


def _turned_out(moved, vectors, values):
    """Return how ``vectors`` leave their own span."""
    if vectors.shape[-2] == vectors.shape[-1]:
        return 0.0
    outside = moved - vectors @ (adjoint(vectors) @ moved)
    return times_diagonal(outside, _inverses(values))


def _decompositions(draw):
    for sample in tall_and_wide(draw):
        if sample.arrays[0].dtype.kind == "f":
            yield Sample(sample.arrays, {"full_matrices": False})
    yield Sample((_of_full_rank(draw, 3, 2),))
    yield Sample((_of_full_rank(draw, 2, 3),))


@primitive(results=SVDResult, vjp={"x": _svd_vjp}, jvp={"x": _svd_jvp}, samples=_decompositions)
def svd(xp, x, /, *, full_matrices=True):
    """Decompose matrices: ``x == U * S @ Vh``, with singular values ``S`` in falling order.

    With ``full_matrices`` ``U`` and ``Vh`` are square, else they have as many columns and
    rows as there are singular values. Derivatives of singular vectors are NaN where
    singular values are equal; those of a complex matrix are meant for functions that
    do not depend on the phases of the vectors.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.svd(np.asarray([[0.0, 2.0], [1.0, 0.0]])).S
    array([2., 1.])
    """
    return SVDResult(*xp.linalg.svd(x, full_matrices=full_matrices))


def _svdvals_vjp(g, x, live):
    u, _, vh = svd(x, full_matrices=False)
    return pull_back_values(g, u, adjoint(vh), live)


def _svdvals_jvp(g, x):
    u, _, vh = svd(x, full_matrices=False)
    return sum(real_part(conjugated(u) * matmul(g, adjoint(vh))), axis=-2)


@primitive(vjp={"x": _svdvals_vjp}, jvp={"x": _svdvals_jvp}, samples=tall_and_wide)
def svdvals(xp, x, /):
    """Find the singular values of a matrix, in falling order.

    One that is 0 turns back there: its derivative is that on one of the two sides, so that
    what is smooth in the matrix, as the sum of all squares, has the right one.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.svdvals(np.asarray([[0.0, 2.0], [1.0, 0.0]]))
    array([2., 1.])
    """
    return xp.linalg.svdvals(x)
