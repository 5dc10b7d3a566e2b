"""Random bits: Philox4x64-10, the same as on the CPU (``gradx.random.philox`` has the source).

Word ``j`` is word ``j % 4`` of the block of the key at the counter
``(first + j // 4, 0, 0, domain)``. A key is two words in the device's memory, so that a
captured step that makes its next key draws fresh numbers when it is replayed.
"""

from functools import cache
from math import prod
from typing import Any

from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.prelude import REALS, THREADS, blocks_for, source

DRAW, SPLIT, FOLD = range(3)

PHILOX = """
struct Words { uint64 of[4]; };

__device__ __forceinline__ Words philox(const uint64* key, uint64 low, uint64 high, uint64 domain) {
    const uint64 first = 0xd2e7470ee14c6c93ull, second = 0xca5a826395121157ull;
    uint64 key0 = key[0], key1 = key[1];
    Words words = {{low, high, 0, domain}};
    #pragma unroll
    for (int round = 0; round < 10; ++round) {
        const uint64 x = words.of[0], y = words.of[2];
        words = {{__umul64hi(second, y) ^ words.of[1] ^ key0, second * y,
                  __umul64hi(first, x) ^ words.of[3] ^ key1, first * x}};
        key0 += 0x9e3779b97f4a7c15ull;
        key1 += 0xbb67ae8584caa73bull;
    }
    return words;
}

// Half i of a block: two to a word, the low one first.
__device__ __forceinline__ uint32 half_of(const Words& words, int i) {
    return (uint32)(words.of[i / 2] >> (32 * (i % 2)));
}
"""

# Each thread makes one block: 4 words, or 8 halves.
TEXT = """
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

extern "C" __global__ void uniform_float32(
        float* out, const uint64* key, int64 count, double low, double high) {
    FOR_EACH(block, (count + 7) / 8) {
        const Words words = philox(key, block, 0, 0);
        for (int i = 0; i < 8 && 8 * block + i < count; ++i) {
            const float fraction = (half_of(words, i) >> 8) * 0x1p-24f;
            out[8 * block + i] = placed_in(fraction, (float)low, (float)high);
        }
    }
}

extern "C" __global__ void uniform_float64(
        double* out, const uint64* key, int64 count, double low, double high) {
    FOR_EACH(block, (count + 3) / 4) {
        const Words words = philox(key, block, 0, 0);
        for (int i = 0; i < 4 && 4 * block + i < count; ++i)
            out[4 * block + i] = placed_in((words.of[i] >> 11) * 0x1p-53, low, high);
    }
}
"""

# Multiplied and added apart, as NumPy does: in one instruction the last bit may differ.
SCALING = """
__device__ __forceinline__ float placed_in(float x, float low, float high) {
    if (low == 0 && high == 1) return x;
    x = __fadd_rn(__fmul_rn(x, high - low), low);
    return x < high ? x : nextafter(high, low);
}
__device__ __forceinline__ double placed_in(double x, double low, double high) {
    if (low == 0 && high == 1) return x;
    x = __dadd_rn(__dmul_rn(x, high - low), low);
    return x < high ? x : nextafter(high, low);
}
"""


@cache
def code() -> str:
    """Return the source; the dtypes that it fills are its own."""
    return source(REALS["float64"], PHILOX, SCALING, TEXT)


def random_words(xp: Any, key: Any, count: int, /, *, first: int = 0, domain: int = DRAW) -> Any:
    """Return ``count`` words of ``key``, from block ``first`` of ``domain``; ``first < 2**128``."""
    out = xp.empty((count,), dtype=xp.uint64, device=key.device)
    low, high = (_signed(first >> shift) for shift in (0, 64))
    blocks = blocks_for(-(-count // 4))
    launch(code(), "random_words", blocks, THREADS, out, contiguous(key), count, low, high, domain)
    return out


def split(xp: Any, key: Any, count: int, /) -> Any:
    """Return ``count`` keys of ``key``: what ``gradx.random.split`` does."""
    return random_words(xp, key, 4 * count, domain=SPLIT).reshape(count, 4)[:, :2].copy()


def fold_in(xp: Any, key: Any, data: int, /) -> Any:
    """Return the key for ``key`` and ``data``: what ``gradx.random.fold_in`` does."""
    return random_words(xp, key, 2, first=data, domain=FOLD)


def bernoulli(xp: Any, key: Any, shape: tuple[int, ...], /, *, limit: int) -> Any:
    """Draw truth values, True where 32 bits are below ``limit``."""
    out = xp.empty(shape, dtype=xp.bool, device=key.device)
    count = prod(shape)
    launch(
        code(), "bernoulli", blocks_for(-(-count // 8)), THREADS, out, contiguous(key), count, limit
    )
    return out


def uniform(
    xp: Any, key: Any, shape: tuple[int, ...], dtype: Any, /, *, low: float, high: float
) -> Any:
    """Draw from the uniform distribution on [low, high), as float32 or float64."""
    out = xp.empty(shape, dtype=dtype, device=key.device)
    count, name = prod(shape), f"uniform_{out.dtype.name}"
    blocks = blocks_for(-(-count * out.dtype.itemsize // 32))
    launch(code(), name, blocks, THREADS, out, contiguous(key), count, float(low), float(high))
    return out


def _signed(word: int) -> int:
    """Return the low 64 bits of a number as C's long long has them."""
    word &= 2**64 - 1
    return word - 2**64 if word >= 2**63 else word
