"""What watches op calls: the base of every transform's trace.

A trace that starts later runs inside those that started before, so one rising
number orders them: no stack, and nothing shared between threads.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from itertools import count
from types import MappingProxyType
from typing import Any

from gradx.errors import TapeError, TrackedError

_next_level = count().__next__
# What to use instead of a trace or its class: what looks closely in ``gx.debug()``.
substitutes: ContextVar[Mapping[Any, Any]] = ContextVar("substitutes", default=MappingProxyType({}))

# Whether this thread is capturing a graph: what is decided by a number now would stay so.
capturing: ContextVar[bool] = ContextVar("capturing", default=False)

# What to do where a Tensor would become a plain array or number.
INSTEAD = {
    "np.asarray()": "make an array of several with gx.asarray([a, b]) or gx.stack, and use gx "
    "functions of it",
    "float()": "use gx functions of it, such as gx.sin, and write it only into arrays that are "
    "tracked, such as np.zeros_like(t)",
}


class Trace:
    """One run of a transform. Subclasses say what happens to the ops it sees."""

    differentiates = True  # that is, what seems constant to others may vary for it
    namespace: Any = None  # the kind of namespace that its Tensors answer, where it is its own
    gives_items = False  # whether ``t.item()`` may read a number without its derivative

    def __init__(self, name: str) -> None:
        self.level = _next_level()
        self.name = name

    @classmethod
    def start(cls, name: str, *others: Any) -> Any:
        """Begin a run, looked at closely inside ``gx.debug()``."""
        return substitutes.get().get(cls, cls)(name, *others)

    def apply_unary(self, op: Any, x: Any) -> Any:
        """Run an op of one array and no parameters."""
        return self.apply_general(op, (x,), {})

    def apply_to_one(self, op: Any, x: Any, params: dict[str, Any]) -> Any:
        """Run an op of one array, with parameters and one output."""
        return self.apply_general(op, (x,), params)

    def apply_binary(self, op: Any, x: Any, y: Any) -> Any:
        """Run an op of two arrays and no parameters, of which at least one is watched."""
        return self.apply_general(op, (x, y), {})

    def apply_general(self, op: Any, arrays: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """Run any op."""
        raise NotImplementedError

    def shape_of(self, x: Any) -> tuple[int, ...]:
        """Return the shape that a value has for who computes with it."""
        return x.value.shape

    def lift(self, constant: Any) -> Any:
        """Return ``constant`` as a value of this trace, of which nothing depends on it."""
        raise NotImplementedError

    def as_array(self, x: Any) -> Any:
        """Return ``x`` as an array: in a captured graph it may stand for a Python number."""
        return x

    def holds_number(self, x: Any) -> bool:
        """Tell whether ``x`` stands for a Python number."""
        return False

    def example(self, x: Any) -> Any:
        """Return what lies beneath ``x``, of the shape that ``x`` has."""
        return x.value

    def plain(self, x: Any, what: str) -> Any:
        """Return what lies beneath ``x``, for ``what``, which reads its numbers."""
        return x.value

    def reads_layout(self) -> None:
        """Note that something depends on how memory lies: on what is a view and what a copy."""

    def refusal(self, what: str) -> Exception:
        """Return the error of ``what``, which would take a number out of this run."""
        instead = INSTEAD.get(what, "use gx functions of it, such as gx.where")
        return TrackedError(
            f"{what} of a Tensor tracked by {self.name} would lose its derivative: {instead}; or "
            "say that no derivative is wanted, with t.detach() or gx.stop_gradient(t)"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse what NumPy's arrays have as a method: a Tensor's ``trace`` is this."""
        raise TrackedError("t.trace() of a Tensor: write np.trace(t) or gx.linalg.trace(t)")

    def end(self) -> None:
        """Make every Tensor that outlives this run raise when it is used."""
        # Changing the class keeps the check off the path of every op.
        self.__class__ = Ended


class Ended(Trace):
    """A transform that has returned."""

    def apply_general(self, op, arrays, params):
        raise TapeError(
            f"{op.name}: a Tensor outlived {self._origin(arrays)}, so its derivative is lost; "
            "return the value from the function (has_aux=True) or detach() it there"
        )

    def _origin(self, arrays):
        """Name who made the Tensor; in ``gx.debug()`` also the line."""
        for array in arrays:
            if getattr(array, "trace", None) is self and hasattr(array.payload, "made_by"):
                return f"{self.name}, where it was made by {array.payload.made_by}"
        return f"{self.name}, which made it"

    def end(self) -> None:
        """Stay ended."""
