"""One number of a whole array: its sum, and whether any or all of its elements are true.

CuPy's own reductions of whole arrays are CUB's, and each takes NVRTC more than three seconds to
compile, the first time on a machine: a step that asks for one sum waits longer than for all else.
"""

from functools import cache
from typing import Any

from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.prelude import (
    COMMON,
    REALS,
    THREADS,
    Number,
    blocks_for,
    source,
)
from gradx.backends.cuda_kernels.rows import REDUCE

MOST = 1 << 16  # elements that one block adds up as soon as CUB does
THREADS_OF_SUM = 1024

TRUTH = """
extern "C" __global__ void any_of(bool* found, const bool* x, int64 count) {
    FOR_EACH(i, count) if (x[i]) *found = true;
}

extern "C" __global__ void all_of(bool* found, const bool* x, int64 count) {
    FOR_EACH(i, count) if (!x[i]) *found = false;
}
"""

SUM = """
extern "C" __global__ void sum_of(Stored* out, const Stored* x, int64 count) {
    Real sum = 0;
    ALONG_ROW(i, count) sum += loaded(x[i]);
    sum = across_row<Sum>(sum);
    if (threadIdx.x == 0) keep(out, sum);
}
"""

KINDS: list[tuple[Number | None]] = [(None,), *[(number,) for number in REALS.values()]]


@cache
def code(number: Number | None) -> str:
    """Return the source of sums of one kind of numbers, of truth for None."""
    return COMMON + TRUTH if number is None else source(number, REDUCE, SUM)


def is_summed(x: Any, axis: Any) -> bool:
    """Tell whether ``sum_of`` adds up an array: it is small, of real numbers, and all of it."""
    whole = axis is None or (isinstance(axis, tuple) and len(set(axis)) == len(axis) == x.ndim)
    return whole and 0 < x.size <= MOST and x.dtype.name in REALS


def sum_of(xp: Any, x: Any, /, *, keepdims: bool = False) -> Any:
    """Add up all elements of an array for which ``is_summed`` holds."""
    out = xp.empty((1,) * x.ndim if keepdims else (), dtype=x.dtype, device=x.device)
    text = code(REALS[x.dtype.name])
    launch(text, "sum_of", 1, (THREADS_OF_SUM, 1), out, contiguous(x), x.size)
    return out


def any_of(xp: Any, x: Any, /, *, keepdims: bool = False) -> Any:
    """Tell whether any element of an array of booleans is true."""
    return _truth(xp.zeros, "any_of", x, keepdims)


def all_of(xp: Any, x: Any, /, *, keepdims: bool = False) -> Any:
    """Tell whether every element of an array of booleans is true."""
    return _truth(xp.ones, "all_of", x, keepdims)


def _truth(start: Any, name: str, x: Any, keepdims: bool) -> Any:
    with x.device:
        found = start((1,) * x.ndim if keepdims else (), dtype=bool)
    launch(code(None), name, blocks_for(x.size), THREADS, found, contiguous(x), x.size)
    return found
