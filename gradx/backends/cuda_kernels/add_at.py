"""Adding slices at places, of which several may be one: by atomic additions, or in order.

Atomic additions come in whatever order the device has them, and the last bits of a sum of
floating-point numbers with it. Where ``gx.deterministic(True)`` asks for the same bits every
time, places are sorted first and each run of equal ones is added up by one thread, in the
order that NumPy has. So are dtypes for which there is no atomic addition.
"""

from functools import cache
from math import prod
from typing import Any

from gradx.backends.base import Kernel
from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.prelude import (
    INTEGERS,
    REALS,
    THREADS,
    Number,
    blocks_for,
    source,
)
from gradx.backends.settings import is_deterministic

ATOMIC = {"float32", "float64", "uint32", "uint64"}
COMPLEX = {"complex64": "float32", "complex128": "float64"}

# Element (block, p, column) of x goes to (block, places[p], column) of the result.
ATOMIC_TEXT = """
extern "C" __global__ void add_at_atomic(
        Stored* out, const Stored* x, const int64* places, int64 total, int64 count, int64 width,
        int64 length) {
    FOR_EACH(i, total) {
        const int64 column = i % width, p = i / width % count, block = i / width / count;
        const int64 place = places[p] < 0 ? places[p] + length : places[p];
        if (0 <= place && place < length)
            atomicAdd(out + (block * length + place) * width + column, x[i]);
    }
}
"""

SORTED_TEXT = """
extern "C" __global__ void add_at_sorted(
        Stored* out, const Stored* x, const int64* places, const int64* order, int64 total,
        int64 count, int64 width, int64 length) {
    FOR_EACH(i, total) {
        const int64 column = i % width, block = i / width / count;
        int64 p = i / width % count;
        const int64 place = places[p];
        const bool starts = p == 0 || places[p - 1] != place;
        if (!starts || place < 0 || place >= length) continue;
        Real sum = 0;
        for (; p < count && places[p] == place; ++p)
            sum += loaded(x[(block * count + order[p]) * width + column]);
        keep(out + (block * length + place) * width + column, sum);
    }
}
"""


KINDS = [
    *[((REALS | INTEGERS)[dtype], True) for dtype in sorted(ATOMIC)],
    *[(number, False) for number in (REALS | INTEGERS).values()],
]


@cache
def code(number: Number, atomic: bool) -> str:
    """Return the source for one kind of numbers."""
    return source(number, ATOMIC_TEXT if atomic else SORTED_TEXT)


def add_at(xp: Any, x: Any, indices: Any, /, *, length: int, axis: int) -> Any:
    """Add slices of ``x`` into zeros at ``indices`` along ``axis``."""
    shape = (*x.shape[:axis], length, *x.shape[axis + indices.ndim :])
    if x.dtype.name in COMPLEX:
        parts = [add_at(xp, part, indices, length=length, axis=axis) for part in (x.real, x.imag)]
        return parts[0] + 1j * parts[1]
    out = xp.zeros(shape, dtype=x.dtype, device=x.device)
    places = contiguous(xp.astype(indices, xp.int64, copy=False)).reshape(-1)
    sizes = (x.size, places.size, prod(x.shape[axis + indices.ndim :]), length)
    add = _add_in_order if is_deterministic() or x.dtype.name not in ATOMIC else _add_atomically
    add(xp, out, contiguous(x), places, sizes)
    return out


def _add_atomically(xp, out, x, places, sizes):
    text = code((REALS | INTEGERS)[x.dtype.name], atomic=True)
    launch(text, "add_at_atomic", blocks_for(x.size), THREADS, out, x, places, *sizes)


def _add_in_order(xp, out, x, places, sizes):
    if places.size == 0:
        return
    text = code((REALS | INTEGERS)[x.dtype.name], atomic=False)
    places = xp.where(places < 0, places + sizes[-1], places)
    order = xp.astype(xp.argsort(places, stable=True), xp.int64, copy=False)
    ordered = contiguous(xp.take(places, order, axis=0))
    launch(text, "add_at_sorted", blocks_for(x.size), THREADS, out, x, ordered, order, *sizes)


KERNELS: dict[str, Kernel] = {"add_at": add_at}
