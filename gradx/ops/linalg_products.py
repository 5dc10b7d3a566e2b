"""Products of several matrices, of vectors in space, and of all pairs of elements."""

from numbers import Integral

from gradx.core.explain import describe
from gradx.core.op import composed, multilinear
from gradx.core.samples import Sample
from gradx.errors import DTypeError, ShapeError
from gradx.ops.elementwise import multiply
from gradx.ops.linalg import matmul
from gradx.ops.linalg_parts import far_from_singular, identity_like
from gradx.ops.linalg_solving import inv
from gradx.ops.shapes import reshape


def _spatial_pairs(draw):
    for x, y in [((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1, 3), (4, 3)), ((0, 3), (3,))]:
        yield Sample((draw(*x), draw(*y)))
    yield Sample((draw(3, 2), draw(3, 1)), {"axis": -2})
    yield Sample((draw(3) + 1j * draw(3), draw(3) - 1j * draw(3)))


@multilinear(
    transpose={
        "x": lambda g, y, axis: cross(y, g, axis=axis),
        "y": lambda g, x, axis: cross(g, x, axis=axis),
    },
    samples=_spatial_pairs,
)
def cross(xp, x, y, /, *, axis=-1):
    """Multiply vectors in space: perpendicular to both, as long as the area between them.

    The vectors lie along ``axis``, counted from the last; the other axes broadcast.

    Raises:
        ValueError: ``axis`` is not negative, or a vector does not have three elements.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.cross(np.asarray([1.0, 0.0, 0.0]), np.asarray([0.0, 1.0, 0.0]))
    array([0., 0., 1.])
    """
    if axis >= 0 and x.ndim != y.ndim:
        raise ShapeError(f"cross: a negative axis for {x.ndim} and {y.ndim} dimensions, got {axis}")
    axis = axis if axis < 0 else axis - x.ndim
    lengths = [shape[axis] if -axis <= len(shape) else 0 for shape in (x.shape, y.shape)]
    if lengths != [3, 3]:
        raise ShapeError(f"cross: 3 elements along axis {axis}, got shapes {x.shape} and {y.shape}")
    return xp.linalg.cross(x, y, axis=axis)


def _kronecker_pairs(draw):
    for x, y in [((2, 3), (3, 2)), ((2,), (3,)), ((2, 2), (2,)), ((), (2,)), ((2, 1, 2), (3, 1))]:
        yield Sample((draw(*x), draw(*y)))
    yield Sample((draw(2, 2) - 1j * draw(2, 2), draw(1, 2)))


@composed(samples=_kronecker_pairs)
def kron(x, y, /):
    """Multiply every element of ``x`` by all of ``y``: a matrix of blocks.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.kron(np.asarray([1.0, 10.0]), np.asarray([1.0, 2.0]))
    array([ 1.,  2., 10., 20.])
    """
    ndim = max(len(x.shape), len(y.shape))
    x_shape = (1,) * (ndim - len(x.shape)) + tuple(x.shape)
    y_shape = (1,) * (ndim - len(y.shape)) + tuple(y.shape)
    blocks = multiply(
        reshape(x, tuple(length for n in x_shape for length in (n, 1))),
        reshape(y, tuple(length for n in y_shape for length in (1, n))),
    )
    return reshape(blocks, tuple(n * m for n, m in zip(x_shape, y_shape, strict=True)))


def _powers(draw):
    for n in [0, 1, 2, 3, 5, -1, -2]:
        # Small, so that derivatives of powers are.
        yield Sample((far_from_singular(draw, 2, 2) / 4,), {"n": n})
    yield Sample((far_from_singular(draw, 2, 2, 2) / 4,), {"n": 3})
    yield Sample((far_from_singular(draw, 2, 2, 2) / 4,), {"n": 0})
    yield Sample((far_from_singular(draw, 2, 2) / 4 + 0.2j * draw(2, 2),), {"n": -3})
    yield Sample((draw(0, 0),), {"n": 2})


@composed(samples=_powers)
def matrix_power(x, /, n):
    """Multiply square matrices by themselves ``n`` times; a negative power is one of the inverse.

    Raises:
        TypeError: ``n`` is not an integer.
        ValueError: a matrix is not square, or is singular and ``n`` negative.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.matrix_power(np.asarray([[1.0, 1.0], [0.0, 1.0]]), 5)
    array([[1., 5.],
           [0., 1.]])
    """
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"matrix_power: square matrices, got shape {tuple(x.shape)}")
    if not isinstance(n, Integral):
        raise DTypeError(f"matrix_power: n is an integer, got {describe(n)}")
    if n == 0:
        # Added to zeros it is an array of its own, where a broadcast one is read-only.
        return 0 * x + identity_like(x)
    if n < 0:
        x, n = inv(x), -n
    return _positive_power(x, n)


def _positive_power(x, n):
    """Square as often as ``n`` can be halved."""
    if n == 1:
        return x
    half = _positive_power(x, n // 2)
    square = matmul(half, half)
    return matmul(square, x) if n % 2 else square


def _chains(draw):
    chains: list[list[tuple[int, ...]]] = [
        [(2, 3), (3, 4)],
        [(2, 3), (3, 4), (4, 2)],
        [(3,), (3, 5), (5, 2), (2, 4), (4,)],
        [(2, 3), (3, 1), (1,)],
    ]
    for shapes in chains:
        yield Sample(([draw(*shape) for shape in shapes],))


@composed(samples=_chains)
def multi_dot(arrays, /):
    """Multiply two or more matrices in the order that takes the fewest operations.

    The first and the last may be vectors.

    Raises:
        ValueError: there are fewer than two, or another one is not a matrix.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.multi_dot([np.ones((2, 3)), np.ones((3, 4)), np.ones(4)])
    array([12., 12.])
    """
    arrays = list(arrays)
    shapes = [tuple(array.shape) for array in arrays]
    if len(arrays) < 2 or any(len(shape) != 2 for shape in shapes[1:-1]):
        raise ShapeError(f"multi_dot: two or more matrices, got shapes {shapes}")
    lengths = [shape[0] for shape in shapes]
    if len(shapes[0]) == 1:
        lengths[0] = 1
    last = 1 if len(shapes[-1]) == 1 else shapes[-1][-1]
    cuts = _best_cuts([*lengths, last])
    return _multiplied(arrays, cuts, 0, len(arrays) - 1)


def _best_cuts(lengths):
    """Return where to cut each run of matrices; number i is ``lengths[i] x lengths[i + 1]``."""
    count = len(lengths) - 1
    cost = {(i, i): 0 for i in range(count)}
    cuts = {}
    for distance in range(1, count):
        for i in range(count - distance):
            j = i + distance
            size = lengths[i] * lengths[j + 1]
            options = [
                (cost[i, k] + cost[k + 1, j] + size * lengths[k + 1], k) for k in range(i, j)
            ]
            cost[i, j], cuts[i, j] = min(options)
    return cuts


def _multiplied(arrays, cuts, i, j):
    if i == j:
        return arrays[i]
    k = cuts[i, j]
    return matmul(_multiplied(arrays, cuts, i, k), _multiplied(arrays, cuts, k + 1, j))
