"""Arithmetic on arrays that an optimizer has just made: in place where it can be.

On large arrays a step pays for temporaries. ``mine`` is an array nobody else
holds; a Tensor is never written to, so that updates are differentiable.
"""

from typing import Any

from gradx.core.call import Tensor
from gradx.ops.arithmetic import add, multiply, subtract
from gradx.optim.optimizer import in_dtype_of


def plus(mine: Any, other: Any) -> Any:
    """Return ``mine + other``, where ``mine`` may be overwritten."""
    other = in_dtype_of(mine, other)
    if type(mine) is Tensor or type(other) is Tensor:
        return add(mine, other)
    mine += other
    return mine


def minus(mine: Any, other: Any) -> Any:
    """Return ``mine - other``, where ``mine`` may be overwritten."""
    if type(mine) is Tensor or type(other) is Tensor:
        return subtract(mine, other)
    mine -= other
    return mine


def times(mine: Any, other: Any) -> Any:
    """Return ``mine * other``, where ``mine`` may be overwritten."""
    other = in_dtype_of(mine, other)
    if type(mine) is Tensor or type(other) is Tensor:
        return multiply(mine, other)
    mine *= other
    return mine


def scaled(x: Any, factor: Any) -> Any:
    """Return ``x * factor`` in the dtype of ``x``, as a new array."""
    return multiply(x, in_dtype_of(x, factor))


def moved_to(average: Any, x: Any, share: float) -> Any:
    """Return ``average + share * (x - average)``: an exponential moving average."""
    return plus(times(subtract(x, average), share), average)


def moved_to_square(average: Any, x: Any, share: float) -> Any:
    """Return ``average + share * (x**2 - average)``."""
    return plus(times(minus(x * x, average), share), average)
