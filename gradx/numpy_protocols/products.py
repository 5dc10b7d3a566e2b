"""NumPy's products of vectors and matrices, and the parts of a matrix."""

from string import ascii_letters
from typing import Any

import numpy as np

from gradx.errors import ShapeError
from gradx.numpy_protocols.arranging import array_of, at_least_1d, flat
from gradx.ops import elementwise as ew
from gradx.ops.einsum import einsum
from gradx.ops.linalg import diagonal, tensordot, tril, triu
from gradx.ops.linalg_products import cross
from gradx.ops.moving import flip, pad
from gradx.ops.shapes import astype, expand_dims, moveaxis, reshape, sum


def spread_apart(x: Any, y: Any) -> tuple[Any, Any]:
    """Give ``x`` new last axes, one for each of ``y``, so that all pairs are combined."""
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return x, y
    return reshape(x, tuple(x.shape) + (1,) * np.ndim(y)), y


def _dot(a, b, out=None):
    a, b = array_of(a), array_of(b)
    if a.ndim == 0 or b.ndim == 0:
        return ew.multiply(a, b)
    return tensordot(a, b, axes=((-1,), (-1,) if b.ndim == 1 else (-2,)))


def _inner(a, b):
    a, b = array_of(a), array_of(b)
    if a.ndim == 0 or b.ndim == 0:
        return ew.multiply(a, b)
    return tensordot(a, b, axes=((-1,), (-1,)))


def _vdot(a, b):
    return sum(ew.multiply(ew.conj(flat(at_least_1d(a))), flat(at_least_1d(b))))


def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Multiply each element of ``a`` by each of ``b``, both flattened."""
    return ew.multiply(reshape(array_of(a), (-1, 1)), reshape(array_of(b), (1, -1)))


def _kron(a, b):
    a, b = array_of(a), array_of(b)
    ndim = max(a.ndim, b.ndim)
    a = reshape(a, (1,) * (ndim - a.ndim) + tuple(a.shape))
    b = reshape(b, (1,) * (ndim - b.ndim) + tuple(b.shape))
    between = tuple(n for pair in zip(a.shape, (1,) * ndim, strict=True) for n in pair)
    inside = tuple(n for pair in zip((1,) * ndim, b.shape, strict=True) for n in pair)
    lengths = tuple(m * n for m, n in zip(a.shape, b.shape, strict=True))
    product = ew.multiply(reshape(a, between), reshape(b, inside))
    return reshape(product, lengths)


def _einsum(*operands, out=None, optimize=False, dtype=None, order="K", casting="safe"):
    if not isinstance(operands[0], str):
        operands = _in_letters(operands)
    result = einsum(*operands)
    return result if dtype is None else astype(result, dtype)


def _in_letters(operands):
    """Write ``(a, [0, 1], b, [1, 2], [0, 2])`` as ``("ab,bc->ac", a, b)``."""
    spell = lambda axes: "".join(["..." if i is Ellipsis else ascii_letters[i] for i in axes])
    pairs = len(operands) // 2
    subscripts = ",".join([spell(axes) for axes in operands[1 : 2 * pairs : 2]])
    if len(operands) % 2:
        subscripts += "->" + spell(operands[-1])
    return (subscripts, *operands[: 2 * pairs : 2])


def cross_of(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Multiply vectors of three elements, which lie along any axis of each array."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(array_of(a), axisa, -1), moveaxis(array_of(b), axisb, -1)
    return moveaxis(cross(a, b), -1, axisc)


def _axes_last(a, axis1, axis2):
    return moveaxis(a, (axis1, axis2), (-2, -1))


def diagonal_of(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonals of the matrices along two axes, as the last axis."""
    return diagonal(_axes_last(a, axis1, axis2), offset=offset)


def trace_of(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    """Add up the diagonals of the matrices along two axes."""
    found = diagonal_of(a if dtype is None else astype(a, dtype), offset, axis1, axis2)
    return sum(found, axis=-1)


def _diag(v, k=0):
    if v.ndim not in (1, 2):
        raise ShapeError(f"np.diag: a vector or a matrix, got shape {tuple(v.shape)}")
    return _matrix_of(v, k) if v.ndim == 1 else diagonal(v, offset=k)


def _matrix_of(v, k):
    """Return the matrix with ``v`` on its k-th diagonal: its elements lie n + 1 apart."""
    (length,) = v.shape
    n = length + abs(k)
    elements = flat(pad(expand_dims(v, 1), ((0, 0), (0, n))))
    first = k if k > 0 else -k * n
    return reshape(pad(elements, (first, n * n))[: n * n], (n, n))


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Multiply each window of the longer by the shorter, turned round."""
    a, v = at_least_1d(a), at_least_1d(v)
    if a.shape[0] < v.shape[0]:
        a, v = v, a
    return _windows_times(a, flip(v, axis=0), mode)


def _correlate(a, v, mode="valid"):
    a, v = at_least_1d(a), at_least_1d(v)
    if a.shape[0] < v.shape[0]:
        return flip(_windows_times(ew.conj(v), a, mode), axis=0)
    return _windows_times(a, ew.conj(v), mode)


def _windows_times(a, v, mode):
    """Multiply each window of ``a`` by ``v``."""
    n, m = a.shape[0], v.shape[0]
    before, after = {"full": (m - 1, m - 1), "same": (m // 2, (m - 1) // 2), "valid": (0, 0)}[mode]
    padded = pad(a, (before, after))
    windows = np.arange(n + before + after - m + 1)[:, None] + np.arange(m)
    return sum(padded[windows] * v, axis=1)


FUNCTIONS: dict[Any, Any] = {
    np.convolve: convolve,
    np.correlate: _correlate,
    np.cross: cross_of,
    np.diag: _diag,
    np.diagflat: lambda v, k=0: _matrix_of(flat(v), k),
    np.diagonal: diagonal_of,
    np.dot: _dot,
    np.einsum: _einsum,
    np.inner: _inner,
    np.kron: _kron,
    np.outer: outer,
    np.tensordot: lambda a, b, axes=2: tensordot(a, b, axes=axes),
    np.trace: trace_of,
    np.tril: lambda m, k=0: tril(m, k=k),
    np.triu: lambda m, k=0: triu(m, k=k),
    np.vdot: _vdot,
}
