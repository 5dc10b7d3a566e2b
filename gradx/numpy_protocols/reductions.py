"""NumPy's reductions, with its order of arguments ``(x, axis, dtype, out, keepdims)``.

``where=`` and ``initial=`` are written with ``where`` and one more operation.
"""

import builtins
from typing import Any

import numpy as np

from gradx.core.arrays import is_kind, untracked
from gradx.errors import ShapeError
from gradx.numpy_protocols.arranging import array_of, at_least_1d, chosen_axes, flat
from gradx.ops import elementwise as ew
from gradx.ops.joining import concat
from gradx.ops.linalg import matmul, tensordot
from gradx.ops.products import cumulative_prod, prod
from gradx.ops.searching import count_nonzero
from gradx.ops.shapes import (
    astype,
    broadcast_to,
    expand_dims,
    matrix_transpose,
    permute_dims,
    reshape,
    squeeze,
    sum,
)
from gradx.ops.statistical import all, any, cumulative_sum, max, mean, min, std, var

ALL = True  # NumPy's where=True


def _fitting(where, a):
    """Return ``where`` as it is broadcast to ``a``, which it may not broadcast the other way."""
    where = array_of(where)
    try:
        return broadcast_to(where, a.shape)
    except ValueError as error:
        raise ShapeError(
            f"where= of shape {tuple(where.shape)} is not broadcast to an array of shape "
            f"{tuple(a.shape)}: no axis may be longer"
        ) from error


def _adding_up(op, combine, identity):
    def reduction(a, axis=None, dtype=None, out=None, keepdims=False, initial=identity, where=ALL):
        if dtype is not None:
            a = astype(a, dtype)
        if where is not ALL:
            a = ew.where(_fitting(where, a), a, identity)
        result = op(a, axis=axis, keepdims=keepdims)
        return result if initial == identity else combine(result, initial)

    return reduction


def _extreme(op, combine, least):
    def extreme(a, axis=None, out=None, keepdims=False, initial=None, where=ALL):
        if where is not ALL:
            a = ew.where(_fitting(where, a), a, least if initial is None else initial)
        if initial is None:
            return op(a, axis=axis, keepdims=keepdims)
        if 0 in a.shape:  # of nothing there is no extreme but the initial one
            return sum(a, axis=axis, keepdims=keepdims) * 0 + initial
        return combine(op(a, axis=axis, keepdims=keepdims), initial)

    return extreme


def _truth(op, neutral):
    def truth(a, axis=None, out=None, keepdims=False, *, where=ALL):
        if where is not ALL:
            a = ew.where(_fitting(where, a), ew.not_equal(a, 0), neutral)
        return op(a, axis=axis, keepdims=keepdims)

    return truth


def _mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=ALL):
    if dtype is not None:
        a = astype(a, dtype)
    if where is ALL:
        return mean(a, axis=axis, keepdims=keepdims)
    total = sum(ew.where(_fitting(where, a), a, 0.0), axis=axis, keepdims=keepdims)
    return total / _count(a, where, axis, keepdims)


def _count(a, where, axis, keepdims):
    """Return how many elements of ``a`` along the axes are where ``where`` is true."""
    count = count_nonzero(_fitting(where, a), axis=axis, keepdims=keepdims)
    # As a float like those of ``a``: an integer would turn single precision into double.
    floats = is_kind(a, ("real floating", "complex floating"))
    return astype(count, np.finfo(untracked(a).dtype).dtype if floats else np.float64)


def _var_of_some(a, where, axis, ddof, keepdims, middle=None):
    if middle is None:
        middle = _mean(a, axis, keepdims=True, where=where)
    squares = ew.where(_fitting(where, a), ew.square(ew.abs(a - middle)), 0.0)
    total = sum(squares, axis=axis, keepdims=keepdims)
    return total / (_count(a, where, axis, keepdims) - ddof)


def _std_of_some(a, where, axis, ddof, keepdims, middle=None):
    return _root(_var_of_some(a, where, axis, ddof, keepdims, middle))


