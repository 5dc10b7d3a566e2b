"""NumPy's polynomials, as arrays of coefficients, the highest power first."""

from typing import Any

import numpy as np

from gradx.core.arrays import is_kind, read_for, untracked
from gradx.errors import ShapeError
from gradx.numpy_protocols.arranging import array_of, at_least_1d, flat
from gradx.numpy_protocols.products import convolve
from gradx.ops import elementwise as ew
from gradx.ops.joining import concat, stack
from gradx.ops.linalg_eigen import eigvals
from gradx.ops.linalg_products import matmul
from gradx.ops.linalg_solving import inv
from gradx.ops.moving import pad
from gradx.ops.shapes import expand_dims, matrix_transpose, sum


def _polyval(p, x):
    value = ew.multiply(x, 0)
    for coefficient in array_of(p):  # whose numbers decide the precision, as NumPy's do
        value = ew.add(ew.multiply(value, x), coefficient)
    return value


def _of_one_length(a1, a2):
    a1, a2 = at_least_1d(a1), at_least_1d(a2)
    length = max(a1.shape[0], a2.shape[0])
    return [pad(a, (length - a.shape[0], 0)) for a in (a1, a2)]


def _polyadd(a1, a2):
    return ew.add(*_of_one_length(a1, a2))


def _polysub(a1, a2):
    return ew.subtract(*_of_one_length(a1, a2))


def _polyder(p, m=1):
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


def _polyint(p, m=1, k=None):
    constants = [0.0] if k is None else [k] if np.ndim(k) == 0 else list(k)
    constants = constants * m if len(constants) == 1 else constants
    for i in range(m):
        p = concat([p / np.arange(p.shape[0], 0, -1), at_least_1d(constants[i])])
    return p


def _poly(seq_of_zeros):
    zeros = array_of(seq_of_zeros)
    if zeros.ndim == 2:  # a matrix: its characteristic polynomial
        found = _poly(eigvals(zeros))
        return found if is_kind(zeros, "complex floating") else ew.real(found)
    product = np.ones(1, dtype=untracked(zeros).dtype)
    for zero in flat(zeros):
        product = convolve(product, stack([ew.multiply(zero, 0) + 1, -zero]))
    return product


def _vander(x, N=None, increasing=False):
    powers = np.arange(x.shape[0] if N is None else N)
    return expand_dims(x, 1) ** (powers if increasing else powers[::-1])


def _polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    x, y = array_of(x) + 0.0, array_of(y) + 0.0
    _require_points(x, y, deg)
    powers, values = _vander(x, deg + 1), y
    if w is not None:
        weights = array_of(w)
        _require_points(x, weights, deg)
        powers = powers * expand_dims(weights, 1)
        values = values * (expand_dims(weights, 1) if y.ndim > 1 else weights)
    # The columns are given one length, so that small powers count as much as large ones.
    length = ew.sqrt(sum(powers * powers, axis=0))
    rcond = x.shape[0] * np.finfo(untracked(x).dtype).eps if rcond is None else rcond
    found, residuals, rank, singular = np.linalg.lstsq(powers / length, values, rcond)
    found = found / (expand_dims(length, 1) if y.ndim > 1 else length)
    if full:
        return found, residuals, rank, singular, rcond
    if not cov:
        return found
    shared = _covariance(powers / length, length, residuals, cov)
    return found, shared if y.ndim > 1 else shared[:, :, 0]


def _require_points(x, y, deg):
    if deg < 0:
        raise ShapeError(f"np.polyfit: the degree is 0 or more, got {deg}")
    if len(x.shape) != 1 or not x.shape[0] or x.shape != y.shape[:1]:
        raise ShapeError(
            "np.polyfit: points (points,), values (points,) or (points, fits), and weights of as "
            f"many points, of which there are some: got {tuple(x.shape)} and {tuple(y.shape)}"
        )


def _covariance(columns, length, residuals, kind):
    """Return how fitted coefficients vary together; the last axis is that of the fits."""
    each = inv(matmul(matrix_transpose(columns), columns)) / np.multiply.outer(length, length)
    count, order = columns.shape
    if kind != "unscaled" and count <= order:
        raise ShapeError(f"np.polyfit: a covariance takes more than {order} points, got {count}")
    return expand_dims(each, 2) * (1 if kind == "unscaled" else residuals / (count - order))


def _roots(p):
    """Return the eigenvalues of the companion matrix, as NumPy does."""
    p = at_least_1d(p)
    there = np.flatnonzero(np.asarray(read_for(p, "np.roots")))
    if p.ndim != 1:
        raise ShapeError(f"np.roots: coefficients need one axis, got shape {tuple(p.shape)}")
    if not there.size:
        return p[:0]
    degree, zeros = int(there[-1] - there[0]), p.shape[0] - 1 - int(there[-1])
    if not degree:
        return p[:1] * np.zeros(zeros)
    p = p[int(there[0]) : int(there[-1]) + 1] + 0.0
    companion = concat([expand_dims(-p[1:] / p[0], 0), np.eye(degree, dtype=p.dtype)[:-1]])
    roots = eigvals(companion)
    if not is_kind(p, "complex floating") and not np.any(untracked(roots).imag):
        roots = ew.real(roots)
    return pad(roots, (0, zeros)) if zeros else roots


def _polydiv(u, v):
    """Divide polynomials: the quotient and the remainder, without its leading zeros."""
    u, v = at_least_1d(u) + 0.0, at_least_1d(v) + 0.0
    count, length = u.shape[0] - v.shape[0] + 1, v.shape[0]
    quotient = []
    for place in range(count):
        factor = u[place] / v[0]
        quotient.append(factor)
        u = concat([u[:place], u[place : place + length] - factor * v, u[place + length :]])
    plain = np.asarray(read_for(u, "np.polydiv"))
    first = 0
    while first < plain.size - 1 and np.allclose(plain[first], 0, rtol=1e-14):
        first += 1
    return (stack(quotient) if quotient else u[:1] * 0), u[first:]


def _trim_zeros(filt, trim="fb"):
    there = [i for i, x in enumerate(filt) if x != 0]
    first = there[0] if there and "f" in trim.lower() else 0
    last = there[-1] + 1 if there and "b" in trim.lower() else filt.shape[0]
    return filt[first:last] if there else filt[:0]


FUNCTIONS: dict[Any, Any] = {
    np.poly: _poly,
    np.polyadd: _polyadd,
    np.polyder: _polyder,
    np.polydiv: _polydiv,
    np.polyfit: _polyfit,
    np.polyint: _polyint,
    np.polymul: lambda a1, a2: convolve(a1, a2),
    np.polysub: _polysub,
    np.polyval: _polyval,
    np.roots: _roots,
    np.trim_zeros: _trim_zeros,
    np.vander: _vander,
}
