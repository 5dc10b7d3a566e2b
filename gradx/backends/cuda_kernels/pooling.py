"""Pooling: each window finds its largest element or adds up all, and each element its share.

Everything gathers: an element asks the windows that it lies in, in one order, so there are no
atomic additions. Elements that tie share a window's cotangent evenly, and in a window with a
NaN those that are one win, as in ``gradx.ops.pooling``.
"""

from functools import cache
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
from gradx.backends.cuda_kernels.windows import PARAMETERS, TEXT, Geometry, over
from gradx.errors import DTypeError

WINNERS = """
__device__ __forceinline__ bool wins(Real x, Real largest) { return x == largest || is_nan(x); }

// How many elements of a window are its largest.
__device__ int64 winners_of(
        const Axes& axes, const Stored* x, const Index& window, Real largest) {
    int64 count = 0;
    for (int64 k = 0; k < axes.places(); ++k) {
        const int64 element = element_of(axes, window, index_among_kernel(axes, k));
        count += element >= 0 && wins(loaded(x[element]), largest);
    }
    return count;
}
"""

# Images are (samples and channels, elements), pooled ones (samples and channels, windows).
KERNEL_TEXT = """
extern "C" __global__ void maximum_of_windows(
        Stored* out, const Stored* images, int64 total, PARAMETERS) {
    const Axes axes = AXES;
    const int64 windows = axes.windows(), elements = axes.elements(), places = axes.places();
    FOR_EACH(i, total) {
        const Index window = index_among_output(axes, i % windows);
        const Stored* x = images + i / windows * elements;
        int64 best = -1;
        for (int64 k = 0; k < places; ++k) {
            const int64 element = element_of(axes, window, index_among_kernel(axes, k));
            if (element < 0) continue;
            if (best < 0 || loaded(x[element]) > loaded(x[best]) || is_nan(loaded(x[element])))
                best = element;
            if (is_nan(loaded(x[best]))) break;
        }
        out[i] = x[best];
    }
}

extern "C" __global__ void sum_of_windows(
        Stored* out, const Stored* images, int64 total, PARAMETERS) {
    const Axes axes = AXES;
    const int64 windows = axes.windows(), elements = axes.elements(), places = axes.places();
    FOR_EACH(i, total) {
        const Index window = index_among_output(axes, i % windows);
        Real sum = 0;
        for (int64 k = 0; k < places; ++k) {
            const int64 element = element_of(axes, window, index_among_kernel(axes, k));
            if (element >= 0) sum += loaded(images[i / windows * elements + element]);
        }
        keep(out + i, sum);
    }
}

extern "C" __global__ void spread_over_windows(
        Stored* images, const Stored* y, int64 total, PARAMETERS) {
    const Axes axes = AXES;
    const int64 windows = axes.windows(), elements = axes.elements(), places = axes.places();
    FOR_EACH(i, total) {
        const Index element = index_among_length(axes, i % elements);
        Real sum = 0;
        for (int64 k = 0; k < places; ++k) {
            const int64 window = window_of(axes, element, index_among_kernel(axes, k));
            if (window >= 0) sum += loaded(y[i / elements * windows + window]);
        }
        keep(images + i, sum);
    }
}

extern "C" __global__ void read_at_maxima(
        Stored* out, const Stored* y, const Stored* images, const Stored* largest, int64 total,
        PARAMETERS) {
    const Axes axes = AXES;
    const int64 windows = axes.windows(), elements = axes.elements(), places = axes.places();
    FOR_EACH(i, total) {
        const Index window = index_among_output(axes, i % windows);
        const int64 image = i / windows * elements;
        Real sum = 0;
        int64 count = 0;
        for (int64 k = 0; k < places; ++k) {
            const int64 element = element_of(axes, window, index_among_kernel(axes, k));
            if (element < 0 || !wins(loaded(images[image + element]), loaded(largest[i]))) continue;
            sum += loaded(y[image + element]);
            ++count;
        }
        keep(out + i, is_nan(loaded(largest[i])) ? (Real)not_a_number() : (Real)(sum / count));
    }
}

// What each of the largest elements of a window gets; the second launch hands it out.
extern "C" __global__ void shares_of_maxima(
        Real* shares, const Stored* y, const Stored* images, const Stored* largest, int64 total,
        PARAMETERS) {
    const Axes axes = AXES;
    const int64 windows = axes.windows(), elements = axes.elements();
    FOR_EACH(i, total) {
        const Index window = index_among_output(axes, i % windows);
        const Stored* x = images + i / windows * elements;
        const Real found = loaded(largest[i]);
        shares[i] = is_nan(found) ? (Real)not_a_number()
                                  : loaded(y[i]) / winners_of(axes, x, window, found);
    }
}

extern "C" __global__ void spread_to_maxima(
        Stored* out, const Real* shares, const Stored* images, const Stored* largest, int64 total,
        PARAMETERS) {
    const Axes axes = AXES;
    const int64 windows = axes.windows(), elements = axes.elements(), places = axes.places();
    FOR_EACH(i, total) {
        const Index element = index_among_length(axes, i % elements);
        const int64 image = i / elements * windows;
        Real sum = 0;
        for (int64 k = 0; k < places; ++k) {
            const int64 window = window_of(axes, element, index_among_kernel(axes, k));
            if (window < 0) continue;
            if (wins(loaded(images[i]), loaded(largest[image + window])))
                sum += shares[image + window];
        }
        keep(out + i, sum);
    }
}
""".replace("PARAMETERS", PARAMETERS)


