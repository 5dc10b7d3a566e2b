"""Linear algebra: products of vectors, matrices and higher tensors, and parts of matrices."""

from math import prod

from gradx.core.arrays import is_kind
from gradx.core.op import composed, multilinear, primitive
from gradx.core.samples import Sample, matrix_pairs
from gradx.core.views import never_copied
from gradx.errors import ShapeError
from gradx.ops.complex import conj
from gradx.ops.elementwise import multiply
from gradx.ops.shapes import (
    checked_axes,
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    sum,
)
from gradx.ops.slicing import getitem


def _products(draw):
    yield from matrix_pairs(draw)
    for x, y in [
        ((0, 3), (3, 2)),
        ((2, 3), (3, 0)),
        ((0,), (0,)),
        ((0, 2, 3), (3, 4)),
        ((2, 3), (0, 3, 1)),
    ]:
        yield Sample((draw(*x), draw(*y)))
    yield Sample((draw(2, 3, 4), draw(4, 2)))
    yield Sample((draw(2, 3) + 1j * draw(2, 3), draw(3, 2)))


def _as_rows(x):
    """Flatten a stack of matrices into one tall matrix."""
    return reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def _matmul_x(g, y):
    if len(y.shape) == 1:
        return multiply(expand_dims(g, -1), y)
    if len(g.shape) < len(y.shape):  # x is a vector
        return getitem(matmul(y, expand_dims(g, -1)), (..., 0))
    if len(y.shape) == 2 and len(g.shape) > 2:
        # One large product is twice as fast as many small ones.
        rows = matmul(_as_rows(g), matrix_transpose(y))
        return reshape(rows, (*g.shape[:-1], y.shape[0]))
    return matmul(g, matrix_transpose(y))


def _matmul_y(g, x, y_shape):
    if len(x.shape) == 1:
        return (
            multiply(g, x)
            if len(y_shape) == 1
            else multiply(expand_dims(x, -1), expand_dims(g, -2))
        )
    if len(y_shape) == 1:
        return matmul(reshape(g, (prod(g.shape),)), _as_rows(x))
    if len(y_shape) == 2 and len(x.shape) > 2:
        # One product that also adds up the stack, which would be a sum of many.
        return matmul(matrix_transpose(_as_rows(x)), _as_rows(g))
    return matmul(matrix_transpose(x), g)


@multilinear(transpose={"x": _matmul_x, "y": _matmul_y}, samples=_products)
def matmul(xp, x, y, /):
    """Multiply matrices, or stacks of matrices that broadcast: ``x @ y``.

    >>> import numpy as np, gradx as gx
    >>> gx.matmul(np.ones((5, 2, 3)), np.ones((3, 4))).shape
    (5, 2, 4)
    """
    return xp.matmul(x, y)


def _vectors(draw):
    for x, y in [((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3)), ((0,), (0,)), ((0, 2), (2,))]:
        yield Sample((draw(*x), draw(*y)))
    yield Sample((draw(3, 2), draw(3, 1)), {"axis": -2})
    yield Sample((draw(3, 1), draw(3, 2)), {"axis": 0})
    yield Sample((draw(3), draw(3, 2)), {"axis": 0})
    yield Sample((draw(4, 3), draw(2, 3, 4)), {"axis": 1})
    yield Sample((draw(2, 3) + 1j * draw(2, 3), draw(3) + 1j * draw(3)))
    yield Sample((draw(3) + 1j * draw(3), draw(3)))
    yield Sample((draw(3), draw(3) + 1j * draw(3)))


def _conjugated(x):
    return conj(x) if is_kind(x, "complex floating") else x


def _spread_along(g, vectors, shape, axis):
    """Multiply vectors along ``axis`` by numbers; the result broadcasts to ``shape``."""
    if axis < 0:
        return multiply(expand_dims(g, axis), vectors)
    rows = multiply(expand_dims(g, -1), moveaxis(vectors, axis, -1))
    return moveaxis(rows, -1, axis - len(shape))


@primitive(
    # Not linear in x but in its conjugate.
    vjp={
        "x": lambda g, y, x_shape, axis: _conjugated(_spread_along(g, y, x_shape, axis)),
        "y": lambda g, x, y_shape, axis: _spread_along(g, _conjugated(x), y_shape, axis),
    },
    jvp={
        "x": lambda g, y, axis: vecdot(g, y, axis=axis),
        "y": lambda g, x, axis: vecdot(x, g, axis=axis),
    },
    samples=_vectors,
)
def vecdot(xp, x, y, /, *, axis=-1):
    """Multiply vectors along ``axis``, the first conjugated: the sum of ``conj(x) * y``.

    The other axes broadcast.

    >>> import numpy as np, gradx as gx
    >>> gx.vecdot(np.ones((2, 3)), np.asarray([1.0, 2.0, 3.0]))
    array([6., 6.])
    """
    if axis < 0:
        return xp.vecdot(x, y, axis=axis)
    # NumPy takes it, and the standard does not: it is counted from the first one of each array.
    return xp.vecdot(xp.moveaxis(x, axis, -1), xp.moveaxis(y, axis, -1))


def _contractions(draw):
    yield Sample((draw(2, 3), draw(3, 4)), {"axes": 1})
    yield Sample((draw(2, 3, 4), draw(3, 4, 2)))
    yield Sample((draw(2, 3), draw(2)), {"axes": 0})
    yield Sample((draw(), draw(2)), {"axes": 0})
    yield Sample((draw(2, 3, 4), draw(4, 2)), {"axes": ((0, -1), (1, 0))})
    yield Sample((draw(2, 3), draw(4, 3)), {"axes": ((-1,), (-1,))})
    yield Sample((draw(2, 0), draw(0, 3)), {"axes": 1})
    yield Sample((draw(2, 2) + 1j * draw(2, 2), draw(2, 2)), {"axes": 1})


