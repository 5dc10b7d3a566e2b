"""Memory of GPUs: how much is used and held, and limits of it.

CuPy keeps what was freed for the next array. Programs of ``gx.compile`` have pools of their
own, whose memory nobody else is given; limits hold for each pool.
"""

import weakref
from importlib import import_module
from typing import Any

from gradx.backends.registry import backend_for_device
from gradx.errors import DeviceError, DTypeError, ShapeError


class ProgramPool:
    """The memory of one program, with the limit that holds for all.

    CuPy's pools cannot be weakly referenced, and one that is forgotten gives nothing back: it
    is ``close`` that does, when no array of the program is left.
    """

    def __init__(self) -> None:
        cupy = import_module("cupy")
        self._pool = cupy.cuda.MemoryPool()
        limit = cupy.get_default_memory_pool().get_limit()
        if limit:
            self._pool.set_limit(size=limit)
        self.malloc = self._pool.malloc
        self.total_bytes, self.limit = self._pool.total_bytes, self._pool.get_limit
        self.close = self._pool.free_all_blocks
        _pools.add(self)


_pools: weakref.WeakSet[ProgramPool] = weakref.WeakSet()


def memory(device: Any = "cuda") -> dict[str, int]:
    """Return bytes of a GPU's memory: of arrays, of programs, and of the device.

    ``used`` by arrays, ``held`` for them (used or not), ``programs`` the memory of compiled
    programs, ``limit`` of what is held (0: none), ``free`` on the device and its ``total``.

    Raises:
        DeviceError: there is no such GPU.

    >>> import gradx as gx
    >>> gx.memory()["used"]  # doctest: +SKIP
    1048576
    """
    native = _gpu(device)
    cupy = import_module("cupy")
    with native:
        pool = cupy.get_default_memory_pool()
        free, total = cupy.cuda.runtime.memGetInfo()
        return {
            "used": pool.used_bytes(),
            "held": pool.total_bytes(),
            "programs": sum(one.total_bytes() for one in _pools),
            "limit": pool.get_limit(),
            "free": free,
            "total": total,
        }


def limit_memory(limit: int | float | None, device: Any = "cuda") -> None:
    """Hold at most so much of a GPU's memory: bytes, or a fraction of it; None for all of it.

    What does not fit then raises ``gx.OutOfMemoryError``. Programs compiled afterwards have the
    same limit, each for itself.

    Raises:
        TypeError: the limit is neither.
        ValueError: it is not above 0, or a fraction above 1.
        RuntimeError: there is no such GPU.

    >>> import gradx as gx
    >>> gx.limit_memory(0.5)  # doctest: +SKIP
    """
    if isinstance(limit, bool) or not isinstance(limit, int | float | None):
        raise DTypeError(f"limit_memory: {limit!r}, expected bytes, a fraction, or None")
    if limit is not None and not (0 < limit <= 1 if isinstance(limit, float) else limit > 0):
        raise ShapeError(
            f"limit_memory: {limit!r}, expected bytes above 0 or a fraction from 0 to 1"
        )
    with _gpu(device):
        pool = import_module("cupy").get_default_memory_pool()
        if isinstance(limit, float):
            pool.set_limit(fraction=limit)
        else:
            pool.set_limit(size=limit or 0)


def _gpu(device: Any) -> Any:
    backend, native = backend_for_device(device)
    if backend.name != "cupy":
        raise DeviceError(f"memory is told and limited of GPUs, got device {device!r}")
    return native
