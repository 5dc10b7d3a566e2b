"""Convolution on NumPy's arrays by loops of machine code, which read windows where they lie.

A block of samples is copied once, with zeros between its rows: windows along an axis may then
run over the end of a row, and all windows of a sample are one line of elements to each place in
the kernel, begun at another offset. `native/windows.py` has the loops over such lines. So there
are no columns to copy for each place in the kernel, as a product of matrices would need.

The windows that begin between two rows are computed too, and left out when results are copied
to their place. Where these would be many, and along axes with a stride, each place in the kernel
has a copy of what it reads instead: a *part*.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from gradx.backends import numpy_convolution_stacked, numpy_convolution_whole
from gradx.backends.base import Kernel
from gradx.backends.native import threads
from gradx.backends.native.optional import machine_code
from gradx.backends.native.threads import Loop
from gradx.backends.numpy_convolution import Lengths, Windows, alike, overlap
from gradx.backends.scratch import lent

BLOCK = 1 << 19  # bytes of copies and results at a time: half of a core's second cache
TILE = 1 << 14  # bytes of outputs that a tile of dots reads again and again: half of the first
WASTE = 1.25  # windows that are computed, of those that are wanted
WORTH_IT = 1 << 18  # multiplications; below, what surrounds the loops takes longer than they do
WORTH_SHARING = 1 << 21  # multiplications at a time: 50 us
DTYPES = ("float32", "float64")

Copy = tuple[int, slice, slice]  # the part, where to, and from where


class Axis(NamedTuple):
    """How one spatial axis lies in memory."""

    length: int  # of a line, zeros included
    parts: int
    copies: list[Copy]
    places: list[tuple[int, int]]  # for each place in the kernel: which part, begun where


def _cropped(length: int, windows: Windows) -> Axis:
    """Keep what the windows reach over, with all padding."""
    (kernel,), (count,), _, (before,), (dilation,) = windows
    whole = count + dilation * (kernel - 1)
    to, source = overlap(length, whole, 1, -before)
    return Axis(whole, 1, [(0, to, source)], [(0, dilation * k) for k in range(kernel)])


def _shared(length: int, windows: Windows) -> Axis:
    """Let what pads the end of a line pad the beginning of the next."""
    (kernel,), (count,), _, (before,), (dilation,) = windows
    reach = dilation * (kernel - 1)
    whole = max(length + before, count + reach - before, length, count)
    copies = [(0, slice(0, length), slice(0, length))]
    return Axis(whole, 1, copies, [(0, dilation * k - before) for k in range(kernel)])


def _apart(length: int, windows: Windows) -> Axis:
    """Copy what each place in the kernel reads."""
    (kernel,), (count,), (stride,), (before,), (dilation,) = windows
    pairs = [overlap(length, count, stride, dilation * k - before) for k in range(kernel)]
    copies = [(k, to, source) for k, (to, source) in enumerate(pairs)]
    return Axis(count, kernel, copies, [(k, 0) for k in range(kernel)])


def _axis(number: int, length: int, windows: Windows) -> Axis:
    (stride,), (count,) = windows.stride, windows.outputs
    if stride > 1:
        return _apart(length, windows)
    if number == 0:
        return _cropped(length, windows)
    shared = _shared(length, windows)
    return shared if shared.length <= WASTE * count else _apart(length, windows)


class Layout:
    """Where the elements of a sample lie in memory, and where each place in the kernel reads."""

    def __init__(
        self, channels: int, lengths: Lengths, windows: Windows, groups: int, unit: int
    ) -> None:
        alone = [Windows(*[(part[a],) for part in windows]) for a in range(len(lengths))]
        axes = [_axis(a, n, w) for a, (n, w) in enumerate(zip(lengths, alone, strict=True))]
        self.outputs = windows.outputs
        self.lines = (windows.outputs[0], *[axis.length for axis in axes[1:]])
        self.windows = prod(self.lines)
        self.padded = _up(self.windows, unit) * unit
        axes[0] = self._spaced(axes)
        self.shape = (channels, *[a.parts for a in axes], *[a.length for a in axes])
        self.size = prod(self.shape)
        self.copies = []
        for parts in product(*[axis.copies for axis in axes]):
            numbers, to, source = zip(*parts, strict=True)
            self.copies.append(((..., *numbers, *to), (..., *source)))

        steps = [int(step) for step in np.cumprod([1, *self.shape[:0:-1]])[::-1]]
        inside = channels // groups
        offsets = steps[0] * np.arange(inside)
        for a, axis in enumerate(axes):
            of_part, of_place = steps[1 + a], steps[1 + len(axes) + a]
            places = [of_part * part + of_place * begun for part, begun in axis.places]
            offsets = np.add.outer(offsets, places)
        self.offsets = offsets.reshape(-1)
        self.group = inside * steps[0]  # elements from one group's channels to the next's
        self.front = max(0, -int(self.offsets.min()))

    def _spaced(self, axes: list[Axis]) -> Axis:
        """Keep channels so far apart that no window of a last vector reads the next one's."""
        row = prod(self.lines[1:])
        furthest, step = 0, 1
        for axis in reversed(axes[1:]):
            furthest += step * max(begun for _, begun in axis.places)
            step *= axis.length
        spare = _up(self.padded - self.windows + furthest, row)
        return axes[0]._replace(length=axes[0].length + spare)


