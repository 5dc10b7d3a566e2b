"""Learning rates put together from pieces: jumps, given points, and powers."""

from collections.abc import Mapping
from itertools import pairwise
from math import pi
from typing import Any

from gradx.errors import DTypeError, ShapeError
from gradx.optim.numbers import (
    Schedule,
    at_most,
    choose,
    require_not_negative,
    require_steps,
)
from gradx.optim.numbers import (
    cosine as cosine_of,
)

SHAPES = ("linear", "cosine")


def piecewise(initial: float, factors: Mapping[int, float]) -> Schedule:
    """Multiply by a factor at each of the given steps, as in ``{30: 0.1, 80: 0.1}``.

    >>> import gradx as gx
    >>> [gx.optim.schedules.piecewise(1.0, {1: 0.5, 3: 0.5})(n) for n in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """
    require_not_negative("piecewise: initial", initial)
    steps = _increasing("piecewise: factors", factors)

    def rate(step):
        value = initial
        for start in steps:
            value = value * choose(step >= start, factors[start], 1.0)
        return value

    return rate


def interpolate(points: Mapping[int, float], shape: str = "linear") -> Schedule:
    """Go through given rates at given steps, as in ``{0: 0.0, 10: 1.0, 100: 0.0}``.

    Between two of them straight, or with ``shape="cosine"`` along half a cosine; before
    the first and after the last it stays.

    >>> import gradx as gx
    >>> [gx.optim.schedules.interpolate({0: 0.0, 2: 1.0})(n) for n in range(4)]
    [0.0, 0.5, 1.0, 1.0]
    """
    steps = _increasing("interpolate: points", points)
    if shape not in SHAPES:
        raise ShapeError(f"interpolate: shape={shape!r}, expected one of {', '.join(SHAPES)}")

    def rate(step):
        value = points[steps[0]]
        for start, end in pairwise(steps):
            part = (at_most(step, end) - start) / (end - start)
            part = part if shape == "linear" else 0.5 - 0.5 * cosine_of(part * pi)
            between = points[start] + (points[end] - points[start]) * part
            value = choose(step >= start, between, value)
        return value

    return rate


def polynomial(initial: float, steps: int, power: float = 1.0, final: float = 0.0) -> Schedule:
    """Go from ``initial`` to ``final`` in ``steps`` steps as ``(1 - step / steps)**power`` does.

    >>> import gradx as gx
    >>> [gx.optim.schedules.polynomial(1.0, steps=2, power=2)(n) for n in range(4)]
    [1.0, 0.25, 0.0, 0.0]
    """
    require_not_negative("polynomial: initial", initial)
    require_not_negative("polynomial: final", final)
    require_not_negative("polynomial: power", power)
    require_steps("polynomial: steps", steps)
    return lambda step: final + (initial - final) * (1 - at_most(step, steps) / steps) ** power


def _increasing(name: str, values: Any) -> list[int]:
    """Return the steps of a mapping from steps to rates or factors, in order."""
    if not isinstance(values, Mapping) or not values:
        raise DTypeError(f"{name}={values!r}, expected a mapping from steps, as in {{30: 0.1}}")
    for step, value in values.items():
        require_not_negative(f"{name}: the value at {step!r}", value)
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise ShapeError(f"{name}: a step is {step!r}, expected an integer of 0 or more")
    return sorted(values)
