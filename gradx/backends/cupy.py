"""CuPy: NVIDIA GPUs.

CuPy computes on the device that its thread has entered, whatever its creation
functions are told and wherever their arguments lie. ``xp`` is array-api-compat's
namespace with creation functions that keep the standard's promise instead.
"""

import re
from collections.abc import Callable
from functools import cache, partial, wraps
from types import ModuleType
from typing import Any

import array_api_compat.cupy as compat
import cupy
import cupyx
import numpy as np

from gradx.backends import companions, cublaslt, cuda_prefetch, cupy_gaps
from gradx.backends.base import Backend
from gradx.backends.cuda_kernels import (
    add_at,
    column_sums,
    convolution,
    elementwise,
    gelu,
    pooling,
    random_numbers,
    softmax,
    softmax_cross_entropy,
    take,
    whole,
)
from gradx.backends.cuda_kernels.launching import contiguous, is_capturing
from gradx.errors import DeviceError, ShapeError

MOST_JOINED = 8  # arrays that CuPy joins by copying one after another
CREATE = ("arange", "empty", "eye", "full", "linspace", "ones", "zeros")
CREATE_LIKE = ("asarray", "empty_like", "full_like", "ones_like", "zeros_like")
# To which array-api-compat adds nothing but a look at the device, and some microseconds.
AS_IN_CUPY = ("empty", "ones", "zeros", "empty_like", "ones_like", "zeros_like")


