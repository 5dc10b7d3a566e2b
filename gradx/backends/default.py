"""The default device: where new arrays go when nobody says.

It is a context variable: each thread and each asynchronous task has its own.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from gradx.backends.base import Backend
from gradx.backends.registry import backend_for_device, canonical_device

_default: ContextVar[str | None] = ContextVar("gradx_default_device", default=None)


def default_device(device: Any) -> AbstractContextManager[str]:
    """Make new arrays on ``device`` in a ``with`` block, in this thread.

    ``device`` is ``"cpu"``, ``"cuda"`` (the first one) or ``"cuda:1"``.

    Raises:
        DeviceError: it cannot be used.

    >>> import gradx as gx
    >>> with gx.default_device("cpu") as device:
    ...     device
    'cpu'
    """
    return _using(canonical_device(device))


@contextmanager
def _using(device: str) -> Iterator[str]:
    backend, native = backend_for_device(device)
    token = _default.set(device)
    try:
        with backend.device_context(native):
            yield device
    finally:
        _default.reset(token)


def current_device() -> str:
    """Return the device on which new arrays are made: ``"cpu"`` unless set.

    >>> current_device()
    'cpu'
    """
    return _default.get() or "cpu"


def default_backend() -> tuple[Backend, Any]:
    """Return the backend and the native device on which new arrays are made."""
    return backend_for_device(current_device())


def chosen_device() -> str | None:
    """Return the device that ``default_device`` set, None outside of its blocks."""
    return _default.get()
