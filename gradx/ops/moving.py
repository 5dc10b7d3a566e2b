"""Turning, shifting, repeating and padding along axes."""

from math import prod
from typing import Any

from gradx.core.arrays import untracked
from gradx.core.op import composed, multilinear
from gradx.core.samples import Sample
from gradx.errors import ShapeError
from gradx.ops.along import add_at, sample_indices, take
from gradx.ops.creation import place_of
from gradx.ops.indexing import scatter, setitem
from gradx.ops.shapes import astype, broadcast_to, reshape, sum


def _flips(draw):
    for axis in [None, 0, -1, (0, 1)]:
        yield Sample((draw(2, 3),), {"axis": axis})
    yield Sample((draw(),))
    yield Sample((draw(0, 2),), {"axis": -2})


@multilinear(transpose={"x": lambda g, axis: flip(g, axis=axis)}, samples=_flips, view="transpose")
def flip(xp, x, /, *, axis=None):
    """Reverse the order of the elements along ``axis``, or along every axis.

    >>> import numpy as np, gradx as gx
    >>> gx.flip(np.asarray([1.0, 2.0, 3.0]))
    array([3., 2., 1.])
    """
    return xp.flip(x, axis=axis)


def _rolls(draw):
    for shift, axis in [(1, None), (-1, 0), (2, -1), ((1, -2), (0, 1)), (5, 1)]:
        yield Sample((draw(2, 3),), {"shift": shift, "axis": axis})
    yield Sample((draw(0),), {"shift": 1, "axis": 0})
    yield Sample((draw(),), {"shift": 1})


def _roll_back(g, shift, axis):
    back = tuple(-one for one in shift) if isinstance(shift, (tuple, list)) else -shift
    return roll(g, back, axis=axis)


@multilinear(transpose={"x": _roll_back}, samples=_rolls)
def roll(xp, x, /, shift, *, axis=None):
    """Move elements ``shift`` places along ``axis``; those beyond the end come first.

    >>> import numpy as np, gradx as gx
    >>> gx.roll(np.asarray([1.0, 2.0, 3.0]), 1)
    array([3., 1., 2.])
    """
    return xp.roll(x, shift, axis=axis)


def _repeats(draw):
    for axis in [None, 0, -1]:
        yield Sample((draw(2, 3), 2), {"axis": axis})
    yield Sample((draw(2, 3), sample_indices(draw(1), 2, 0, 1)), {"axis": 1})
    yield Sample((draw(2, 2), sample_indices(draw(1), 1, 0, 3, 1)), {"axis": None})
    yield Sample((draw(3), sample_indices(draw(1), 2)), {"axis": 0})
    yield Sample((draw(2), 0), {"axis": 0})
    yield Sample((draw(), 3))


def _undo_repeat(g, x_shape, repeats, axis):
    if axis is None or not x_shape:  # NumPy allows a number its axis 0
        return reshape(_undo_repeat(g, (prod(x_shape),), repeats, 0), x_shape)
    axis = axis % len(x_shape)
    if isinstance(repeats, int):
        split = (*x_shape[: axis + 1], repeats, *x_shape[axis + 1 :])
        return sum(reshape(g, split), axis=axis + 1)
    space, device = place_of(repeats)
    sources = repeat(space.arange(x_shape[axis], device=device), repeats)
    return add_at(g, sources, length=x_shape[axis], axis=axis)


@multilinear(transpose={"x": _undo_repeat}, samples=_repeats, sizes_vary=("repeats",))
def repeat(xp, x, repeats, /, *, axis=None):
    """Repeat each element along ``axis``, or of ``x`` flattened: ``repeats`` times.

    ``repeats`` is a number, or an integer array with one for each element.

    >>> import numpy as np, gradx as gx
    >>> gx.repeat(np.asarray([1.0, 2.0]), 2)
    array([1., 1., 2., 2.])
    """
    return xp.repeat(x, repeats, axis=axis)


def _tiles(draw):
    for repetitions in [(2,), (2, 1), (3, 2), (2, 1, 2), (0, 1), ()]:
        yield Sample((draw(2, 3),), {"repetitions": repetitions})
    yield Sample((draw(),), {"repetitions": (2,)})


def _untile(g, x_shape, repetitions):
    times = (1,) * (len(x_shape) - len(repetitions)) + tuple(repetitions)
    lengths = (1,) * (len(times) - len(x_shape)) + x_shape
    split = tuple(n for pair in zip(times, lengths, strict=True) for n in pair)
    return reshape(sum(reshape(g, split), axis=tuple(range(0, len(split), 2))), x_shape)


