"""NumPy's differences, sums of them, and interpolation."""

from typing import Any

import numpy as np

from gradx.numpy_protocols.arranging import array_of, chosen_axes
from gradx.numpy_protocols.refusals import unknown
from gradx.ops import elementwise as ew
from gradx.ops.along import take
from gradx.ops.differences import diff
from gradx.ops.joining import concat
from gradx.ops.searching import searchsorted
from gradx.ops.shapes import astype, expand_dims, moveaxis, reshape, sum


def _diff(a, n=1, axis=-1, prepend=None, append=None):
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
    slopes = [
        moveaxis(_slopes(moveaxis(f, i, 0), step, edge_order), 0, i)
        for i, step in zip(axes, steps, strict=True)
    ]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


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
    y = moveaxis(array_of(y), axis, -1)
    if x is None:
        width = dx
    else:
        x = array_of(x)
        width = diff(x if x.ndim == 1 else moveaxis(x, axis, -1))
    return sum(width * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)


def _ediff1d(ary, to_end=None, to_begin=None):
    parts = [to_begin, diff(reshape(ary, (-1,))), to_end]
    return concat([reshape(part, (-1,)) for part in parts if part is not None])


def _interp(x, xp, fp, left=None, right=None, period=None):
    if period is not None:
        raise unknown("np.interp", ["period"])
    x, xp, fp = array_of(x), array_of(xp), array_of(fp)
    at = ew.clip(searchsorted(xp, x, side="right") - 1, 0, xp.shape[0] - 2)
    x_low, x_high = take(xp, at, axis=0), take(xp, at + 1, axis=0)
    f_low, f_high = take(fp, at, axis=0), take(fp, at + 1, axis=0)
    inside = f_low + (f_high - f_low) * ((x - x_low) / (x_high - x_low))
    found = ew.where(ew.less(x, xp[0]), fp[0] if left is None else left, inside)
    return ew.where(ew.greater(x, xp[-1]), fp[-1] if right is None else right, found)


def _linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    gaps = num - 1 if endpoint else num
    step = ew.subtract(stop, start) / gaps if gaps > 0 else ew.subtract(stop, start) * np.nan
    steps = np.arange(num).astype(step.dtype).reshape((num,) + (1,) * step.ndim)
    points = ew.add(start, ew.multiply(steps, step)) if gaps > 0 else steps + start
    if endpoint and gaps > 0:  # exactly, whatever rounding made of it
        points = concat([points[:-1], expand_dims(ew.add(stop, points[-1] * 0), 0)])
    points = moveaxis(points if dtype is None else astype(points, dtype), 0, axis)
    return (points, step) if retstep else points


FUNCTIONS: dict[Any, Any] = {
    np.diff: _diff,
    np.ediff1d: _ediff1d,
    np.gradient: _gradient,
    np.interp: _interp,
    np.linspace: _linspace,
    np.trapezoid: _trapezoid,
}
