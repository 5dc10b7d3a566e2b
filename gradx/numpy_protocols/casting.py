"""What NumPy's universal functions cast: ``dtype=``, ``signature=`` and ``casting=``.

NumPy itself is asked which dtypes it would compute in, and whether it may.
"""

from typing import Any

import numpy as np

from gradx.core.arrays import untracked
from gradx.errors import DTypeError
from gradx.numpy_protocols.refusals import unknown
from gradx.ops.shapes import astype

# Python's numbers are weak: NumPy is asked about their type.
WEAK = {int, float, complex}


def cast_as_asked(
    ufunc: Any, call: str, inputs: Any, outs: Any, asked: dict[str, Any]
) -> tuple[Any, ...]:
    """Return the inputs of a universal function in the dtypes that it is asked to compute in.

    Raises:
        DTypeError: NumPy would not cast so.
    """
    dtypes = tuple(map(_dtype_of, (*inputs, *outs)))
    try:
        found = ufunc.resolve_dtypes(
            dtypes, signature=_signature(ufunc, **asked), casting=asked.get("casting", "same_kind")
        )
    except TypeError as error:
        raise DTypeError(f"{call}: {error}") from error
    if any(dtype.kind == "O" for dtype in found):
        raise unknown(call, [f"{name}={value!r}" for name, value in asked.items()])
    return tuple([_cast(x, dtype) for x, dtype in zip(inputs, found, strict=False)])


def _dtype_of(x):
    if x is None or type(x) in WEAK:
        return x if x is None else type(x)
    plain = untracked(x)
    return plain.dtype if hasattr(plain, "dtype") else np.asarray(plain).dtype


def _signature(ufunc, dtype=None, signature=None, casting=None):
    """Return a dtype, or None, for each input and output."""
    if signature is None:
        return (None,) * ufunc.nin + (None if dtype is None else np.dtype(dtype),) * ufunc.nout
    if isinstance(signature, str):
        signature = signature.replace("->", "")
    return tuple([None if one is None else np.dtype(one) for one in signature])


def _cast(x, dtype):
    return astype(x, dtype) if hasattr(x, "dtype") and x.dtype != dtype else x
