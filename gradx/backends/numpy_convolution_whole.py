"""Convolution on NumPy's arrays, whole samples at a time: what the loops of machine code are given.

That is where there are two spatial axes and strides of 1, and a few rows of windows fit the cache.
"""

import ctypes
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from gradx.backends.native import threads
from gradx.backends.native.optional import machine_code
from gradx.backends.numpy_convolution import Lengths, Windows
from gradx.backends.scratch import lent

WORTH_SHARING = 1 << 19  # multiplications
PARTS = 8  # sums of kernels, over some samples each
MOST_SUMS = 1 << 20  # bytes of them: what does not fit the cache is quicker tile by tile
PAGE = 1 << 12  # bytes less than twice as many are kept for the next call
FEWEST = 4  # samples, so that there is something to share
PRODUCTS = 96  # that are added to a tile at a time, where there are so many
BANDS = 4  # units of each thread there should be, where samples are fewer


class Way(NamedTuple):
    """Numbers and offsets of a convolution, and how many units it has."""

    numbers: Any
    offsets: Any
    units: int


def convolve(out: Any, x: Any, weight: Any, windows: Windows, groups: int) -> bool:
    """Write to ``out`` the sums over inputs and places in the kernel, if there is a loop for it."""
    module: Any = machine_code("convolving")
    way = None
    if _has_loops(windows, x, out) and out.flags.c_contiguous:
        way = _way(x.shape, len(weight), windows, groups, x.dtype.name, threads.limit())
    if way is None:
        return False
    x = _in_rows(x)
    given = [*way.numbers, *x.strides[:3]]
    numbers = (ctypes.c_int64 * len(given))(*given)
    loop = module.loops(x.dtype.name).convolve
    with lent(weight.shape, x.dtype) as factors:
        factors[...] = weight
        pointers = [_begin(a) for a in (out, x, factors, way.offsets)]
        arrays = (ctypes.c_int64 * len(pointers))(*pointers)
        is_shared = out.size * weight[0].size >= WORTH_SHARING
        _run(loop, arrays, numbers, way.units, is_shared)
    return True


def _has_loops(windows: Windows, x: Any, y: Any) -> bool:
    return len(windows.kernel) == 2 and set(windows.stride) == {1} and x.size > 0 and y.size > 0


def _run(loop: threads.Loop, arrays: Any, numbers: Any, units: int, is_shared: bool) -> None:
    place, address = ctypes.addressof(arrays), ctypes.addressof(numbers)
    if is_shared:
        threads.run(loop, place, address, units)
    else:
        loop.function(place, address, 0, units)


def _begin(array: Any) -> int:
    return array.__array_interface__["data"][0]


def _in_rows(x: Any) -> Any:
    """Return an array whose rows are elements one after another."""
    return x if x.strides[-1] == x.itemsize else np.ascontiguousarray(x)


def kernels(out: Any, x: Any, y: Any, windows: Windows, groups: int) -> bool:
    """Write sums over samples and windows, (groups, outputs of one, inputs and places)."""
    module: Any = machine_code("kernels")
    way = None
    if _has_loops(windows, x, y):
        way = _way_back(x.shape, y.shape[1], windows, groups, x.dtype.name)
    if way is None:
        return False
    x, y = _in_rows(x), np.ascontiguousarray(y)
    loops = module.loops(x.dtype.name)
    padded = _up(out.shape[1], loops.lanes) * loops.lanes
    given = [*way.numbers, *x.strides[:3], *y.strides[:3]]
    chunk = _up(len(x), way.units)
    given += [y.shape[3], padded, len(x), chunk]
    numbers = (ctypes.c_int64 * len(given))(*given)
    with lent((way.units, groups, out.shape[2], padded), x.dtype) as parts:
        parts.fill(0)
        pointers = [_begin(a) for a in (parts, x, y, way.offsets)]
        arrays = (ctypes.c_int64 * len(pointers))(*pointers)
        is_shared = len(x) * y[0].size * out.shape[2] >= WORTH_SHARING
        _run(loops.kernels, arrays, numbers, way.units * groups, is_shared)
        for part in parts[1:]:
            parts[0] += part
        out[...] = parts[0][..., : out.shape[1]].mT
    return True


