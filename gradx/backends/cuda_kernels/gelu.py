"""GELU and its derivative, exact or by tanh: one read and one write for each element."""

import math
from functools import cache
from typing import Any

from gradx.backends.base import Kernel
from gradx.backends.cuda_kernels.launching import contiguous, launch
from gradx.backends.cuda_kernels.prelude import (
    REALS,
    THREADS,
    Number,
    blocks_for,
    real_number,
    source,
)
from gradx.errors import ShapeError

# The cubic that makes tanh follow erf: D. Hendrycks and K. Gimpel, arXiv:1606.08415. It is written
# with the logistic function, 1 / (1 + exp(-2 x)) = (1 + tanh(x)) / 2, and the other formula with
# erfc: both are accurate for negative numbers too, where 1 + tanh and 1 + erf would cancel.
CONSTANTS = f"""
constexpr Real HALF = 0.5, CUBIC = 0.044715;
constexpr Real ROOT_HALF = {math.sqrt(0.5)!r}, NORMAL_PEAK = {1 / math.sqrt(2 * math.pi)!r};
constexpr Real TANH_SCALE = {2 * math.sqrt(2 / math.pi)!r};
"""

TEXT = """
extern "C" __global__ void gelu(Stored* out, const Stored* inputs, int64 count) {
    FOR_EACH(i, count) {
        const Real x = loaded(inputs[i]);
        keep(out + i, HALF * x * erfc(-ROOT_HALF * x));
    }
}

extern "C" __global__ void gelu_tanh(Stored* out, const Stored* inputs, int64 count) {
    FOR_EACH(i, count) {
        const Real x = loaded(inputs[i]);
        keep(out + i, x / (1 + exp(-TANH_SCALE * (x + CUBIC * x * x * x))));
    }
}

extern "C" __global__ void gelu_backward(
        Stored* to_x, const Stored* g, const Stored* inputs, int64 count) {
    FOR_EACH(i, count) {
        const Real x = loaded(inputs[i]);
        const Real slope = HALF * erfc(-ROOT_HALF * x) + x * (NORMAL_PEAK * exp(-HALF * x * x));
        keep(to_x + i, loaded(g[i]) * slope);
    }
}

extern "C" __global__ void gelu_tanh_backward(
        Stored* to_x, const Stored* g, const Stored* inputs, int64 count) {
    FOR_EACH(i, count) {
        const Real x = loaded(inputs[i]);
        const Real bend = TANH_SCALE * (x + CUBIC * x * x * x);
        const Real small = exp(bend < 0 ? bend : -bend), above = 1 + small;
        const Real share = (bend < 0 ? small : 1) / above, steep = small / (above * above);
        const Real inner = TANH_SCALE * (steep + 3 * CUBIC * (steep * x * x));
        keep(to_x + i, loaded(g[i]) * (share + x * inner));
    }
}
"""

NAMES = {"none": "gelu", "tanh": "gelu_tanh"}


KINDS = [(number,) for number in REALS.values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, CONSTANTS, TEXT)


def gelu(xp: Any, x: Any, /, *, approximate: str = "none") -> Any:
    """Multiply by the normal distribution's probability of a smaller number."""
    return _launch(xp, _name(approximate), x)


def gelu_backward(xp: Any, g: Any, x: Any, /, *, approximate: str = "none") -> Any:
    """Pull ``g`` back through ``gelu(x)``."""
    return _launch(xp, f"{_name(approximate)}_backward", g, x)


def _launch(xp, name, *arrays):
    arrays = tuple(map(contiguous, arrays))
    text = code(real_number("gelu", arrays[-1].dtype))
    out = xp.empty_like(arrays[-1])
    launch(text, name, blocks_for(out.size), THREADS, out, *arrays, out.size)
    return out


def _name(approximate):
    if approximate not in NAMES:
        raise ShapeError(f'gelu: approximate={approximate!r}, expected "none" or "tanh"')
    return NAMES[approximate]


KERNELS: dict[str, Kernel] = {"gelu": gelu}
