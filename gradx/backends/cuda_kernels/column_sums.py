"""Sums over the first axes: the derivative of what was broadcast over them, as a bias is.

Blocks add up strips of rows, a second launch adds the strips, so that the sums are the same
bits every time.
"""

from functools import cache
from math import prod
from typing import Any

from gradx.backends.cuda_kernels.launching import launch
from gradx.backends.cuda_kernels.prelude import REALS, THREADS, Number, blocks_for, source

STRIPS = 64  # at most so many partial sums

TEXT = """
// Each block adds up 32 columns of one strip of rows, with 8 threads for a column.
extern "C" __global__ void sums_of_strips(
        Real* sums, const Stored* x, int64 rows, int64 width) {
    __shared__ Real shared[8][33];
    const int64 column = blockIdx.x * (int64)32 + threadIdx.x;
    Real sum = 0;
    if (column < width)
        for (int64 row = blockIdx.y * (int64)8 + threadIdx.y; row < rows; row += gridDim.y * 8)
            sum += loaded(x[row * width + column]);
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || column >= width) return;
    for (int other = 1; other < 8; ++other) sum += shared[other][threadIdx.x];
    sums[blockIdx.y * width + column] = sum;
}

extern "C" __global__ void sum_of_strips(
        Stored* out, const Real* sums, int64 strips, int64 width) {
    FOR_EACH(column, width) {
        Real sum = 0;
        for (int64 strip = 0; strip < strips; ++strip) sum += sums[strip * width + column];
        keep(out + column, sum);
    }
}
"""

KINDS = [(number,) for number in REALS.values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, TEXT)


def is_over_columns(x: Any, axis: Any) -> bool:
    """Tell whether real numbers in row-major order are added up over their first axes."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    first = axis is not None and tuple(sorted(a % x.ndim for a in axes)) == tuple(range(len(axes)))
    return first and 0 < len(axes) < x.ndim and x.dtype.name in REALS and x.flags.c_contiguous


def column_sums(xp: Any, x: Any, /, *, axis: Any, keepdims: bool = False) -> Any:
    """Add up over the first axes, for which ``is_over_columns`` holds."""
    count = len(axis) if isinstance(axis, tuple) else 1
    number, kept = REALS[x.dtype.name], x.shape[count:]
    rows, width = prod(x.shape[:count]), prod(kept)
    shape = (*(1,) * count, *kept) if keepdims else kept
    out = xp.empty(shape, dtype=x.dtype, device=x.device)
    strips = max(1, min(STRIPS, -(-rows // 64)))
    sums_dtype = xp.float64 if x.dtype == xp.float64 else xp.float32
    sums = xp.empty((strips, width), dtype=sums_dtype, device=x.device)
    text, blocks = code(number), (-(-width // 32), strips)
    launch(text, "sums_of_strips", blocks, (32, 8), sums, x, rows, width)
    launch(text, "sum_of_strips", blocks_for(width), THREADS, out, sums, strips, width)
    return out
