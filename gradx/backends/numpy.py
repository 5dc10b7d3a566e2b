"""NumPy: the reference backend."""

import math
from functools import partial

import numpy as np

from gradx.backends import (
    companions,
    matrix_functions,
    numpy_classes,
    numpy_convolution_native,
    numpy_pooling,
    numpy_where,
)
from gradx.backends.base import Backend
from gradx.errors import DeviceError


def _native_device(device: str) -> str:
    if device != "cpu":
        raise DeviceError(f"unknown device {device!r}: NumPy has one device, 'cpu'")
    return device


def _owns_memory(array: np.ndarray) -> bool:
    return type(array) is np.ndarray and array.base is None and array.flags.writeable


def _has_nan(xp, array: np.ndarray) -> bool:
    # A NaN makes a dot product NaN. One pass without a temporary: a tenth of isnan's time.
    product = np.vdot(array, array)
    return bool(product != product) and bool(np.isnan(array).any())


def _sum_of_squares(xp, array: np.ndarray) -> float:
    flat = array.ravel(order="K")  # without a copy, wherever its elements lie together
    return float(np.vdot(flat, flat).real)


# Bounds for which NumPy needs no help to keep the dtype.
PLAIN = {int, float, type(None)}

BACKEND = Backend(
    name="numpy",
    xp=np,
    to_numpy=np.asarray,
    from_numpy=lambda array, device: array,
    native_device=_native_device,
    shares_memory=np.may_share_memory,
    row_major=partial(np.asarray, order="C"),
    owns_memory=_owns_memory,
    has_nan=_has_nan,
    sum_of_squares=_sum_of_squares,
    has_zero=lambda xp, array: np.count_nonzero(array) < array.size,
    gives_numbers=True,
    takes_lists=True,
    quiet=partial(np.errstate, divide="ignore", invalid="ignore"),
    array_types=(np.ndarray, np.generic),
)

BACKEND.kernels.update(
    companions.kernels_of(
        "scipy.special",
        "pip install scipy",
        [*companions.FUNCTIONS, *companions.ONLY_OF_SCIPY],
    )
)
BACKEND.kernels.update(matrix_functions.KERNELS)
BACKEND.kernels.update(numpy_classes.KERNELS)
BACKEND.kernels.update(numpy_convolution_native.KERNELS)
BACKEND.kernels.update(numpy_pooling.KERNELS)
BACKEND.kernels["where"] = numpy_where.where


@BACKEND.kernel("sum")
def sum(xp, x, /, *, axis=None, dtype=None, keepdims=False):
    """Skip the 0.7 us of Python inside ``np.sum``."""
    return np.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


@BACKEND.kernel("getitem")
def getitem(xp, x, /, key):
    """Skip the care that other libraries need with slices."""
    return x[key]


@BACKEND.kernel("scatter")
def scatter(xp, x, /, shape, key):
    """Skip the care that other libraries need with slices."""
    out = np.zeros(shape, x.dtype)
    out[key] = x
    return out


@BACKEND.kernel("setitem")
def setitem(xp, x, value, /, key):
    """Skip the care that other libraries need with slices."""
    out = np.array(x)
    out[key] = value
    return out


@BACKEND.kernel("from_parts")
def from_parts(xp, x, y, /):
    """Write both parts: an infinity times 1j would have a real part that is NaN."""
    shape, dtype = np.broadcast_shapes(x.shape, y.shape), np.result_type(x, y, np.complex64)
    out = np.empty(shape, dtype)
    out.real, out.imag = x, y
    return out


@BACKEND.kernel("take")
def take(xp, x, indices, /, *, axis=None):
    """Take with indices of any shape."""
    return np.take(x, indices, axis)


@BACKEND.kernel("add_at")
def add_at(xp, x, indices, /, *, length, axis):
    """Add at flat places: in order, and four times faster than at rows."""
    before, after = x.shape[:axis], x.shape[axis + indices.ndim :]
    blocks, width = math.prod(before), math.prod(after)
    starts = indices.astype(np.intp).reshape(-1, 1)
    starts[starts < 0] += length
    starts = starts + length * np.arange(blocks).reshape(-1, 1, 1)
    # Made in its own shape: who owns its memory is returned without a copy.
    out = np.zeros((*before, length, *after), x.dtype)
    np.add.at(out.reshape(-1), (starts * width + np.arange(width)).reshape(-1), x.reshape(-1))
    return out


