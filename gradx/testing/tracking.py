"""A namespace that puts every float array on a tape, so that suites judge that path.

What is tested of gradx on plain arrays is mostly the array library. Here all
that a suite makes is a Tensor, and each of its calls is recorded.
"""

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

from gradx.backends import Backend, backend_for_device, find_backend
from gradx.core.arrays import FLOATING, is_kind
from gradx.namespace import CREATION, Namespace
from gradx.operators import CONVERTIBLE
from gradx.transforms.constants import constant
from gradx.transforms.reverse import Reverse

# The default device of each array library, by the library's name.
DEVICES = {"numpy": "cpu", "cupy": "cuda"}

WATCHED = {*CREATION, "astype", "empty_like", "full_like", "ones_like", "zeros_like"}


class Tape(Reverse):
    """A tape that never ends; unlike others it lets ``float(t)`` and ``bool(t)`` pass."""

    gives_items = True


CONVERTIBLE.add(Tape)
TAPE = Tape("gradx.testing.tracked")


class Tracked(Namespace):
    """gradx on one device, with every new float or complex array on the tape."""

    def __init__(self, backend: Backend, device: str) -> None:
        super().__init__(backend, device)
        self.__name__ = f"gradx.testing.tracked.{backend.name}"

    def __call__(self, backend: str = "numpy") -> "Tracked":
        """Return the tracked namespace of another array library, or of a device."""
        found, native = backend_for_device(DEVICES.get(backend, backend))
        return Tracked(found, found.device_name(native))

    def _find(self, name: str) -> Any:
        value = super()._find(name)
        if name in WATCHED:
            return _watching(value)
        if name == "fft":
            functions = {key: _watching(function) for key, function in vars(value).items()}
            return SimpleNamespace(**functions)
        return value


def _watching(make: Callable[..., Any]) -> Callable[..., Any]:
    """Put what ``make`` returns on the tape if it may vary; whole numbers are Tensors, too."""

    @wraps(make)
    def made(*args: Any, **settings: Any) -> Any:
        out = make(*args, **settings)
        plain = find_backend(type(out)) is not None
        return TAPE.watch(out) if plain and is_kind(out, FLOATING) else constant(out)

    return made


tracked = Tracked(backend_for_device("cpu")[0], "cpu")
