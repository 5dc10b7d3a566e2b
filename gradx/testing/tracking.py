"""A namespace that puts every float array on a tape, so that suites judge that path.

What is tested of gradx on plain arrays is mostly the array library. Here all
that a suite makes is a Tensor, and each of its calls is recorded. All of them
answer ``__array_namespace__`` with this namespace, also masks and whole numbers:
what libraries make beside them is on the tape as well.
"""

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

from gradx.backends import Backend, backend_for_device
from gradx.core import tree
from gradx.core.arrays import FLOATING, is_kind
from gradx.core.call import Tensor
from gradx.namespace import CREATION, Beside, one_namespace
from gradx.operators import CONVERTIBLE
from gradx.transforms.constants import Constants, constant
from gradx.transforms.reverse import Reverse

# The default device of each array library, by the library's name.
DEVICES = {"numpy": "cpu", "cupy": "cuda"}

WATCHED = {*CREATION, "astype", "empty_like", "full_like", "ones_like", "zeros_like"}


class Tracked(Beside):
    """gradx on one device, with every new float or complex array on the tape."""

    def __init__(self, backend: Backend, device: str) -> None:
        super().__init__(backend, device)
        self.__name__ = f"gradx.testing.tracked.{backend.name}"

    def __call__(self, backend: str = "numpy") -> "Tracked":
        """Return the tracked namespace of another array library, or of a device."""
        return tracked_on(DEVICES.get(backend, backend))

    def _find(self, name: str) -> Any:
        value = super()._find(name)
        if name in WATCHED:
            return _then(watched, value)
        if name == "fft":
            functions = {key: _then(watched, function) for key, function in vars(value).items()}
            return SimpleNamespace(**functions)
        return value


def still(x: Any) -> Any:
    """Mark a constant that was just made as one beside the tape."""
    if type(x) is Tensor and x.trace.level < 0:
        x.trace = STILL
    return x


def _then(mark: Callable[[Any], Any], make: Callable[..., Any]) -> Callable[..., Any]:
    """Apply ``mark`` to each array that ``make`` returns."""

    @wraps(make)
    def made(*args: Any, **settings: Any) -> Any:
        out = make(*args, **settings)
        return tree.map(mark, out) if isinstance(out, tuple) else mark(out)

    return made


def marking(kind: type) -> type:
    """Let what ops make without derivative, seen by a trace, be constants beside the tape."""
    for name in ("apply_unary", "apply_to_one", "apply_binary", "apply_general"):
        setattr(kind, name, _then(still, getattr(kind, name)))
    return kind


@marking
class Still(Constants):
    """What varies with nothing, beside the tape."""

    namespace = Tracked

    def __reduce__(self) -> str:
        return "STILL"


@marking
class Tape(Reverse):
    """A tape that never ends; unlike others it lets ``float(t)`` and ``bool(t)`` pass."""

    namespace = Tracked
    gives_items = True


CONVERTIBLE.add(Tape)
STILL = Still(level=-1)
TAPE = Tape("gradx.testing.tracked")


def watched(x: Any) -> Any:
    """Put an array on the tape if it may vary; whole numbers are Tensors, too."""
    x = constant(x)
    if type(x) is not Tensor or x.trace.level >= 0:
        return x
    if not is_kind(x, FLOATING):
        return still(x)
    # The very Tensor: others may hold it or its views, and see what is written to it.
    x.trace, x.payload = TAPE, TAPE.watch(x.value).payload
    return x


def tracked_on(device: str) -> Tracked:
    """Return the only tracked namespace on a device."""
    backend, native = backend_for_device(device)
    return one_namespace(Tracked, backend, backend.device_name(native))


tracked = tracked_on("cpu")
