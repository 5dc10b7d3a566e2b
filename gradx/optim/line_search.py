"""How far to go along a direction: until the strong Wolfe conditions hold.

That is far enough for the slope to have flattened, ``|slope| <= 0.9 * |slope at 0|``, and
not so far that the function has not fallen, ``value <= value at 0 + 1e-4 * size * slope
at 0``. Source: Nocedal, Wright, "Numerical optimization" (2006), algorithms 3.5 and 3.6,
with the cubic interpolation of equation 3.59.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

FALL, FLATTEN = 1e-4, 0.9
TRIALS = 25


class Point(NamedTuple):
    """A step's size, the function's value and slope there, and what else was computed."""

    size: float
    value: float
    slope: float
    rest: Any


def strong_wolfe(
    along: Callable[[float], Point], start: Point, first: float, trials: int = TRIALS
) -> Point | None:
    """Return a point at which the conditions hold, beginning with size ``first``.

    After ``trials`` it is the lowest that fell far enough; None if there is none.
    """
    if not start.slope < 0:
        return None
    before, size = start, first
    for trial in range(trials):
        point = along(size)
        if not _fell(point, start) or (trial and not point.value < before.value):
            return _zoomed(along, start, before, point, trials - trial)
        if abs(point.slope) <= -FLATTEN * start.slope:
            return point
        if point.slope >= 0:
            return _zoomed(along, start, point, before, trials - trial)
        before, size = point, 2 * size
    return before


def _zoomed(along, start, low, high, trials):
    """Look between two points: the lower of them fell far enough, and slopes towards the other."""
    for _ in range(trials):
        point = along(_between(low, high))
        if not _fell(point, start) or not point.value < low.value:
            high = point
        elif abs(point.slope) <= -FLATTEN * start.slope:
            return point
        else:
            high = low if point.slope * (high.size - low.size) >= 0 else high
            low = point
        if not abs(high.size - low.size) > 1e-12 * max(high.size, low.size):
            break
    return low if low.size else None


def _fell(point, start):
    # A value that is not finite did not fall.
    return point.value <= start.value + FALL * point.size * start.slope


def _between(low, high):
    """Return the minimum of the cubic through both points, kept off the ends; or the middle."""
    middle, width = (low.size + high.size) / 2, high.size - low.size
    if not (math.isfinite(high.value) and math.isfinite(high.slope)):
        return middle
    bend = low.slope + high.slope - 3 * (low.value - high.value) / (low.size - high.size)
    square = bend * bend - low.slope * high.slope
    if square < 0:
        return middle
    root = math.copysign(math.sqrt(square), width)
    divisor = high.slope - low.slope + 2 * root
    if divisor == 0:
        return middle
    size = high.size - width * (high.slope + root - bend) / divisor
    nearest, furthest = sorted([low.size + 0.1 * width, low.size + 0.9 * width])
    return min(max(size, nearest), furthest) if math.isfinite(size) else middle
