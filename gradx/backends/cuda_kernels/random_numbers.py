"""Random numbers where the key is: the bits of ``gradx.random``, and all numbers made of them.

Only numbers of the normal distribution may differ from the CPU's, in their last bits: the two
have their own logarithms and cosines.
"""

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from gradx.backends.base import Kernel
from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.philox import DRAW, FOLD, PHILOX, SPLIT
from gradx.backends.cuda_kernels.prelude import (
    INTEGERS,
    REALS,
    THREADS,
    Number,
    blocks_for,
    source,
)
from gradx.backends.registry import backend_for_device

# Each thread makes one block: 4 words, or 8 halves.
WORDS_TEXT = """
extern "C" __global__ void random_words(
        uint64* out, const uint64* key, int64 count, int64 low, int64 high, int64 domain) {
    FOR_EACH(block, (count + 3) / 4) {
        const uint64 place = (uint64)low + block;
        const Words words = philox(key, place, (uint64)high + (place < (uint64)low), domain);
        for (int i = 0; i < 4 && 4 * block + i < count; ++i) out[4 * block + i] = words.of[i];
    }
}

extern "C" __global__ void bernoulli(
        unsigned char* out, const uint64* key, int64 count, int64 limit) {
    FOR_EACH(block, (count + 7) / 8) {
        const Words words = philox(key, block, 0, 0);
        for (int i = 0; i < 8 && 8 * block + i < count; ++i)
            out[8 * block + i] = half_of(words, i) < (uint64)limit;
    }
}
"""

# Multiplied and added apart, as NumPy does: in one instruction the last bit may differ.
REALS_TEXT = """
__device__ __forceinline__ float scaled(float x, float factor, float offset) {
    return __fadd_rn(__fmul_rn(x, factor), offset);
}
__device__ __forceinline__ double scaled(double x, double factor, double offset) {
    return __dadd_rn(__dmul_rn(x, factor), offset);
}

// Numbers of one block: fractions of all bits that there is room for, and angles.
#define TWO_PI 6.283185307179586
struct Floats {
    static const int count = 8;
    static __device__ float fraction(const Words& words, int i) {
        return (half_of(words, i) >> 8) * 0x1p-24f;
    }
    static __device__ float above_zero(const Words& words, int i) {
        return scaled((float)half_of(words, i), 0x1p-32f, 0x1p-33f);
    }
    static __device__ float angle(const Words& words, int i) {
        return (float)half_of(words, i) * (float)(TWO_PI * 0x1p-32);
    }
};
struct Doubles {
    static const int count = 4;
    static __device__ double fraction(const Words& words, int i) {
        return (words.of[i] >> 11) * 0x1p-53;
    }
    static __device__ double above_zero(const Words& words, int i) {
        return ((words.of[i] >> 11) + 1) * 0x1p-53;
    }
    static __device__ double angle(const Words& words, int i) {
        return (words.of[i] >> 11) * (TWO_PI * 0x1p-53);
    }
};
template <int size> struct BySize { typedef Floats Numbers; };
template <> struct BySize<8> { typedef Doubles Numbers; };
typedef BySize<sizeof(Real)>::Numbers Numbers;

extern "C" __global__ void uniform(
        Real* out, const uint64* key, int64 count, double low, double high) {
    const int size = Numbers::count;
    const Real least = low, limit = high;
    FOR_EACH(block, (count + size - 1) / size) {
        const Words words = philox(key, block, 0, 0);
        for (int i = 0; i < size && size * block + i < count; ++i) {
            Real x = Numbers::fraction(words, i);
            if (least != 0 || limit != 1) x = scaled(x, limit - least, least);
            out[size * block + i] = x < limit ? x : nextafter(limit, least);
        }
    }
}

extern "C" __global__ void normal(
        Real* out, const uint64* key, int64 count, double center, double spread) {
    const int size = Numbers::count;
    FOR_EACH(block, (count + size - 1) / size) {
        const Words words = philox(key, block, 0, 0);
        for (int i = 0; i < size && size * block + i < count; i += 2) {
            const Real radius = sqrt(-2 * log(Numbers::above_zero(words, i)));
            const Real angle = Numbers::angle(words, i + 1);
            Real* place = out + size * block + i;
            place[0] = scaled(radius * cos(angle), (Real)spread, (Real)center);
            if (size * block + i + 1 < count)
                place[1] = scaled(radius * sin(angle), (Real)spread, (Real)center);
        }
    }
}
"""

