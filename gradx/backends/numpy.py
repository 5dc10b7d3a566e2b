"""NumPy: the reference backend."""

import array_api_compat.numpy as xp
import numpy as np

from gradx.backends.base import Backend
from gradx.errors import DeviceError


def _native_device(device: str) -> str:
    if device != "cpu":
        raise DeviceError(f"unknown device {device!r}: NumPy has one device, 'cpu'")
    return device


def _owns_memory(array: np.ndarray) -> bool:
    return type(array) is np.ndarray and array.base is None and array.flags.writeable


BACKEND = Backend(
    name="numpy",
    xp=xp,
    to_numpy=np.asarray,
    from_numpy=lambda array, device: array,
    native_device=_native_device,
    shares_memory=np.may_share_memory,
    owns_memory=_owns_memory,
    array_types=(np.ndarray, np.generic),
)


@BACKEND.kernel("sum")
def sum(xp, x, /, *, axis=None, dtype=None, keepdims=False):
    """Skip the 0.7 us of Python inside ``np.sum``."""
    return np.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


@BACKEND.kernel("matmul")
def matmul(xp, x, y, /):
    """Skip the 0.6 us of Python inside array-api-compat."""
    return np.matmul(x, y)
