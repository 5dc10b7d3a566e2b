"""The size of an array of parameters over that of its step, by which LAMB and LARS scale it."""

from typing import Any

from gradx.nn.penalties import sum_of_squares
from gradx.ops.arithmetic import divide, where
from gradx.ops.comparison import greater, logical_and
from gradx.ops.powers import sqrt


def trust(parameter: Any, direction: Any, factor: float = 1.0) -> Any:
    """Return ``factor * |parameter| / |direction|``, or 1 where one of the norms is 0."""
    own, other = sum_of_squares(parameter), sum_of_squares(direction)
    known = logical_and(greater(own, 0.0), greater(other, 0.0))
    ratio = sqrt(divide(where(known, own, 1.0), where(known, other, 1.0)))
    return where(known, ratio * factor, 1.0)
