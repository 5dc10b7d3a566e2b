"""Convolution on NumPy: one product for all rows of the kernel, where strides are 1.

What a kernel of K0 x K1 reads is copied for its K1 columns only, as `numpy_convolution` does.
But here the K0 rows of the kernel are stacked, so that one product tells what each makes of
each row of the array, and these parts are added up, each at its place. So BLAS takes in what
was copied once rather than K0 times, and has K0 times as many outputs to do at once, which it
needs where they are few; rows of padding take no part. Rows that only some of the parts need
are a waste: arrays that are longer than the output, strides and small products go the other way.
"""

from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradx.backends import numpy_convolution
from gradx.backends.base import Kernel
from gradx.backends.numpy_convolution import Lengths, Windows, overlap

BLOCK = 1 << 20  # bytes of copies and parts at a time: the cache of one core
FEW = 16  # places and inputs of a row of the kernel that are too few for BLAS to be fast
WINDOWS = 64  # columns of a product that are enough for BLAS to be fast


class Stack:
    """Scratch memory for a band of rows of a block of samples.

    ``columns`` has what the rows of the kernel read. ``parts`` has for each row of the kernel
    what it makes of the band, with rows of zeros around, so that the sum over the parts, each
    shifted against the one before, is a sum over one axis of a view: ``shifted``.
    """

    def __init__(
        self, x: Any, outputs: int, windows: Windows, groups: int, band: tuple[int, int]
    ) -> None:
        (kernel, *places), (count, *others) = windows.kernel, windows.outputs
        (before, *_), (step, *_) = windows.before, windows.dilation
        start, stop = band
        last = step * (kernel - 1) - before
        self.made = slice(max(0, start - last), max(0, min(count, stop + before)))
        first = start + before - self.made.start
        made, rest = self.made.stop - self.made.start, prod(others)
        depth = max(made + step * (kernel - 1), first + stop - start)

        one = (len(x[0]) * prod(places) + outputs * kernel) * (stop - start) * rest * x.itemsize
        size = max(1, min(len(x), BLOCK // one))
        self.blocks = [slice(low, low + size) for low in range(0, len(x), size)]
        self.columns = np.zeros((size, x.shape[1], *places, stop - start, *others), x.dtype)
        self.parts = np.zeros((size, groups, outputs // groups, kernel, depth, rest), x.dtype)
        self.band = self.parts[..., first : first + stop - start, :]
        *most, part, row, each = self.parts.strides
        shape = (*self.parts.shape[:4], made, rest)
        self.shifted = as_strided(self.parts, shape, (*most, part + step * row, row, each))
        self.copies = _copies(x.shape[3:], windows, slice(start, stop))

    def read(self, x: Any) -> Any:
        """Return what is read of samples: (samples, groups, inputs and places, windows)."""
        columns = self.columns[: len(x)]
        for to, source in self.copies:
            columns[to] = x[source]
        return columns.reshape(len(x), self.parts.shape[1], -1, self._windows(), copy=False)

    def of_parts(self, count: int) -> Any:
        """Return the parts as (samples, groups, outputs of one and parts, windows)."""
        band = self.band[:count]
        return band.reshape(count, band.shape[1], -1, self._windows(), copy=False)

    def _windows(self) -> int:
        return prod(self.band.shape[-2:])


def _copies(lengths: Lengths, windows: Windows, rows: slice) -> list[tuple[Any, Any]]:
    """Give the keys of each copy: where to in the columns, and from where in samples."""
    kernel, outputs, stride, before, dilation = [part[1:] for part in windows]
    every, copies = slice(None), []
    for place in product(*map(range, kernel)):
        offsets = [k * d - b for k, d, b in zip(place, dilation, before, strict=True)]
        pairs = list(map(overlap, lengths, outputs, stride, offsets))
        to, source = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        copies.append(((every, every, *place, every, *to), (every, every, rows, *source)))
    return copies


def _bands(x: Any, outputs: int, windows: Windows) -> list[tuple[int, int]]:
    """Cut rows into bands whose copies and parts for one sample fit the cache."""
    of_row = x.shape[1] * prod(windows.kernel[1:]) + outputs * windows.kernel[0]
    size = max(1, BLOCK // (of_row * prod(windows.outputs[1:]) * x.itemsize))
    count = x.shape[2]
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def _pays(shape: Lengths, windows: Windows, groups: int) -> bool:
    """Tell whether one product for all rows of the kernel is less work than one for each."""
    reach = windows.dilation[0] * (windows.kernel[0] - 1)
    padding = windows.outputs[0] + reach - shape[2]
    return (
        set(windows.stride) == {1}
        and 0 <= windows.before[0] <= padding
        and windows.kernel[0] > 1
        and shape[2] <= windows.outputs[0]
        and shape[1] // groups * prod(windows.kernel[1:]) >= FEW
        and shape[2] * prod(windows.outputs[1:]) >= WINDOWS
    )


def _grouped(y: Any, groups: int) -> Any:
    """Return outputs as (samples, groups, outputs of one, rows, windows of a row)."""
    samples, channels, rows, *others = y.shape
    return y.reshape(samples, groups, channels // groups, rows, prod(others))


def convolution(xp, x, weight, /, *, outputs, stride, before, dilation, groups):
    """Add up what the rows of the kernel make of each row of the array."""
    windows = Windows(weight.shape[2:], outputs, stride, before, dilation)
    if x.size == 0 or not _pays(x.shape, windows, groups):
        settings = windows._asdict() | {"groups": groups}
        del settings["kernel"]
        return numpy_convolution.convolution(xp, x, weight, **settings)
    x, weight = numpy_convolution.alike(x, weight)
    out = np.zeros((len(x), len(weight), *outputs), x.dtype)
    factor = _factor(weight, groups)
    for number, band in enumerate(_bands(x, len(weight), windows)):
        stack = Stack(x, len(weight), windows, groups, band)
        _convolve_into(_grouped(out, groups)[:, :, :, stack.made], x, factor, stack, number == 0)
    return out


def _factor(weight: Any, groups: int) -> Any:
    """Return kernels as (groups, outputs of one and rows, inputs and other places)."""
    outputs, inputs, rows, *others = weight.shape
    split = weight.reshape(groups, outputs // groups, inputs, rows, prod(others))
    factor = np.ascontiguousarray(split.swapaxes(2, 3))
    return factor.reshape(groups, outputs // groups * rows, inputs * prod(others))


def _convolve_into(out, x, factor, stack, new):
    for samples in stack.blocks:
        part = out[samples]
        np.matmul(factor, stack.read(x[samples]), out=stack.of_parts(len(part)))
        shifted = stack.shifted[: len(part)]
        if new:
            np.add.reduce(shifted, axis=3, out=part)
        else:
            part += np.add.reduce(shifted, axis=3)


def convolution_kernel(xp, x, y, /, *, kernel, stride, before, dilation, groups):
    """Multiply what the rows of the kernel read with the outputs that they add to."""
    windows = Windows(kernel, y.shape[2:], stride, before, dilation)
    if x.size == 0 or not _pays(x.shape, windows, groups):
        settings = windows._asdict() | {"groups": groups}
        del settings["outputs"]
        return numpy_convolution.convolution_kernel(xp, x, y, **settings)
    x, y = numpy_convolution.alike(x, y)
    inputs, of_one = x.shape[1] // groups, y.shape[1] // groups
    found = np.zeros((groups, of_one * kernel[0], inputs * prod(kernel[1:])), x.dtype)
    for band in _bands(x, y.shape[1], windows):
        stack = Stack(x, y.shape[1], windows, groups, band)
        _add_kernels(found, x, _grouped(y, groups)[:, :, :, None, stack.made], stack)
    split = found.reshape(groups, of_one, kernel[0], inputs, prod(kernel[1:])).swapaxes(2, 3)
    return np.ascontiguousarray(split).reshape(groups * of_one, inputs, *kernel)


def _add_kernels(found, x, y, stack):
    """Add to kernels as (groups, outputs of one and rows, inputs and other places)."""
    # BLAS is faster, by up to a third, if the first factor is the one with more rows.
    turned = found.shape[1] < found.shape[2]
    target = found.mT if turned else found
    products = np.empty((len(stack.columns), *target.shape), x.dtype)
    for samples in stack.blocks:
        read, count = stack.read(x[samples]), len(x[samples])
        stack.shifted[:count] = y[samples]
        made = stack.of_parts(count)
        first, second = (read, made) if turned else (made, read)
        for one in np.matmul(first, second.mT, out=products[:count]):
            target += one


def convolution_transpose(xp, y, weight, /, *, lengths, stride, before, dilation, groups):
    """Convolve outputs with the kernel from its end to its beginning, where strides are 1."""
    settings = {"stride": stride, "dilation": dilation, "groups": groups}
    if set(stride) != {1}:
        return numpy_convolution.convolution_transpose(
            xp, y, weight, lengths=lengths, before=before, **settings
        )
    turned_weight, before = turned(weight, before, dilation, groups)
    return convolution(xp, y, turned_weight, outputs=lengths, before=before, **settings)


def turned(weight: Any, before: Lengths, dilation: Lengths, groups: int) -> tuple[Any, Lengths]:
    """Return kernels from end to beginning, inputs and outputs swapped, and where they begin."""
    outputs, inputs, *kernel = weight.shape
    split = weight.reshape(groups, outputs // groups, inputs, *kernel).swapaxes(1, 2)
    flipped = np.flip(split, axis=tuple(range(3, split.ndim)))
    ends = [d * (k - 1) - b for k, d, b in zip(kernel, dilation, before, strict=True)]
    return flipped.reshape(groups * inputs, outputs // groups, *kernel), tuple(ends)


KERNELS: dict[str, Kernel] = {
    "convolution": convolution,
    "convolution_kernel": convolution_kernel,
    "convolution_transpose": convolution_transpose,
}
