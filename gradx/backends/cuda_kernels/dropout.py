"""Dropout and DropConnect: the mask is made again from the key wherever it is needed.

It is the mask that ``gradx.random.bernoulli`` draws, 32 bits for each element, and it is never
written: the derivative of dropout is dropout of the cotangent with the same key.
"""

from functools import cache
from typing import Any

from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.philox import PHILOX
from gradx.backends.cuda_kernels.prelude import (
    REALS,
    THREADS,
    Number,
    blocks_for,
    real_number,
    source,
)

TEXT = """
extern "C" __global__ void dropout(
        Stored* out, const Stored* x, const uint64* key, int64 count, int64 limit, double scale) {
    FOR_EACH(block, (count + 7) / 8) {
        const Words words = philox(key, block, 0, 0);
        for (int i = 0; i < 8 && 8 * block + i < count; ++i) {
            const bool kept = half_of(words, i) < (uint64)limit;
            const Real value = loaded(x[8 * block + i]);
            keep(out + 8 * block + i, kept ? value * (Real)scale : (Real)0);
        }
    }
}
"""


KINDS = [(number,) for number in REALS.values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, PHILOX, TEXT)


def dropout(xp: Any, x: Any, key: Any, /, *, rate: float) -> Any:
    """Set elements to zero with probability ``rate``, and scale up the others.

    Its own transpose: called with a cotangent and the same key it is the derivative. For
    DropConnect ``x`` is a weight, and the key that of its place.
    """
    return dropped(xp, x, key, limit=round((1 - rate) * 2**32), scale=1 / (1 - rate))


def dropped(xp: Any, x: Any, key: Any, /, *, limit: int, scale: float) -> Any:
    """Keep, times ``scale``, elements whose 32 bits are below ``limit``; the others are 0."""
    text, x, key = code(real_number("dropout", x.dtype)), contiguous(x), contiguous(key)
    out = xp.empty_like(x)
    launch(text, "dropout", blocks_for(-(-x.size // 8)), THREADS, out, x, key, x.size, limit, scale)
    return out
