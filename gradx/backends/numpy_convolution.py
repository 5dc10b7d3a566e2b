"""Convolution on NumPy: copies along all spatial axes but the first, which is read in place.

What the windows' row k reads are consecutive rows of the array: one block of memory, which
BLAS takes as a matrix where it lies. So a kernel of K0 x K1 needs K1 copies, not K0 * K1,
and K0 products that are added up. Samples are taken in blocks whose copies stay in the
cache. Next to whole copies and one product this took 0.7 of the time (3 x 3 and 5 x 5,
32 and 64 channels, float32, one core). Where all rows of x serve all rows of the kernel, one
product for them all is faster still: `numpy_convolution_stacked` chooses.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

BLOCK = 1 << 20  # bytes of copies at a time: a part of the cache of one core
FEW = 16  # rows of a product that are too few for BLAS to be fast

Lengths = tuple[int, ...]


class Windows(NamedTuple):
    """Where windows lie on the spatial axes, each of the four one number for each axis."""

    kernel: Lengths
    outputs: Lengths
    stride: Lengths
    before: Lengths
    dilation: Lengths

    def with_leading_axis(self) -> "Windows":
        """Return the same on arrays with an axis of length one more: it is read in place."""
        neutral = (1, 1, 1, 0, 1)
        return Windows(*[(one, *rest) for one, rest in zip(neutral, self, strict=True)])


class Plan:
    """How to copy what the windows of one band read, and where each row of the kernel finds it."""

    def __init__(self, shape: Lengths, itemsize: int, windows: Windows, groups: int) -> None:
        samples, channels, *lengths = shape
        if channels // groups * prod(windows.kernel[1:]) < FEW:
            lengths, windows = [1, *lengths], windows.with_leading_axis()
        self.lengths = tuple(lengths)
        self.windows = windows
        self.kernel_rows = windows.kernel[0]  # along the axis that is read in place
        self.products = (groups, channels // groups * prod(windows.kernel[1:]), -1)
        # Rows are kept apart by their place between two strides: each part is read in order.
        places = [k * windows.dilation[0] for k in range(windows.kernel[0])]
        starts = [divmod(place, windows.stride[0]) for place in places]
        phases = sorted({phase for _, phase in starts})
        rows = windows.outputs[0] + max(row for row, _ in starts)
        self.shape = (channels, *windows.kernel[1:], len(phases), rows, *windows.outputs[1:])
        self.size = max(1, min(samples, BLOCK // (prod(self.shape) * itemsize)))
        self.copies = list(self._copies(phases, rows))
        lead = (slice(None),) * (len(windows.kernel) + 1)
        self.keys: list[Any] = [
            (*lead, phases.index(phase), slice(row, row + windows.outputs[0]))
            for row, phase in starts
        ]

    def _copies(self, phases: list[int], rows: int) -> Iterator[tuple[Any, Any]]:
        """Give the keys of each copy: where to in the memory, and from where in a block."""
        kernel, outputs, stride, before, dilation = [part[1:] for part in self.windows]
        height, *lengths = self.lengths
        step, start, every = self.windows.stride[0], self.windows.before[0], slice(None)
        for number, phase in enumerate(phases):
            first = overlap(height, rows, step, phase - start)
            for place in product(*map(range, kernel)):
                offsets = [k * d - b for k, d, b in zip(place, dilation, before, strict=True)]
                pairs = [first, *map(overlap, lengths, outputs, stride, offsets)]
                to, source = zip(*pairs, strict=True)
                yield (every, every, *place, number, *to), (every, every, *source)


class Columns:
    """Scratch memory for what the windows on a block of samples read."""

    def __init__(self, plan: Plan, dtype: Any) -> None:
        self.plan = plan
        self.memory = np.zeros((plan.size, *plan.shape), dtype)

    def blocks(self, x: Any) -> Iterator[tuple[slice, Any]]:
        """Cut ``x`` into blocks of samples that fit: which samples, and the block itself."""
        size, lengths = self.plan.size, self.plan.lengths
        for start in range(0, len(x), size):
            block = x[start : start + size]
            yield slice(start, start + len(block)), block.reshape(*block.shape[:2], *lengths)

    def fill(self, block: Any) -> None:
        """Copy what the windows on a block read; what is padding stays 0."""
        memory = self.memory[: len(block)]
        to, source = self.plan.copies[0]
        if block[source].shape == block.shape and memory[to].size == memory.size:
            self.memory = np.ascontiguousarray(block).reshape(memory.shape)
            return
        for to, source in self.plan.copies:
            memory[to] = block[source]

    def add_into(self, block: Any) -> None:
        """Add each element of the memory to the element of a block that it was copied from."""
        for to, source in self.plan.copies:
            block[source] += self.memory[: len(block)][to]

    def read_by(self, k: int, count: int) -> Any:
        """Return what row ``k`` of the kernel reads: (samples, groups, inputs, windows)."""
        part = self.memory[:count][self.plan.keys[k]]
        # Within each input the rows lie one after the other, so they are one axis as they are.
        return part.reshape(count, *self.plan.products, copy=False)


def overlap(length: int, count: int, step: int, offset: int) -> tuple[slice, slice]:
    """Return which of ``step * i + offset``, i < count, are within ``length``, and as a slice."""
    first = min(max(0, -(offset // step)), count)
    last = max(first, min(count, (length - 1 - offset) // step + 1))
    start = max(0, first * step + offset)
    return slice(first, last), slice(start, start + (last - first) * step, step)


def _factors(weight: Any, rows: int, groups: int) -> Any:
    """Return kernels as (rows of the kernel, groups, outputs, inputs and other places)."""
    outputs, inputs, *kernel = weight.shape
    split = weight.reshape(groups, outputs // groups, inputs, rows, prod(kernel) // rows)
    factors = np.ascontiguousarray(split.transpose(3, 0, 1, 2, 4))
    return factors.reshape(rows, groups, outputs // groups, -1)


def alike(x: Any, y: Any) -> tuple[Any, Any]:
    """Give two arrays one dtype."""
    dtype = np.result_type(x, y)
    return x.astype(dtype, copy=False), y.astype(dtype, copy=False)


def convolution(xp, x, weight, /, *, outputs, stride, before, dilation, groups):
    """Add up one product for each row of the kernel."""
    x, weight = alike(x, weight)
    out = np.zeros((len(x), len(weight), *outputs), x.dtype)
    if out.size == 0 or x.size == 0:
        return out
    windows = Windows(weight.shape[2:], outputs, stride, before, dilation)
    for band, plan in plans(x.shape, x.itemsize, windows, groups):
        factors = _factors(weight, plan.kernel_rows, groups)
        _convolve_into(_grouped(out[:, :, band], groups), x, factors, Columns(plan, x.dtype))
    return out


def _convolve_into(out, x, factors, columns):
    first, *others = factors
    scratch = np.empty((columns.plan.size, *out.shape[1:]), x.dtype)
    for samples, block in columns.blocks(x):
        columns.fill(block)
        part = out[samples]
        np.matmul(first, columns.read_by(0, len(part)), out=part)
        for k, factor in enumerate(others, 1):
            part += np.matmul(factor, columns.read_by(k, len(part)), out=scratch[: len(part)])


def convolution_kernel(xp, x, y, /, *, kernel, stride, before, dilation, groups):
    """Multiply outputs with what each row of the kernel read."""
    x, y = alike(x, y)
    out = np.zeros((y.shape[1], x.shape[1] // groups, *kernel), x.dtype)
    if y.size == 0 or x.size == 0:
        return out
    windows = Windows(kernel, y.shape[2:], stride, before, dilation)
    for band, plan in plans(x.shape, x.itemsize, windows, groups):
        found = _kernels_of(x, _grouped(y[:, :, band], groups), Columns(plan, x.dtype))
        split = found.reshape(plan.kernel_rows, *out.shape[:2], -1)
        view = out.reshape(*out.shape[:2], plan.kernel_rows, -1)
        view += split.transpose(1, 2, 0, 3)
    return out


def _kernels_of(x, y, columns):
    """Return (rows of the kernel, groups, outputs, inputs and other places)."""
    rows = range(columns.plan.kernel_rows)
    found = np.zeros((len(rows), *y.shape[1:3], columns.plan.products[1]), x.dtype)
    for samples, block in columns.blocks(x):
        columns.fill(block)
        for k in rows:
            read = columns.read_by(k, len(block)).swapaxes(-1, -2)
            found[k] += np.add.reduce(np.matmul(y[samples], read), axis=0)
    return found


def convolution_transpose(xp, y, weight, /, *, lengths, stride, before, dilation, groups):
    """Add up what each row of the kernel gives."""
    y, weight = alike(y, weight)
    out = np.zeros((len(y), groups * weight.shape[1], *lengths), y.dtype)
    if out.size == 0 or y.size == 0:
        return out
    windows = Windows(weight.shape[2:], y.shape[2:], stride, before, dilation)
    for band, plan in plans(out.shape, out.itemsize, windows, groups):
        factors = _factors(weight, plan.kernel_rows, groups).swapaxes(-1, -2)
        _spread_into(out, _grouped(y[:, :, band], groups), factors, Columns(plan, y.dtype))
    return out


def _spread_into(out, y, factors, columns):
    rows = columns.plan.products[1]
    scratch = np.empty((columns.plan.size, y.shape[1], rows, y.shape[-1]), y.dtype)
    for samples, block in columns.blocks(out):
        columns.memory[...] = 0
        for k, factor in enumerate(factors):
            read = columns.read_by(k, len(block))
            read += np.matmul(factor, y[samples], out=scratch[: len(block)])
        columns.add_into(block)


@lru_cache(maxsize=256)
def plans(shape: Lengths, itemsize: int, windows: Windows, groups: int) -> list[tuple[slice, Plan]]:
    """Plan bands of windows along the first axis whose copies for one sample fit the cache."""
    copies = prod(windows.kernel[1:]) * windows.stride[0]
    row = shape[1] * copies * prod(windows.outputs[1:]) * itemsize
    rows = max(BLOCK // row, 2 * windows.kernel[0] * windows.dilation[0])
    found = []
    for start in range(0, windows.outputs[0], rows):
        stop = min(start + rows, windows.outputs[0])
        before = (windows.before[0] - start * windows.stride[0], *windows.before[1:])
        outputs = (stop - start, *windows.outputs[1:])
        band = windows._replace(outputs=outputs, before=before)
        found.append((slice(start, stop), Plan(shape, itemsize, band, groups)))
    return found


def _grouped(y: Any, groups: int) -> Any:
    """Return outputs as (samples, groups, outputs of one, windows)."""
    samples, channels, *outputs = y.shape
    return y.reshape(samples, groups, channels // groups, prod(outputs))
