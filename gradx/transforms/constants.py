"""Arrays that vary with nothing, as Tensors: what code makes beside the data it was given.

Array API code writes ``out = xp.zeros(...)`` and then ``out[0] = x``, asks for the namespace of
``x`` and ``out`` together, and multiplies one by the other: both have to be of one type. So the
namespace of a Tensor makes Tensors. They hold no derivative, may be converted to numbers and
arrays, and leave every transform as plain arrays.
"""

from typing import Any

from gradx.backends import find_backend
from gradx.core.arrays import is_kind
from gradx.core.call import Tensor
from gradx.core.trace import Trace
from gradx.core.views import new_tensor


class Constants(Trace):
    """The trace outside of all others, which never ends."""

    differentiates = False

    def __init__(self) -> None:
        super().__init__("nothing")
        self.level = -1

    def lift(self, constant):
        return new_tensor(constant, self, None)

    def apply_general(self, op, arrays, params):
        out = op.run(tuple([a.value if type(a) is Tensor else a for a in arrays]), params)
        return op.results(*map(constant, out)) if op.results else constant(out)


CONSTANTS = Constants()


def constant(x: Any) -> Any:
    """Return a floating-point array as a Tensor that varies with nothing; all else as it is."""
    plain = find_backend(type(x)) is not None
    if plain and is_kind(x, ("real floating", "complex floating")):
        return new_tensor(x, CONSTANTS, None)
    return x


def without_constants(x: Any) -> Any:
    """Return what ``x`` is but for being made beside the data: a plain array again."""
    return x.value if type(x) is Tensor and x.trace is CONSTANTS else x
