"""NumPy's ``np.pad``: beside what ``gx.pad`` adds, ramps, statistics, and ends that differ."""

from typing import Any

import numpy as np

from gradx.core.arrays import FLOATING, is_kind, read_for, untracked
from gradx.errors import ShapeError
from gradx.numpy_protocols.constants import as_constants
from gradx.numpy_protocols.refusals import unknown
from gradx.ops.arithmetic import where
from gradx.ops.indexing import take
from gradx.ops.joining import concat
from gradx.ops.moving import flip, pad
from gradx.ops.shapes import broadcast_to

STATISTICS = {"maximum": np.max, "mean": np.mean, "median": np.median, "minimum": np.min}
# What a mode takes beside the widths, and what that is where a call does not say.
OPTIONS: dict[str, tuple[str, Any]] = {
    "constant": ("constant_values", 0),
    "linear_ramp": ("end_values", 0),
    **dict.fromkeys(STATISTICS, ("stat_length", None)),
}
REFLECTING = ("reflect", "symmetric")


def _pad(array, pad_width, mode="constant", **options):
    name, default = OPTIONS.get(mode, ("", None))
    value = options.pop(name, default)
    reflect_type = options.pop("reflect_type", "even") if mode in REFLECTING else "even"
    if options or reflect_type not in ("even", "odd"):
        raise unknown("np.pad", options)
    widths = _widths(pad_width, array.ndim)
    if reflect_type == "odd":
        return _reflected_oddly(array, _pairs(widths, array.ndim), edges_twice=mode == "symmetric")
    if mode == "empty":
        return pad(array, widths)
    if name == "":
        return pad(array, widths, mode)
    if mode == "constant":
        return _with_constants(array, widths, value)
    if not is_kind(array, FLOATING):  # whose statistics NumPy rounds
        plain = np.asarray(read_for(array, "np.pad"))
        return as_constants(np.pad(plain, widths, mode, **{name: value}))
    make = _ramp if mode == "linear_ramp" else _statistic(STATISTICS[mode])
    return _with_ends(array, widths, _pairs(value, array.ndim), make)


def _widths(pad_width, ndim):
    if isinstance(pad_width, dict):
        table = {axis % ndim: width for axis, width in pad_width.items()}
        pad_width = [np.broadcast_to(table.get(axis, 0), (2,)) for axis in range(ndim)]
    return np.asarray(pad_width).tolist()


def _pairs(value, ndim):
    """Return what is given for the ends of all axes, or of each, as a pair for each axis."""
    return np.broadcast_to(np.asarray(value), (ndim, 2)).tolist()


def _with_constants(array, widths, values):
    if np.ndim(values) == 0:
        return pad(array, widths, constant_values=values)
    return _with_ends(array, _pairs(widths, array.ndim), _pairs(values, array.ndim), _constant)


def _with_ends(array, widths, given, make):
    """Add to both ends of each axis in turn what ``make`` makes of the array so far.

    That ends of later axes are made of those of earlier ones fills the corners as NumPy does.
    """
    for axis, (before, after) in enumerate(_pairs(widths, array.ndim)):
        if before or after:
            first = make(array, axis, before, given[axis][0])
            last = flip(make(flip(array, axis=axis), axis, after, given[axis][1]), axis=axis)
            array = concat([first, array, last], axis=axis)
    return array


def _constant(array, axis, width, value):
    shape = array.shape[:axis] + (width,) + array.shape[axis + 1 :]
    return np.full(shape, value, dtype=untracked(array).dtype)


def _ramp(array, axis, width, value):
    edge = _first(array, axis, 1)
    along = [-1 if i == axis else 1 for i in range(array.ndim)]
    share = np.reshape(np.arange(width) / max(width, 1), along).astype(untracked(array).dtype)
    return value * (1 - share) + edge * share


def _statistic(function):
    def ends(array, axis, width, count):
        if count == 0 and function in (np.max, np.min):
            raise ShapeError("np.pad: stat_length 0 leaves no element to choose from")
        found = function(_first(array, axis, count), axis=axis, keepdims=True)
        return broadcast_to(found, found.shape[:axis] + (width,) + found.shape[axis + 1 :])

    return ends


def _reflected_oddly(array, widths, edges_twice):
    """Extend each axis so that it turns about its ends: ``2 * end - mirrored``."""
    for axis, (before, after) in enumerate(widths):
        if before or after:
            n = array.shape[axis]
            first = _turned(array, axis, np.arange(-before, 0), edges_twice)
            last = _turned(array, axis, np.arange(n, n + after), edges_twice)
            array = concat([first, array, last], axis=axis)
    return array


def _turned(array, axis, places, edges_twice):
    """Return what is at ``places`` beyond the ends: in every period the ends rise by their gap."""
    first, last = _first(array, axis, 1), _first(flip(array, axis=axis), axis, 1)
    n = array.shape[axis]
    if n == 1:  # NumPy repeats it
        return take(array, places * 0, axis=axis)
    period = 2 * (n if edges_twice else n - 1)
    turns, places = np.divmod(places, period)
    back = places >= n
    mirrored = take(array, np.where(back, period - edges_twice - places, places), axis=axis)
    along = [-1 if i == axis else 1 for i in range(array.ndim)]
    times = lambda count, x: where(
        np.reshape(count == 0, along), 0, np.reshape(count, along).astype(untracked(x).dtype) * x
    )
    return times(1 - 2 * back, mirrored) + times(2 * (turns + back), last) - times(2 * turns, first)


def _first(array, axis, count):
    if not array.shape[axis]:
        raise ShapeError(f"np.pad: axis {axis} is empty, and only constants can extend it")
    return array[(slice(None),) * axis + (slice(count),)]


FUNCTIONS: dict[Any, Any] = {np.pad: _pad}
