"""One dtype, as NumPy knows it and as another array library does.

NumPy and CuPy share their dtypes; other libraries have their own objects, which
the array API standard gives the same names.
"""

from functools import cache
from typing import Any

import numpy as np

from gradx.backends.base import Backend
from gradx.errors import DTypeError


def numpy_dtype(dtype: Any) -> np.dtype:
    """Return NumPy's dtype for ``dtype``: a dtype of any library, a name, or a type.

    Raise ``DTypeError`` for what is not a number's dtype.

    >>> numpy_dtype("float32")
    dtype('float32')
    """
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # NumPy reads some tuples as text to parse
        found = _by_name(dtype)
    # Numbers, and those that other packages add to NumPy (bfloat16).
    if dtype is None or found is None or (found.kind not in "biufc" and found.isbuiltin != 2):
        raise DTypeError(f"expected the dtype of numbers or booleans, got {dtype!r}")
    return found


def _by_name(dtype: Any) -> np.dtype | None:
    # Others print theirs as "torch.float32", "array_api_strict.float32".
    try:
        return np.dtype(str(dtype).rpartition(".")[2])
    except (TypeError, ValueError, SyntaxError):
        return None


def native_dtype(backend: Backend, dtype: Any) -> Any:
    """Return the backend's own object for ``dtype``.

    A library that lacks it says so itself when it is used.
    """
    return _own(backend, dtype if isinstance(dtype, np.dtype) else numpy_dtype(dtype))


@cache  # casts are frequent in rules
def _own(backend: Backend, dtype: np.dtype) -> Any:
    found = numpy_dtype(dtype)
    own = getattr(backend.xp, found.name, found)
    # NumPy's classes, which CuPy has too, stand for dtypes but have none of their attributes.
    return found if isinstance(own, type) else own
