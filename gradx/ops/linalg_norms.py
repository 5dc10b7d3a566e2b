"""Norms of vectors and matrices, and ranks.

A norm has a kink at 0; its derivative there is 0, as that of ``abs`` is.
"""

import builtins
import math

from gradx.core.arrays import FLOATING, is_kind, untracked
from gradx.core.op import composed, constant, primitive
from gradx.core.samples import Sample, reductions
from gradx.errors import ShapeError
from gradx.ops.creation import place_of
from gradx.ops.elementwise import abs, equal, multiply, not_equal, sign, where
from gradx.ops.linalg_factorizations import svdvals
from gradx.ops.linalg_parts import conjugated, real_part, square_matrices
from gradx.ops.powers import quiet_pow
from gradx.ops.shapes import astype, checked_axes, expand_dims, moveaxis, sum
from gradx.ops.statistical import max, min, with_ones


def _vectors(draw):
    yield from reductions(draw)
    yield Sample((draw(4) * 2 - 2.25,))
    yield Sample((draw(2, 3) - 1j * draw(2, 3),), {"axis": -1})


def _over_norm(x, size):
    """Return ``x / size``, and 0 where the size is 0."""
    zero = equal(size, 0)
    return where(zero, 0.0, x) / where(zero, 1.0, size)


def _along(x, out, axis):
    return _over_norm(conjugated(x), with_ones(out, x.shape, axis))


def _euclidean_jvp(g, x, out, axis, keepdims):
    return sum(real_part(multiply(g, _along(x, out, axis))), axis=axis, keepdims=keepdims)


@primitive(
    vjp={"x": lambda g, x, out, axis: multiply(with_ones(g, x.shape, axis), _along(x, out, axis))},
    jvp={"x": _euclidean_jvp},
    samples=_vectors,
)
def euclidean_norm(xp, x, /, *, axis=None, keepdims=False):
    """Take the root of the sum of squared sizes."""
    return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims)


def _powers(draw):
    for order in [3, 1.5, 4.0, 0.5, -1, -2.5]:
        x = draw(2, 3)
        x[:, 1] *= -1.0
        yield Sample((x,), {"axis": -1, "ord": order})
    yield Sample((draw(2, 3) - 1j * draw(2, 3),), {"ord": 3})


def _share(x, out, axis, ord):
    """Return the derivative of the norm by each element: ``(|x| / norm)**(ord - 1)``, signed."""
    part = _over_norm(abs(x), with_ones(out, x.shape, axis))
    # At 0 there is a kink, whatever the power, and 0 where the power of 0 is infinite.
    singular = equal(part, 0)
    return conjugated(sign(x)) * where(
        singular, 0.0, quiet_pow(where(singular, 1.0, part), ord - 1)
    )


def _power_vjp(g, x, out, axis, ord):
    return multiply(with_ones(g, x.shape, axis), _share(x, out, axis, ord))


def _power_jvp(g, x, out, axis, keepdims, ord):
    return sum(real_part(multiply(g, _share(x, out, axis, ord))), axis=axis, keepdims=keepdims)


@primitive(
    vjp={"x": _power_vjp},
    jvp={"x": _power_jvp},
    samples=_powers,
)
def power_norm(xp, x, /, *, axis=None, keepdims=False, ord=2):
    """Take the root number ``ord`` of the sum of sizes to the power ``ord``, without overflow."""
    sizes = xp.abs(x)
    if 0 in x.shape:
        return xp.linalg.vector_norm(sizes, axis=axis, keepdims=keepdims, ord=ord)
    # In units of the size that counts most, no power of which is beyond a float's range.
    unit = (xp.max if ord > 0 else xp.min)(sizes, axis=axis, keepdims=True)
    unit = xp.where((unit > 0) & xp.isfinite(unit), unit, xp.ones_like(unit))
    out = xp.linalg.vector_norm(sizes / unit, axis=axis, keepdims=keepdims, ord=ord)
    return out * xp.reshape(unit, out.shape)


