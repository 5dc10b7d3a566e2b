"""What layers and losses accept, and what they say otherwise."""

from math import isfinite
from typing import Any

from gradx.core.arrays import is_array
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.random.arguments import as_integer


def require_arrays(name: str, **values: Any) -> None:
    """Raise unless all ``values`` are arrays."""
    for what, value in values.items():
        if not is_array(value):
            raise DTypeError(
                f"{name}: {what} is {describe(value)}, expected an array: "
                "convert it with gx.asarray(...)"
            )


def require_number(name: str, value: Any) -> None:
    """Raise unless ``value`` is a finite Python number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DTypeError(f"{name}={value!r}, expected a number")
    if not isfinite(value):
        raise ShapeError(f"{name}={value!r}, expected a finite number")


def as_width(name: str, value: Any) -> int:
    """Return a number of features, an integer of 1 or more."""
    width = as_integer(name, value)
    if width < 1:
        raise ShapeError(f"{name}={width}, expected 1 or more")
    return width