@BACKEND.kernel("segment_extreme")
def segment_extreme(xp, x, segments, /, *, num_segments, axis, largest):
    """Reduce sorted slices from where each segment starts to where the next one does."""
    join, neutral = (np.maximum, -math.inf) if largest else (np.minimum, math.inf)
    places = np.where(segments < 0, segments + num_segments, segments)
    order = np.argsort(places, stable=True)
    found, starts = np.unique(places[order], return_index=True)
    out = np.full((*x.shape[:axis], num_segments, *x.shape[axis + 1 :]), neutral, x.dtype)
    if found.size:
        before = (slice(None),) * axis
        out[(*before, found)] = join.reduceat(np.take(x, order, axis), starts, axis)
    return out


@BACKEND.kernel("put_at")
def put_at(xp, x, value, indices, /, *, axis):
    """Write in order, so that the last of several writes to one place stays."""
    out = np.array(x)
    out[(slice(None),) * axis + (indices,)] = value
    return out


@BACKEND.kernel("euclidean_norm")
def _euclidean_norm(xp, x, *, axis=None, keepdims=False):
    measure = lambda x: xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims)
    return _measured(measure, x, axis, keepdims)


# The lengths whose squares are normal numbers with all their digits.
SQUARED_WELL = {
    np.dtype(dtype): (float(np.finfo(dtype).tiny) ** 0.5 * 1e10, math.inf)
    for dtype in (np.float32, np.float64)
}


def _measured(measure, x, axis, keepdims):
    """Measure a length by squares, again in another unit where they leave the dtype's range."""
    with np.errstate(over="ignore", under="ignore"):
        out = measure(x)
        least, limit = SQUARED_WELL.get(out.dtype, (0.0, math.inf))
        low, high = (out.min(), out.max()) if out.shape and out.size else (out, out)
        if x.size == 0 or (low > least and high < limit):
            return out
        unit = np.max(np.abs(x), axis=axis, keepdims=True)
        unit = np.where((unit > 0) & (unit < limit), unit, unit.dtype.type(1))
        again = measure(x / unit) * (unit if keepdims else unit.reshape(out.shape))
        return np.where((out > least) & (out < limit), out, again)[()]


@BACKEND.kernel("quotient")
def quotient(xp, x, y, /):
    """Let NumPy divide by zero, which it does right, and not say so."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(x, y)


@BACKEND.kernel("quiet_pow")
def quiet_pow(xp, x, y, /):
    """Let NumPy raise zeros to negative powers, which it does right, and not say so."""
    with np.errstate(divide="ignore"):
        return np.power(x, y)


@BACKEND.kernel("pow")
def pow(xp, x, y, /):
    """Square by one product: ``np.power`` takes twenty times as long."""
    return x**y if type(y) in (int, float) and y == 2 else np.power(x, y)


@BACKEND.kernel("clip_between")
def clip_between(xp, x, low, high, /):
    """Skip the 4 us of Python inside array-api-compat where bounds are plain numbers."""
    if x.dtype.kind != "f" or type(low) not in PLAIN or type(high) not in PLAIN:
        return xp.clip(x, low, high)
    if low is not None:
        x = np.maximum(x, low)
    if high is not None:
        x = np.minimum(x, high)
    return x if low is not None or high is not None else np.positive(x)


@BACKEND.kernel("eigh")
def _eigh(xp, x, /, *, upper=False):
    return np.linalg.eigh(x, "U" if upper else "L")


@BACKEND.kernel("sigmoid")
def sigmoid(xp, x, /):
    """Let ``exp`` overflow, whose infinity becomes the right 0."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(x * -1.0))  # unsigned integers have a product, but no negative


@BACKEND.kernel("sigmoid_slope")
def sigmoid_slope(xp, x, /):
    """Compute in as little memory as may be."""
    small = np.exp(np.where(x.real < 0, x, -x) if x.dtype.kind == "c" else -np.abs(x))
    above = 1 + small
    above *= above
    small /= above
    return small


