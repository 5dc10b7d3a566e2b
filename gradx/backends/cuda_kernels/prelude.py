"""What every source begins with: names of types, and numbers in memory and in registers.

``Stored`` is how an element lies in memory, ``Real`` what it is computed in. Sixteen-bit
numbers are stored as their bits and computed in float32. No header is included: NVRTC needs
none, and compiles in half the time.
"""

from typing import Any, NamedTuple

import numpy as np

from gradx.errors import DTypeError

COMMON = """
typedef unsigned int uint32;
typedef long long int64;
typedef unsigned long long uint64;

struct Half { unsigned short bits; };
struct BFloat16 { unsigned short bits; };

#ifdef __CUDACC__
__device__ __forceinline__ float half_to_float(unsigned short bits) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}
__device__ __forceinline__ unsigned short float_to_half(float value) {
    unsigned short bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#endif

// How numbers are read and written.
template <class T> __device__ __forceinline__ T loaded(T stored) { return stored; }
__device__ __forceinline__ float loaded(Half stored) { return half_to_float(stored.bits); }
__device__ __forceinline__ float loaded(BFloat16 stored) {
    return __uint_as_float((uint32)stored.bits << 16);
}
template <class T> __device__ __forceinline__ void keep(T* place, T value) { *place = value; }
__device__ __forceinline__ void keep(Half* place, float value) {
    place->bits = float_to_half(value);
}
__device__ __forceinline__ void keep(BFloat16* place, float value) {
    // To the nearest, and of two to the even; a NaN stays one.
    uint32 bits = __float_as_uint(value);
    uint32 rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    place->bits = value == value ? (unsigned short)rounded : (unsigned short)0x7fc0;
}

__device__ __forceinline__ double infinity() { return __longlong_as_double(0x7ff0000000000000ll); }
__device__ __forceinline__ double not_a_number() {
    return __longlong_as_double(0x7ff8000000000000ll);
}
template <class T> __device__ __forceinline__ bool is_nan(T x) { return x != x; }

#define FIRST (blockIdx.x * (int64)blockDim.x + threadIdx.x)
#define EVERY (gridDim.x * (int64)blockDim.x)
// Each thread takes every so-manieth element, so a grid of any size does all of them.
#define FOR_EACH(i, count) for (int64 i = FIRST; i < (count); i += EVERY)
"""

THREADS = 256
MOST_BLOCKS = 132 * 32  # every multiprocessor of an H100 has enough to hide what memory takes


class Number(NamedTuple):
    """A dtype in C: as it is stored, and as it is computed."""

    stored: str
    real: str


REALS = {
    "float64": Number("double", "double"),
    "float32": Number("float", "float"),
    "float16": Number("Half", "float"),
    "bfloat16": Number("BFloat16", "float"),
}
INTEGERS = {
    "int8": Number("signed char", "signed char"),
    "int16": Number("short", "short"),
    "int32": Number("int", "int"),
    "int64": Number("int64", "int64"),
    "uint8": Number("unsigned char", "unsigned char"),
    "uint16": Number("unsigned short", "unsigned short"),
    "uint32": Number("uint32", "uint32"),
    "uint64": Number("uint64", "uint64"),
}


def real_number(name: str, dtype: Any) -> Number:
    """Return the types for ``dtype`` in the source of ``name``, which computes with reals."""
    number = REALS.get(np.dtype(dtype).name)
    if number is None:
        raise DTypeError(f"{name}: expected one of {', '.join(REALS)}, got {dtype}")
    return number


def source(number: Number, *parts: str) -> str:
    """Return a whole source: ``parts``, which name ``Stored`` and ``Real``, with both known."""
    types = f"typedef {number.stored} Stored;\ntypedef {number.real} Real;\n"
    return "".join([COMMON, types, *parts])


def blocks_for(count: int) -> int:
    """Return how many blocks of ``THREADS`` work on ``count`` elements."""
    return min(-(-count // THREADS), MOST_BLOCKS)