@multilinear(transpose={"x": _untile}, samples=_tiles)
def tile(xp, x, /, repetitions):
    """Repeat ``x`` as a whole, ``repetitions[i]`` times along axis ``i``.

    >>> import numpy as np, gradx as gx
    >>> gx.tile(np.asarray([1.0, 2.0]), (2,))
    array([1., 2., 1., 2.])
    """
    return xp.tile(x, tuple(repetitions))


def _pads(draw):
    widths: list[Any] = [1, (2, 1), ((1, 0), (0, 2)), ((1, 1),)]
    for mode in ["constant", "edge", "reflect", "symmetric", "wrap"]:
        for pad_width in widths:
            yield Sample((draw(2, 3),), {"pad_width": pad_width, "mode": mode})
    yield Sample((draw(3),), {"pad_width": 7, "mode": "reflect"})
    yield Sample((draw(1),), {"pad_width": 2, "mode": "reflect"})
    yield Sample((draw(2, 3),), {"pad_width": 1, "constant_values": 0.5})
    yield Sample((draw(0, 2),), {"pad_width": 1})
    yield Sample((draw(),), {"pad_width": 1})


@composed(samples=_pads)
def pad(x, pad_width, mode="constant", *, constant_values=0):
    """Add elements before and after those of each axis.

    ``pad_width`` is a number, a pair (before, after), or such a pair for each axis.
    ``mode`` says what is added: ``"constant"`` adds ``constant_values`` (one number or
    0-d array), ``"edge"`` repeats the last element, ``"reflect"`` mirrors about it,
    ``"symmetric"`` mirrors and repeats it, ``"wrap"`` goes on at the other end.

    Raises:
        ValueError: a width is negative, or does not fit; there is no such mode.

    >>> import numpy as np, gradx as gx
    >>> gx.pad(np.asarray([1.0, 2.0, 3.0]), (1, 2), "reflect")
    array([2., 1., 2., 3., 2., 1.])
    """
    widths = _widths(pad_width, len(x.shape))
    if mode == "constant":
        return _pad_constant(x, widths, constant_values)
    if mode not in SOURCES:
        allowed = ", ".join(repr(known) for known in ("constant", *SOURCES))
        raise ShapeError(f"pad: unknown mode {mode!r}: use one of {allowed}")
    for axis, (before, after) in enumerate(widths):
        if before or after:
            x = take(x, _source_indices(x, axis, before, after, mode), axis=axis)
    return x


def _widths(pad_width, ndim):
    if isinstance(pad_width, int):
        pairs = [(pad_width, pad_width)] * ndim
    elif all(isinstance(one, int) for one in pad_width):
        pairs = [tuple(pad_width) * (3 - len(pad_width))] * ndim
    else:
        pairs = [tuple(pair) for pair in pad_width]
        pairs = pairs * ndim if len(pairs) == 1 else pairs
    if len(pairs) != ndim or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise ShapeError(
            f"pad: pad_width is a number, a pair or {ndim} pairs, none negative, got {pad_width!r}"
        )
    return pairs


def _pad_constant(x, widths, value):
    pairs = list(zip(widths, x.shape, strict=True))
    shape = tuple(before + length + after for (before, after), length in pairs)
    inside = tuple(slice(before, before + length) for (before, _), length in pairs)
    if type(value) in (int, float) and value == 0:
        return scatter(x, shape, inside)
    if type(value) in (int, float, complex, bool):
        space, device = place_of(x)
        return setitem(space.full(shape, value, dtype=untracked(x).dtype, device=device), x, inside)
    return setitem(broadcast_to(astype(value, x.dtype), shape), x, inside)


def _reflected(xp, places, length):
    period = max(2 * (length - 1), 1)
    places = places % period
    return xp.where(places >= length, period - places, places)


def _mirrored(xp, places, length):
    places = places % (2 * length)
    return xp.where(places >= length, 2 * length - 1 - places, places)


# Mode -> from which place in the axis an element at a place outside of it comes.
SOURCES = {
    "edge": lambda xp, places, length: xp.clip(places, 0, length - 1),
    "reflect": _reflected,
    "symmetric": _mirrored,
    "wrap": lambda xp, places, length: places % length,
}


def _source_indices(x, axis, before, after, mode):
    length = x.shape[axis]
    if length == 0:
        raise ShapeError(
            f"pad: mode {mode!r} has nothing to go on from along axis {axis} of {tuple(x.shape)}"
        )
    space, device = place_of(x)
    return SOURCES[mode](space, space.arange(-before, length + after, device=device), length)
