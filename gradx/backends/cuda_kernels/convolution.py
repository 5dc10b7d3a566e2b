"""Convolution: what windows read is gathered into columns, and cuBLASLt multiplies them.

The way back gathers too: an element adds up the columns that it was copied to, in one order,
so there are no atomic additions and the bits are the same every time. Kernels of one place
need no columns. Samples are taken in blocks whose columns have at most ``BLOCK`` bytes.
"""

from collections.abc import Iterator
from functools import cache, reduce
from math import prod
from operator import add
from typing import Any

from gradx.backends.base import Kernel
from gradx.backends.cublaslt import matmul
from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.prelude import (
    INTEGERS,
    REALS,
    THREADS,
    Number,
    blocks_for,
    source,
)
from gradx.backends.cuda_kernels.windows import NARROW, PARAMETERS, Geometry, over
from gradx.backends.cuda_kernels.windows import text as windows_text
from gradx.errors import DTypeError

BLOCK = 1 << 28
COMPLEX = {"complex64": "float", "complex128": "double"}

COMPLEX_TEXT = """
struct Complex { %s real, imag; };
__device__ __forceinline__ Complex zero() { return {0, 0}; }
__device__ __forceinline__ void add(Complex& sum, const Complex& x) {
    sum.real += x.real;
    sum.imag += x.imag;
}
"""
REAL_TEXT = """
__device__ __forceinline__ Real zero() { return 0; }
__device__ __forceinline__ void add(Real& sum, const Stored& x) { sum += loaded(x); }
"""

# Images are (samples and channels, elements), columns (samples and channels, places, windows).
COLUMNS_TEXT = """
extern "C" __global__ void columns_of_windows(
        Stored* columns, const Stored* images, int64 total, PARAMETERS) {
    const Axes axes = AXES;
    const Place windows = axes.windows(), places = axes.places();
    FOR_EACH_PLACE(i, total) {
        const Index window = index_among_output(axes, i % windows);
        const Index place = index_among_kernel(axes, i / windows % places);
        Place element = i / windows / places;  // the image, and then what is in it
        bool is_there = true;
        for (int axis = 0; axis < 3; ++axis) {
            const Place along = element_along(axes.of[axis], window.of[axis], place.of[axis]);
            is_there = is_there && along >= 0;
            element = element * axes.of[axis].length + along;
        }
        if (is_there) columns[i] = images[element];
        else keep(columns + i, zero());
    }
}

extern "C" __global__ void images_of_columns(
        Stored* images, const Stored* columns, int64 total, PARAMETERS) {
    const Axes axes = AXES;
    const Place windows = axes.windows(), places = axes.places(), elements = axes.elements();
    FOR_EACH_PLACE(i, total) {
        const Index element = index_among_length(axes, i % elements);
        const Stored* column = columns + i / elements * places * windows;
        Real sum = zero();
        for_each_window(axes, element, [&](Place window, Place place) {
            add(sum, column[place * windows + window]);
        });
        keep(images + i, sum);
    }
}
""".replace("PARAMETERS", PARAMETERS)


KINDS = [*[(dtype, False) for dtype in (*REALS, *INTEGERS, *COMPLEX)], ("float32", True)]


@cache
def code(dtype: str, wide: bool) -> str:
    """Return the source for one dtype, and for large arrays where it is wide."""
    if dtype in COMPLEX:
        arithmetic, number = COMPLEX_TEXT % COMPLEX[dtype], Number("struct Complex", "Complex")
        return source(number, arithmetic, windows_text(wide), COLUMNS_TEXT)
    if dtype not in REALS | INTEGERS:
        raise DTypeError(f"convolution: expected numbers, got {dtype}")
    return source((REALS | INTEGERS)[dtype], REAL_TEXT, windows_text(wide), COLUMNS_TEXT)


def columns_of_windows(xp: Any, x: Any, geometry: Geometry, /) -> Any:
    """Return what each window reads: (samples, channels, places, windows)."""
    samples, channels = x.shape[:2]
    shape = (samples, channels, geometry.places, geometry.windows)
    if _reads_all_in_order(geometry):
        return contiguous(x).reshape(shape)
    out = xp.empty(shape, dtype=x.dtype, device=x.device)
    _launch("columns_of_windows", out, contiguous(x), geometry)
    return out


