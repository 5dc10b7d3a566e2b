"""Taking slices at places, of which an embedding is made.

To look whether all places exist is to wait for all that was launched before, and a step that is
being captured cannot: there a slice that does not exist is NaN, and is refused everywhere else.
"""

from functools import cache
from math import prod
from typing import Any

from gradx.backends.base import Kernel
from gradx.backends.cuda_kernels.launching import contiguous, is_capturing, launch
from gradx.backends.cuda_kernels.prelude import REALS, THREADS, Number, blocks_for, source
from gradx.errors import OutOfBoundsError

# Element (block, p, column) of the result is (block, places[p], column) of x.
TEXT = """
extern "C" __global__ void take(
        Stored* out, const Stored* x, const int64* places, int64 total, int64 count, int64 width,
        int64 length) {
    FOR_EACH(i, total) {
        const int64 column = i % width, p = i / width % count, block = i / width / count;
        const int64 place = places[p] < 0 ? places[p] + length : places[p];
        if (0 <= place && place < length) out[i] = x[(block * length + place) * width + column];
        else keep(out + i, (Real)not_a_number());
    }
}
"""

KINDS = [(number,) for number in REALS.values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, TEXT)


def take(xp: Any, x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    """Take the slices of ``x`` at ``indices`` along ``axis``, or elements of it flattened."""
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis = axis % x.ndim
    length, places = x.shape[axis], xp.astype(indices, xp.int64, copy=False)
    if not is_capturing():
        places = _checked(xp, places, length)
    if x.dtype.name not in REALS:
        return _by_cupy(xp, x, places, axis)
    out = xp.empty(
        (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), dtype=x.dtype, device=x.device
    )
    sizes = (out.size, max(1, places.size), prod(x.shape[axis + 1 :]), length)
    text, arrays = code(REALS[x.dtype.name]), (contiguous(x), contiguous(places))
    launch(text, "take", blocks_for(out.size), THREADS, out, *arrays, *sizes)
    return out


def _checked(xp, places, length):
    outside = (places < -length) | (places >= length)
    if xp.any(outside):
        worst = int(xp.max(xp.where(outside, xp.abs(places), 0)))
        raise OutOfBoundsError(f"index {worst} is out of bounds for an axis of size {length}")
    return xp.where(places < 0, places + length, places)


def _by_cupy(xp, x, places, axis):
    if is_capturing():
        raise RuntimeError(f"places in {x.dtype} have no NaN to tell of those that do not exist")
    taken = xp.take(x, xp.reshape(places, (-1,)), axis=axis)
    return taken.reshape((*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]))


KERNELS: dict[str, Kernel] = {"take": take}
