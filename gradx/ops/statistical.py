"""Reductions: averages, extremes, spreads and running sums.

``sum`` is in `shapes.py`, beside its transpose; products are in `products.py`.
"""

import math

from gradx.core.arrays import FLOATING, is_kind
from gradx.core.op import constant, multilinear, primitive
from gradx.core.samples import Sample, reductions
from gradx.ops.arithmetic import where
from gradx.ops.comparison import equal, isinf, logical_and, logical_or, not_equal
from gradx.ops.complex import conj
from gradx.ops.creation import steadied
from gradx.ops.exponential import exp
from gradx.ops.products import cumulative_prod as cumulative_prod
from gradx.ops.products import living
from gradx.ops.products import prod as prod
from gradx.ops.shapes import astype, reduced_axes, reshape, shape_with_ones, spread, sum
from gradx.ops.slicing import getitem


def count_reduced(shape, axis):
    """Return how many elements of ``shape`` a reduction over ``axis`` joins into one."""
    return math.prod(shape[a] for a in reduced_axes(shape, axis))


def with_ones(reduced, x_shape, axis):
    """Return a reduced array with the axes that it lost, each of length one."""
    return reshape(reduced, shape_with_ones(x_shape, axis))


def _averages(draw):
    yield from reductions(draw)
    yield Sample((draw(2, 3) + 1j * draw(2, 3),), {"axis": 1})
    yield Sample((draw(3, 0),), {"axis": 0})


def _mean_transpose(g, x_shape, axis):
    count = count_reduced(x_shape, axis)
    return spread(g * (1 / count if count else 0.0), x_shape, axis)


@multilinear(transpose={"x": _mean_transpose}, samples=_averages)
def mean(xp, x, /, *, axis=None, keepdims=False):
    """Average the elements along ``axis``, or all of them."""
    return xp.mean(x, axis=axis, keepdims=keepdims)


def _extremes(draw):
    yield from reductions(draw)
    yield Sample((draw(2, 0, 3),), {"axis": 0})
    yield Sample((-draw(4),), {"axis": 0})


def _winners(x, out, axis):
    """Return where ``x`` is the extreme ``out``, or NaN, and how many share one."""
    out = with_ones(out, x.shape, axis)
    won = logical_or(equal(x, out), not_equal(x, x))
    return won, sum(astype(won, x.dtype), axis=axis, keepdims=True)


def _nan_where(x, g, live):
    """Return ``g``, but NaN where ``x`` is, unless what arrives there is dead."""
    here = equal(x, x) if live is None else logical_or(equal(x, x), equal(live, 0))
    # Not NaN itself, which does not vary with ``g``: a linear map of this one would lose it.
    return where(here, g, g * math.nan)


def _extreme_vjp(g, x, out, axis, live):
    won, count = _winners(x, out, axis)
    # At a NaN the derivative is NaN: it reaches the elements that are NaN, no others.
    share = _nan_where(out, g, live)
    return where(won, with_ones(share, x.shape, axis) / count, 0.0)


def _extreme_jvp(g, x, out, axis, keepdims, live):
    won, count = _winners(x, out, axis)
    add_up = lambda parts: sum(parts, axis=axis, keepdims=keepdims)
    reached = None if live is None else add_up(where(won, live, 0.0))
    return _nan_where(out, add_up(where(won, g, 0.0) / count), reached)


@primitive(vjp={"x": _extreme_vjp}, jvp={"x": _extreme_jvp}, samples=_extremes)
def max(xp, x, /, *, axis=None, keepdims=False):
    """Find the largest element along ``axis``, or of all; ties share its derivative evenly.

    >>> import numpy as np, gradx as gx
    >>> gx.grad(gx.max)(np.asarray([1.0, 3.0, 3.0]))
    array([0. , 0.5, 0.5])
    """
    return xp.max(x, axis=axis, keepdims=keepdims)


@primitive(vjp={"x": _extreme_vjp}, jvp={"x": _extreme_jvp}, samples=_extremes)
def min(xp, x, /, *, axis=None, keepdims=False):
    """Find the smallest element along ``axis``, or of all; ties share its derivative evenly."""
    return xp.min(x, axis=axis, keepdims=keepdims)


