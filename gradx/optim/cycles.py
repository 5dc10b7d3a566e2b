"""Learning rates that go up and down: restarts, cycles, and one cycle."""

from math import pi
from typing import Any

from gradx.errors import ShapeError
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

RESTARTS = 40  # looked for where each period is longer than the last


def cosine_restarts(initial: float, steps: int, growth: int = 1, final: float = 0.0) -> Schedule:
    """Go from ``initial`` to ``final`` along half a cosine in ``steps`` steps, again and again.

    Each time takes ``growth`` times as many steps as the last. Source: Loshchilov,
    Hutter, "SGDR: stochastic gradient descent with warm restarts" (ICLR 2017).

    >>> import gradx as gx
    >>> [round(gx.optim.schedules.cosine_restarts(1.0, steps=2)(n), 6) for n in range(4)]
    [1.0, 0.5, 1.0, 0.5]
    """
    require_not_negative("cosine_restarts: initial", initial)
    require_not_negative("cosine_restarts: final", final)
    require_steps("cosine_restarts: steps", steps)
    require_steps("cosine_restarts: growth", growth)

    def rate(step):
        within, period = step % steps, steps
        if growth > 1:
            within, period = _place(step)
        return final + (initial - final) * (0.5 + 0.5 * cosine_of(within * (pi / period)))

    def _place(step):
        within, period, start, length = step, steps, 0, steps
        for _ in range(RESTARTS):
            start, length = start + length, length * growth
            within = choose(step >= start, step - start, within)
            period = choose(step >= start, float(length), period)
        return within, period

    return rate


def cyclic(low: float, high: float, up: int, down: int | None = None, decay: float = 1.0) -> Any:
    """Go straight from ``low`` to ``high`` in ``up`` steps and back in ``down``, for ever.

    ``down`` is as many as ``up`` unless given; each cycle is ``decay`` times as high as the
    last. Source: Smith, "Cyclical learning rates for training neural networks" (WACV 2017).

    >>> import gradx as gx
    >>> [gx.optim.schedules.cyclic(0.0, 1.0, up=2)(n) for n in range(5)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    require_not_negative("cyclic: low", low)
    require_not_negative("cyclic: high", high)
    require_not_negative("cyclic: decay", decay)
    require_steps("cyclic: up", up)
    down = up if down is None else down
    require_steps("cyclic: down", down)
    period = up + down

    def rate(step):
        within = step % period
        height = choose(within <= up, within / up, (period - within) / down)
        return low + (high - low) * height * power(decay, step // period)

    return rate


def one_cycle(
    peak: float,
    steps: int,
    rising: float = 0.3,
    initial: float | None = None,
    final: float | None = None,
) -> Schedule:
    """Rise from ``initial`` to ``peak`` and fall to ``final``, along half cosines, and stay there.

    It takes ``steps`` steps, of which the part ``rising`` goes up. ``initial`` is 1/25 of
    the peak, and ``final`` 1/10,000 of that, unless given. As PyTorch has it. Source:
    Smith, Topin, "Super-convergence" (arXiv 1708.07120).

    >>> import gradx as gx
    >>> schedule = gx.optim.schedules.one_cycle(1.0, steps=5, rising=0.6, initial=0.0, final=0.0)
    >>> [round(schedule(n), 6) for n in range(6)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    require_not_negative("one_cycle: peak", peak)
    require_steps("one_cycle: steps", steps)
    require_number("one_cycle: rising", rising)
    if not 0 < rising < 1 or rising * steps <= 1:
        raise ShapeError(
            f"one_cycle: rising={rising!r} of {steps} steps, expected a part between 0 and 1 "
            "that is more than one step"
        )
    first = peak / 25 if initial is None else initial
    last = first / 10_000 if final is None else final
    require_not_negative("one_cycle: initial", first)
    require_not_negative("one_cycle: final", last)
    top, end = rising * steps - 1, steps - 1

    def rate(step):
        up = _between(first, peak, at_most(step, top) / top)
        down = _between(peak, last, (at_most(step, end) - top) / (end - top))
        return choose(step <= top, up, down)

    return rate


def _between(start, end, part):
    return end + (start - end) * (0.5 + 0.5 * cosine_of(part * pi))
