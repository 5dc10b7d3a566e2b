"""NumPy's quantiles: of all elements, or of those that are no NaN."""

from math import prod
from typing import Any

import numpy as np

from gradx.core.arrays import FLOATING, is_kind, read_for, reading_stalls, untracked
from gradx.core.call import Tensor
from gradx.errors import DTypeError, ShapeError
from gradx.numpy_protocols.arranging import array_of, chosen_axes
from gradx.ops import elementwise as ew
from gradx.ops.along import take_along_axis
from gradx.ops.searching import count_nonzero
from gradx.ops.shapes import astype, moveaxis, permute_dims, reshape
from gradx.ops.sorting import sort
from gradx.ops.statistical import any, mean

WEIGHED = "np.quantile with weights"  # NumPy is asked which element it is
NUMBERS = {int, float, Tensor}

# Methods that interpolate between places that rise with ``q``: by how much the first and the last
# element are moved. Source: Hyndman and Fan, "Sample quantiles in statistical packages" (1996).
SHIFTS = {
    "hazen": (1 / 2, 1 / 2),
    "interpolated_inverted_cdf": (0, 1),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
    "weibull": (0, 0),
}

# Methods that step in the middle or at the ends of the gaps between places, as a linear one has
# them: they have no derivative by ``q``.
STEPS = {
    "higher": ew.ceil,
    "lower": ew.floor,
    "midpoint": lambda places: 0.5 * (ew.floor(places) + ew.ceil(places)),
    "nearest": ew.round,
}

# Methods that return one of the elements: it keeps its precision.
PICKING = {"closest_observation", "higher", "inverted_cdf", "lower", "nearest"}


def _quantile(
    a,
    q,
    axis=None,
    out=None,
    overwrite_input=False,
    method="linear",
    keepdims=False,
    *,
    weights=None,
    nan=False,
):
    """Interpolate between the sorted elements; with ``nan``, leave those out that are NaN."""
    a, weak = array_of(a), type(q) in (int, float)
    q = _within_bounds(array_of(q))
    q = q if is_kind(q, "real floating") else astype(q, np.float64)
    axes = sorted(chosen_axes(axis, a.ndim))
    rest = [i for i in range(a.ndim) if i not in axes]
    lengths = [a.shape[i] for i in rest]
    x = reshape(permute_dims(a, (*rest, *axes)), (*lengths, prod([a.shape[i] for i in axes])))
    if method not in PICKING and not (weak and is_kind(a, FLOATING)):
        x = astype(x, np.result_type(untracked(x), untracked(q)))
    if weights is None:
        found = _between(sort(x, axis=-1), reshape(q, (-1,)), method, nan)
    else:
        ask = np.nanquantile if nan else np.quantile
        levels, weights = (read_for(each, WEIGHED) for each in (reshape(q, (-1,)), weights))
        ranks = ask(_ranks(a, axis), levels, axis, method=method, weights=weights)
        found = take_along_axis(sort(x, axis=-1), _as_places(ranks, x.shape[-1]), axis=-1)
    result = reshape(found, (*lengths, *q.shape))
    for axis_of_q in range(q.ndim):
        result = moveaxis(result, len(rest) + axis_of_q, axis_of_q)
    if keepdims:
        kept = [1 if i in axes else n for i, n in enumerate(a.shape)]
        result = reshape(result, (*q.shape, *kept))
    return result


def _ranks(a, axis):
    """Return as which of the sorted elements each is found; NaN of what is NaN, at their end."""
    plain = np.asarray(read_for(a, WEIGHED))
    axes = chosen_axes(axis, plain.ndim)
    last = tuple(range(plain.ndim - len(axes), plain.ndim))
    moved = np.moveaxis(plain, axes, last)
    rows = moved.reshape(*moved.shape[: last[0]], -1) if axes else moved[..., None]
    ranks = np.argsort(np.argsort(rows, axis=-1, kind="stable"), axis=-1).astype(np.float64)
    ranks[np.isnan(rows)] = np.nan
    return np.moveaxis(ranks.reshape(moved.shape), last, axes)


def _as_places(ranks, count):
    """Return the places of ranks, whose first axis becomes the last: that of NaNs is the end."""
    return np.moveaxis(np.where(np.isnan(ranks), count - 1, ranks).astype(np.intp), 0, -1)


def _within_bounds(q):
    levels = untracked(q)
    if not reading_stalls(q) and not np.all((levels >= 0) & (levels <= 1)):
        raise ShapeError(f"np.quantile: levels are from 0 to 1, percents to 100, got {levels}")
    return q


def _of_real_numbers(function):
    def quantile(a, *args, **kwargs):
        if is_kind(array_of(a), "complex floating"):
            raise DTypeError("np.quantile: complex numbers have no order")
        return function(a, *args, **kwargs)

    return quantile


def _between(x, q, method, nan):
    """Return the quantiles of the last axis of ``x``, which is sorted: NaNs are at its end."""
    missing = ew.isnan(x)
    if nan:
        known = ew.logical_not(missing)
        count = count_nonzero(known, axis=-1, keepdims=True)
        missing = ew.equal(count, 0)
    else:
        count = np.full((*x.shape[:-1], 1), x.shape[-1])
        missing = any(missing, axis=-1, keepdims=True)
    places = _places(count, q, method)
    below, above = ew.floor(places), ew.ceil(places)
    low = take_along_axis(x, astype(below, np.intp), axis=-1)
    high = take_along_axis(x, astype(above, np.intp), axis=-1)
    # One element alone may be infinite, and has no gap to interpolate in.
    gap = ew.where(ew.equal(below, places), 0.0, high - low)
    return ew.where(missing, np.nan, low + gap * astype(places - below, untracked(x).dtype))


def _places(count, q, method):
    """Return between which of ``count`` sorted elements quantiles lie, counted from 0."""
    if method == "linear" or method in STEPS:
        places = ew.multiply(ew.clip(count - 1, 0), q)
        return STEPS[method](places) if method in STEPS else places
    if method in SHIFTS:
        first, last = SHIFTS[method]
        places = count * q + (first + q * (1 - first - last)) - 1
        return ew.clip(places, 0, ew.clip(count - 1, 0))
    # A step at every element, which NumPy is asked for: it has no derivative by ``q``.
    q, count = (read_for(x, f"np.quantile with method={method!r}") for x in (q, count))
    places = np.zeros((*count.shape[:-1], q.size))
    for n in np.unique(count[count > 0]):
        places[count[..., 0] == n] = np.quantile(np.arange(float(n)), q, method=method)
    return places


def _percentile(a, q, *args, **kwargs):
    return _quantile(a, (q if type(q) in NUMBERS else array_of(q)) / 100, *args, **kwargs)


def _median(a, axis=None, out=None, overwrite_input=False, keepdims=False, *, nan=False):
    a = array_of(a)
    if not prod([a.shape[i] for i in chosen_axes(axis, a.ndim)]):
        return mean(a, axis=axis, keepdims=keepdims)  # NaN, and NumPy's warning
    return _quantile(a, 0.5, axis, keepdims=keepdims, nan=nan)


def _without_nan(function):
    return lambda a, *args, **kwargs: function(a, *args, nan=True, **kwargs)


FUNCTIONS: dict[Any, Any] = {
    np.median: _median,
    np.nanmedian: _without_nan(_median),
    np.nanpercentile: _of_real_numbers(_without_nan(_percentile)),
    np.nanquantile: _of_real_numbers(_without_nan(_quantile)),
    np.percentile: _of_real_numbers(_percentile),
    np.quantile: _of_real_numbers(_quantile),
}
