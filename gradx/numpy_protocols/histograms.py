"""NumPy's histograms: counts have no derivative, weights that are added up and edges do."""

import math
from typing import Any

import numpy as np

from gradx.core.arrays import read_for, untracked
from gradx.core.call import Tensor
from gradx.errors import ShapeError
from gradx.numpy_protocols.arranging import array_of, flat
from gradx.numpy_protocols.constants import as_constants
from gradx.ops import elementwise as ew
from gradx.ops.along import add_at
from gradx.ops.differences import diff
from gradx.ops.joining import unstack
from gradx.ops.searching import searchsorted
from gradx.ops.shapes import astype, reshape, sum
from gradx.ops.statistical import max, min


def _edges(a, bins=10, range=None, weights=None):
    """Return the edges of the bins, between the extremes of ``a`` where no range is given."""
    a = flat(array_of(a))
    if np.ndim(bins):
        return array_of(bins)
    if range is not None and not isinstance(bins, str):
        nothing = np.zeros(0, dtype=untracked(a).dtype)
        return as_constants(np.histogram_bin_edges(nothing, bins, range))
    plain = np.asarray(read_for(a, "np.histogram"))
    edges = np.histogram_bin_edges(plain, bins, range)
    if range is not None or not plain.size:
        return as_constants(edges)
    around = 0.0 if plain.min() < plain.max() else 0.5  # of elements that are all the same
    return np.linspace(min(a) - around, max(a) + around, len(edges))


def _bins_of(a, edges):
    """Return which bin each element is in, and whether it is in one: the last has both edges."""
    last = edges.shape[0] - 2
    places = searchsorted(edges, a, side="right") - 1
    places = ew.where(ew.equal(a, edges[-1]), last, places)
    return ew.clip(places, 0, last), (places >= 0) & (places <= last)


def _added_up(places, inside, weights, length):
    """Add up weights, or count, for each place."""
    weights = np.ones(places.shape, dtype=np.intp) if weights is None else flat(array_of(weights))
    if weights.shape != places.shape:
        raise ShapeError(f"np.histogram: {places.size} elements, {weights.size} weights")
    kept = ew.where(inside, weights, np.zeros((), dtype=weights.dtype))
    return add_at(kept, places, length=length, axis=0)


def _histogram(a, bins=10, range=None, density=None, weights=None):
    edges = _edges(a, bins, range)
    places, inside = _bins_of(flat(array_of(a)), edges)
    found = _added_up(places, inside, weights, edges.shape[0] - 1)
    return (found / diff(edges) / sum(found) if density else found), edges


def _histogramdd(sample, bins=10, range=None, density=None, weights=None):
    if hasattr(sample, "shape"):
        columns = unstack(reshape(sample, (-1, 1)) if sample.ndim == 1 else sample, axis=1)
    else:
        columns = [array_of(x) for x in sample]
    count = len(columns)
    bins = [bins] * count if np.ndim(bins) == 0 else bins
    edges = [
        _edges(x, b, r)
        for x, b, r in zip(columns, bins, [None] * count if range is None else range, strict=True)
    ]
    pairs = [_bins_of(x, e) for x, e in zip(columns, edges, strict=True)]
    lengths = tuple([e.shape[0] - 1 for e in edges])
    inside, places = True, 0
    for (place, there), length in zip(pairs, lengths, strict=True):
        inside, places = inside & there, places * length + place
    found = reshape(_added_up(places, inside, weights, math.prod(lengths)), lengths)
    found = astype(found, np.float64)  # of several variables NumPy counts in double precision
    return (_per_volume(found, edges) if density else found), edges


def _per_volume(found, edges):
    total = sum(found)
    for axis, e in enumerate(edges):
        found = found / reshape(diff(e), [-1 if i == axis else 1 for i in range(len(edges))])
    return found / total


def _histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    one_for_both = np.ndim(bins) == 1 and len(bins) not in (1, 2)
    bins = [bins, bins] if one_for_both or type(bins) is Tensor else bins
    found, (first, second) = _histogramdd([x, y], bins, range, density, weights)
    return found, first, second


FUNCTIONS: dict[Any, Any] = {
    np.histogram: _histogram,
    np.histogram2d: _histogram2d,
    np.histogram_bin_edges: _edges,
    np.histogramdd: _histogramdd,
}
