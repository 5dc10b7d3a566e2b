"""Linear algebra: products of vectors, matrices and higher tensors."""

from gradx.core.op import multilinear
from gradx.core.samples import matrix_pairs
from gradx.ops.shapes import broadcast_to, expand_dims


def _matmul_x(g, y, x_shape):
    if len(y.shape) == 1:
        return expand_dims(g, -1) * y
    if len(x_shape) == 1:
        return matmul(y, expand_dims(g, -1))[..., 0]
    return matmul(g, y.mT)


def _matmul_y(g, x, y_shape):
    if len(x.shape) == 1:
        return expand_dims(x, -1) * (g if len(y_shape) == 1 else expand_dims(g, -2))
    if len(y_shape) == 1:
        return matmul(x.mT, expand_dims(g, -1))[..., 0]
    return matmul(x.mT, g)


@multilinear(transpose={"x": _matmul_x, "y": _matmul_y}, samples=matrix_pairs)
def matmul(xp, x, y, /):
    """Multiply matrices, or stacks of matrices that broadcast: ``x @ y``."""
    return xp.matmul(x, y)
