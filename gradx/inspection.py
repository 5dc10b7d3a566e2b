"""What a namespace tells of itself: its version of the standard, devices and dtypes."""

from typing import Any

from gradx.backends import backend_for_device, current_device, devices

__array_api_version__ = "2025.12"


class Info:
    """The standard's answers about gradx, with new arrays on one device.

    Devices are the libraries' own objects here, equal to ``x.device`` of arrays.
    """

    def __init__(self, device: str | None = None) -> None:
        self._device = device

    def _ask(self, device: Any) -> tuple[Any, Any]:
        """Return what the device's own library tells of itself, and its name for the device."""
        backend, native = backend_for_device(self.default_device() if device is None else device)
        return backend.xp.__array_namespace_info__(), native

    def capabilities(self) -> dict[str, Any]:
        """Return what arrays may do: masks as keys, shapes that depend on data."""
        info, _ = self._ask(None)
        return info.capabilities()

    def default_device(self) -> Any:
        """Return the device on which new arrays are made."""
        return backend_for_device(self._device or current_device())[1]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """Return the dtypes that new arrays have on a device, by kind."""
        info, native = self._ask(device)
        return info.default_dtypes(device=native)

    def devices(self) -> tuple[Any, ...]:
        """Return the devices that can be used here: of one library, if bound to one."""
        backend, own = backend_for_device(self._device or current_device())
        names = devices() if self._device is None else backend.devices()
        native = [backend_for_device(name)[1] for name in names]
        return tuple(native if own in native else [own, *native])

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """Return the dtypes that a device has, by name: all, or those of a kind or kinds."""
        info, native = self._ask(device)
        return info.dtypes(device=native, kind=kind)


def __array_namespace_info__() -> Info:
    """Return what gradx tells of itself, as the standard asks: devices, dtypes.

    >>> import gradx as gx
    >>> gx.__array_namespace_info__().default_device()
    'cpu'
    """
    return Info()
