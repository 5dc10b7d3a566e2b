"""What Python's own functions and its standard library ask of an array: copies, ``divmod``, text.

``copy.deepcopy`` and ``pickle`` would otherwise copy the transform along with the value, and
what is computed from such a copy would silently have no derivative.
"""

import math
from typing import Any

from gradx.core.arrays import read_for
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.views import new_tensor, without_constants
from gradx.errors import DTypeError
from gradx.numpy_protocols.arranging import copy_of
from gradx.ops import elementwise as ew
from gradx.ops.statistical import any as any_of


def _deep_copy(self: Any, memo: dict[int, Any]) -> Any:
    return copy_of(self)


def _pickle(self: Any, protocol: int) -> Any:
    if without_constants(self) is not self:  # no derivative can be lost
        return new_tensor, (self.value, self.trace, None)
    read_for(self, "pickling")
    raise self.trace.refusal("pickling")


def _divmod(self: Tensor, other: Any) -> tuple[Any, Any]:
    return ew.floor_divide(self, other), ew.remainder(self, other)


def _swapped_divmod(self: Tensor, other: Any) -> tuple[Any, Any]:
    return ew.floor_divide(other, self), ew.remainder(other, self)


def _round(self: Any, digits: int | None = None) -> Any:
    """Round as Python's ``round`` does a number: to a whole one, unless it is told digits."""
    if digits is None:
        return round(_number_in(self, "round()"))
    return ew.round(self * 10.0**digits) / 10.0**digits


def _cut_off(self: Any) -> int:
    return math.trunc(_number_in(self, "math.trunc()"))


def _number_in(self, what):
    if without_constants(self) is not self:
        return self.value.item()
    read_for(self, what)
    raise self.trace.refusal(what)


def _contains(self: Tensor, value: Any) -> bool:
    return bool(any_of(ew.equal(self, value)))


def _format(self: Any, spec: str) -> str:
    if self.shape and spec:
        raise DTypeError(f"format(): {spec!r} is for one number, got {describe(self)}")
    return format(read_for(self, "format()").item(), spec) if spec else str(self)


PYTHON_PROTOCOLS: dict[str, Any] = {
    "__contains__": _contains,
    "__copy__": copy_of,
    "__deepcopy__": _deep_copy,
    "__divmod__": _divmod,
    "__format__": _format,
    "__rdivmod__": _swapped_divmod,
    "__reduce_ex__": _pickle,
    "__round__": _round,
    "__trunc__": _cut_off,
}
