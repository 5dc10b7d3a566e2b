"""What CuPy and array-api-compat do otherwise than the standard and NumPy, done as they do."""

from collections.abc import Callable
from math import copysign
from typing import Any

import cupy
import numpy as np

ON_A_GPU = 2  # DLPack's number of CUDA's memory


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """Limit elements; array-api-compat does by masks, and waits for the GPU to count them."""
    changed = x
    for choose, bound in ((cupy.maximum, min), (cupy.minimum, max)):
        if bound is not None and not _is_no_limit(x.dtype, bound):
            changed = choose(changed, _in(x.dtype, bound))
    return x.copy() if changed is x else changed


def _is_no_limit(dtype: Any, bound: Any) -> bool:
    """Tell whether a number is beyond all that an integer dtype has."""
    if dtype.kind not in "iu" or type(bound) is not int:
        return False
    return not np.iinfo(dtype).min < bound < np.iinfo(dtype).max


def _in(dtype: Any, bound: Any) -> Any:
    return bound.astype(dtype, copy=False) if hasattr(bound, "astype") else dtype.type(bound)


def remainder(x: Any, y: Any, /) -> Any:
    """Return ``x % y`` by ``fmod``: CuPy's ``x - floor(x / y) * y`` is NaN where ``y`` is infinite.

    Of a large quotient it is nothing but rounding, too.
    """
    if np.result_type(*[getattr(n, "dtype", type(n)) for n in (x, y)]).kind != "f":
        return cupy.remainder(x, y)
    left = cupy.fmod(x, y)
    exact = cupy.copysign(cupy.zeros_like(left), y)
    turned = cupy.where((left < 0) == (y < 0), left, left + y)
    return cupy.where(left == 0, exact, turned)


def from_dlpack(x: Any, /, *, copy: bool | None = None) -> Any:
    """Return another library's array as CuPy's; copied on its own GPU too, which CuPy refuses."""
    if copy and x.__dlpack_device__()[0] == ON_A_GPU:
        return cupy.from_dlpack(x).copy()
    return cupy.from_dlpack(x, copy=copy)


def of_whole(reduce: Callable[..., Any], whole: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``any`` or ``all`` of a whole array of booleans be a kernel of our own."""

    def reduced(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is None and x.dtype == bool:
            return whole(cupy, x, keepdims=keepdims)
        return reduce(x, axis=axis, keepdims=keepdims)

    return reduced


def filling(create: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``full`` or ``full_like`` keep the sign of zeros: CuPy sets all bytes to 0 instead."""

    def filled(of: Any, fill_value: Any, **settings: Any) -> Any:
        if _is_negative_zero(fill_value):
            fill_value = from_numpy(fill_value)
        return create(of, fill_value, **settings)

    return filled


def keeping_signs(create: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``asarray`` of one number keep the sign of zero: CuPy fills an array with that, too."""

    def asarray(x: Any, /, *, dtype: Any = None, **settings: Any) -> Any:
        if _is_negative_zero(x):
            return from_numpy(np.asarray(x, dtype=dtype))
        return create(x, dtype=dtype, **settings)

    return asarray


def from_numpy(array: Any) -> Any:
    """Copy to the current device; what has no axes as an array, or CuPy takes it for a number."""
    array = np.asarray(array)
    return cupy.asarray(array) if array.ndim else cupy.asarray(array.reshape(1)).reshape(())


def _is_negative_zero(x: Any) -> bool:
    if not isinstance(x, float | complex | np.inexact):
        return False
    number = complex(x)
    return number == 0 and (copysign(1, number.real) < 0 or copysign(1, number.imag) < 0)