KINDS = [(number,) for number in (REALS | INTEGERS).values()]


@cache
def code(number: Number) -> str:
    """Return the source for one kind of numbers."""
    return source(number, TEXT, WINNERS, KERNEL_TEXT)


def maximum_of_windows(
    xp: Any, x: Any, /, *, kernel: Any, outputs: Any, stride: Any, before: Any, dilation: Any
) -> Any:
    """Find the largest element of each window."""
    geometry = over(x.shape[2:], kernel, outputs, stride, before, dilation)
    return _gather(xp, "maximum_of_windows", (*x.shape[:2], *outputs), geometry, x)


def sum_of_windows(
    xp: Any, x: Any, /, *, kernel: Any, outputs: Any, stride: Any, before: Any
) -> Any:
    """Add up the elements of each window."""
    geometry = over(x.shape[2:], kernel, outputs, stride, before)
    return _gather(xp, "sum_of_windows", (*x.shape[:2], *outputs), geometry, x)


def spread_over_windows(
    xp: Any, y: Any, /, *, lengths: Any, kernel: Any, stride: Any, before: Any
) -> Any:
    """Add each element to all elements of its window."""
    geometry = over(lengths, kernel, y.shape[2:], stride, before)
    return _gather(xp, "spread_over_windows", (*y.shape[:2], *lengths), geometry, y)


def read_at_maxima(
    xp: Any,
    y: Any,
    x: Any,
    extreme: Any,
    /,
    *,
    kernel: Any,
    outputs: Any,
    stride: Any,
    before: Any,
    dilation: Any,
) -> Any:
    """Average ``y`` over those elements of each window where ``x`` is its largest."""
    _require_one_dtype("read_at_maxima", y, x)
    geometry = over(x.shape[2:], kernel, outputs, stride, before, dilation)
    return _gather(xp, "read_at_maxima", extreme.shape, geometry, y, x, extreme)


def spread_to_maxima(
    xp: Any,
    y: Any,
    x: Any,
    extreme: Any,
    /,
    *,
    kernel: Any,
    outputs: Any,
    stride: Any,
    before: Any,
    dilation: Any,
) -> Any:
    """Share ``y`` out to the elements of each window where ``x`` is its largest."""
    _require_one_dtype("spread_to_maxima", y, x)
    geometry = over(x.shape[2:], kernel, outputs, stride, before, dilation)
    computed = xp.float64 if y.dtype == xp.float64 else xp.float32
    arrays = tuple(map(contiguous, (y, x, extreme)))
    shares = _gather(xp, "shares_of_maxima", y.shape, geometry, *arrays, dtype=computed)
    return _gather(xp, "spread_to_maxima", x.shape, geometry, shares, *arrays[1:], dtype=y.dtype)


def _gather(
    xp: Any, name: str, shape: Any, geometry: Geometry, first: Any, *others: Any, dtype: Any = None
) -> Any:
    """Launch one thread for each element of a result of ``shape``."""
    dtype = dtype or first.dtype
    number = _number(name, (others or (first,))[0].dtype)
    out = xp.empty(shape, dtype=dtype, device=first.device)
    arrays = map(contiguous, (first, *others))
    arguments = (out, *arrays, out.size, *geometry.arguments)
    launch(code(number), name, blocks_for(out.size), THREADS, *arguments)
    return out


def _number(name, dtype):
    numbers = REALS | INTEGERS
    if dtype.name not in numbers:
        raise DTypeError(f"{name}: expected real numbers, got {dtype}")
    return numbers[dtype.name]


def _require_one_dtype(name, y, x):
    if y.dtype != x.dtype:
        raise DTypeError(f"{name}: expected arrays of one dtype, got {y.dtype} and {x.dtype}")


KERNELS: dict[str, Kernel] = {
    "maximum_of_windows": maximum_of_windows,
    "sum_of_windows": sum_of_windows,
    "spread_over_windows": spread_over_windows,
    "read_at_maxima": read_at_maxima,
    "spread_to_maxima": spread_to_maxima,
}