def _largest(sizes, *, axis=None, keepdims=False):
    """Return the largest size, which of none is 0."""
    return (sum if 0 in sizes.shape else max)(sizes, axis=axis, keepdims=keepdims)


def _all_orders(draw):
    for order in [2, 1, math.inf, -math.inf, 3, -2]:
        x = draw(2, 3)
        x[:, 1] *= -1.0
        yield Sample((x,), {"axis": -1, "ord": order})
        yield Sample((x,), {"ord": order, "keepdims": True})
        yield Sample((draw(2, 2) - 1j * draw(2, 2),), {"axis": (0, 1), "ord": order})
    yield Sample((draw(2, 3),), {"ord": 0})
    for shape in [(0,), (2, 0), (0, 3)]:
        yield Sample((draw(*shape),), {"axis": -1, "ord": math.inf})


@composed(samples=_all_orders)
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Measure vectors along ``axis``, one or several, or of all elements.

    ``ord`` is any number, also 0 (how many are not 0) and the infinities (the largest
    and the smallest size). The derivative at 0 is 0.

    Raises:
        ValueError: ``ord`` is the name of a norm of matrices.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.vector_norm(np.asarray([[3.0, 4.0], [0.0, 0.0]]), axis=1)
    array([5., 0.])
    """
    if isinstance(ord, str):
        raise ShapeError(f"vector_norm: ord of vectors is a number, got {ord!r}")
    if ord == 2:
        return euclidean_norm(x, axis=axis, keepdims=keepdims)
    if ord == math.inf:
        return _largest(abs(x), axis=axis, keepdims=keepdims)
    if ord == -math.inf:
        return min(abs(x), axis=axis, keepdims=keepdims)
    if ord == 1:
        return sum(abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return sum(astype(not_equal(x, 0), abs(x).dtype), axis=axis, keepdims=keepdims)
    return power_norm(x, axis=axis, keepdims=keepdims, ord=ord)


def _matrix_norms(draw):
    for order in ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf]:
        x = draw(3, 2) * 2 - 2.25
        x[[0, 1], [0, 1]] += 3.0
        yield Sample((x,), {"ord": order})
        yield Sample((draw(2, 2, 2) - 1j * draw(2, 2, 2),), {"ord": order, "keepdims": True})
    for order in ["fro", "nuc", 1, 2, math.inf]:
        for shape in [(0, 3), (3, 0), (2, 0, 0)]:
            yield Sample((draw(*shape),), {"ord": order})


# Order -> the axis to add sizes up along, and which of the sums counts.
_LARGEST_SUM = {1: (-2, _largest), -1: (-2, min), math.inf: (-1, _largest), -math.inf: (-1, min)}
# Order -> what to do with the singular values.
_OF_SINGULAR_VALUES = {"nuc": sum, 2: _largest, -2: min}


@composed(samples=_matrix_norms)
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """Measure matrices, which may be stacked.

    ``ord`` is ``"fro"`` (the root of the sum of squares), ``"nuc"`` (the sum of the
    singular values), 2 or -2 (the largest or smallest of them), 1 or -1 (the largest or
    smallest sum of a column), or an infinity (of a row). The derivative at 0 is 0.

    Raises:
        ValueError: there is no such ``ord``.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.matrix_norm(np.asarray([[3.0, 0.0], [0.0, -4.0]]), ord="nuc")
    np.float64(7.0)
    """
    if len(x.shape) < 2:
        raise ShapeError(f"matrix_norm: a matrix or a stack of them, got shape {tuple(x.shape)}")
    if ord == "fro" or ord is None:
        return euclidean_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in _OF_SINGULAR_VALUES:
        values = svdvals(x)
        # Where one is 0 the norm has a kink, of derivative 0 as that of abs.
        size = _OF_SINGULAR_VALUES[ord](where(equal(values, 0), 0.0, values), axis=-1)
    elif ord in _LARGEST_SUM:
        axis, choose = _LARGEST_SUM[ord]
        size = choose(sum(abs(x), axis=axis), axis=-1)
    else:
        allowed = ["fro", *_OF_SINGULAR_VALUES, *_LARGEST_SUM]
        raise ShapeError(f"matrix_norm: ord is one of {allowed}, got {ord!r}")
    return expand_dims(size, (-2, -1)) if keepdims else size


def _norms(draw):
    yield Sample((draw(2, 3),))
    yield Sample((draw(2, 3),), {"ord": 1, "axis": 1})
    yield Sample((draw(2, 3),), {"ord": "fro", "axis": (0, 1), "keepdims": True})
    yield Sample((draw(2, 2, 3),), {"ord": "nuc", "axis": (2, 0)})
    yield Sample((draw(3),), {"ord": 3})


@composed(samples=_norms)
def norm(x, ord=None, axis=None, keepdims=False):
    """Measure vectors or matrices as ``numpy.linalg.norm`` does.

    One ``axis`` means vectors, a pair of axes matrices. Without ``axis``, ``x`` is one
    vector or one matrix; without ``ord`` either, the root of the sum of all squares is taken.

    Raises:
        ValueError: there is no such ``ord``, or ``x`` is neither a vector nor a matrix.

    >>> import numpy as np, gradx as gx
    >>> gx.linalg.norm(np.asarray([[3.0, 0.0], [0.0, 4.0]]))
    np.float64(5.0)
    """
    if ord is None:
        return euclidean_norm(x, axis=axis, keepdims=keepdims)
    axes = tuple(range(len(x.shape))) if axis is None else axis
    axes = checked_axes("norm", axes, len(x.shape))
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=ord)
    if len(axes) != 2:
        raise ShapeError(f"norm: one or two axes with ord={ord!r}, got shape {tuple(x.shape)}")
    size = matrix_norm(moveaxis(x, axes, (-2, -1)), ord=ord)
    return expand_dims(size, axes) if keepdims else size


def default_tolerance(x):
    """Return how small singular values are that rounding makes of zeros, over the largest."""
    space, _ = place_of(x)
    dtype = untracked(x).dtype if is_kind(x, FLOATING) else space.float64
    return builtins.max(x.shape[-2:]) * float(space.finfo(dtype).eps)


def _ranked(draw):
    yield from square_matrices(draw)
    x = draw(3, 3)
    x[0] = x[1]
    yield Sample((x,))
    yield Sample((draw(2, 3, 2),), {"rtol": 0.5})
    yield Sample((draw(2, 3, 0),))


def _with_tolerance(draw):
    for sample in _ranked(draw):
        (x,) = sample.arrays
        yield Sample((x, 1e-3))
        yield Sample((x, draw(*x.shape[:-2]) / 4))


@constant(samples=_with_tolerance)
def count_singular_values(xp, x, y, /):
    """Count the singular values above ``y`` times the largest."""
    if 0 in x.shape[-2:]:
        return xp.sum(xp.astype(x != 0, xp.int64), axis=(-2, -1))
    values = xp.linalg.svdvals(x)
    y = xp.expand_dims(y, axis=-1) if hasattr(y, "shape") else y
    bound = y * xp.max(values, axis=-1, keepdims=True)
    return xp.sum(xp.astype(values > bound, xp.int64), axis=-1)


@composed(samples=_ranked)
def matrix_rank(x, /, *, rtol=None):
    """Count the singular values above ``rtol`` times the largest.

    By default ``rtol`` is ``max(rows, columns)`` times the precision of the dtype.

    >>> import numpy as np, gradx as gx
    >>> int(gx.linalg.matrix_rank(np.ones((3, 3))))
    1
    """
    if len(x.shape) < 2:
        raise ShapeError(f"matrix_rank: a matrix or a stack of them, got shape {tuple(x.shape)}")
    return count_singular_values(x, default_tolerance(x) if rtol is None else rtol)