# The high part of bits times range; a range of 2**64 is passed as 0.
INTEGERS_TEXT = """
extern "C" __global__ void integers(
        Stored* out, const uint64* key, int64 count, int64 low, int64 range) {
    FOR_EACH(block, (count + 3) / 4) {
        const Words words = philox(key, block, 0, 0);
        for (int i = 0; i < 4 && 4 * block + i < count; ++i)
            out[4 * block + i] = (Stored)(__umul64hi(words.of[i], range) + (uint64)low);
    }
}

extern "C" __global__ void integers_of_two_words(
        Stored* out, const uint64* key, int64 count, int64 low, int64 range) {
    FOR_EACH(block, (count + 1) / 2) {
        const Words words = philox(key, block, 0, 0);
        for (int i = 0; i < 2 && 2 * block + i < count; ++i) {
            const uint64 upper = words.of[2 * i], middle = upper * range;
            const bool carry = middle + __umul64hi(words.of[2 * i + 1], range) < middle;
            const uint64 number = range ? __umul64hi(upper, range) + carry : upper;
            out[2 * block + i] = (Stored)(number + (uint64)low);
        }
    }
}
"""

WORDS = Number("uint64", "uint64")
KINDS = [
    (WORDS_TEXT, WORDS),
    *[(REALS_TEXT, REALS[name]) for name in ("float32", "float64")],
    *[(INTEGERS_TEXT, number) for number in INTEGERS.values()],
]


@cache
def code(text: str, number: Number) -> str:
    """Return the source of some of the laws for one kind of numbers."""
    return source(number, PHILOX, text)


def random_words(xp: Any, key: Any, count: int, /, *, first: int = 0, domain: int = DRAW) -> Any:
    """Return ``count`` words of ``key``, from block ``first`` of ``domain``; ``first < 2**128``."""
    out = xp.empty((count,), dtype=xp.uint64, device=key.device)
    low, high = (_signed(first >> shift) for shift in (0, 64))
    _fill(code(WORDS_TEXT, WORDS), "random_words", out, key, 4, low, high, domain)
    return out


def child_keys(xp: Any, key: Any, /, *, count: int) -> Any:
    """Make ``count`` keys of one."""
    return random_words(xp, key, 4 * count, domain=SPLIT).reshape(count, 4)[:, :2].copy()


def folded_key(xp: Any, key: Any, data: Any, /) -> Any:
    """Make the key for ``key`` and a number."""
    return random_words(xp, key, 2, first=int(data), domain=FOLD)


def random_numbers(
    xp: Any,
    key: Any,
    /,
    *,
    law: str,
    shape: Any,
    drawn_dtype: str,
    numbers: Any = (),
    device: Any = None,
) -> Any:
    """Draw from the law of a name: on ``device``, or where the key is."""
    if device is None:
        return LAWS[law](xp, key, shape, np.dtype(drawn_dtype), *numbers)
    backend, native = backend_for_device(device)
    if backend.xp is xp:
        return LAWS[law](xp, backend.transfer(key, native), shape, np.dtype(drawn_dtype), *numbers)
    drawn = LAWS[law](xp, key, shape, np.dtype(drawn_dtype), *numbers)
    return backend.from_numpy(xp.asnumpy(drawn), device)


def _bernoulli(xp, key, shape, dtype, limit):
    out = xp.empty(shape, dtype=dtype, device=key.device)
    return _fill(code(WORDS_TEXT, WORDS), "bernoulli", out, key, 8, limit)


def _uniform(xp, key, shape, dtype, low, high):
    return _reals(xp, "uniform", key, shape, dtype, low, high)


def _normal(xp, key, shape, dtype, center, spread):
    return _reals(xp, "normal", key, shape, dtype, center, spread)


def _reals(xp, name, key, shape, dtype, *numbers):
    out = xp.empty(shape, dtype=dtype, device=key.device)
    text = code(REALS_TEXT, REALS[dtype.name])
    return _fill(text, name, out, key, 32 // dtype.itemsize, *map(float, numbers))


def _integers(xp, key, shape, dtype, low, count):
    out = xp.empty(shape, dtype=dtype, device=key.device)
    name, size = ("integers", 4) if count <= 2**32 else ("integers_of_two_words", 2)
    text = code(INTEGERS_TEXT, INTEGERS[dtype.name])
    return _fill(text, name, out, key, size, _signed(low), _signed(count))


def _permutation(xp, key, shape, dtype):
    return xp.astype(xp.argsort(random_words(xp, key, prod(shape))), dtype, copy=False)


LAWS: dict[str, Callable[..., Any]] = {
    "bernoulli": _bernoulli,
    "integers": _integers,
    "normal": _normal,
    "permutation": _permutation,
    "uniform": _uniform,
}


def _fill(text, name, out, key, size, *numbers):
    """Launch a thread for each block of ``size`` numbers."""
    blocks = blocks_for(-(-out.size // size))
    launch(text, name, blocks, THREADS, out, contiguous(key), out.size, *numbers)
    return out


def _signed(word: int) -> int:
    """Return the low 64 bits of a number as C's long long has them."""
    word &= 2**64 - 1
    return word - 2**64 if word >= 2**63 else word


KERNELS: dict[str, Kernel] = {
    "child_keys": child_keys,
    "folded_key": folded_key,
    "random_numbers": random_numbers,
}
