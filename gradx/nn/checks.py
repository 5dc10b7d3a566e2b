"""What layers and losses ask of what they are given, and what they say otherwise."""

from numbers import Real
from typing import Any

from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.transforms.boundary import is_differentiable


def require_array(name: str, what: str, value: Any) -> None:
    """Raise unless ``value`` has a shape and a dtype; what the dtype may be, ops know."""
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise DTypeError(
            f"{name}: {what} is {describe(value)}, expected an array, as gx.asarray makes"
        )


def require_number(name: str, what: str, value: Any) -> None:
    """Raise unless ``value`` is a real number; truth values are none here."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise DTypeError(f"{name}: {what}={value!r}, expected a number")


def drawn(name: str, what: str, initializer: Any, key: Any, shape: Any, placed: Any) -> Any:
    """Return the initial value of a parameter: floating-point, and of the shape asked for."""
    if not callable(initializer):
        raise DTypeError(
            f"{name}: {what}_init={initializer!r}, expected a function as in gx.nn.init"
        )
    value = initializer(key, shape, **placed)
    if not is_differentiable(value) or tuple(getattr(value, "shape", ())) != tuple(shape):
        raise ShapeError(
            f"{name}: {what}_init returned {describe(value)}, expected floating-point {shape}"
        )
    return value