def images_of_columns(xp: Any, columns: Any, geometry: Geometry, /) -> Any:
    """Add up each element's copies: (samples, channels, *lengths); the transpose of the above."""
    shape = (*columns.shape[:2], *geometry.lengths)
    if _reads_all_in_order(geometry):
        return columns.reshape(shape)
    out = xp.empty(shape, dtype=columns.dtype, device=columns.device)
    _launch("images_of_columns", out, contiguous(columns), geometry)
    return out


def _launch(name, out, array, geometry):
    text = code(out.dtype.name, max(out.size, array.size) >= NARROW)
    blocks = blocks_for(out.size)
    launch(text, name, blocks, THREADS, out, array, out.size, *geometry.arguments)


def _reads_all_in_order(geometry):
    return (
        geometry.places == 1
        and geometry.outputs == geometry.lengths
        and not any(geometry.before)
        and set(geometry.stride) == {1}
    )


def convolution(
    xp: Any,
    x: Any,
    weight: Any,
    /,
    *,
    outputs: Any,
    stride: Any,
    before: Any,
    dilation: Any,
    groups: int,
) -> Any:
    """Sum the products over inputs and places: (samples, outputs, *windows)."""
    geometry = over(x.shape[2:], weight.shape[2:], outputs, stride, before, dilation)
    factors = _factors(weight, groups)
    out = [
        matmul(xp, factors, _grouped(columns_of_windows(xp, block, geometry), groups, geometry))
        for block in _blocks(x, x.shape[1], geometry)
    ]
    return _joined(xp, out).reshape(x.shape[0], weight.shape[0], *outputs)


def convolution_transpose(
    xp: Any,
    y: Any,
    weight: Any,
    /,
    *,
    lengths: Any,
    stride: Any,
    before: Any,
    dilation: Any,
    groups: int,
) -> Any:
    """Sum the products over outputs and windows: (samples, inputs, *lengths)."""
    geometry = over(lengths, weight.shape[2:], y.shape[2:], stride, before, dilation)
    channels = groups * weight.shape[1]
    factors = xp.matrix_transpose(_factors(weight, groups))
    out = []
    for block in _blocks(y, channels, geometry):
        columns = matmul(xp, factors, _grouped(block, groups, geometry))
        shape = (block.shape[0], channels, geometry.places, geometry.windows)
        out.append(images_of_columns(xp, columns.reshape(shape), geometry))
    return _joined(xp, out)


def convolution_kernel(
    xp: Any,
    x: Any,
    y: Any,
    /,
    *,
    kernel: Any,
    stride: Any,
    before: Any,
    dilation: Any,
    groups: int,
) -> Any:
    """Sum the products over samples and windows: (outputs, inputs of a group, *kernel)."""
    geometry = over(x.shape[2:], kernel, y.shape[2:], stride, before, dilation)
    shape = (y.shape[1], x.shape[1] // groups, *kernel)
    sums, start = [], 0
    for block in _blocks(x, x.shape[1], geometry):
        columns = _grouped(columns_of_windows(xp, block, geometry), groups, geometry)
        part = _grouped(y[start : start + block.shape[0]], groups, geometry)
        products = matmul(xp, part, xp.matrix_transpose(columns))
        sums.append(xp.sum(products, axis=0, dtype=products.dtype))
        start += block.shape[0]
    return reduce(add, sums).reshape(shape)


def _blocks(x: Any, channels: int, geometry: Geometry) -> Iterator[Any]:
    """Cut an array into blocks of samples, of which there is one at least."""
    of_one = channels * geometry.places * geometry.windows * x.itemsize
    size = max(1, BLOCK // max(of_one, 1))
    for start in range(0, max(x.shape[0], 1), size):
        yield x[start : start + size]


def _joined(xp, blocks):
    return blocks[0] if len(blocks) == 1 else xp.concat(blocks, axis=0)


def _grouped(x: Any, groups: int, geometry: Geometry) -> Any:
    """Return what belongs to windows as (samples, groups, rows of one, windows)."""
    samples, windows = x.shape[0], geometry.windows
    rows = prod(x.shape[1:]) // (groups * max(windows, 1))
    return contiguous(x).reshape(samples, groups, rows, windows)


def _factors(weight: Any, groups: int) -> Any:
    """Return kernels as (groups, outputs of one, inputs and places)."""
    outputs, *others = weight.shape
    return contiguous(weight).reshape(groups, outputs // groups, prod(others))


KERNELS: dict[str, Kernel] = {
    "convolution": convolution,
    "convolution_transpose": convolution_transpose,
    "convolution_kernel": convolution_kernel,
}
