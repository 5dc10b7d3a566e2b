"""Learning rates that change: functions of the number of steps done, from 0.

Any function of the step is a schedule; these are the usual ones. They take a
Python number, or an array where a step is compiled, and return the same.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import inf, pi

from gradx.errors import DTypeError, ShapeError
from gradx.optim.cycles import cosine_restarts as cosine_restarts
from gradx.optim.cycles import cyclic as cyclic
from gradx.optim.cycles import one_cycle as one_cycle
from gradx.optim.numbers import (
    Schedule,
    at_most,
    choose,
    power,
    require_not_negative,
    require_number,
    require_steps,
)
from gradx.optim.numbers import (
    cosine as cosine_of,
)
from gradx.optim.pieces import interpolate as interpolate
from gradx.optim.pieces import piecewise as piecewise
from gradx.optim.pieces import polynomial as polynomial


def constant(value: float) -> Schedule:
    """Stay at ``value``.

    >>> import gradx as gx
    >>> gx.optim.schedules.constant(0.1)(5)
    0.1
    """
    require_not_negative("constant: value", value)
    return lambda step: value


def step(initial: float, every: int, factor: float = 0.1) -> Schedule:
    """Multiply by ``factor`` once ``every`` steps.

    >>> import gradx as gx
    >>> [gx.optim.schedules.step(1.0, every=2, factor=0.5)(n) for n in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    require_not_negative("step: initial", initial)
    require_not_negative("step: factor", factor)
    require_steps("step: every", every)
    return lambda step: initial * power(factor, step // every)


def exponential(initial: float, factor: float) -> Schedule:
    """Multiply by ``factor`` every step.

    >>> import gradx as gx
    >>> [gx.optim.schedules.exponential(1.0, 0.5)(n) for n in range(3)]
    [1.0, 0.5, 0.25]
    """
    require_not_negative("exponential: initial", initial)
    require_not_negative("exponential: factor", factor)
    return lambda step: initial * power(factor, step)


def linear(initial: float, final: float, steps: int) -> Schedule:
    """Go straight from ``initial`` to ``final`` in ``steps`` steps, and stay there.

    >>> import gradx as gx
    >>> [gx.optim.schedules.linear(0.0, 1.0, steps=2)(n) for n in range(4)]
    [0.0, 0.5, 1.0, 1.0]
    """
    require_not_negative("linear: initial", initial)
    require_not_negative("linear: final", final)
    require_steps("linear: steps", steps)
    return lambda step: initial + (final - initial) * (at_most(step, steps) / steps)


def cosine(initial: float, steps: int, final: float = 0.0) -> Schedule:
    """Go from ``initial`` to ``final`` along half a cosine in ``steps`` steps, and stay there.

    Source: Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm
    restarts" (ICLR 2017), without the restarts.

    >>> import gradx as gx
    >>> [round(gx.optim.schedules.cosine(1.0, steps=2)(n), 6) for n in range(4)]
    [1.0, 0.5, 0.0, 0.0]
    """
    require_not_negative("cosine: initial", initial)
    require_not_negative("cosine: final", final)
    require_steps("cosine: steps", steps)

    def rate(step):
        angle = at_most(step, steps) * (pi / steps)
        return final + (initial - final) * (0.5 + 0.5 * cosine_of(angle))

    return rate


def warmup(steps: int, then: Schedule | float) -> Schedule:
    """Rise straight from 0 to where ``then`` begins in ``steps`` steps, then follow ``then``.

    >>> import gradx as gx
    >>> [gx.optim.schedules.warmup(2, then=1.0)(n) for n in range(4)]
    [0.0, 0.5, 1.0, 1.0]
    """
    require_steps("warmup: steps", steps)
    following = then if callable(then) else constant(then)
    return join([linear(0.0, following(0), steps), following], [steps])


def join(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """Follow one schedule after another: the next begins, at its own 0, at each boundary.

    Raises:
        ValueError: the boundaries do not increase, or are not one less than the schedules.

    >>> import gradx as gx
    >>> from gradx.optim.schedules import constant, exponential, join
    >>> [join([constant(1.0), exponential(1.0, 0.5)], [2])(n) for n in range(4)]
    [1.0, 1.0, 1.0, 0.5]
    """
    _require_parts(schedules, boundaries)
    if len(boundaries) != len(schedules) - 1 or not _increase(boundaries):
        raise ShapeError(
            f"join: {len(schedules)} schedules and boundaries {list(boundaries)!r}: expected one "
            "boundary less than schedules, integers, increasing and above 0"
        )

    def rate(step):
        value = schedules[0](step)
        for schedule, boundary in zip(schedules[1:], boundaries, strict=True):
            value = choose(step >= boundary, schedule(step - boundary), value)
        return value

    return rate


def _require_parts(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> None:
    for what, value in (("schedules", schedules), ("boundaries", boundaries)):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise DTypeError(f"join: {what}={value!r}, expected a list of them")
    for schedule in schedules:
        if not callable(schedule):
            raise DTypeError(
                f"join: {schedule!r} is no schedule: gx.optim.schedules.constant makes it one"
            )
    for boundary in boundaries:
        require_number("join: a boundary", boundary)


def _increase(boundaries: Sequence[int]) -> bool:
    return all(
        before < boundary < inf and boundary == int(boundary)
        for before, boundary in pairwise([0, *boundaries])
    )
