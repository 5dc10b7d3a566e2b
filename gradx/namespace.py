"""What a Tensor answers to ``__array_namespace__``: gradx, bound to one library and device.

Array API code makes its constants with ``xp.zeros(...)`` and names no device;
made through one of these they land beside the data. There is one object per
backend and device, so that consumers may compare and hash it.
"""

import sys
from functools import partial
from types import SimpleNamespace
from typing import Any

from gradx.backends import Backend
from gradx.core.arrays import backend_for, untracked

CREATION = {
    "arange",
    "asarray",
    "empty",
    "eye",
    "full",
    "linspace",
    "ones",
    "zeros",
}

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
    "float32",
    "float64",
    "complex64",
    "complex128",
}


class Namespace:
    """gradx's functions, with new arrays on one device of one library."""

    def __init__(self, backend: Backend, device: str) -> None:
        self._backend = backend
        self._device = device
        self.__name__ = f"gradx.{backend.name}[{device}]"

    def __getattr__(self, name: str) -> Any:
        if name in LIBRARYS_OWN:
            value = getattr(self._backend.xp, name)
        else:
            # The whole public surface, which this module lies below.
            value = getattr(sys.modules["gradx"], name)
        if name in CREATION:
            value = partial(value, device=self._device)
        if name == "fft":
            value = _fft_on(self._device, value)
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        return sorted({*dir(sys.modules["gradx"]), *LIBRARYS_OWN})

    def __repr__(self) -> str:
        return f"<namespace {self.__name__}>"


def _fft_on(device: str, module: Any) -> SimpleNamespace:
    """Return the functions of ``gradx.fft``, with frequencies made on one device."""
    functions = {name: getattr(module, name) for name in module.__all__}
    for name in ("fftfreq", "rfftfreq"):
        functions[name] = partial(functions[name], device=device)
    return SimpleNamespace(**functions)


_namespaces: dict[tuple[str, str], Namespace] = {}


def namespace_of(x: Any, *, api_version: str | None = None) -> Namespace:
    """Return the namespace of a Tensor's library and device."""
    backend = backend_for(x)
    device = backend.device_of(untracked(x))
    key = (backend.name, device)
    if key not in _namespaces:
        _namespaces[key] = Namespace(backend, device)
    return _namespaces[key]
