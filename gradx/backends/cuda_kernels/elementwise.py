"""Elementwise ops that CuPy would run as five launches or more: each is one kernel of one formula.

The same formulas stand in the kernels that ``gradx.graph.cuda`` generates.
"""

import math
from functools import cache, partial
from typing import Any

from gradx.backends.base import Kernel
from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.prelude import REALS, THREADS, Number, blocks_for, source

ROOT_HALF = math.sqrt(0.5)

# Op -> its formula: ``{T}`` is the type that it computes in, ``{0}`` its operand in that type.
FORMULAS = {
    "sigmoid": "1 / (1 + exp(-{0}))",
    "sigmoid_slope": "slope_of({0})",
    "sech_squared": "4 * slope_of(2 * {0})",
    "normal_probability": f"({{T}})0.5 * erfc(({{T}}){-ROOT_HALF!r} * {{0}})",
    "softplus": "log_of_sum({0}, ({T})0)",
}

HELPERS = """
template <class T> __device__ __forceinline__ T absolute(T x) {
    return x < 0 ? -x : x == 0 ? 0 : x;  // of -0 too
}
template <class T> __device__ __forceinline__ T sign_of(T x) {
    return x > 0 ? (T)1 : x < 0 ? (T)-1 : x == 0 ? (T)0 : x;
}
template <class T> __device__ __forceinline__ T larger(T x, T y) {
    return x > y || x != x ? x : y;
}
template <class T> __device__ __forceinline__ T smaller(T x, T y) {
    return x < y || x != x ? x : y;
}
template <class T> __device__ __forceinline__ T slope_of(T x) {  // of the logistic function
    const T small = exp(-absolute(x)), above = 1 + small;
    return small / (above * above);
}
template <class T> __device__ __forceinline__ T direction_of(T x, T y) {
    const T length = hypot(x, y);
    return length == 0 || (x - x != x - x && x == x) ? sign_of(x) : x / length;
}
template <class T> __device__ __forceinline__ T log_of_sum(T x, T y) {
    const T most = larger(x, y), least = smaller(x, y);
    return most == least ? most + (T)0.6931471805599453 : most + log1p(exp(least - most));
}
"""

TEXT = """
extern "C" __global__ void of_each(Stored* out, const Stored* inputs, int64 count) {
    FOR_EACH(i, count) {
        const Real x = loaded(inputs[i]);
        keep(out + i, (Real)(FORMULA));
    }
}
"""

KINDS = [(name, number) for name in FORMULAS for number in REALS.values()]


@cache
def code(name: str, number: Number) -> str:
    """Return the source of an op for one kind of numbers."""
    formula = FORMULAS[name].format("x", T="Real")
    return source(number, HELPERS, TEXT.replace("FORMULA", formula))


def of_each(name: str, xp: Any, x: Any, /) -> Any:
    """Compute an op of each element; of whole numbers in float64."""
    if x.dtype.kind == "c":
        return OF_COMPLEX_NUMBERS[name](xp, x)
    if x.dtype.name not in REALS:
        x = xp.astype(x, xp.float64)
    out = xp.empty(x.shape, dtype=x.dtype, device=x.device)
    text = code(name, REALS[x.dtype.name])
    launch(text, "of_each", blocks_for(x.size), THREADS, out, contiguous(x), x.size)
    return out


def _sech_squared(xp: Any, x: Any) -> Any:
    small = xp.exp(xp.where(xp.real(x) < 0, 2 * x, -2 * x))
    return 4 * small / ((1 + small) * (1 + small))


OF_COMPLEX_NUMBERS = {"sech_squared": _sech_squared}

KERNELS: dict[str, Kernel] = {name: partial(of_each, name) for name in FORMULAS}