def _creating(create: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``create`` place its array on ``device``."""

    @wraps(create)
    def created(*args: Any, device: Any = None, **parameters: Any) -> Any:
        if device is None:
            return create(*args, **parameters)
        with device:
            return create(*args, **parameters)

    return created


def _creating_like(create: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``create`` place its array on ``device``, or else beside its first argument."""
    placed = _creating(create)

    @wraps(create)
    def created(x: Any, /, *args: Any, device: Any = None, **parameters: Any) -> Any:
        if device is None and isinstance(x, cupy.ndarray):
            device = x.device
        return placed(x, *args, device=device, **parameters)

    return created


def _make_namespace() -> ModuleType:
    # The name is copied too: libraries recognise CuPy's namespace by it.
    namespace = ModuleType(compat.__name__, __doc__)
    namespace.__dict__.update(vars(compat))
    namespace.__dict__["__getattr__"] = partial(getattr, compat)
    for name in ("clip", "from_dlpack", "remainder"):
        setattr(namespace, name, getattr(cupy_gaps, name))
    for name, of_whole in {"any": whole.any_of, "all": whole.all_of}.items():
        setattr(namespace, name, cupy_gaps.of_whole(getattr(compat, name), of_whole))
    namespace.__dict__["asarray"] = cupy_gaps.keeping_signs(namespace.__dict__["asarray"])
    for name in AS_IN_CUPY:
        setattr(namespace, name, getattr(cupy, name))
    for name in ("full", "full_like"):
        setattr(namespace, name, cupy_gaps.filling(getattr(compat, name)))
    for name in CREATE:
        setattr(namespace, name, _creating(getattr(namespace, name)))
    for name in CREATE_LIKE:
        setattr(namespace, name, _creating_like(getattr(namespace, name)))
    return namespace


def _native_device(device: str) -> Any:
    """Return the ``cupy.cuda.Device`` called ``device``; ``"cuda"`` is the first."""
    match = re.fullmatch(r"cuda(?::([0-9]+))?", device)
    if match is None:
        raise DeviceError(f"unknown device {device!r}: expected 'cuda' or 'cuda:<index>'")
    index = int(match[1] or 0)
    count = cupy.cuda.runtime.getDeviceCount()
    if index >= count:
        raise DeviceError(
            f"device {device!r} does not exist: "
            f"the CUDA devices visible here are {', '.join(map(repr, _devices())) or 'none'}"
        )
    return cupy.cuda.Device(index)


def _devices() -> list[str]:
    return [f"cuda:{index}" for index in range(cupy.cuda.runtime.getDeviceCount())]


def _device_name(native: Any) -> str:
    return _name_of(native.id)


@cache
def _name_of(index: int) -> str:
    return f"cuda:{index}"


def _from_numpy(array: Any, device: str) -> Any:
    with _native_device(device):
        return cupy_gaps.from_numpy(array)


def _owns_memory(array: Any) -> bool:
    # Memory that is not the pool's belongs to another library, lent by DLPack.
    return (
        type(array) is cupy.ndarray
        and array.base is None
        and isinstance(array.data.mem, cupy.cuda.memory.PooledMemory)
    )


xp = _make_namespace()

BACKEND = Backend(
    name="cupy",
    xp=xp,
    to_numpy=cupy.asnumpy,
    from_numpy=_from_numpy,
    devices=_devices,
    device_of=lambda array: _name_of(array.data.device_id),  # a Device would take time to make
    native_device=_native_device,
    synchronize=lambda: cupy.cuda.Device().synchronize(),
    shares_memory=cupy.may_share_memory,
    row_major=contiguous,
    owns_memory=_owns_memory,
    reading_stalls=True,
    recording=is_capturing,
    array_types=(cupy.ndarray,),
    device_type=cupy.cuda.Device,
    device_name=_device_name,
    device_context=lambda native: native,
    prefetched=cuda_prefetch.Prefetched,
    transfer=lambda array, native: xp.asarray(array, device=native),
)

BACKEND.kernels.update(companions.kernels_of("cupyx.scipy.special", "pip install cupy"))
for module in (
    add_at,
    convolution,
    elementwise,
    gelu,
    pooling,
    random_numbers,
    softmax,
    softmax_cross_entropy,
    take,
):
    BACKEND.kernels.update(module.KERNELS)
BACKEND.kernels["matmul"] = cublaslt.matmul


@BACKEND.kernel("sum")
def sum(xp, x, /, *, axis=None, dtype=None, keepdims=False):
    """Skip the Python around the method; our own kernels where CuPy has no fast way."""
    if dtype is None and column_sums.is_over_columns(x, axis):
        return column_sums.column_sums(xp, x, axis=axis, keepdims=keepdims)
    if dtype is None and whole.is_summed(x, axis):
        return whole.sum_of(xp, x, keepdims=keepdims)
    return x.sum(axis=axis, dtype=dtype, keepdims=keepdims)


@BACKEND.kernel("vecdot")
def vecdot(xp, x, y, /, *, axis=-1):
    """Multiply and add up: CuPy's own is a product of cuBLAS, which cannot be captured."""
    if axis >= 0:  # counted from the first one of each array
        x, y, axis = xp.moveaxis(x, axis, -1), xp.moveaxis(y, axis, -1), -1
    if x.shape[axis] != y.shape[axis]:
        raise ShapeError(f"vecdot: {x.shape} and {y.shape} differ along axis {axis}")
    products = xp.conj(x) * y
    return products.sum(axis=axis, dtype=products.dtype)


@BACKEND.kernel("from_parts")
def from_parts(xp, x, y, /):
    """Write both parts: an infinity times 1j would have a real part that is NaN."""
    shape, dtype = np.broadcast_shapes(x.shape, y.shape), xp.result_type(x, y, xp.complex64)
    out = xp.empty(shape, dtype=dtype)
    out.real, out.imag = x, y
    return out


@BACKEND.kernel("concat")
def concat(xp, /, *arrays, axis=0):
    """Join a few at a time in a capture: for more CuPy copies a table of them from the host."""
    if len(arrays) <= MOST_JOINED or not is_capturing():
        return xp.concat(arrays, axis=axis)
    if axis is None:
        arrays, axis = tuple([x.reshape(-1) for x in arrays]), 0
    starts = range(0, len(arrays), MOST_JOINED)
    parts = [xp.concat(arrays[i : i + MOST_JOINED], axis=axis) for i in starts]
    return concat(xp, *parts, axis=axis)


# NVIDIA's solvers raise nothing: what they leave of a matrix that has no inverse, or no factor,
# are numbers that mean nothing. They cannot be captured, so to wait for them and look is possible.


@BACKEND.kernel("solve")
def solve(xp, x, y, /):
    """Broadcast stacks, too: CuPy wants as many matrices of one as of the other."""
    if y.ndim > 1 and x.shape[:-2] != y.shape[:-2]:
        stack = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        x, y = (xp.broadcast_to(one, (*stack, *one.shape[-2:])) for one in (x, y))
    with cupyx.errstate(linalg="raise"):
        return xp.linalg.solve(x, y)


@BACKEND.kernel("inv")
def inv(xp, x, /):
    """Invert, and look whether there is an inverse."""
    with cupyx.errstate(linalg="raise"):
        return xp.linalg.inv(x)


@BACKEND.kernel("cholesky")
def cholesky(xp, x, /, *, upper=False):
    """Factorize, and look whether the matrix is positive definite."""
    with cupyx.errstate(linalg="raise"):
        lower = xp.linalg.cholesky(x)
    return xp.conj(xp.matrix_transpose(lower)) if upper else lower
