"""What the functions of this package accept, and what they say otherwise."""

import math
import sys
from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np

from gradx.backends import find_backend, numpy_dtype
from gradx.core.arrays import is_kind
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.errors import DTypeError, GradxError, ShapeError


def as_key(key: Any) -> np.ndarray:
    """Return ``key`` as a NumPy array; a key may live on any device."""
    backend = find_backend(type(key))
    words = None if backend is None else backend.to_numpy(key)
    if words is None:
        raise DTypeError(
            f"expected a key from gx.random.key(seed), got {type(key).__name__} {key!r}"
        )
    if words.dtype != np.uint64:
        raise DTypeError(
            f"expected a key from gx.random.key(seed), of dtype uint64, got dtype {words.dtype}"
        )
    if words.shape != (2,):
        raise ShapeError(
            f"expected one key, of shape (2,), got shape {words.shape}: "
            "keys from gx.random.split are used one by one"
        )
    return words


def checked_key(key: Any) -> Any:
    """Return ``key`` for an op: a NumPy array, or the Tensor of a transform, as of ``vmap``."""
    if type(key) is not Tensor:
        return as_key(key)
    if key.shape != (2,) or not is_kind(key, "unsigned integer"):
        raise ShapeError(
            f"expected one key from gx.random.key(seed), of dtype uint64 and shape (2,), "
            f"got {describe(key)}"
        )
    return key


def as_integer(name: str, value: Any) -> int:
    """Return ``value`` as a Python integer; truth values are not numbers here."""
    if isinstance(value, bool | np.bool_):
        raise DTypeError(f"{name}: expected an integer, got {value!r}")
    try:
        return index(value)
    except GradxError:
        raise
    except TypeError as error:
        raise DTypeError(
            f"{name}: expected an integer, got {type(value).__name__} {value!r}"
        ) from error


def as_number(name: str, value: Any) -> float:
    """Return ``value`` as a finite Python float."""
    if isinstance(value, bool | np.bool_ | str | bytes):
        raise DTypeError(f"{name}: expected a number, got {value!r}")
    try:
        number = float(value)
    except GradxError:
        raise
    except (TypeError, ValueError) as error:
        raise DTypeError(
            f"{name}: expected one number, got {type(value).__name__} {value!r}"
        ) from error
    if not math.isfinite(number):
        raise ShapeError(f"{name}: expected a finite number, got {number}")
    return number


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return ``shape``, an integer or a sequence of them, as a tuple."""
    sizes = shape if isinstance(shape, Iterable) else (shape,)
    lengths = tuple(as_integer("shape", size) for size in sizes)
    if any(length < 0 for length in lengths):
        raise ShapeError(f"shape: expected lengths of 0 or more, got {lengths}")
    if math.prod(lengths) > sys.maxsize // 16:
        raise ShapeError(f"shape: {lengths} has more elements than any memory holds")
    return lengths


def as_float_dtype(dtype: Any) -> np.dtype:
    """Return float64 for None, and otherwise one of the two dtypes that are drawn."""
    found = np.dtype(np.float64) if dtype is None else numpy_dtype(dtype)
    if found not in (np.float32, np.float64):
        raise DTypeError(
            f"dtype: expected float32 or float64, got {found}: draw one and convert it"
        )
    return found


def as_integer_dtype(dtype: Any) -> np.dtype:
    """Return int64 for None, and otherwise an integer dtype."""
    found = np.dtype(np.int64) if dtype is None else numpy_dtype(dtype)
    if found.kind not in "iu":
        raise DTypeError(f"dtype: expected an integer dtype, got {found}")
    return found
