"""Least squares: the pseudo-inverse, and solutions of equations that have none or many."""

from typing import Any, NamedTuple

from gradx.core.op import composed, primitive
from gradx.core.samples import Sample
from gradx.ops.elementwise import multiply, subtract
from gradx.ops.linalg import matmul
from gradx.ops.linalg_factorizations import svdvals
from gradx.ops.linalg_norms import default_tolerance, matrix_rank
from gradx.ops.linalg_parts import adjoint, conjugated, real_part
from gradx.ops.shapes import expand_dims, matrix_transpose, sum
from gradx.ops.slicing import getitem


def _rectangles(draw):
    for shape in [(3, 2), (2, 3), (2, 2), (2, 3, 2), (0, 2), (2, 0)]:
        x = draw(*shape)
        x[..., :1, :1] += 2.0
        yield Sample((x,))
    yield Sample((draw(3, 2) + 1j * draw(3, 2),))
    yield Sample((draw(2, 3) - 1j * draw(2, 3),))
    yield Sample((draw(2, 2),), {"rtol": 1e-3})


def _with_tiny_tolerance(draw):
    x = draw(2, 3, 2)
    x[..., 0, 0] += 2.0
    yield Sample((x, draw(2) / 100))
    yield Sample((x, 1e-6))


def _with_tolerance(draw):
    yield from _with_tiny_tolerance(draw)
    for shape in [(3, 2), (2, 3), (2, 3, 3), (0, 2)]:
        x = draw(*shape)
        x[..., :1, :1] += 4.0
        yield Sample((x, 0.5))
    x = draw(3, 3) - 1j * draw(3, 3)
    x[0, 0] += 6.0
    yield Sample((x, 0.7))


def _pseudo_inverse_vjp(g, x, out):
    row = matrix_transpose(g)
    left, right = out @ adjoint(out), adjoint(out) @ out
    beyond_columns = matmul(row, left)
    beyond_rows = right @ row
    return matrix_transpose(
        adjoint(beyond_columns - x @ (out @ beyond_columns))
        + adjoint(beyond_rows - beyond_rows @ out @ x)
        - out @ row @ out
    )


def _pseudo_inverse_jvp(g, x, out):
    left, right = out @ adjoint(out), adjoint(out) @ out
    beyond_columns = left @ adjoint(g)
    beyond_rows = matmul(adjoint(g), right)
    return (
        beyond_columns
        - beyond_columns @ x @ out
        + beyond_rows
        - out @ (x @ beyond_rows)
        - out @ g @ out
    )


@primitive(
    vjp={"x": _pseudo_inverse_vjp}, jvp={"x": _pseudo_inverse_jvp}, samples=_with_tiny_tolerance
)
def pseudo_inverse(xp, x, y, /):
    """Compute the pseudo-inverse with singular values up to ``y`` times the largest as zeros.

    They are taken for rounding: the derivative is that along matrices of the same rank.
    """
    return xp.linalg.pinv(x, rtol=y)


# An eigenvalue decomposition reads one triangle, so what is sampled has to be Hermitian
# whatever is added to it; tests/test_linalg.py has others, where they are used.
def _small_numbers(draw):
    for shape in [(1, 1), (2, 1, 1)]:
        yield Sample((draw(*shape) / 8, draw(*shape) / 8, draw(*shape)))


def _turned(x, y, g):
    return solve_stein(matrix_transpose(x), matrix_transpose(y), g)


@primitive(
    vjp={
        "x": lambda g, x, y, out: _turned(x, y, g) @ matrix_transpose(out @ y),
        "y": lambda g, x, y, out: matrix_transpose(x @ out) @ _turned(x, y, g),
        "z": lambda g, x, y: _turned(x, y, g),
    },
    jvp={
        "x": lambda g, x, y, out: solve_stein(x, y, g @ out @ y),
        "y": lambda g, x, y, out: solve_stein(x, y, x @ out @ g),
        "z": lambda g, x, y: solve_stein(x, y, g),
    },
    samples=_small_numbers,
)
def solve_stein(xp, x, y, z, /):
    """Solve Stein's equation ``out - x @ out @ y = z`` for Hermitian ``x`` and ``y``.

    No product of an eigenvalue of each may be 1.
    """
    turned = lambda a: xp.conj(a).mT if xp.isdtype(a.dtype, "complex floating") else a.mT
    (left, u), (right, v) = xp.linalg.eigh(x), xp.linalg.eigh(y)
    products = xp.expand_dims(left, axis=-1) * xp.expand_dims(right, axis=-2)
    return u @ ((turned(u) @ z @ v) / (1 - products)) @ turned(v)