@composed(samples=_contractions)
def tensordot(x, y, /, *, axes=2):
    """Multiply and add up over pairs of axes: one matrix product.

    ``axes`` is the number of last axes of ``x`` to pair with the first of ``y``, or
    two sequences of axes. The result has the other axes of ``x``, then those of ``y``.

    >>> import numpy as np, gradx as gx
    >>> gx.tensordot(np.ones((2, 3, 4)), np.ones((4, 3, 5)), axes=((1, 2), (1, 0))).shape
    (2, 5)
    """
    x_axes, y_axes = _paired_axes(axes, x.shape, y.shape)
    x_rest = [axis for axis in range(len(x.shape)) if axis not in x_axes]
    y_rest = [axis for axis in range(len(y.shape)) if axis not in y_axes]
    x_shape, y_shape = [x.shape[axis] for axis in x_rest], [y.shape[axis] for axis in y_rest]
    inner = prod([x.shape[axis] for axis in x_axes])
    rows = reshape(permute_dims(x, (*x_rest, *x_axes)), (prod(x_shape), inner))
    columns = reshape(permute_dims(y, (*y_axes, *y_rest)), (inner, prod(y_shape)))
    return reshape(matmul(rows, columns), (*x_shape, *y_shape))


def _paired_axes(axes, x_shape, y_shape):
    if isinstance(axes, int):
        if not 0 <= axes <= min(len(x_shape), len(y_shape)):
            raise ShapeError(f"tensordot: axes={axes}, but the shapes are {x_shape} and {y_shape}")
        axes = (range(len(x_shape) - axes, len(x_shape)), range(axes))
    first, second = [(pair,) if isinstance(pair, int) else tuple(pair) for pair in axes]
    x_axes = checked_axes("tensordot", first, len(x_shape))
    y_axes = checked_axes("tensordot", second, len(y_shape))
    if [x_shape[axis] for axis in x_axes] != [y_shape[axis] for axis in y_axes]:
        raise ShapeError(
            f"tensordot: shapes {x_shape} and {y_shape} differ along axes {first} and {second}"
        )
    return x_axes, y_axes


def _outers(draw):
    for n, m in [(2, 3), (0, 2), (1, 1)]:
        yield Sample((draw(n), draw(m)))
    yield Sample((draw(2) + 1j * draw(2), draw(2)))


@composed(samples=_outers)
def outer(x, y, /):
    """Multiply every element of one vector by every element of another.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.outer(np.asarray([1.0, 2.0]), np.asarray([3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]])
    """
    if len(x.shape) != 1 or len(y.shape) != 1:
        raise ShapeError(f"outer: two vectors, got shapes {tuple(x.shape)} and {tuple(y.shape)}")
    return multiply(expand_dims(x, 1), y)


def _diagonals(draw):
    for offset in [0, 1, -1, 2, -2]:
        yield Sample((draw(3, 4),), {"offset": offset})
        yield Sample((draw(4, 2),), {"offset": offset})
    yield Sample((draw(2, 2),))
    yield Sample((draw(0, 2),))


@composed(samples=_diagonals)
def diagonal(x, /, *, offset=0):
    """Return the diagonal of a matrix, or of each in a stack, ``offset`` above the main one.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.diagonal(np.asarray([[1.0, 2.0], [3.0, 4.0]]), offset=1)
    array([2.])
    """
    if len(x.shape) < 2:
        raise ShapeError(f"diagonal: a matrix or a stack of matrices, got shape {tuple(x.shape)}")
    *stack, rows, columns = x.shape
    row, column = max(-offset, 0), max(offset, 0)
    length = max(min(rows - row, columns - column), 0)
    # In a flat matrix a diagonal is a slice.
    start = row * columns + column
    places = slice(start, start + length * (columns + 1), columns + 1) if length else slice(0, 0)
    flat = never_copied(reshape(x, (*stack, rows * columns)), "diagonal")
    return getitem(flat, (..., places))


@composed(samples=_diagonals)
def trace(x, /, *, offset=0, dtype=None):
    """Add up the diagonal of a matrix, or of each in a stack.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.trace(np.asarray([[1.0, 2.0], [3.0, 4.0]]))
    np.float64(5.0)
    """
    return sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def _triangles(draw):
    for k in [0, 1, -1, 5, -5]:
        yield Sample((draw(2, 3),), {"k": k})
    yield Sample((draw(2, 3, 3),), {"k": -1})
    yield Sample((draw(0, 2),))
    yield Sample((draw(2, 2) + 1j * draw(2, 2),))


@multilinear(transpose={"x": lambda g, k: tril(g, k=k)}, samples=_triangles)
def tril(xp, x, /, *, k=0):
    """Keep what is on and below the diagonal ``k`` above the main one; the rest becomes 0.

    >>> import numpy as np, gradx as gx
    >>> gx.tril(np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """
    return xp.tril(x, k=k)


@multilinear(transpose={"x": lambda g, k: triu(g, k=k)}, samples=_triangles)
def triu(xp, x, /, *, k=0):
    """Keep what is on and above the diagonal ``k`` above the main one; the rest becomes 0."""
    return xp.triu(x, k=k)
