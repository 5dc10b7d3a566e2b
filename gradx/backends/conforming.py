"""A Backend for any namespace that conforms to the array API standard.

The standard says which devices a namespace has and how to place an array on
one, so all but the memory questions can be answered without knowing the library.
"""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np

from gradx.backends.base import Backend
from gradx.errors import DeviceError


def conforming_backend(
    name: str,
    xp: ModuleType,
    array_type: type,
    *,
    spell: Callable[[Any], str] = str,
    **fields: Any,
) -> Backend:
    """Describe ``xp``, whose arrays have type ``array_type``.

    Its devices are called ``"name:"`` and what ``spell`` writes for a native
    device; ``"name"`` alone is the library's default. ``fields`` are fields of
    ``Backend`` that the standard does not cover, or that the library does better.
    """
    info = xp.__array_namespace_info__()

    def device_name(native: Any) -> str:
        return f"{name}:{spell(native)}"

    def native_device(device: str) -> Any:
        if device == name:
            return info.default_device()
        known = {device_name(native): native for native in info.devices()}
        if device not in known:
            raise DeviceError(
                f"unknown device {device!r}: {name} has {', '.join(map(repr, known))}"
            )
        return known[device]

    def from_numpy(array: Any, device: str) -> Any:
        return xp.asarray(array, device=native_device(device))

    device_type = type(info.devices()[0])
    backend = Backend(
        name=name,
        xp=xp,
        to_numpy=np.asarray,
        from_numpy=from_numpy,
        devices=lambda: [device_name(native) for native in info.devices()],
        device_of=lambda array: device_name(array_api_compat.device(array)),
        native_device=native_device,
        array_types=(array_type,),
        device_type=None if device_type is str else device_type,
        device_name=device_name,
    )
    return replace(backend, **fields)
