"""Errors of array libraries, retold: which op, which arguments, what was wrong."""

from collections.abc import Callable
from typing import Any

from numpy.linalg import LinAlgError

from gradx.backends import backend_of, find_backend
from gradx.core.views import Tensor
from gradx.errors import (
    AxisError,
    DeviceError,
    DTypeError,
    GradxError,
    MatrixError,
    NotAnArrayError,
    OutOfBoundsError,
    OutOfMemoryError,
    ShapeError,
)

EXPLAINED = (TypeError, ValueError, IndexError, AttributeError, MemoryError, OverflowError)
# An implementation is not known yet, or refuses: calling the op finds it, or says why.
MISSED = (KeyError, *EXPLAINED)
LONGEST = 200  # characters of a value that an error shows


def explain(
    op: Any, error: Exception, arrays: tuple[Any, ...], params: dict[str, Any]
) -> Exception:
    """Return the error to raise for ``error``, which ``op`` met on plain arrays."""
    if isinstance(error, NotAnArrayError):
        return DTypeError(f"{op.name}: {error}")
    if isinstance(error, GradxError):
        return error
    places = dict.fromkeys(place for array in arrays if (place := _place_of(array)))
    if len(places) > 1:
        return mixed_places(op.name, list(places))
    if isinstance(error, MemoryError):  # of NumPy or CuPy: it says how much was asked for
        return OutOfMemoryError(f"{op.name}({', '.join(map(describe, arrays))}): {error}")
    reason = _REASONS.get(op.name, _broadcast_reason)(arrays, error)
    if reason is not None:
        return ShapeError(f"{op.name}: {reason}")
    return _class_for(error)(f"{_call(op.name, arrays, params)}: {error}")


def mixed_places(name: str, places: list[str]) -> DeviceError:
    """Return the error of an op whose arrays do not live together."""
    return DeviceError(
        f"{name}: arrays on {' and '.join(places)}; move one with gx.to_device(x, device)"
    )


def explain_composed(
    name: str, error: Exception, arguments: tuple[Any, ...], named: dict[str, Any]
) -> Exception:
    """Return the error to raise for ``error``, which a function made of ops met."""
    if _is_of_the_call(error):
        return error
    given = [
        part for value in arguments for part in (value if isinstance(value, list) else [value])
    ]
    wrong = [value for value in given if not hasattr(value, "shape")]
    if isinstance(error, AttributeError) and wrong:
        return DTypeError(f"{name}: expected arrays, got {', '.join(map(describe, wrong))}")
    return _class_for(error)(f"{_call(name, arguments, named)}: {error}")


def _is_of_the_call(error: Exception) -> bool:
    """Tell whether Python raised the error for the number or names of the arguments."""
    inside = error.__traceback__ and error.__traceback__.tb_next
    return isinstance(error, TypeError) and inside is None


def _call(name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> str:
    """Write a call, with arrays described."""
    parts = [describe(argument) for argument in arguments]
    parts += [f"{key}={describe(value)}" for key, value in named.items() if value is not None]
    return f"{name}({', '.join(parts)})"


def describe(value: Any) -> str:
    """Name a value by dtype and shape if it is an array, as in ``float32 (2, 3)``."""
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        return _shortened(value)
    named = f"{str(value.dtype).rpartition('.')[2]} {tuple(value.shape)}"
    known = type(value) is Tensor or find_backend(type(value)) is not None
    return named if known else f"a {type(value).__name__} of {named}"


def _shortened(value: Any) -> str:
    """Write what is no array: of a table only its kind and shape, of a long text the start."""
    if hasattr(value, "shape") and not isinstance(value, type):
        return f"a {type(value).__name__} of shape {value.shape}"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _matmul_reason(arrays: tuple[Any, ...], error: Exception) -> str | None:
    x, y = [getattr(array, "shape", ()) for array in arrays]
    if not x or not y:
        return f"{tuple(x)} @ {tuple(y)}: a vector or matrix on either side, use * for scalars"
    inner = y[-2] if len(y) > 1 else y[0]
    if x[-1] != inner:
        return f"{tuple(x)} @ {tuple(y)}: {x[-1]} != {inner}"
    return None


def _concat_reason(arrays: tuple[Any, ...], error: Exception) -> str | None:
    return None if arrays else "at least one array is needed, got none"


def _broadcast_reason(arrays: tuple[Any, ...], error: Exception) -> str | None:
    shapes = [tuple(array.shape) for array in arrays if hasattr(array, "shape")]
    if len(shapes) < 2 or not isinstance(error, ValueError) or "broadcast" not in str(error):
        return None
    return f"shapes {' and '.join(map(str, shapes))} do not broadcast"


# Op -> what was wrong, in better words than the array library's, or None.
_REASONS: dict[str, Callable[[tuple[Any, ...], Exception], str | None]] = {
    "matmul": _matmul_reason,
    "concat": _concat_reason,
}


def _place_of(array: Any) -> str | None:
    if type(array) in (bool, int, float, complex, type(None)):
        return None
    try:
        backend = backend_of(type(array))
    except GradxError:
        return None
    return backend.device_of(array)


def _class_for(error: Exception) -> type[GradxError]:
    if isinstance(error, LinAlgError):
        return MatrixError
    if isinstance(error, IndexError):
        return AxisError if isinstance(error, ValueError) else OutOfBoundsError
    return DTypeError if isinstance(error, (TypeError, AttributeError)) else ShapeError
