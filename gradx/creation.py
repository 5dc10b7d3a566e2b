"""Making arrays: the creation functions of the standard, on any device.

What they return are plain arrays of the library that ``device`` belongs to (NumPy
unless ``gx.default_device`` or ``device=`` says otherwise); no transform watches
them. A Tensor among the arguments stays differentiable.
"""

from typing import Any

from gradx import device as devices
from gradx.backends import Backend, backend_for_device, current_device, find_backend, native_dtype
from gradx.core.arrays import backend_for, is_array, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.views import copy_of, in_memory, without_constants
from gradx.errors import DTypeError, OutOfMemoryError, ShapeError, TrackedError
from gradx.ops.creation import empty_like as empty_like
from gradx.ops.creation import ones_like as ones_like
from gradx.ops.creation import place_of
from gradx.ops.creation import zeros_like as zeros_like
from gradx.ops.elementwise import add, divide, multiply, subtract
from gradx.ops.joining import stack
from gradx.ops.shapes import as_shape, astype, broadcast_to


def asarray(x: Any, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    """Return ``x`` as an array; a Tensor stays one.

    ``x`` is an array, a number, nested sequences of numbers or Tensors, or anything
    that NumPy can read. Where it goes: to ``device`` if given, else to the device of the
    enclosing ``gx.default_device``; else an array stays where it is, and all else becomes
    a NumPy array. ``copy=True`` always copies; ``copy=False`` raises where it had to.

    Raises:
        TypeError: it is not made of numbers.
        ValueError: the sequences are ragged, or ``copy=False`` is impossible.

    >>> import gradx as gx
    >>> gx.asarray([1, 2.5])
    array([1. , 2.5])
    """
    if type(x) is Tensor:
        return _as_tensor(x, dtype, device, copy)
    try:
        return devices.asarray(x, dtype=dtype, device=device, copy=copy)
    except (TrackedError, DTypeError):
        # A sequence with Tensors in it, or with arrays of a library that NumPy cannot read.
        if not isinstance(x, (list, tuple)) or not _holds_arrays(x):
            raise
        return stack([asarray(one, dtype=dtype, device=device) for one in x])


def _holds_arrays(x):
    return any(_holds_arrays(one) if isinstance(one, (list, tuple)) else is_array(one) for one in x)


def _as_tensor(x, dtype, device, copy):
    moved = x if device is None else devices.to_device(x, device)
    if dtype is not None and native_dtype(backend_for(moved), dtype) != moved.dtype:
        moved = astype(moved, dtype)
    if copy is False and moved is not x:
        raise ShapeError("asarray: copy=False, but the Tensor has to be copied: leave copy out")
    return in_memory(copy_of(x)) if copy and moved is x else moved


def _place(device: Any, dtype: Any) -> tuple[Any, dict[str, Any]]:
    """Return the namespace of a device, and how it is told the dtype and the device."""
    backend, native = backend_for_device(current_device() if device is None else device)
    return backend.xp, {
        "dtype": None if dtype is None else native_dtype(backend, dtype),
        "device": native,
    }


def _create(name: str, arguments: tuple[Any, ...], dtype: Any, device: Any, **settings: Any) -> Any:
    """Call a creation function of the device's library, and retell its errors."""
    xp, place = _place(device, dtype)
    arguments = tuple(map(without_constants, arguments))
    for argument in arguments:
        if type(argument) is Tensor:
            raise TrackedError(f"{name}: its arguments are plain numbers, got a Tensor")
    try:
        return getattr(xp, name)(*arguments, **settings, **place)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise ShapeError(f"{name}{arguments}: {error}") from error
    except TypeError as error:
        raise DTypeError(f"{name}{arguments}: {error}") from error
    except MemoryError as error:
        raise OutOfMemoryError(f"{name}{arguments}: {error}") from error


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Make an array of zeros, float64 unless told.

    >>> import gradx as gx
    >>> gx.zeros((2,), dtype="float32")
    array([0., 0.], dtype=float32)
    """
    return _create("zeros", (as_shape(shape),), dtype, device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Make an array of ones, float64 unless told.

    >>> import gradx as gx
    >>> gx.ones(3)
    array([1., 1., 1.])
    """
    return _create("ones", (as_shape(shape),), dtype, device)


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Make an array whose elements are whatever the memory held.

    >>> import gradx as gx
    >>> gx.empty((0, 2)).shape
    (0, 2)
    """
    return _create("empty", (as_shape(shape),), dtype, device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Make an array of one value: a number or a 0-d array, which may be a Tensor.

    >>> import gradx as gx
    >>> gx.full((2,), 7)
    array([7, 7])
    """
    shape = as_shape(shape)
    if find_backend(type(fill_value)) is None and type(fill_value) is not Tensor:
        return _create("full", (shape, fill_value), dtype, device)
    if fill_value.shape != ():
        raise ShapeError(
            f"full: fill_value is a number or a 0-d array, got shape {fill_value.shape}"
        )
    value = asarray(fill_value, dtype=dtype, device=device)
    # Cast to its own dtype: a copy, which may be written to.
    return astype(broadcast_to(value, shape), value.dtype)


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Any:
    """Make an array of one value with the shape, dtype and device of ``x``, or those given.

    >>> import gradx as gx
    >>> gx.full_like(gx.zeros(2), 0.5)
    array([0.5, 0.5])
    """
    if not is_array(x):
        raise DTypeError(f"full_like: expected an array, got {describe(x)}")
    dtype = untracked(x).dtype if dtype is None else dtype
    device = place_of(x)[1] if device is None else device
    return full(x.shape, fill_value, dtype=dtype, device=device)


def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
) -> Any:
    """Count from ``start`` up to but not including ``stop``; from 0 up to ``start`` if it is alone.

    >>> import gradx as gx
    >>> gx.arange(3), gx.arange(1.0, 2.0, 0.5)
    (array([0, 1, 2]), array([1. , 1.5]))
    """
    bounds = (0, start, step) if stop is None else (start, stop, step)
    return _create("arange", bounds, dtype, device)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
) -> Any:
    """Divide an interval evenly: ``num`` numbers, the last one ``stop`` if ``endpoint``.

    Either end may be a 0-d Tensor: the result varies with it.

    >>> import gradx as gx
    >>> gx.linspace(0.0, 1.0, 3)
    array([0. , 0.5, 1. ])
    """
    if type(start) is not Tensor and type(stop) is not Tensor:
        return _create("linspace", (start, stop, num), dtype, device, endpoint=endpoint)
    like = start if type(start) is Tensor else stop
    xp, native = place_of(like)
    steps = max(num - 1 if endpoint else num, 1)
    places = divide(xp.arange(num, dtype=untracked(like).dtype, device=native), steps)
    # Exact at both ends.
    line = add(multiply(start, subtract(1, places)), multiply(stop, places))
    return asarray(line, dtype=dtype, device=device)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
) -> Any:
    """Make a matrix with ones on the diagonal ``k`` above the main one, else zeros.

    >>> import gradx as gx
    >>> gx.eye(2)
    array([[1., 0.],
           [0., 1.]])
    """
    return _create("eye", (n_rows, n_cols), dtype, device, k=k)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """Return an array of another library, which it shares memory with unless it is copied.

    Where it goes: to ``device`` if given, else to NumPy or CuPy, where its memory is.

    Raises:
        TypeError: ``x`` does not know DLPack, or its dtype has no counterpart.
        ValueError: ``copy=False`` is impossible.

    >>> import numpy as np, gradx as gx
    >>> gx.from_dlpack(np.asarray([1.0, 2.0]))
    array([1., 2.])
    """
    if type(x) is Tensor:
        raise TrackedError(
            "from_dlpack: a Tensor's memory is not lent: use gx.asarray, or detach() it"
        )
    try:
        kind, index = x.__dlpack_device__()
    except AttributeError:
        raise DTypeError(f"from_dlpack: {type(x).__name__} does not know DLPack") from None
    reader = _reader_of(DLPACK_DEVICES.get(int(kind), "cpu").format(index), device)
    try:
        array = reader.xp.from_dlpack(x, copy=copy)
    except (ValueError, BufferError) as error:
        raise ShapeError(f"from_dlpack: {error}") from error
    except RuntimeError as error:  # of a dtype that the reader does not have
        raise DTypeError(f"from_dlpack: {describe(x)}: {error}") from error
    return array if device is None else devices.asarray(array, device=device)


def _reader_of(memory: str, device: Any) -> Backend:
    """Return the library that reads ``memory``: that of ``device``, unless it cannot."""
    owner, _ = backend_for_device(memory)
    wanted, _ = backend_for_device(memory if device is None else device)
    return owner if {owner.name, wanted.name} == {"numpy", "cupy"} else wanted


# Kind of memory, as DLPack counts them -> device.
DLPACK_DEVICES = {2: "cuda:{}", 13: "cuda:{}"}
