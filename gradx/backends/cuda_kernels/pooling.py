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
from gradx.backends.cuda_kernels.windows import NARROW, PARAMETERS, Geometry, over
from gradx.backends.cuda_kernels.windows import text as windows_text
from gradx.errors import DTypeError

WINS = """
__device__ __forceinline__ bool wins(Real x, Real largest) { return x == largest || is_nan(x); }
"""

# Images are (samples and channels, elements), pooled ones (samples and channels, windows).
LARGEST = """
extern "C" __global__ void maximum_of_windows(
        Stored* out, const Stored* images, int64 total, PARAMETERS) {
    const Axes axes = AXES;
    const Place windows = axes.windows(), elements = axes.elements();
    FOR_EACH_PLACE(i, total) {
        const Index window = index_among_output(axes, i % windows);
        const Stored* x = images + i / windows * elements;
        Place best = -1;
        Real largest = 0;
        for_each_element(axes, window, [&](Place element, Place) {
            const Real value = loaded(x[element]);
            if (best >= 0 && (is_nan(largest) || !(value > largest || is_nan(value)))) return;
            best = element;
            largest = value;
        });
        out[i] = x[best];
    }
}

// What each of the largest elements of a window gets; the second launch hands it out.
extern "C" __global__ void shares_of_maxima(
        Real* shares, const Stored* y, const Stored* images, const Stored* largest, int64 total,
        PARAMETERS) {
    const Axes axes = AXES;
    const Place windows = axes.windows(), elements = axes.elements();
    FOR_EACH_PLACE(i, total) {
        const Index window = index_among_output(axes, i % windows);
        const Stored* x = images + i / windows * elements;
        const Real found = loaded(largest[i]);
        Place winners = 0;
        for_each_element(axes, window, [&](Place element, Place) {
            winners += wins(loaded(x[element]), found);
        });
        shares[i] = is_nan(found) ? (Real)not_a_number() : (Real)(loaded(y[i]) / winners);
    }
}

extern "C" __global__ void spread_to_maxima(
        Stored* out, const Real* shares, const Stored* images, const Stored* largest, int64 total,
        PARAMETERS) {
    const Axes axes = AXES;
    const Place windows = axes.windows(), elements = axes.elements();
    FOR_EACH_PLACE(i, total) {
        const Index element = index_among_length(axes, i % elements);
        const Place image = i / elements * windows;
        const Real value = loaded(images[i]);
        Real sum = 0;
        for_each_window(axes, element, [&](Place window, Place) {
            if (wins(value, loaded(largest[image + window]))) sum += shares[image + window];
        });
        keep(out + i, sum);
    }
}
"""

READ = """
extern "C" __global__ void read_at_maxima(
        Stored* out, const Stored* y, const Stored* images, const Stored* largest, int64 total,
        PARAMETERS) {
    const Axes axes = AXES;
    const Place windows = axes.windows(), elements = axes.elements();
    FOR_EACH_PLACE(i, total) {
        const Index window = index_among_output(axes, i % windows);
        const Place image = i / windows * elements;
        const Real found = loaded(largest[i]);
        Real sum = 0;
        Place count = 0;
        for_each_element(axes, window, [&](Place element, Place) {
            if (!wins(loaded(images[image + element]), found)) return;
            sum += loaded(y[image + element]);
            ++count;
        });
        keep(out + i, is_nan(found) ? (Real)not_a_number() : (Real)(sum / count));
    }
}
"""

SUM = """
extern "C" __global__ void sum_of_windows(
        Stored* out, const Stored* images, int64 total, PARAMETERS) {
    const Axes axes = AXES;
    const Place windows = axes.windows(), elements = axes.elements();
    FOR_EACH_PLACE(i, total) {
        const Index window = index_among_output(axes, i % windows);
        const Stored* x = images + i / windows * elements;
        Real sum = 0;
        for_each_element(axes, window, [&](Place element, Place) { sum += loaded(x[element]); });
        keep(out + i, sum);
    }
}

extern "C" __global__ void spread_over_windows(
        Stored* images, const Stored* y, int64 total, PARAMETERS) {
    const Axes axes = AXES;
    const Place windows = axes.windows(), elements = axes.elements();
    FOR_EACH_PLACE(i, total) {
        const Index element = index_among_length(axes, i % elements);
        const Stored* of_image = y + i / elements * windows;
        Real sum = 0;
        for_each_window(axes, element, [&](Place window, Place) {
            sum += loaded(of_image[window]);
        });
        keep(images + i, sum);
    }
}
"""

# Kernel -> the source that it is in: what runs together is compiled together.
KERNEL_TEXTS = {
    **dict.fromkeys(("maximum_of_windows", "shares_of_maxima", "spread_to_maxima"), LARGEST),
    "read_at_maxima": READ,
    **dict.fromkeys(("sum_of_windows", "spread_over_windows"), SUM),
}


KINDS = [
    *[(number, text, False) for number in (REALS | INTEGERS).values() for text in (LARGEST, SUM)],
    *[(number, READ, False) for number in REALS.values()],
    *[(REALS["float32"], text, True) for text in (LARGEST, READ, SUM)],
]


@cache
def code(number: Number, text: str, wide: bool) -> str:
    """Return a source for one kind of numbers, and for large arrays where it is wide."""
    return source(number, windows_text(wide), WINS, text.replace("PARAMETERS", PARAMETERS))


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
    arrays = tuple(map(contiguous, (first, *others)))
    is_wide = max(array.size for array in (out, *arrays)) >= NARROW
    arguments = (out, *arrays, out.size, *geometry.arguments)
    text = code(number, KERNEL_TEXTS[name], is_wide)
    launch(text, name, blocks_for(out.size), THREADS, *arguments)
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