@BACKEND.kernel("sech_squared")
def sech_squared(xp, x, /):
    """Compute in as little memory as may be."""
    out = sigmoid_slope(xp, 2 * x)
    out *= 4
    return out


@BACKEND.kernel("max")
def max(xp, x, /, *, axis=None, keepdims=False):
    """Skip the 1 us of Python inside ``np.max``."""
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


@BACKEND.kernel("min")
def min(xp, x, /, *, axis=None, keepdims=False):
    """Skip the 1 us of Python inside ``np.min``."""
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


@BACKEND.kernel("mean")
def mean(xp, x, /, *, axis=None, keepdims=False):
    """Skip the 3 us of Python inside ``np.mean``."""
    if x.dtype.char not in "fdFD" or x.size == 0:
        return np.mean(x, axis=axis, keepdims=keepdims)
    total = np.add.reduce(x, axis=axis, keepdims=keepdims)
    return total / (x.size // total.size)


@BACKEND.kernel("var")
def var(xp, x, /, *, axis=None, correction=0.0, keepdims=False):
    """Skip the 10 us of Python inside ``np.var``."""
    if x.dtype.char not in "fd" or x.size == 0:
        return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)
    total = np.add.reduce(x, axis=axis, keepdims=True)
    count = x.size // total.size
    if count <= correction:
        return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)
    deviations = x - total / count
    deviations *= deviations  # in place: another large array would cost more than all the rest
    return np.add.reduce(deviations, axis=axis, keepdims=keepdims) / (count - correction)


@BACKEND.kernel("std")
def std(xp, x, /, *, axis=None, correction=0.0, keepdims=False):
    """Skip the 10 us of Python inside ``np.std``."""
    measure = lambda x: np.sqrt(var(xp, x, axis=axis, correction=correction, keepdims=keepdims))
    return _measured(measure, x, axis, keepdims)


@BACKEND.kernel("cumulative_sum")
def cumulative_sum(xp, x, /, *, axis=None, dtype=None, include_initial=False):
    """Skip the 1.5 us of Python inside array-api-compat."""
    if include_initial or x.ndim == 0 or (axis is None and x.ndim > 1):
        return xp.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)
    return np.add.accumulate(x, 0 if axis is None else axis, dtype)


@BACKEND.kernel("sign")
def sign(xp, x, /):
    """Skip the care that other libraries need with complex zeros."""
    return np.sign(x)


@BACKEND.kernel("prod")
def prod(xp, x, /, *, axis=None, dtype=None, keepdims=False):
    """Skip the Python inside ``np.prod``."""
    return np.multiply.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


@BACKEND.kernel("any")
def any(xp, x, /, *, axis=None, keepdims=False):
    """Skip the Python inside ``np.any``."""
    return np.logical_or.reduce(x, axis=axis, keepdims=keepdims)


@BACKEND.kernel("all")
def all(xp, x, /, *, axis=None, keepdims=False):
    """Skip the Python inside ``np.all``."""
    return np.logical_and.reduce(x, axis=axis, keepdims=keepdims)


@BACKEND.kernel("sort")
def sort(xp, x, /, *, axis=-1, descending=False, stable=True):
    """Sort downwards too, which NumPy's own function does not."""
    ordered = np.sort(x, axis=axis, stable=True)
    return np.flip(ordered, axis=axis) if descending else ordered


@BACKEND.kernel("argsort")
def argsort(xp, x, /, *, axis=-1, descending=False, stable=True):
    """Sort downwards too: upwards from the other end, so that equal elements keep their order."""
    if not descending:
        return np.argsort(x, axis=axis, stable=True)
    order = np.argsort(np.flip(x, axis=axis), axis=axis, stable=True)
    return x.shape[axis] - 1 - np.flip(order, axis=axis)


@BACKEND.kernel("last_extremes")
def last_extremes(xp, x, /, *, axis, largest):
    """Walk once along the axis, where elements side by side take many steps."""
    found = (np.maximum if largest else np.minimum).accumulate(x, axis=axis)
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    places = np.arange(x.shape[axis]).reshape(shape)
    return np.maximum.accumulate(np.where((x == found) | np.isnan(x), places, 0), axis=axis)