def _spreads(draw):
    for sample in reductions(draw):
        if sample.params.get("axis", 0) != () and sample.arrays[0].size > 3:
            yield sample
    yield Sample((draw(4),), {"correction": 1})
    yield Sample((draw(3, 4),), {"axis": -1, "correction": 1.5})


def _variances(draw):
    yield from _spreads(draw)
    yield Sample((draw(),))
    yield Sample((draw(2, 3),), {"axis": ()})


def steady_alone(x, params):
    """Return ``x``; where each element is taken alone what varies with nothing."""
    if count_reduced(x.shape, params["axis"]) != 1 or params.get("correction", 0) >= 1:
        return x
    return steadied(x) if is_kind(x, FLOATING) else x


def _degrees(shape, axis, correction):
    """Return how many independent deviations there are: NaN for none or fewer."""
    count = count_reduced(shape, axis)
    return count - correction if count > correction else math.nan


def _deviations(x, axis):
    """Return how far each element is from the mean; conjugated, as a derivative needs it."""
    deviations = x - mean(x, axis=axis, keepdims=True)
    return conj(deviations) if is_kind(x, "complex floating") else deviations


def _var_vjp(g, x, axis, correction):
    scale = 2 / _degrees(x.shape, axis, correction)
    return with_ones(g * scale, x.shape, axis) * _deviations(x, axis)


def _var_jvp(g, x, axis, correction, keepdims, live):
    scale = 2 / _degrees(x.shape, axis, correction)
    moved = living(g * _deviations(x, axis), live)
    return sum(moved, axis=axis, keepdims=keepdims) * scale


@primitive(vjp={"x": _var_vjp}, jvp={"x": _var_jvp}, samples=_variances, steady=steady_alone)
def var(xp, x, /, *, axis=None, correction=0.0, keepdims=False):
    """Average the squared distance from the mean, with ``correction`` taken off the count.

    >>> import numpy as np, gradx as gx
    >>> float(gx.var(np.asarray([1.0, 2.0, 3.0]), correction=1))
    1.0
    """
    return xp.var(x, axis=axis, correction=correction, keepdims=keepdims)


# Not the derivative of the variance over the deviation: that squares what may be large or tiny.
def _standard_scores(x, out, axis):
    """Return how many standard deviations each element is from the mean; 0 where all are equal."""
    out = with_ones(out, x.shape, axis)
    return _deviations(x, axis) / where(equal(out, 0), math.inf, out)


def _std_vjp(g, x, out, axis, correction):
    scale = 1 / _degrees(x.shape, axis, correction)
    return with_ones(g * scale, x.shape, axis) * _standard_scores(x, out, axis)


def _std_jvp(g, x, out, axis, correction, keepdims, live):
    scale = 1 / _degrees(x.shape, axis, correction)
    moved = living(g * _standard_scores(x, out, axis), live)
    return sum(moved, axis=axis, keepdims=keepdims) * scale


@primitive(vjp={"x": _std_vjp}, jvp={"x": _std_jvp}, samples=_spreads, steady=steady_alone)
def std(xp, x, /, *, axis=None, correction=0.0, keepdims=False):
    """Take the square root of the variance; its derivative is 0 where that is 0.

    Parameters are those of ``var``.
    """
    return xp.std(x, axis=axis, correction=correction, keepdims=keepdims)


def _truths(draw):
    for sample in reductions(draw):
        yield Sample((sample.arrays[0] > 1.2,), sample.params)
    yield Sample((draw(3),))


@constant(samples=_truths)
def any(xp, x, /, *, axis=None, keepdims=False):
    """Tell whether any element along ``axis``, or of all, is not zero."""
    return xp.any(x, axis=axis, keepdims=keepdims)


@constant(samples=_truths)
def all(xp, x, /, *, axis=None, keepdims=False):
    """Tell whether all elements along ``axis``, or all there are, are not zero."""
    return xp.all(x, axis=axis, keepdims=keepdims)


