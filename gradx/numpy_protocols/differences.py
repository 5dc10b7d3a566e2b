"""NumPy's differences, sums of them, and interpolation."""

from typing import Any

import numpy as np

from gradx.core.arrays import FLOATING, is_kind, untracked
from gradx.errors import ShapeError
from gradx.numpy_protocols.arranging import array_of, chosen_axes
from gradx.ops import elementwise as ew
from gradx.ops.along import take
from gradx.ops.differences import diff
from gradx.ops.joining import concat
from gradx.ops.searching import searchsorted
from gradx.ops.shapes import astype, moveaxis, reshape, sum
from gradx.ops.sorting import argsort


def _diff(a, n=1, axis=-1, prepend=None, append=None):
    prepend, append = [None if end is np._NoValue else end for end in (prepend, append)]
    shape = tuple(1 if i == axis % a.ndim else length for i, length in enumerate(a.shape))
    as_slice = lambda end: end if np.ndim(end) or end is None else (a[:1] * 0)[:0]
    if prepend is not None and np.ndim(prepend) == 0:
        prepend = ew.multiply(np.ones(shape), prepend)
    if append is not None and np.ndim(append) == 0:
        append = ew.multiply(np.ones(shape), append)
    return diff(a, axis=axis, n=n, prepend=as_slice(prepend), append=as_slice(append))


def _gradient(f, *varargs, axis=None, edge_order=1):
    axes = chosen_axes(axis, f.ndim)
    steps = varargs or (1.0,)
    if len(steps) == 1:
        steps *= len(axes)
    if len(steps) != len(axes):
        raise TypeError(f"np.gradient: {len(varargs)} spacings for {len(axes)} axes")
    # Numbers as NumPy gives them: places in double precision do not change that of ``f``.
    dtype = untracked(f).dtype if is_kind(f, FLOATING) else np.float64
    for i, step in zip(axes, steps, strict=True):
        _check_spacing(f.shape[i], step, edge_order)
    slopes = [
        moveaxis(astype(_slopes(moveaxis(f, i, 0), step, edge_order), dtype), 0, i)
        for i, step in zip(axes, steps, strict=True)
    ]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _check_spacing(length, step, edge_order):
    if length <= edge_order:
        raise ShapeError(
            f"np.gradient: with edge_order={edge_order} an axis has at least {edge_order + 1} "
            f"elements, got {length}"
        )
    if np.ndim(step) and np.shape(step) != (length,):
        raise ShapeError(
            f"np.gradient: {length} elements have {length} places, got shape {np.shape(step)}"
        )


def _slopes(f, step, edge_order):
    """Second-order central differences along the first axis, and one-sided ones at the ends."""
    if np.ndim(step):
        gaps = reshape(diff(step), (-1,) + (1,) * (f.ndim - 1))
        before, after = gaps[:-1], gaps[1:]
    else:
        gaps = None
        before = after = step
    rise = f[1:] - f[:-1]
    left, right = rise[:-1] / before, rise[1:] / after
    middle = (left * after + right * before) / (before + after)
    first = rise[:1] / (step if gaps is None else gaps[:1])
    last = rise[-1:] / (step if gaps is None else gaps[-1:])
    if edge_order == 2:
        # Differentiate the parabola through the three points at each end.
        bend = (right - left) / (before + after)
        first = first - bend[:1] * (step if gaps is None else gaps[:1])
        last = last + bend[-1:] * (step if gaps is None else gaps[-1:])
    return concat([first, middle, last])


def _trapezoid(y, x=None, dx=1.0, axis=-1):
    y = array_of(y)
    (place,) = chosen_axes(axis, y.ndim)
    if x is None:
        width = dx
    else:
        x = array_of(x)
        after = (1,) * (y.ndim - 1 - place)
        width = reshape(diff(x), (-1, *after)) if x.ndim == 1 else diff(x, axis=axis)
    before = (slice(None),) * place
    pairs = y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]
    return sum(width * pairs / 2.0, axis=axis)


def _ediff1d(ary, to_end=None, to_begin=None):
    parts = [to_begin, diff(reshape(ary, (-1,))), to_end]
    dtype = untracked(ary).dtype
    return concat([reshape(astype(array_of(p), dtype), (-1,)) for p in parts if p is not None])


def _interp(x, xp, fp, left=None, right=None, period=None):
    # NumPy computes all of it in double precision.
    x, xp = astype(array_of(x), np.float64), astype(array_of(xp), np.float64)
    fp = array_of(fp)
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ShapeError(
            "np.interp: xp and fp are as many numbers each, at least one, got shapes "
            f"{tuple(xp.shape)} and {tuple(fp.shape)}"
        )
    fp = astype(fp, np.result_type(untracked(fp), np.float64))
    if period is not None:
        x, xp, fp = _around(x, xp, fp, abs(period))
        left = right = None
    inside = _between(ew.clip(x, xp[0], xp[-1]), xp, fp)
    found = ew.where(ew.less(x, xp[0]), fp[0] if left is None else left, inside)
    return ew.where(ew.greater(x, xp[-1]), fp[-1] if right is None else right, found)


def _around(x, xp, fp, period):
    """Return places within one period, and those known with one more on either side."""
    x, xp = ew.remainder(x, period), ew.remainder(xp, period)
    order = argsort(xp)
    xp, fp = take(xp, order, axis=0), take(fp, order, axis=0)
    xp = concat([xp[-1:] - period, xp, xp[:1] + period])
    return x, xp, concat([fp[-1:], fp, fp[:1]])


def _between(x, xp, fp):
    last = xp.shape[0] - 1
    low = ew.clip(searchsorted(xp, x, side="right") - 1, 0, max(last - 1, 0))
    high = ew.clip(low + 1, 0, last)
    x_low, f_low, f_high = take(xp, low, axis=0), take(fp, low, axis=0), take(fp, high, axis=0)
    gap = take(xp, high, axis=0) - x_low
    # Of two equal places at the end the last one counts.
    step = ew.equal(gap, 0)
    share = (x - x_low) / ew.where(step, 1.0, gap)
    return ew.where(step, f_high, f_low + (f_high - f_low) * share)


def _linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    gaps = num - 1 if endpoint else num
    step = ew.subtract(stop, start) / gaps if gaps > 0 else ew.subtract(stop, start) * np.nan
    numbers = np.arange(num).reshape((num,) + (1,) * step.ndim)
    steps = numbers.astype(np.finfo(untracked(step).dtype).dtype)
    points = start + ew.multiply(steps, step) if gaps > 0 else steps + start + 0 * stop
    if endpoint and num > 1:
        points = ew.where(numbers == gaps, stop, points)
    if dtype is not None:
        whole = np.issubdtype(dtype, np.integer)
        points = astype(ew.floor(points) if whole else points, dtype)
    points = moveaxis(points, 0, axis)
    return (points, step) if retstep else points


FUNCTIONS: dict[Any, Any] = {
    np.diff: _diff,
    np.ediff1d: _ediff1d,
    np.gradient: _gradient,
    np.interp: _interp,
    np.linspace: _linspace,
    np.trapezoid: _trapezoid,
}
