"""Solving linear equations, and inverses."""

from gradx.core.op import primitive
from gradx.core.samples import Sample
from gradx.ops.linalg import matmul
from gradx.ops.linalg_parts import far_from_singular, square_matrices
from gradx.ops.shapes import expand_dims, matrix_transpose
from gradx.ops.slicing import getitem


def _systems(draw):
    for x, y in [
        ((3, 3), (3, 2)),
        ((3, 3), (3,)),
        ((2, 2, 2), (2,)),
        ((2, 2, 2), (2, 1)),
        ((2, 1, 2, 2), (3, 2, 2)),
        ((2, 2), (3, 2, 2)),
        ((1, 1), (1,)),
        ((0, 0), (0,)),
        ((2, 2), (2, 0)),
    ]:
        yield Sample((far_from_singular(draw, *x), draw(*y)))
    x = far_from_singular(draw, 2, 2)
    yield Sample((x + 1j * draw(2, 2), draw(2) - 1j * draw(2)))
    yield Sample((x, draw(2, 1) - 1j * draw(2, 1)))


def _solve_columns(x, y, y_shape):
    """Solve for ``y``, whose last axis is one of rows if an array of ``y_shape`` is a vector."""
    if len(y_shape) > 1:
        return solve(x, y)
    return getitem(solve(x, expand_dims(y, -1)), (..., 0))


def _solve_x(g, x, out, y_shape):
    solved = _solve_columns(matrix_transpose(x), g, y_shape)
    if len(y_shape) > 1:
        return -matmul(solved, matrix_transpose(out))
    return -expand_dims(solved, -1) * expand_dims(out, -2)


def _moved_matrix(g, x, out, y_shape):
    if len(y_shape) > 1:
        return -solve(x, matmul(g, out))
    return -_solve_columns(x, getitem(matmul(g, expand_dims(out, -1)), (..., 0)), y_shape)


@primitive(
    vjp={
        "x": _solve_x,
        "y": lambda g, x, y_shape: _solve_columns(matrix_transpose(x), g, y_shape),
    },
    jvp={"x": _moved_matrix, "y": lambda g, x: solve(x, g)},
    samples=_systems,
)
def solve(xp, x, y, /):
    """Solve ``x @ out = y`` for square matrices ``x``, which may be stacked.

    ``y`` is a vector if it has one axis, else a matrix or a stack of them; stacks broadcast.

    Raises:
        ValueError: a matrix is singular, or the shapes do not fit.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.solve(np.asarray([[2.0, 0.0], [0.0, 4.0]]), np.asarray([2.0, 2.0]))
    array([1. , 0.5])
    """
    return xp.linalg.solve(x, y)


def _inverse_vjp(g, out):
    out = matrix_transpose(out)
    return -(out @ g @ out)


@primitive(
    vjp={"x": _inverse_vjp}, jvp={"x": lambda g, out: -(out @ g @ out)}, samples=square_matrices
)
def inv(xp, x, /):
    """Invert a matrix, or each in a stack.

    Raises:
        ValueError: a matrix is singular, or not square.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.inv(np.asarray([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return xp.linalg.inv(x)