@lru_cache(maxsize=256)
def bands(
    shape: Lengths, made: int, windows: Windows, groups: int, unit: int, most: int
) -> list[tuple[slice, Layout]]:
    """Cut windows along the first axis into bands that take not too much memory for a sample.

    ``shape`` is that of a sample, and ``made`` counts its outputs.
    """
    channels, *lengths = shape
    whole = Layout(channels, tuple(lengths), windows, groups, unit)
    count, stride = windows.outputs[0], windows.stride[0]
    size = whole.size + made * whole.padded
    rows = max(2 * windows.kernel[0] * windows.dilation[0], count * most // size)
    if rows >= count:
        return [(slice(0, count), whole)]
    found = []
    for start in range(0, count, rows):
        stop = min(start + rows, count)
        band = windows._replace(
            outputs=(stop - start, *windows.outputs[1:]),
            before=(windows.before[0] - start * stride, *windows.before[1:]),
        )
        found.append((slice(start, stop), Layout(channels, tuple(lengths), band, groups, unit)))
    return found


@contextmanager
def _block(
    layout: Layout, dtype: Any, samples: int, groups: int, outputs: int
) -> Iterator["Block"]:
    """Lend memory for some samples, all zeros."""
    made = (samples, groups, outputs, layout.padded)
    count = layout.front + samples * layout.size
    with lent((count,), dtype) as lines, lent(made, dtype) as windows:
        lines.fill(0)
        windows.fill(0)
        yield Block(layout, lines, windows)


class Block:
    """Scratch memory for some samples: their lines, and a line of windows for each output."""

    def __init__(self, layout: Layout, lines: Any, windows: Any) -> None:
        self.layout, self.itemsize = layout, lines.itemsize
        self.lines = lines[layout.front :].reshape(len(windows), *layout.shape)
        self.windows = windows
        wanted = self.windows[..., : layout.windows]
        wanted = wanted.reshape(*wanted.shape[:3], *layout.lines, copy=False)
        self.wanted = wanted[(..., *map(slice, layout.outputs))]

    def fill(self, x: Any, copy: Any) -> None:
        """Copy samples to their lines; what is padding stays 0."""
        lines = self.lines[: len(x)]
        for to, source in self.layout.copies:
            copy(lines[to], x[source])

    def run(
        self, loop: Loop, units: int, arrays: tuple[Any, int, Any, Any], *sizes: int, alone: bool
    ) -> None:
        """Run a loop over the lines of a group: of (out, the group, factors, offsets)."""
        out, group, factors, offsets = arrays
        size = self.itemsize
        lines = self.lines.ctypes.data + group * self.layout.group * size
        addresses = (out.ctypes.data, lines, factors.ctypes.data, offsets.ctypes.data)
        steps = (self.layout.padded * size, self.windows[0].nbytes, self.layout.size * size)
        given = np.asarray([*addresses, *sizes[:3], *steps, *sizes[3:]], np.int64)
        place = given.ctypes.data
        numbers = place + len(addresses) * given.itemsize
        if alone:
            loop.function(place, numbers, 0, units)
        else:
            threads.run(loop, place, numbers, units)


def _up(count: int, unit: int) -> int:
    """Return how many units hold so many."""
    return -(-count // unit)


def _convolve(out: Any, x: Any, weight: Any, windows: Windows, groups: int, loops: Any) -> None:
    """Write to ``out`` the sums over inputs and places in the kernel."""
    rows, _ = loops.tiles.products
    of_one = len(weight) // groups
    blocks = _up(of_one, rows)
    places = bands(x.shape[1:], len(weight), windows, groups, loops.lanes, 8 * BLOCK // x.itemsize)
    with lent((groups, blocks, weight[0].size, rows), x.dtype) as factors:
        _arrange(factors, weight)
        for band, layout in places:
            _convolve_samples(out[:, :, band], x, factors, layout, loops)


def _arrange(factors: Any, weight: Any) -> None:
    """Put the factors of some outputs at a time side by side, and zeros where there are no more."""
    groups, blocks, _, rows = factors.shape
    weight = weight.reshape(groups, -1, *weight.shape[1:])
    factors = factors.reshape(groups, blocks, *weight.shape[2:], rows, copy=False)
    for block in range(blocks):
        found = np.moveaxis(weight[:, block * rows : (block + 1) * rows], 1, -1)
        factors[:, block, ..., : found.shape[-1]] = found
        factors[:, block, ..., found.shape[-1] :] = 0


def _convolve_samples(out, x, factors, layout, loops) -> None:
    groups, blocks, depth, rows = factors.shape
    of_sample = layout.size + groups * blocks * rows * layout.padded
    alone = len(x) * factors[0].size * layout.windows < WORTH_SHARING
    at_once = BLOCK if alone else BLOCK * threads.limit()
    count = max(1, min(len(x), at_once // (of_sample * x.itemsize)))
    of_one = out.shape[1] // groups
    offsets = layout.offsets * x.itemsize
    with _block(layout, x.dtype, count, groups, blocks * rows) as block:
        for start in range(0, len(x), count):
            part = x[start : start + count]
            block.fill(part, loops.copy)
            sizes = (layout.padded // loops.lanes, blocks, depth, len(part), 1, 1)
            for group in range(groups):
                arrays = (block.windows[0, group], group, factors[group], offsets)
                block.run(loops.products, len(part), arrays, *sizes, alone=alone)
            target = out[start : start + count]
            target = target.reshape(len(part), groups, of_one, *layout.outputs, copy=False)
            loops.copy(target, block.wanted[: len(part), :, :of_one])


def _kernels(out: Any, x: Any, y: Any, windows: Windows, groups: int, loops: Any) -> None:
    """Write sums over samples and windows: (groups, outputs of one, inputs and places)."""
    rows, columns = loops.tiles.dots
    of_one = y.shape[1] // groups
    depth = x.shape[1] // groups * prod(windows.kernel)
    tile = _up(rows * columns, loops.lanes) * loops.lanes
    places = bands(x.shape[1:], y.shape[1], windows, groups, loops.lanes, 8 * BLOCK // x.itemsize)
    y = y.reshape(len(y), groups, of_one, *windows.outputs)
    with lent((groups, _up(of_one, rows), _up(depth, columns), tile), x.dtype) as found:
        found.fill(0)
        for band, layout in places:
            _add_kernels(found, x, y[:, :, :, band], layout, loops)
        found = found[..., : rows * columns].reshape(*found.shape[:3], rows, columns)
        _untile(out, found)


def _untile(out: Any, tiles: Any) -> None:
    """Put tiles, (groups, blocks, places, rows, columns), side by side, without what is over."""
    groups, blocks, places, rows, columns = tiles.shape
    with lent((groups, blocks, rows, places, columns), tiles.dtype) as whole:
        whole[...] = tiles.transpose(0, 1, 3, 2, 4)
        whole = whole.reshape(groups, blocks * rows, places * columns, copy=False)
        out[...] = whole[:, : out.shape[1], : out.shape[2]]


def _add_kernels(found, x, y, layout, loops) -> None:
    rows, columns = loops.tiles.dots
    groups, blocks, places, _ = found.shape
    of_sample = layout.size + groups * blocks * rows * layout.padded
    count = max(1, min(len(x), BLOCK // (of_sample * x.itemsize)))
    at_once = max(1, TILE // (rows * layout.padded * x.itemsize))
    offsets = np.resize(layout.offsets * x.itemsize, places * columns)
    alone = count * layout.windows * y.shape[2] * len(layout.offsets) < WORTH_SHARING
    with _block(layout, x.dtype, count, groups, blocks * rows) as block:
        for start in range(0, len(x), count):
            part = x[start : start + count]
            block.fill(part, loops.copy)
            loops.copy(block.wanted[: len(part), :, : y.shape[2]], y[start : start + count])
            turns = (len(part), at_once, _up(len(part), at_once))
            sizes = (layout.padded // loops.lanes, blocks, places, *turns)
            for group in range(groups):
                arrays = (found[group], group, block.windows[0, group], offsets)
                block.run(loops.dots, blocks * places, arrays, *sizes, alone=alone)


def _loops_for(x: Any, y: Any, multiplications: int, kernel: Lengths) -> Any:
    """Return the loops for these arrays; None where NumPy's own ways are taken."""
    if multiplications < WORTH_IT or prod(kernel) == 1 or np.result_type(x, y).name not in DTYPES:
        return None
    native = machine_code("windows")
    return None if native is None else native.loops(np.result_type(x, y).name)


def convolution(xp, x, weight, /, *, outputs, stride, before, dilation, groups, out=None):
    """Add up products in registers, where windows lie in memory."""
    work = len(x) * weight.size * prod(outputs)
    loops = _loops_for(x, weight, work, weight.shape[2:])
    if loops is None:
        settings = {"stride": stride, "before": before, "dilation": dilation, "groups": groups}
        made = numpy_convolution_stacked.convolution(xp, x, weight, outputs=outputs, **settings)
        return made if out is None else _copied(made, out)
    x, weight = alike(x, weight)
    if out is None:
        out = np.empty((len(x), len(weight), *outputs), x.dtype)
    windows = Windows(weight.shape[2:], outputs, stride, before, dilation)
    if not numpy_convolution_whole.convolve(out, x, weight, windows, groups):
        _convolve(out, x, weight, windows, groups, loops)
    return out


def _copied(made: Any, out: Any) -> Any:
    out[...] = made
    return out


def convolution_kernel(xp, x, y, /, *, kernel, stride, before, dilation, groups, out=None):
    """Multiply outputs with what each place in the kernel read."""
    work = y.size * x.shape[1] // groups * prod(kernel)
    loops = _loops_for(x, y, work, kernel)
    if loops is None:
        settings = {"stride": stride, "before": before, "dilation": dilation, "groups": groups}
        made = numpy_convolution_stacked.convolution_kernel(xp, x, y, kernel=kernel, **settings)
        return made if out is None else _copied(made, out)
    x, y = alike(x, y)
    windows = Windows(tuple(kernel), y.shape[2:], stride, before, dilation)
    inputs = x.shape[1] // groups
    if out is None:
        out = np.empty((y.shape[1], inputs, *kernel), x.dtype)
    flat = (groups, y.shape[1] // groups, inputs * prod(kernel))
    flat_out = out.reshape(flat, copy=False)
    if not numpy_convolution_whole.kernels(flat_out, x, y, windows, groups):
        _kernels(flat_out, x, y, windows, groups, loops)
    return out


def convolution_transpose(xp, y, weight, /, *, lengths, stride, before, dilation, groups, out=None):
    """Convolve outputs with the kernel from its end to its beginning, where strides are 1."""
    settings = {"stride": stride, "dilation": dilation, "groups": groups}
    if set(stride) != {1}:
        made = numpy_convolution_stacked.convolution_transpose(
            xp, y, weight, lengths=lengths, before=before, **settings
        )
        return made if out is None else _copied(made, out)
    turned, before = numpy_convolution_stacked.turned(weight, before, dilation, groups)
    return convolution(xp, y, turned, outputs=lengths, before=before, **settings, out=out)


KERNELS: dict[str, Kernel] = {
    "convolution": convolution,
    "convolution_kernel": convolution_kernel,
    "convolution_transpose": convolution_transpose,
}
