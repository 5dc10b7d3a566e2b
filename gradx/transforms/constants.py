"""Arrays that vary with nothing, as Tensors: masks, places, and what code makes beside its data.

Array API code writes ``out = xp.zeros(...)`` and then ``out[0] = x``, asks for the namespace of
``x`` and of ``x > 0`` together, and multiplies one by the other: all have to be of one type. So
what ops make of Tensors is a Tensor, also where it has no derivative, and so is what the namespace
of a Tensor makes. Such Tensors may be converted to numbers and arrays, and leave the outermost
transform as plain arrays.
"""

from typing import Any

from gradx.backends import find_backend
from gradx.core.arrays import FLOATING, is_kind
from gradx.core.trace import Trace
from gradx.core.views import new_tensor, without_constants


class Constants(Trace):
    """The trace outside of all others, which never ends."""

    differentiates = False

    def __init__(self, level: int = -2) -> None:
        super().__init__("nothing")
        self.level = level

    def lift(self, constant):
        return new_tensor(constant, self, None)

    def apply_unary(self, op, x):
        return constant(op.call(x.value))

    def apply_to_one(self, op, x, params):
        return constants(op, op.run((x.value,), params))

    def apply_binary(self, op, x, y):
        return constant(op.call(without_constants(x), without_constants(y)))

    def apply_general(self, op, arrays, params):
        return constants(op, op.run(tuple(map(without_constants, arrays)), params))

    def __reduce__(self):
        return "CONSTANTS"  # a copy of such a Tensor, pickled or not, is one too


CONSTANTS = Constants()


def constant(x: Any) -> Any:
    """Return a plain array as a Tensor that varies with nothing; all else as it is."""
    return x if find_backend(type(x)) is None else new_tensor(x, CONSTANTS, None)


def is_discrete(x: Any) -> bool:
    """Tell whether ``x`` holds integers or booleans, which do not vary."""
    return not is_kind(x, FLOATING)


def constants(op: Any, out: Any) -> Any:
    """Return what ``op`` made without derivative: its plain arrays as Tensors."""
    return op.results(*map(constant, out)) if op.results else constant(out)