def _root(variance):
    """Return a deviation, whose derivative is 0 where all are equal, as that of ``std`` is."""
    none = ew.equal(variance, 0)
    return ew.where(none, 0.0, ew.sqrt(ew.where(none, 1.0, variance)))


def _spread(op, of_some):
    def spread(
        a,
        axis=None,
        dtype=None,
        out=None,
        ddof=0,
        keepdims=False,
        *,
        where=ALL,
        mean=None,
        correction=None,
    ):
        if dtype is not None:
            a = astype(a, dtype)
        ddof = ddof if correction is None else correction
        if where is not ALL or mean is not None:
            return of_some(a, where, axis, ddof, keepdims, mean)
        return op(a, axis=axis, correction=ddof, keepdims=keepdims)

    return spread


def _cumulative(op):
    def cumulative(a, axis=None, dtype=None, out=None):
        return op(flat(a) if axis is None else a, axis=axis or 0, dtype=dtype)

    return cumulative


def _cumulative_as_in_the_standard(op):
    def cumulative(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
        return op(x, axis=axis, dtype=dtype, include_initial=include_initial)

    return cumulative


def _with_nan_as(value, reduction):
    return lambda a, *args, **kwargs: reduction(ew.where(ew.isnan(a), value, a), *args, **kwargs)


def _nan_extreme(reduction, least):
    def extreme(a, axis=None, out=None, keepdims=False, **kwargs):
        missing = ew.isnan(a)
        found = reduction(ew.where(missing, least, a), axis, None, keepdims, **kwargs)
        if kwargs:
            return found
        return ew.where(all(missing, axis=axis, keepdims=keepdims), np.nan, found)

    return extreme


def _known(a, where):
    there = ew.logical_not(ew.isnan(a))
    return there if where is ALL else ew.logical_and(there, _fitting(where, a))


def _nanmean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=ALL):
    return _mean(a, axis, dtype, None, keepdims, where=_known(a, where))


def _nan_spread(of_some):
    def spread(
        a,
        axis=None,
        dtype=None,
        out=None,
        ddof=0,
        keepdims=False,
        *,
        where=ALL,
        mean=None,
        correction=None,
    ):
        a = a if dtype is None else astype(a, dtype)
        ddof = ddof if correction is None else correction
        return of_some(a, _known(a, where), axis, ddof, keepdims, mean)

    return spread


def _average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    a = array_of(a)
    if weights is None:
        average = mean(a, axis=axis, keepdims=keepdims)
        total = _count(a, ALL, axis, keepdims)
    else:
        weights = _weights_along(array_of(weights), axis, a)
        total = sum(weights, axis=axis, keepdims=keepdims)
        average = sum(ew.multiply(a, weights), axis=axis, keepdims=keepdims) / total
    return (average, broadcast_to(total, average.shape)) if returned else average


def _weights_along(weights, axis, a):
    """Give weights that are for some axes of ``a`` only, in the order named, axes of all."""
    if tuple(weights.shape) == tuple(a.shape):
        return weights
    axes = chosen_axes(axis, a.ndim)
    if axis is None or tuple(weights.shape) != tuple(a.shape[i] for i in axes):
        raise ShapeError(
            f"np.average: weights of shape {tuple(weights.shape)} are not for axis={axis} of an "
            f"array of shape {tuple(a.shape)}"
        )
    weights = permute_dims(weights, tuple(int(i) for i in np.argsort(axes)))
    return reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(a.shape)))


def _ptp(a, axis=None, out=None, keepdims=False):
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


def _variables(m, rowvar):
    """Return a matrix each of whose rows holds the observations of a variable."""
    if np.ndim(m) < 2:
        return expand_dims(at_least_1d(m), 0)
    return m if rowvar else matrix_transpose(m)


