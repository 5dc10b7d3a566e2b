"""How a special function reaches arrays whose library has no companion: through NumPy and SciPy.

NumPy's and CuPy's arrays do not come here: their backends have kernels.
"""

import math
from collections.abc import Callable
from typing import Any

from gradx.backends import backend_for_device
from gradx.core.arrays import (
    FLOATING,
    backend_for,
    is_kind,
    is_number,
    reading_stalls,
    untracked,
)
from gradx.core.explain import mixed_places
from gradx.errors import TrackedError
from gradx.ops.arithmetic import add
from gradx.ops.creation import zeros_like
from gradx.ops.rounding import trunc

NUMBERS = {bool, int, float}


def through_numpy(op: str, *arrays: Any) -> Any:
    """Run NumPy's kernel of ``op`` on copies of the arrays, and send the result back."""
    host, _ = backend_for_device("cpu")
    return on_host(op, lambda *copies: host.kernels[op](host.xp, *copies), *arrays)


def on_host(op: str, function: Callable[..., Any], *arrays: Any) -> Any:
    """Run a function of NumPy's arrays on copies of the arrays, and send the result back."""
    placed = [array for array in arrays if type(array) not in NUMBERS]
    backend = backend_for(placed[0])
    devices = list(dict.fromkeys(backend.device_of(array) for array in placed))
    if len(devices) > 1:
        raise mixed_places(op, devices)
    host, _ = backend_for_device("cpu")
    copies = [a if type(a) in NUMBERS else backend.to_numpy(a) for a in arrays]
    return backend.from_numpy(host.xp.asarray(function(*copies)), devices[0])


def beside(value: Any, like: Any) -> Any:
    """Return ``value`` as an array of floating-point numbers beside ``like``: for rules."""
    if is_number(value) or not is_kind(value, FLOATING):
        return value + zeros_like(like)
    return value


def side_by_side(x: Any, y: Any) -> tuple[Any, Any]:
    """Return two inputs of an op, of which one may be a number or hold whole ones: for rules."""
    return beside(x, y), beside(y, x)


def spread(x, parameter):
    """Return both as arrays: a number of a captured graph is none, and chooses nothing."""
    x, parameter = side_by_side(x, parameter)
    return x, add(parameter, zeros_like(x)) if x.ndim else parameter


def none_of(condition: Any) -> bool:
    """Tell whether a condition holds nowhere; say no where looking would stall."""
    if reading_stalls(condition):
        return False
    condition = untracked(condition)
    return not bool(backend_for(condition).xp.any(condition))


def whole_part(n: Any, x: Any) -> Any:
    """Return the whole part of an order, which SciPy takes where it is a real number."""
    return math.trunc(n) if type(n) in NUMBERS else trunc(beside(n, x))


def refusing(op: str, name: str) -> Any:
    """Return a partial derivative that raises: nobody knows a formula for it."""

    def partial(out):
        raise TrackedError(
            f"{op}: there is no derivative with respect to {name}: "
            f"make it a constant, as in gx.stop_gradient({name})"
        )

    return partial
