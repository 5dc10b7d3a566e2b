"""The dtypes and constants under their standard names, and questions about dtypes.

They are NumPy's. gradx takes them, their names (``"float32"``) and those of any
other array library everywhere that it takes a dtype.
"""

import builtins
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradx.backends import native_dtype, numpy_dtype
from gradx.core.arrays import backend_for, is_array, untracked
from gradx.errors import DTypeError

bool = np.bool
int8, int16, int32, int64 = np.int8, np.int16, np.int32, np.int64
uint8, uint16, uint32, uint64 = np.uint8, np.uint16, np.uint32, np.uint64
float32, float64 = np.float32, np.float64
complex64, complex128 = np.complex64, np.complex128

e, pi, inf, nan, newaxis = np.e, np.pi, np.inf, np.nan, None

SCALARS = {builtins.bool, int, float, complex}


def isdtype(dtype: Any, kind: Any) -> builtins.bool:
    """Tell whether ``dtype`` is of a kind: ``"real floating"``, a dtype, or one of a tuple.

    >>> import gradx as gx
    >>> gx.isdtype("float32", ("integral", "real floating"))
    True
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    known = numpy_dtype(dtype)
    return any(np.isdtype(known, _kind(one)) for one in kinds)


KINDS = {
    "bool",
    "signed integer",
    "unsigned integer",
    "integral",
    "real floating",
    "complex floating",
    "numeric",
}


def _kind(kind: Any) -> Any:
    return kind if isinstance(kind, str) and kind in KINDS else numpy_dtype(kind)


@dataclass(frozen=True, slots=True)
class FloatLimits:
    """What ``finfo`` tells of a floating-point dtype; of a complex one, of its parts."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


@dataclass(frozen=True, slots=True)
class IntegerLimits:
    """What ``iinfo`` tells of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: Any


def finfo(type: Any, /) -> FloatLimits:
    """Return the limits of a floating-point dtype, or of that of an array: ``eps``, ``max``.

    >>> import gradx as gx
    >>> gx.finfo("float64").eps
    2.220446049250313e-16
    """
    dtype = _dtype_of(type)
    if dtype.kind not in "fc":
        raise DTypeError(f"finfo: expected a floating-point dtype, got {dtype}")
    told = np.finfo(dtype)
    return FloatLimits(
        bits=told.bits,
        eps=float(told.eps),
        max=float(told.max),
        min=float(told.min),
        smallest_normal=float(told.smallest_normal),
        dtype=_library_dtype(type, told.dtype),
    )


def iinfo(type: Any, /) -> IntegerLimits:
    """Return the limits of an integer dtype, or of that of an array: ``min``, ``max``.

    >>> import gradx as gx
    >>> gx.iinfo("int8").max
    127
    """
    dtype = _dtype_of(type)
    if dtype.kind not in "iu":
        raise DTypeError(f"iinfo: expected an integer dtype, got {dtype}")
    told = np.iinfo(dtype)
    return IntegerLimits(told.bits, int(told.max), int(told.min), _library_dtype(type, told.dtype))


def _library_dtype(value: Any, dtype: Any) -> Any:
    """Return ``dtype`` as the library of ``value`` has it, where that is an array."""
    return native_dtype(backend_for(value), dtype) if is_array(value) else dtype


def can_cast(from_: Any, to: Any, /) -> builtins.bool:
    """Tell whether every value of one dtype, or of an array's, fits into another dtype.

    >>> import gradx as gx
    >>> gx.can_cast("float64", "float32")
    False
    """
    return np.can_cast(_dtype_of(from_), numpy_dtype(to))


def result_type(*arrays_and_dtypes: Any) -> Any:
    """Return the dtype that arrays, dtypes and Python numbers promote to together.

    Python numbers are weak: they never make a float32 a float64.

    >>> import gradx as gx
    >>> gx.result_type(gx.float32, 1.0)
    dtype('float32')
    """
    backend = None
    found = []
    for one in arrays_and_dtypes:
        if type(one) in SCALARS:
            found.append(one)
            continue
        if is_array(one):
            backend = backend_for(one)
        found.append(_dtype_of(one))
    dtype = np.result_type(*found)
    return dtype if backend is None else native_dtype(backend, dtype)


def _dtype_of(value: Any) -> Any:
    return numpy_dtype(untracked(value).dtype if is_array(value) else value)