def _truncated_vjp(g, x, out):
    # With G the row cotangent, of the terms of the jvp below in turn, and K = left @ ...
    row, rest = matrix_transpose(g), x - x @ out @ x
    left, right = out @ adjoint(out), adjoint(out) @ out
    rows = solve_stein(adjoint(rest) @ rest, right, adjoint(row)) @ right
    columns = left @ solve_stein(left, rest @ adjoint(rest), adjoint(row))
    row_cotangent = (
        rows
        - out @ x @ rows
        + adjoint(rest @ rows @ adjoint(out))
        + columns
        - columns @ x @ out
        + adjoint(adjoint(out) @ columns @ rest)
        - out @ row @ out
    )
    return matrix_transpose(row_cotangent)


def _truncated_jvp(g, x, out):
    # Between a kept singular value s and a dropped one t there is the factor 1 / (s^2 - t^2),
    # which is that of s^2 - 0, and of Stein's equation with t^2 / s^2.
    rest = x - x @ out @ x
    left, right = out @ adjoint(out), adjoint(out) @ out
    rows = right @ (g - g @ out @ x + adjoint(out) @ adjoint(g) @ rest)
    columns = (g - x @ out @ g + rest @ adjoint(g) @ adjoint(out)) @ left
    return (
        adjoint(solve_stein(right, adjoint(rest) @ rest, rows))
        + adjoint(solve_stein(rest @ adjoint(rest), left, columns))
        - out @ g @ out
    )


@primitive(vjp={"x": _truncated_vjp}, jvp={"x": _truncated_jvp}, samples=_with_tolerance)
def truncated_inverse(xp, x, y, /):
    """Compute the pseudo-inverse without singular values up to ``y`` times the largest.

    They may be far from zero, and turn into those that are kept: the derivative is that of a
    function of singular values (Daleckii and Krein 1965), exact to every order.
    """
    return xp.linalg.pinv(x, rtol=y)


@composed(samples=_rectangles)
def pinv(x, /, *, rtol=None):
    """Compute the Moore-Penrose pseudo-inverse of a matrix, or of each in a stack.

    Singular values up to ``rtol`` times the largest count as zero; by default
    ``max(rows, columns)`` times the precision of the dtype: they are taken for rounding, and
    the derivative is the one along matrices of the same rank (Golub and Pereyra 1973). With
    ``rtol`` it is right also where what is left out is large. Where the rank changes the
    pseudo-inverse jumps.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.pinv(np.asarray([[2.0, 0.0], [0.0, 0.0]]))
    array([[0.5, 0. ],
           [0. , 0. ]])
    """
    if rtol is None:
        return pseudo_inverse(x, default_tolerance(x))
    return truncated_inverse(x, rtol)


class LstsqResult(NamedTuple):
    """What ``lstsq`` returns."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


def _least_squares(draw):
    for x, y in [((3, 2), (3,)), ((3, 2), (3, 2)), ((2, 3), (2,)), ((2, 3, 2), (2, 3, 1))]:
        matrix = draw(*x)
        matrix[..., 0, 0] += 2.0
        matrix[..., 1, 1] += 2.0
        yield Sample((matrix, draw(*y)))
    matrix = draw(3, 2) + 1j * draw(3, 2)
    yield Sample((matrix, draw(3) - 1j * draw(3)))


@composed(samples=_least_squares)
def lstsq(x, y, /, *, rtol=None, rcond=None):
    """Find the shortest ``out`` that brings ``x @ out`` as near to ``y`` as there is.

    Returns ``(solution, residuals, rank, singular_values)``: ``residuals`` are the squared
    distances that remain, one for each column of ``y``. ``y`` is a vector if it has one
    axis. ``rtol`` and the derivative are those of ``pinv``; ``rcond`` is what others call it.

    >>> import numpy as np, gradx as gx
    >>> line = np.asarray([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> np.round(gx.linalg.lstsq(line, np.asarray([1.0, 3.0, 5.0])).solution, 6)
    array([1., 2.])
    """
    rtol = rcond if rtol is None else rtol
    vector = len(y.shape) == 1
    columns = expand_dims(y, -1) if vector else y
    solution = matmul(pinv(x, rtol=rtol), columns)
    rest = subtract(columns, matmul(x, solution))
    residuals = sum(real_part(multiply(conjugated(rest), rest)), axis=-2)
    if vector:
        solution, residuals = getitem(solution, (..., 0)), getitem(residuals, (..., 0))
    return LstsqResult(solution, residuals, matrix_rank(x, rtol=rtol), svdvals(x))
