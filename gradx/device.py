"""Bring data to a device: ``asarray`` for one array, ``to_device`` for a tree.

Everything here is about plain arrays. A kind of leaf that needs more than its
numbers moved (a Tensor) says how in ``LEAF_MOVES``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import optree

from gradx.backends import (
    Backend,
    backend_for_device,
    backend_of,
    canonical_device,
    chosen_device,
    current_device,
    find_backend,
    native_dtype,
    numpy_dtype,
)
from gradx.errors import DTypeError, GradxError, ShapeError

# Type of a leaf -> function of the leaf and the name of a device.
LEAF_MOVES: dict[type, Callable[[Any, str], Any]] = {}


def to_device(tree: Any, device: Any) -> Any:
    """Return ``tree`` with its arrays on ``device``; other leaves are unchanged.

    An array that is there already is returned itself. ``device`` is a string
    (``"cpu"``, ``"cuda"``, ``"cuda:1"``) or ``x.device`` of an array.

    Raises:
        DeviceError: the device cannot be used.

    >>> import numpy as np, gradx as gx
    >>> gx.to_device({"weight": np.ones(2), "name": "first"}, "cpu")
    {'weight': array([1., 1.]), 'name': 'first'}
    """
    name = canonical_device(device)
    return optree.tree_map(lambda leaf: _move_leaf(leaf, name), tree, namespace="gradx")


def _move_leaf(leaf: Any, device: str) -> Any:
    move = LEAF_MOVES.get(type(leaf))
    if move is not None:
        return move(leaf, device)
    if find_backend(type(leaf)) is None:
        return leaf
    return array_to_device(leaf, device)


def array_to_device(array: Any, device: str) -> Any:
    """Return one plain ``array`` on ``device``: itself if it is there already."""
    source = backend_of(type(array))
    target, native = backend_for_device(device)
    if source is target:
        return target.transfer(array, native)
    return target.from_numpy(source.to_numpy(array), target.device_name(native))


def asarray(x: Any, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    """Return ``x`` as a plain array of the library that ``device`` belongs to.

    ``x`` is an array, a number, nested sequences of numbers, or anything that NumPy
    can read. Where it goes: to ``device`` if given; else to the device of the
    enclosing ``gx.default_device``; else an array stays where it is, and all else
    becomes a NumPy array. Python floats become float64. ``copy=True`` always
    copies; ``copy=False`` raises ``ShapeError`` where that is impossible.

    Raise ``DTypeError`` for what is not numbers, ``ShapeError`` for ragged sequences.

    >>> asarray([1, 2.5])
    array([1. , 2.5])
    >>> asarray([1, 2], dtype="float32")
    array([1., 2.], dtype=float32)
    """
    backend = find_backend(type(x))
    array = _from_python(x, dtype) if backend is None else _of_numbers(x, x)
    target, native = backend_for_device(_destination(array, backend, device))
    moved = array_to_device(array, target.device_name(native))
    if copy is False and moved is not x:
        raise ShapeError(
            f"asarray: copy=False, but a {type(x).__name__} has to be copied to become "
            f"an array on {target.device_name(native)!r}: leave copy out"
        )
    return _convert(target, native, moved, dtype, copy)


def _destination(array: Any, backend: Backend | None, device: Any) -> Any:
    chosen = device if device is not None else chosen_device()
    if chosen is not None:
        return chosen
    return current_device() if backend is None else backend.device_of(array)


def _from_python(x: Any, dtype: Any) -> np.ndarray:
    try:
        array = np.asarray(x, dtype=None if dtype is None else numpy_dtype(dtype))
    except GradxError:
        raise
    except ValueError as error:
        raise ShapeError(f"asarray: cannot make an array of {_describe(x)}: {error}") from error
    except (TypeError, OverflowError) as error:
        raise DTypeError(f"asarray: cannot make an array of {_describe(x)}: {error}") from error
    return _of_numbers(array, x)


def _of_numbers(array: Any, x: Any) -> Any:
    """Return an array made of ``x``, unless it holds texts, objects or times."""
    if getattr(array.dtype, "kind", "f") in "OSUMmV":
        raise DTypeError(f"asarray: expected numbers or booleans, got {_describe(x)}")
    return array


def _describe(x: Any) -> str:
    text = repr(x)
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{type(x).__name__} {shown}"


def _convert(backend: Backend, native: Any, array: Any, dtype: Any, copy: bool | None) -> Any:
    native_type = None if dtype is None else native_dtype(backend, dtype)
    try:
        return backend.xp.asarray(array, dtype=native_type, device=native, copy=copy)
    except ValueError as error:
        raise ShapeError(
            f"asarray: copy=False, but {array.dtype} has to be copied to become {dtype}: "
            "leave copy out"
        ) from error