def _running(draw):
    for shape, axis in [
        ((4,), None),
        ((2, 3), 0),
        ((2, 3), -1),
        ((2, 3, 2), 1),
        ((1,), 0),
        ((0,), 0),
    ]:
        for include_initial in [False, True]:
            yield Sample((draw(*shape),), {"axis": axis, "include_initial": include_initial})
    yield Sample((draw(3) + 1j * draw(3),))


def _cumulative_sum_transpose(g, axis, include_initial):
    axis = 0 if axis is None else axis % len(g.shape)
    before = (slice(None),) * axis
    if include_initial:
        g = getitem(g, (*before, slice(1, None)))
    backwards = (*before, slice(None, None, -1))
    return getitem(cumulative_sum(getitem(g, backwards), axis=axis), backwards)


@multilinear(transpose={"x": _cumulative_sum_transpose}, samples=_running)
def cumulative_sum(xp, x, /, *, axis=None, dtype=None, include_initial=False):
    """Add the elements up to each along ``axis``, which one axis needs no name for.

    With ``include_initial`` a 0 stands before them.

    >>> import numpy as np, gradx as gx
    >>> gx.cumulative_sum(np.asarray([1.0, 2.0, 3.0]), include_initial=True)
    array([0., 1., 3., 6.])
    """
    return xp.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


def largest_real(xp, x, axis):
    """Return the largest real part along ``axis``, of which 1 is kept; 0 where there is none."""
    if xp.isdtype(x.dtype, "complex floating"):
        x = xp.real(x)
    if 0 in x.shape:
        return xp.sum(x, axis=axis, keepdims=True)
    return xp.max(x, axis=axis, keepdims=True)


def below_largest(xp, x, axis):
    """Return an array less its largest real part, in floats: unsigned integers have none below."""
    x = in_floats(xp, x)
    return x - largest_real(xp, x, axis)


def in_floats(xp, x):
    """Return an array as it is, or one of whole numbers or truths as float64."""
    return x if is_kind(x, FLOATING) else xp.astype(x, xp.float64)


def _sums_of_exponentials(draw):
    yield from reductions(draw)
    yield Sample((draw(2, 3) + 4j * draw(2, 3),), {"axis": 0})
    yield Sample((draw(4) * 800,), {"axis": -1})
    yield Sample((draw(2, 3) - 800,), {"axis": 1})


def _shares(x, out, axis):
    """Return ``exp(x - out)``; equal parts for those that are ``out``, where it is infinite."""
    out = with_ones(out, x.shape, axis)
    level = logical_and(equal(x, out), isinf(out))
    weights = exp(where(level, 0.0, x) - where(level, 0.0, out))
    # They add up to 1 already, but for the rounding of ``out`` where that is large.
    return weights / sum(weights, axis=axis, keepdims=True)


@primitive(
    vjp={"x": lambda g, x, out, axis: with_ones(g, x.shape, axis) * _shares(x, out, axis)},
    jvp={
        "x": lambda g, x, out, axis, keepdims: sum(
            g * _shares(x, out, axis), axis=axis, keepdims=keepdims
        )
    },
    samples=_sums_of_exponentials,
)
def logsumexp(xp, x, /, *, axis=None, keepdims=False):
    """Compute ``log(sum(exp(x)))`` along ``axis``, or of all elements, without overflow.

    >>> import numpy as np, gradx as gx
    >>> float(gx.logsumexp(np.asarray([1000.0, 1000.0])))
    1000.6931471805599
    """
    # An infinite one less itself would be NaN; the largest number less than infinite is not.
    x = in_floats(xp, x)
    bound = xp.finfo(x.dtype).max
    shift = xp.clip(largest_real(xp, x, axis), -bound, bound)
    total = xp.sum(xp.exp(x - shift), axis=axis, keepdims=True)
    empty = total == 0
    out = xp.where(empty, -math.inf, xp.log(xp.where(empty, xp.ones_like(total), total)) + shift)
    if keepdims:
        return out
    return xp.reshape(
        out, tuple(n for a, n in enumerate(x.shape) if a not in reduced_axes(x.shape, axis))
    )
