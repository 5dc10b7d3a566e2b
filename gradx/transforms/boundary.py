"""What enters and leaves a transform: checked on the way in, owned on the way out.

Nothing that a transform returns shares memory with anything else it returns,
with what it was given, or with what its tape will read later.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gradx.backends import backend_for_device, backend_of, current_device
from gradx.core import tree
from gradx.core.arrays import FLOATING, PYTHON_SCALARS, backend_for, is_array, is_kind, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.trace import Ended, Trace
from gradx.core.views import new_tensor, without_constants
from gradx.errors import DTypeError, GradxError, ShapeError, TapeError
from gradx.transforms.constants import constant


def name_of(function: Any) -> str:
    """Return a name for messages."""
    return getattr(function, "__name__", None) or type(function).__name__


def label_of(transform: str, function: Any) -> str:
    """Return what messages call a transform of ``function``, which must be one.

    Raises:
        DTypeError: it cannot be called.
    """
    if not callable(function):
        raise DTypeError(f"{transform}: expected a function to transform, got {describe(function)}")
    return f"{transform} of {name_of(function)}"


def is_differentiable(x: Any) -> bool:
    """Tell whether ``x`` is an array (or Python number) with a floating-point dtype."""
    if type(x) in (float, complex):
        return True
    return is_array(x) and is_kind(x, FLOATING)


def as_array(x: Any) -> Any:
    """Turn a Python number into a 0-d array; leave arrays as they are."""
    if type(x) is Tensor:
        return x.trace.as_array(x)
    if type(x) not in PYTHON_SCALARS:
        return x
    backend, device = backend_for_device(current_device())
    return backend.xp.asarray(x, device=device)


def require_differentiable(x: Any, what: Callable[[], str]) -> Any:
    """Return ``x`` as an array, or raise an error that names ``what()`` it is."""
    if is_differentiable(x):
        return as_array(x)
    if not is_array(x) and type(x) not in PYTHON_SCALARS:
        raise DTypeError(
            f"{what()} is {describe(x)}, neither an array nor a number: give a float array, or a "
            "tree of them, made of lists, tuples, dictionaries and gx.nn.Modules"
        )
    raise DTypeError(
        f"{what()} is {describe(x)}: only floating-point and complex arrays have gradients; "
        "convert it with gx.asarray(x, dtype=float), or leave it out of argnums"
    )


def own(arrays: Iterable[Any], *, lent: Sequence[Any]) -> list[Any]:
    """Return the arrays, copied where another array given or returned shares the memory."""
    seen = set(map(id, lent))
    owned = []
    for array in map(without_constants, arrays):
        if not is_own(array, seen):
            array = copied(array)
        seen.add(id(array))
        owned.append(array)
    return as_tensors_inside(lent, owned)


def as_tensors_inside(lent: Iterable[Any], results: list[Any]) -> list[Any]:
    """Return the results as Tensors if any of what was lent is one, as inside a transform.

    Also what varies with nothing is a Tensor there: code that uses it together with what was lent
    finds one type and one namespace.
    """
    return list(map(constant, results)) if any(type(x) is Tensor for x in lent) else results


def is_own(array: Any, seen: set[int]) -> bool:
    """Tell whether nobody else holds the memory of ``array``, nor ``seen`` its ``id``."""
    if type(array) is Tensor or id(array) in seen:
        return False
    return backend_of(type(array)).owns_memory(array)


def copied(array: Any) -> Any:
    """Return an array that nobody else will write to; a Tensor's value is never written to."""
    array = without_constants(array)
    if type(array) is Tensor:
        return new_tensor(array.value, array.trace, array.payload)
    return backend_of(type(array)).xp.asarray(array, copy=True)


def leave(trace: Trace, out: Any) -> tuple[Any, Any]:
    """Split a result into the value that leaves ``trace`` and its payload there, if it has one."""
    if type(out) is not Tensor:
        return out, None
    if out.trace is trace:
        return without_constants(out.value), out.payload
    if isinstance(out.trace, Ended):
        raise TapeError(f"a Tensor outlived {out.trace.name}, which made it, and was returned")
    return without_constants(out), None


def detach_tree(trace: Trace, values: Any) -> Any:
    """Let auxiliary values leave ``trace`` without their derivatives."""
    return tree.map(lambda leaf: leave(trace, leaf)[0], values)


def split_aux(result: Any, label: str) -> tuple[Any, Any]:
    """Return what a function with ``has_aux`` returned, which must be a pair."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise DTypeError(
            f"{label}: has_aux=True expects a pair (value, anything), got {type(result).__name__}"
        )
    return result


def leaves_like(structure: Any, given: Any, what: str) -> list[Any]:
    """Return the leaves of a tree of this structure, or raise, saying ``what`` is wrong."""
    try:
        return structure.flatten_up_to(given)
    except GradxError:
        raise
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{what}: {error}") from error


def require_match(given: Any, expected: Any, what: str) -> Any:
    """Return ``given`` as an array of the library of ``expected`` and its shape, or raise."""
    if type(given) is type(expected) and given.shape == expected.shape:
        return _without_lost_part(given, expected, what)
    backend = backend_for(expected)
    if type(given) in PYTHON_SCALARS:
        given = backend.xp.asarray(
            given,
            dtype=untracked(expected).dtype,
            device=backend.native_device(backend.device_of(untracked(expected))),
        )
    if not is_array(given):
        raise DTypeError(f"{what} is {describe(given)}, expected an array, as gx.asarray makes")
    if given.shape != expected.shape:
        raise ShapeError(f"{what} has shape {tuple(given.shape)}, expected {tuple(expected.shape)}")
    if backend_for(given) is not backend:
        raise DTypeError(
            f"{what} is an array of {backend_for(given).name}, expected {backend.name}"
        )
    return _without_lost_part(given, expected, what)


def _without_lost_part(given: Any, expected: Any, what: str) -> Any:
    """Return ``given``, unless it is complex where only real numbers have a place."""
    if given.dtype == expected.dtype or not is_kind(given, "complex floating"):
        return given
    if not is_kind(expected, "complex floating"):
        raise DTypeError(f"{what} is {describe(given)}, expected real numbers")
    return given