def _cov(
    m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None
):
    for given in (m, y):
        if np.ndim(given) > 2:
            raise ShapeError(f"np.cov: at most two axes, got shape {tuple(np.shape(given))}")
    x = _variables(m, rowvar)
    if y is not None:
        x = concat([x, _variables(y, rowvar)])
    # NumPy takes at least double precision, unless it is told.
    x = astype(x, np.result_type(untracked(x), np.float64) if dtype is None else dtype)
    ddof = (0 if bias else 1) if ddof is None else ddof
    aweights = None if aweights is None else astype(array_of(aweights), np.float64)
    fweights = None if fweights is None else array_of(fweights)
    weights, total, bias_of_weights = _weights_of_observations(fweights, aweights)
    if weights is None:
        away = x - mean(x, axis=1, keepdims=True)
        weighted, scale = away, np.float64(builtins.max(x.shape[1] - ddof, 0))
    else:
        away = x - expand_dims(tensordot(x, weights, axes=1) / total, 1)
        weighted, scale = away * weights, total - ddof * bias_of_weights
    # As NumPy does: a quotient would end in another digit.
    found = matmul(weighted, ew.conj(matrix_transpose(away))) * np.true_divide(1, scale)
    return squeeze(found, (0, 1)) if found.shape == (1, 1) else found


def _weights_of_observations(fweights, aweights):
    """Return how much each observation counts, the sum, and how much one of freedom takes away."""
    if aweights is None:
        return fweights, None if fweights is None else np.sum(fweights), 1
    weights = aweights if fweights is None else ew.multiply(fweights, aweights)
    total = sum(weights)
    return weights, total, sum(ew.multiply(weights, aweights)) / total


def _corrcoef(x, y=None, rowvar=True, *, dtype=None):
    covariance = _cov(x, y, rowvar, dtype=dtype)
    if covariance.ndim == 0:
        return covariance / covariance
    deviation = ew.sqrt(ew.real(covariance[tuple([np.arange(covariance.shape[0])] * 2)]))
    found = covariance / expand_dims(deviation, 1) / deviation
    if not is_kind(found, "complex floating"):
        return ew.clip(found, -1.0, 1.0)
    return ew.clip(ew.real(found), -1.0, 1.0) + 1j * ew.clip(ew.imag(found), -1.0, 1.0)


FUNCTIONS: dict[Any, Any] = {
    np.all: _truth(all, True),
    np.amax: _extreme(max, ew.maximum, -np.inf),
    np.amin: _extreme(min, ew.minimum, np.inf),
    np.any: _truth(any, False),
    np.average: _average,
    np.corrcoef: _corrcoef,
    np.cov: _cov,
    np.cumprod: _cumulative(cumulative_prod),
    np.cumsum: _cumulative(cumulative_sum),
    np.cumulative_prod: _cumulative_as_in_the_standard(cumulative_prod),
    np.cumulative_sum: _cumulative_as_in_the_standard(cumulative_sum),
    np.max: _extreme(max, ew.maximum, -np.inf),
    np.mean: _mean,
    np.min: _extreme(min, ew.minimum, np.inf),
    np.nancumprod: _with_nan_as(1.0, _cumulative(cumulative_prod)),
    np.nancumsum: _with_nan_as(0.0, _cumulative(cumulative_sum)),
    np.nanmax: _nan_extreme(_extreme(max, ew.maximum, -np.inf), -np.inf),
    np.nanmean: _nanmean,
    np.nanmin: _nan_extreme(_extreme(min, ew.minimum, np.inf), np.inf),
    np.nanprod: _with_nan_as(1.0, _adding_up(prod, ew.multiply, 1)),
    np.nanstd: _nan_spread(_std_of_some),
    np.nansum: _with_nan_as(0.0, _adding_up(sum, ew.add, 0)),
    np.nanvar: _nan_spread(_var_of_some),
    np.prod: _adding_up(prod, ew.multiply, 1),
    np.ptp: _ptp,
    np.std: _spread(std, _std_of_some),
    np.sum: _adding_up(sum, ew.add, 0),
    np.var: _spread(var, _var_of_some),
}
