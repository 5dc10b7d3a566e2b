"""The scalars of a step: learning rates, step counts, and checks of what users pass.

A count is a 0-d integer array of the state. On the host it is read as a Python
number, which is fast and leaves the dtype of arrays alone. One that is tracked,
as in a compiled step, or lies on a GPU is never read: it stays an array.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from math import sqrt as sqrt_of_number
from typing import Any

import numpy as np

from gradx.backends import backend_for_device, current_device
from gradx.core import tree
from gradx.core.arrays import backend_for, is_kind, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.ops.arithmetic import where
from gradx.ops.extremes import maximum, minimum
from gradx.ops.powers import pow, sqrt
from gradx.ops.shapes import astype
from gradx.ops.trigonometric import cos
from gradx.transforms.boundary import as_array

# What a run does to the learning rate from outside of the optimizer.
_MULTIPLIER: ContextVar[Any] = ContextVar("multiplier", default=None)

Schedule = Callable[[Any], Any]
LearningRate = float | Schedule


def first_count(params: Any) -> Any:
    """Return a count of zero steps, where the parameters are."""
    return scalar_beside(params, 0, "int64")


def scalar_beside(params: Any, value: float, dtype: str) -> Any:
    """Return a 0-d array where the parameters are."""
    for leaf in tree.leaves(params):
        array = untracked(as_array(leaf))
        backend = backend_for(array)
        device = backend.native_device(backend.device_of(array))
        break
    else:
        backend, device = backend_for_device(current_device())
    return backend.xp.asarray(value, dtype=getattr(backend.xp, dtype), device=device)


def read(scalar: Any) -> Any:
    """Return a scalar of the state as a Python number, as float64 array if it is not on hand."""
    if type(scalar) in (int, float):
        return scalar
    backend = backend_for(scalar)
    if type(scalar) is Tensor or backend.device_of(scalar).startswith("cuda"):
        return astype(scalar, backend.xp.float64)
    return int(scalar) if backend.xp.isdtype(scalar.dtype, "integral") else float(scalar)


def write(number: Any, like: Any) -> Any:
    """Return a scalar for the state, of the dtype and device of ``like``."""
    if type(number) not in (int, float):
        return astype(number, like.dtype)
    backend = backend_for(like)
    device = backend.native_device(backend.device_of(untracked(like)))
    return backend.xp.asarray(number, dtype=like.dtype, device=device)


@contextmanager
def rates_multiplied(by: Any) -> Iterator[None]:
    """Multiply every learning rate by a number or 0-d array; ``None`` leaves them."""
    token = _MULTIPLIER.set(by)
    try:
        yield
    finally:
        _MULTIPLIER.reset(token)


def rate_at(learning_rate: Any, step: Any) -> Any:
    """Return the learning rate of a step: a Python float where that is possible."""
    rate, by = _given_rate_at(learning_rate, step), _MULTIPLIER.get()
    return rate if by is None else rate * by


def _given_rate_at(learning_rate: Any, step: Any) -> Any:
    if not callable(learning_rate):
        return learning_rate if type(learning_rate) is Tensor else read(learning_rate)
    rate: Any = learning_rate(step)
    _require_one("a schedule's learning rate", rate)
    rate = rate if type(rate) is Tensor else read(rate)
    if type(rate) in (int, float) and not 0 <= rate < inf:
        raise ShapeError(f"a schedule's learning rate is {rate!r}, expected 0 or more, and finite")
    return rate


def root(number: Any) -> Any:
    """Return the square root of a Python number or an array."""
    return sqrt_of_number(number) if type(number) in (int, float) else sqrt(number)


def power(base: Any, exponent: Any) -> Any:
    """Return a power, as a Python number where both base and exponent are.

    By NumPy's function there too, whose last bit Python's does not share everywhere: so
    a step is the same compiled.
    """
    if _is_number(base) and _is_number(exponent):
        return float(np.power(base, exponent))
    return pow(base, exponent)


def cosine(number: Any) -> Any:
    """Return the cosine of a Python number or an array, by NumPy's function in both cases."""
    return float(np.cos(number)) if _is_number(number) else cos(number)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def at_most(number: Any, limit: float) -> Any:
    """Return the smaller of a Python number or an array and a limit."""
    return min(number, limit) if type(number) in (int, float) else minimum(number, float(limit))


def at_least(number: Any, limit: float) -> Any:
    """Return the larger of a Python number or an array and a limit."""
    return max(number, limit) if type(number) in (int, float) else maximum(number, float(limit))


def choose(condition: Any, x: Any, y: Any) -> Any:
    """Return ``x`` where a condition holds, a Python truth value or an array, else ``y``."""
    if type(condition) is bool:
        return x if condition else y
    return where(condition, x, y)


def require_rate(name: str, value: Any) -> None:
    """Raise unless ``value`` is a number of 0 or more, alone or in an array, or a schedule."""
    if callable(value):
        return
    _require_one(name, value)
    # One that is tracked, or far away, is not read.
    if hasattr(value, "dtype") and type(read(value)) not in (int, float):
        return
    if not 0 <= value < inf:
        raise ShapeError(
            f"{name}={value!r}: expected a finite number of 0 or more, or a schedule, "
            "a function of the number of steps done"
        )


def require_fraction(name: str, value: Any) -> None:
    """Raise unless ``value`` is in [0, 1)."""
    require_number(name, value)
    if not 0 <= value < 1:
        raise ShapeError(f"{name}={value!r}: expected a number from 0 to 1, without 1")


def require_not_negative(name: str, value: Any) -> None:
    """Raise unless ``value`` is 0 or more."""
    require_number(name, value)
    if not 0 <= value < inf:
        raise ShapeError(f"{name}={value!r}: expected a number of 0 or more, and finite")


def _require_one(name: str, value: Any) -> None:
    """Raise unless ``value`` is one real number, which may be in an array."""
    if not hasattr(value, "dtype"):
        require_number(name, value)
        return
    if tuple(value.shape) != () or not is_kind(value, ("integral", "real floating")):
        raise DTypeError(f"{name} is {describe(value)}, expected one real number")


def require_number(name: str, value: Any) -> None:
    """Raise unless ``value`` is a Python number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DTypeError(f"{name}={value!r}: expected a number")


def require_steps(name: str, value: Any) -> None:
    """Raise unless ``value`` is a number of steps: an integer of 1 or more."""
    require_number(name, value)
    if not 1 <= value < inf or value != int(value):
        raise ShapeError(f"{name}={value!r}: expected a number of steps, an integer of 1 or more")
