"""How exactly to compute: settings of a thread, for a block or from now on.

They are context variables, as the default device is: each thread and each asynchronous task
has its own. They change what CUDA does; on a CPU everything is exact and repeatable anyway.
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Literal

from gradx.errors import DTypeError, ShapeError

Precision = Literal["highest", "tf32", "bf16"]
PRECISIONS = ("highest", "tf32", "bf16")

_precision: ContextVar[str] = ContextVar("gradx_matmul_precision", default="highest")
_deterministic: ContextVar[bool] = ContextVar("gradx_deterministic", default=False)


class Setting(AbstractContextManager[None]):
    """A setting that holds from now on; ends with the block where it opens a ``with``."""

    def __init__(self, variable: ContextVar[Any], value: Any) -> None:
        self._before = variable.get()
        self._variable = variable
        variable.set(value)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._variable.set(self._before)


def matmul_precision(precision: Precision) -> Setting:
    """Multiply float32 matrices on CUDA this precisely, from now on or in a ``with`` block.

    ``"highest"``, what holds unless set, is float32 throughout. ``"tf32"`` rounds what is
    multiplied to 10 bits after the point, ``"bf16"`` to 7; both add up in float32. Other dtypes
    are multiplied as they are. Each thread has its own setting.

    Raises:
        ValueError: there is no such precision.

    >>> import gradx as gx
    >>> with gx.matmul_precision("tf32"):
    ...     gx.current_matmul_precision()
    'tf32'
    >>> gx.current_matmul_precision()
    'highest'
    """
    if type(precision) is not str or precision not in PRECISIONS:
        expected = ", ".join(map(repr, PRECISIONS))
        raise ShapeError(f"matmul_precision: {precision!r}, expected one of {expected}")
    return Setting(_precision, precision)


def current_matmul_precision() -> str:
    """Return the precision that ``matmul_precision`` set: ``"highest"`` unless it did."""
    return _precision.get()


def deterministic(on: bool = True) -> Setting:
    """Compute the same bits every time, from now on or in a ``with`` block.

    On CUDA slices are added at repeated places by atomic additions, in an order that differs
    from run to run, unless this is on; then they are sorted first. All else is repeatable.

    Raises:
        TypeError: ``on`` is neither True nor False.

    >>> import gradx as gx
    >>> with gx.deterministic():
    ...     gx.is_deterministic()
    True
    """
    if on is not True and on is not False:
        raise DTypeError(f"deterministic: expected True or False, got {on!r}")
    return Setting(_deterministic, on)


def is_deterministic() -> bool:
    """Tell whether ``deterministic`` is on."""
    return _deterministic.get()
