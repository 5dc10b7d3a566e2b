"""Softmax and its logarithm: a row is read once from memory and written once."""

from functools import cache
from typing import Any

from gradx.backends.base import Kernel
from gradx.backends.cuda_kernels.launching import launch
from gradx.backends.cuda_kernels.prelude import REALS, Number, real_number, source
from gradx.backends.cuda_kernels.rows import REDUCE, Rows

TEXT = """
__device__ Real largest_of(const Stored* x, int64 width) {
    Real largest = -infinity();
    ALONG_ROW(i, width) largest = Largest::of(loaded(x[i]), largest);
    return across_row<Largest>(largest);
}

__device__ Real sum_of_powers(const Stored* x, Real largest, int64 width) {
    Real sum = 0;
    ALONG_ROW(i, width) sum += exp(loaded(x[i]) - largest);
    return across_row<Sum>(sum);
}
"""

KERNEL_TEXT = """
extern "C" __global__ void softmax(Stored* out, const Stored* x, int64 rows, int64 width) {
    if (ROW >= rows) return;
    out += ROW * width, x += ROW * width;
    const Real largest = largest_of(x, width);
    const Real sum = sum_of_powers(x, largest, width);
    ALONG_ROW(i, width) keep(out + i, (Real)(exp(loaded(x[i]) - largest) / sum));
}

extern "C" __global__ void log_softmax(Stored* out, const Stored* x, int64 rows, int64 width) {
    if (ROW >= rows) return;
    out += ROW * width, x += ROW * width;
    const Real largest = largest_of(x, width);
    const Real log_sum = log(sum_of_powers(x, largest, width));
    ALONG_ROW(i, width) keep(out + i, (Real)(loaded(x[i]) - largest - log_sum));
}

extern "C" __global__ void softmax_backward(
        Stored* to_x, const Stored* g, const Stored* out, int64 rows, int64 width) {
    if (ROW >= rows) return;
    to_x += ROW * width, g += ROW * width, out += ROW * width;
    Real mean = 0;
    ALONG_ROW(i, width) mean += loaded(g[i]) * loaded(out[i]);
    mean = across_row<Sum>(mean);
    ALONG_ROW(i, width) keep(to_x + i, (Real)(loaded(out[i]) * (loaded(g[i]) - mean)));
}

extern "C" __global__ void log_softmax_backward(
        Stored* to_x, const Stored* g, const Stored* out, int64 rows, int64 width) {
    if (ROW >= rows) return;
    to_x += ROW * width, g += ROW * width, out += ROW * width;
    Real sum = 0;
    ALONG_ROW(i, width) sum += loaded(g[i]);
    sum = across_row<Sum>(sum);
    ALONG_ROW(i, width) keep(to_x + i, (Real)(loaded(g[i]) - exp(loaded(out[i])) * sum));
}
"""


KINDS = [(number,) for number in REALS.values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, REDUCE, TEXT, KERNEL_TEXT)


def softmax(xp: Any, x: Any, /, *, axis: Any = -1) -> Any:
    """Compute ``exp(x) / sum(exp(x))`` along ``axis``, without overflow."""
    return _along_rows(xp, "softmax", _as_real(xp, x), axis)


def log_softmax(xp: Any, x: Any, /, *, axis: Any = -1) -> Any:
    """Compute the logarithm of ``softmax(x)`` along ``axis``, without overflow."""
    return _along_rows(xp, "log_softmax", _as_real(xp, x), axis)


def softmax_backward(xp: Any, g: Any, out: Any, /, *, axis: Any = -1) -> Any:
    """Pull ``g`` back through ``out = softmax(x)``."""
    return _along_rows(xp, "softmax_backward", g, axis, out)


def log_softmax_backward(xp: Any, g: Any, out: Any, /, *, axis: Any = -1) -> Any:
    """Pull ``g`` back through ``out = log_softmax(x)``."""
    return _along_rows(xp, "log_softmax_backward", g, axis, out)


def _along_rows(xp, name, x, axis, *others):
    text = code(real_number(name, x.dtype))
    rows = Rows(xp, name, x, axis)
    out = xp.empty_like(rows.array)
    inputs = [rows.array, *map(rows.of, others)]
    launch(text, name, *rows.grid, out, *inputs, rows.count, rows.width)
    return rows.restore(out)


def _as_real(xp, x):
    return xp.astype(x, xp.float64) if x.dtype.kind in "iu" else x


KERNELS: dict[str, Kernel] = {"softmax": softmax, "log_softmax": log_softmax}
