"""What a Tensor answers to ``__array_namespace__``: gradx, bound to one library and device.

Array API code makes its constants with ``xp.zeros(...)`` and names no device;
made through one of these they land beside the data. There is one object per
backend and device, so that consumers may compare and hash it.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradx.backends import Backend, backend_for_device, native_dtype
from gradx.core.arrays import backend_for, untracked
from gradx.inspection import Info
from gradx.ops.searching import nonzero
from gradx.transforms.constants import constant

CREATION = {
    "arange",
    "asarray",
    "empty",
    "eye",
    "from_dlpack",
    "full",
    "linspace",
    "ones",
    "zeros",
}

# Functions of ``fft`` that make arrays.
FREQUENCIES = ("fftfreq", "rfftfreq")

# What may return new arrays where no Tensor was given.
MAKING = {*CREATION, "astype", "empty_like", "full_like", "ones_like", "where", "zeros_like"}

# NumPy's, which the standard has not: code that finds them uses them, and is differentiated, where
# it would else convert to an array. It calls ``diff`` as NumPy's, too.
NUMPYS = {"bincount", "convolve", "diff", "median", "roots"}

# Answered by the array library itself: its dtypes may be its own.
LIBRARYS_OWN = {
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",  # of no standard, and libraries look for it
    "float32",
    "float64",
    "complex64",
    "complex128",
}


# Functions that answer with a dtype: how the answer is put in the library's own.
DTYPES_TOLD = {
    "finfo": lambda backend, limits: replace(limits, dtype=native_dtype(backend, limits.dtype)),
    "iinfo": lambda backend, limits: replace(limits, dtype=native_dtype(backend, limits.dtype)),
    "result_type": native_dtype,
}


class Namespace:
    """gradx's functions, with new arrays on one device of one library."""

    def __init__(self, backend: Backend, device: str) -> None:
        self._backend = backend
        self._device = device
        self.__name__ = f"gradx.{backend.name}"

    def __getattr__(self, name: str) -> Any:
        value = self._find(name)
        self.__dict__[name] = value
        return value

    def _find(self, name: str) -> Any:
        if name in LIBRARYS_OWN:  # where it has it: array-api-strict has no float16
            return getattr(self._backend.xp, name)
        # The whole public surface, which this module lies below.
        value = getattr(sys.modules["gradx"], name)
        if name in CREATION:
            return _made_on(self._device, value)
        if name in DTYPES_TOLD:
            return _told_by(self._backend, value, DTYPES_TOLD[name])
        if name == "fft":
            return _fft_on(self._device, value)
        if name == "__array_namespace_info__":
            return partial(Info, self._device)
        return value

    def __dir__(self) -> list[str]:
        own = [name for name in LIBRARYS_OWN if hasattr(self._backend.xp, name)]
        return sorted({*dir(sys.modules["gradx"]), *own})

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._device)

    def __repr__(self) -> str:
        return f"<namespace {self.__name__} on {self._device}>"


class Beside(Namespace):
    """The namespace of Tensors: new arrays are Tensors too, without derivative."""

    def _find(self, name: str) -> Any:
        if name in NUMPYS and self._backend.name == "numpy":
            return _making(constant, getattr(np, name))
        value = super()._find(name)
        if name == "where":
            return _where_or_nonzero(_making(constant, value))
        if name == "fft":
            made = {key: _making(constant, getattr(value, key)) for key in FREQUENCIES}
            return SimpleNamespace(**vars(value) | made)
        return _making(constant, value) if name in MAKING else value


def _making(mark: Callable[[Any], Any], make: Callable[..., Any]) -> Callable[..., Any]:
    """Apply ``mark`` to what ``make`` returns."""

    @wraps(make)
    def made(*args: Any, **settings: Any) -> Any:
        return mark(make(*args, **settings))

    return made


def _where_or_nonzero(choose: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``where`` of a condition alone find its places, as NumPy's does."""

    @wraps(choose)
    def where(condition: Any, *values: Any) -> Any:
        return choose(condition, *values) if values else nonzero(condition)

    return where


def _made_on(own_device: str, create: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``create`` place its array on a device where none is named."""

    @wraps(create)
    def created(*args: Any, device: Any = None, **settings: Any) -> Any:
        return create(*args, device=own_device if device is None else device, **settings)

    return created


def _told_by(
    backend: Backend, ask: Callable[..., Any], translate: Callable[[Backend, Any], Any]
) -> Callable[..., Any]:
    """Make ``ask`` answer with the dtypes of one library."""

    @wraps(ask)
    def told(*args: Any) -> Any:
        return translate(backend, ask(*args))

    return told


def _fft_on(device: str, module: Any) -> SimpleNamespace:
    """Return the functions of ``gradx.fft``, with frequencies made on one device."""
    functions = {name: getattr(module, name) for name in module.__all__}
    for name in FREQUENCIES:
        functions[name] = _made_on(device, functions[name])
    return SimpleNamespace(**functions)


_namespaces: dict[tuple[type, str, str], Namespace] = {}


def namespace_of(x: Any, *, api_version: str | None = None) -> Namespace:
    """Return the namespace of a Tensor's library and device, which makes Tensors."""
    backend = backend_for(x)
    kind = x.trace.namespace or Beside
    return one_namespace(kind, backend, backend.device_of(untracked(x)))


def namespace_on(device: Any) -> Namespace:
    """Return gradx as a namespace whose new arrays are on ``device``.

    >>> namespace_on("cpu")
    <namespace gradx.numpy on cpu>
    """
    backend, native = backend_for_device(device)
    return one_namespace(Namespace, backend, backend.device_name(native))


def one_namespace(kind: type[Namespace], backend: Backend, device: str) -> Any:
    """Return the only namespace of its kind on a device of a library."""
    key = (kind, backend.name, device)
    if key not in _namespaces:
        _namespaces[key] = kind(backend, device)
    return _namespaces[key]


def _again(kind: type[Namespace], device: str) -> Namespace:
    """Return the namespace that was copied or pickled: there is one of its kind on a device."""
    backend, _ = backend_for_device(device)
    return one_namespace(kind, backend, device)
