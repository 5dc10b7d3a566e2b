"""What gradx needs to know about an array library."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import array_api_compat

Kernel = Callable[..., Any]


def _do_nothing() -> None:
    """Stand in for ``synchronize`` where every call has finished on return."""


def _one_cpu() -> list[str]:
    return ["cpu"]


def _always_cpu(array_or_device: Any) -> str:
    return "cpu"


def _no_native_device(device: str) -> Any:
    """Let the library place new arrays where it does by default."""
    return None


def _no_context(native_device: Any) -> AbstractContextManager[Any]:
    return nullcontext()


def _as_it_is(array: Any) -> Any:
    return array


def _never() -> bool:
    return False


def _assume_shared(x: Any, y: Any) -> bool:
    # A view that is taken for a copy loses writes silently; the other way
    # round costs a little time.
    return True


def _assume_borrowed(array: Any) -> bool:
    return False


def _look_for_zero(xp: ModuleType, array: Any) -> bool:
    return not bool(xp.all(array != 0))


def _look_for_nan(xp: ModuleType, array: Any) -> bool:
    return bool(xp.any(array != array))


def _add_up_squares(xp: ModuleType, array: Any) -> float:
    return float(xp.sum(xp.abs(array) ** 2))


@dataclass(frozen=True, slots=True, eq=False)
class Backend:
    """One array library, described by values rather than by subclassing.

    ``xp`` does almost everything. The callables cover what the array API
    standard leaves out; ``kernels`` holds faster forms of single ops.

    Devices are strings for users (``"cpu"``, ``"cuda:1"``); ``native_device``
    turns one into what ``xp``'s ``device=`` takes or raises ``DeviceError``,
    ``device_name`` goes back. ``device_context`` makes a native device the one
    on which the library computes, for libraries that have such a thing.
    """

    name: str
    xp: ModuleType
    to_numpy: Callable[[Any], Any]
    from_numpy: Callable[[Any, str], Any]  # (array, device)
    devices: Callable[[], list[str]] = _one_cpu
    device_of: Callable[[Any], str] = _always_cpu
    native_device: Callable[[str], Any] = _no_native_device
    synchronize: Callable[[], None] = _do_nothing
    shares_memory: Callable[[Any, Any], bool] = _assume_shared  # may the two overlap?
    row_major: Callable[[Any], Any] = _as_it_is  # the array, its last axis densest in memory
    owns_memory: Callable[[Any], bool] = _assume_borrowed  # writeable, and nobody else's?
    has_nan: Callable[[ModuleType, Any], bool] = _look_for_nan
    has_zero: Callable[[ModuleType, Any], bool] = _look_for_zero
    sum_of_squares: Callable[[ModuleType, Any], float] = _add_up_squares  # of absolute values
    quiet: Callable[[], AbstractContextManager[Any]] = nullcontext  # no warnings of inf and NaN
    gives_numbers: bool = False  # are elements and sums no arrays, which `+=` would overwrite?
    takes_lists: bool = False  # operators of arrays take lists of numbers too
    reading_stalls: bool = False  # to look at a number waits for all that was launched
    recording: Callable[[], bool] = _never  # are calls kept for a CUDA graph: no number is there
    kernels: dict[str, Kernel] = field(default_factory=dict)
    array_types: tuple[type, ...] = ()  # none: every type of the library's package
    device_type: type | None = None  # of native devices, where they are not strings
    device_name: Callable[[Any], str] = _always_cpu
    device_context: Callable[[Any], AbstractContextManager[Any]] = _no_context
    # Iterators of lists of NumPy arrays, and a native device: on it, each copied one ahead.
    prefetched: Callable[[Any, Any], Any] | None = None
    transfer: Callable[[Any, Any], Any] = array_api_compat.to_device  # (array, native device)

    def kernel(self, op_name: str) -> Callable[[Kernel], Kernel]:
        """Register the decorated function as this backend's form of an op."""

        def register(function: Kernel) -> Kernel:
            self.kernels[op_name] = function
            return function

        return register
