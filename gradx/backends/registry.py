"""Which backend: by the type of an array, or by the name of a device.

A backend's module is imported the first time that one of its arrays or devices
is seen, so a NumPy program never imports CuPy. What was found is kept: both
questions are asked at every op or creation, and cost a dictionary's look-up.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from gradx.backends import cuda
from gradx.backends.base import Backend
from gradx.backends.conforming import conforming_backend
from gradx.errors import DeviceError, NotAnArrayError, ShapeError


def _from_module(module: str) -> Callable[[str], Backend]:
    return lambda device: import_module(module).BACKEND


# Package that defines the array type -> module that defines BACKEND.
MODULES = {
    "numpy": "gradx.backends.numpy",
    "cupy": "gradx.backends.cupy",
    "array_api_strict": "gradx.backends.strict",
}

# Subclasses of NumPy's arrays whose operators, which rules use, skip elements or multiply matrices.
UNLIKE = {("numpy.ma", "MaskedArray"), ("numpy", "matrix")}

# First word of a device's name -> who returns its backend, or says why not.
LOADERS: dict[str, Callable[[str], Backend]] = {
    "cpu": _from_module("gradx.backends.numpy"),
    "cuda": cuda.load,
    "strict": _from_module("gradx.backends.strict"),
}

_registered: dict[str, Backend] = {}
_by_array_type: dict[type, Backend | None] = {}  # None: no array library's
_by_device: dict[str, tuple[Backend, Any]] = {}


def backend_of(array_type: type) -> Backend:
    """Return the backend whose arrays have type ``array_type``."""
    backend = _by_array_type.get(array_type)
    if backend is not None:
        return backend
    backend = find_backend(array_type)
    if backend is None:
        raise NotAnArrayError(
            f"expected an array, got {array_type.__name__!r}: convert it with "
            + ("x.toarray()" if hasattr(array_type, "toarray") else "gx.asarray(...)")
        )
    return backend


def find_backend(array_type: type) -> Backend | None:
    """Return the backend whose arrays have type ``array_type``, None if none has."""
    if array_type not in _by_array_type:
        _by_array_type[array_type] = _look_for_backend(array_type)
    return _by_array_type[array_type]


def _look_for_backend(array_type: type) -> Backend | None:
    if any((base.__module__, base.__name__) in UNLIKE for base in array_type.__mro__):
        return None
    for base in array_type.__mro__:
        backend = _by_array_type.get(base) or _backend_of_package(base)
        if backend is not None and issubclass(array_type, backend.array_types or object):
            return backend
    return None


def _backend_of_package(defined_there: type) -> Backend | None:
    module = MODULES.get(defined_there.__module__.partition(".")[0])
    return None if module is None else import_module(module).BACKEND


def backend_for_device(device: Any) -> tuple[Backend, Any]:
    """Return the backend of ``device``, and the device as that library knows it.

    ``device`` is a string, or the library's own object, as in ``device=x.device``.
    """
    found = _by_device.get(device) if isinstance(device, str) else _find_by_object(device)
    if found is None:
        found = _by_device[device] = _find_by_name(device)
    return found


def _find_by_name(device: str) -> tuple[Backend, Any]:
    loader = LOADERS.get(device.partition(":")[0])
    if loader is None:
        raise _unknown(device)
    backend = loader(device)
    return backend, backend.native_device(device)


def _find_by_object(device: Any) -> tuple[Backend, Any]:
    backend = _backend_of_package(type(device))
    for candidate in (backend, *_registered.values()):
        if candidate is None or candidate.device_type is None:
            continue
        if isinstance(device, candidate.device_type):
            return candidate, device
    raise _unknown(device)


def _unknown(device: Any) -> DeviceError:
    allowed = ["cpu", "cuda", "cuda:<index>", *_registered]
    return DeviceError(f"unknown device {device!r}: expected {', '.join(map(repr, allowed))}")


def canonical_device(device: Any) -> str:
    """Return the full name of ``device``: ``"cuda:0"`` for ``"cuda"``."""
    backend, native = backend_for_device(device)
    return backend.device_name(native)


def device_of(array: Any) -> str:
    """Return the name of the device on which ``array`` lies.

    >>> import numpy as np
    >>> device_of(np.zeros(3))
    'cpu'
    """
    return backend_of(type(array)).device_of(array)


def devices() -> list[str]:
    """Return the names of the devices that can be used here; never raise.

    >>> import gradx as gx
    >>> "cpu" in gx.devices()
    True
    """
    found: list[str] = []
    for kind in ("cpu", "cuda", *_registered):
        try:
            found += LOADERS[kind](kind).devices()
        except Exception:  # whatever is wrong with a device, the others work
            continue
    return found


def register(name: str, namespace: ModuleType, array_type: type, **fields: Any) -> Backend:
    """Let gradx run on ``namespace``, whose arrays have type ``array_type``.

    The namespace must conform to the array API standard. ``fields`` are fields of
    ``Backend`` (``to_numpy``, ``shares_memory``, ...) where the standard's own way
    does not do, and ``spell``, which writes a native device as text. The library's
    devices are then called ``"name"``, ``"name:cpu"`` and so on.

    Raises:
        ValueError: the name is taken, or is not an identifier.

    >>> import array_api_compat.torch, torch  # doctest: +SKIP
    >>> register("torch", array_api_compat.torch, torch.Tensor)  # doctest: +SKIP
    """
    if not name.isidentifier() or (name in LOADERS and name not in _registered):
        taken = ", ".join(repr(kind) for kind in LOADERS if kind not in _registered)
        raise ShapeError(f"register: expected an identifier other than {taken}, got {name!r}")
    backend = conforming_backend(name, namespace, array_type, **fields)
    _registered[name] = backend
    LOADERS[name] = lambda device: backend
    # Names found before may mean something else now.
    _by_device.clear()
    for subclass in [known for known in _by_array_type if issubclass(known, array_type)]:
        del _by_array_type[subclass]
    _by_array_type[array_type] = backend
    return backend