@lru_cache(maxsize=256)
def _way(
    shape: Lengths, made: int, windows: Windows, groups: int, dtype: str, helpers: int
) -> Way | None:
    """Return how to convolve; None where not even a row of windows of one channel fits."""
    samples, channels, height, width = shape
    (tall, wide), (rows, columns) = windows.kernel, windows.outputs
    reach = windows.dilation[0] * (tall - 1)
    inputs = channels // groups
    module: Any = machine_code("convolving")
    most = module.loops(dtype).most // (wide * columns)  # rows of copies
    if most < 2 * reach + 1:
        return None
    band, turn = _cut(inputs, rows, reach, most, tall * wide)
    band = min(band, _up(rows, _up(BANDS * helpers, samples * groups)))
    of_row = columns * np.dtype(dtype).itemsize
    of_copy = (band + reach) * of_row
    offsets = np.add.outer(
        of_copy * wide * np.arange(turn), windows.dilation[0] * of_row * np.arange(tall)
    )
    offsets = np.add.outer(offsets, of_copy * np.arange(wide)).reshape(-1).astype(np.int64)
    bands = _up(rows, band)
    numbers = [groups, bands, band, reach, made // groups, inputs, turn, _up(inputs, turn)]
    numbers += [height, width, rows, columns, wide, *windows.before, windows.dilation[1]]
    numbers += [tall * wide]
    return Way(numbers, offsets, samples * groups * bands)


@lru_cache(maxsize=256)
def _way_back(shape: Lengths, made: int, windows: Windows, groups: int, dtype: str) -> Way | None:
    """Return how to add up for kernels; None where not even a row of windows fits."""
    samples, channels, height, width = shape
    (tall, wide), (rows, windows_of_row) = windows.kernel, windows.outputs
    columns = windows_of_row + windows.dilation[1] * (wide - 1)
    reach = windows.dilation[0] * (tall - 1)
    inputs, outputs = channels // groups, made // groups
    module: Any = machine_code("kernels")
    loops = module.loops(dtype)
    padded = _up(outputs, loops.lanes) * loops.lanes
    size, most = np.dtype(dtype).itemsize, loops.most // columns
    of_sums = channels * tall * wide * padded * size
    band = min(rows, loops.most_turned // (windows_of_row * padded))
    if (
        min(samples, 2 * outputs / padded * FEWEST) < FEWEST
        or of_sums > MOST_SUMS
        or band < min(rows, reach + 1)
        or most < 2 * reach + 1
    ):
        return None
    band, turn = _cut(inputs, _up(rows, _up(rows, band)), reach, most, tall * wide)
    of_row = columns * size
    offsets = np.add.outer(
        (band + reach) * of_row * np.arange(turn), windows.dilation[0] * of_row * np.arange(tall)
    )
    offsets = np.add.outer(offsets, windows.dilation[1] * size * np.arange(wide))
    numbers = [groups, _up(rows, band), band, reach, outputs, inputs, turn, _up(inputs, turn)]
    numbers += [height, width, rows, columns, 1, *windows.before, 0, tall * wide]
    units = min(PARTS, samples, (2 * MOST_SUMS - PAGE) // of_sums)
    units = _up(samples, _up(samples, units))
    return Way(numbers, offsets.reshape(-1).astype(np.int64), units)


def _cut(inputs: int, rows: int, reach: int, most: int, places: int) -> tuple[int, int]:
    """Return how many rows of windows and how many channels, of at most so many rows of copies.

    Sums are taken up again for each few channels, so these should have many products.
    """
    turn = min(inputs, _up(PRODUCTS, places))
    band = min(rows, max(most // turn, 2 * reach + 1) - reach)
    band = _up(rows, _up(rows, band))
    turn = min(inputs, most // (band + reach))
    return band, _up(inputs, _up(inputs, turn))


def _up(count: int, unit: int) -> int:
    """Return how many units hold so many."""
    return -(-count // unit)
