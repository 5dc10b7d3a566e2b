"""A hint at the learning rate: the loss while the rate grows, step by step."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import exp, inf, log
from typing import Any

import numpy as np

from gradx.errors import DTypeError, ShapeError
from gradx.ops.windows import integer
from gradx.optim.numbers import require_number
from gradx.optim.optimizer import Optimizer
from gradx.optim.schedules import exponential
from gradx.train.finite import NonFiniteError
from gradx.train.history import new_axes
from gradx.train.loop import fit
from gradx.train.state import State

SMOOTHING = 0.9  # decay of the average of losses
DIVERGED = 4.0  # times the lowest loss
MOST = 1_000_000  # steps


@dataclass(frozen=True)
class Rates:
    """Learning rates that were tried, the smoothed loss at each, and the one where it fell most.

    ``suggestion`` is where the loss falls most for a relative change of the rate: a hint.
    """

    rates: list[float]
    losses: list[float]

    @property
    def suggestion(self) -> float:
        """The rate at which the loss fell most steeply, over the logarithm of the rate."""
        slopes = np.gradient(np.asarray(self.losses), np.log(self.rates))
        return self.rates[int(np.argmin(slopes))]

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss over the rate, and return matplotlib's Axes."""
        ax = new_axes() if ax is None else ax
        ax.semilogx(self.rates, self.losses)
        ax.axvline(self.suggestion, linestyle=":", label=f"{self.suggestion:.1e}")
        ax.set_xlabel("learning rate")
        ax.set_ylabel("loss")
        ax.legend()
        return ax


def find_learning_rate(
    model: Any,
    loss: Callable[..., Any],
    optimizer: Callable[[Any], Optimizer],
    data: Any,
    *,
    key: Any,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
    **options: Any,
) -> Rates:
    """Train for ``steps`` steps with a rate that grows from ``lowest`` to ``highest``.

    ``optimizer`` makes one of a learning rate, as ``gx.optim.adam`` does. It ends early
    where the loss is four times its lowest, or not finite. Nothing is changed: ``model`` is
    as it was. ``options`` are those of ``fit``. Source: Smith, "Cyclical learning rates for
    training neural networks" (WACV 2017), section 3.3.

    >>> import gradx as gx
    >>> x = gx.random.normal(gx.random.key(0), (64, 3))
    >>> model = gx.nn.Linear(3, 1, key=gx.random.key(1), dtype="float64")
    >>> found = gx.train.find_learning_rate(model, gx.nn.mse, gx.optim.sgd, (x, x[:, :1]),
    ...     key=gx.random.key(2), highest=10.0)
    >>> 1e-3 < found.suggestion < 1.0
    True
    """
    steps = integer("find_learning_rate", "steps", steps, least=5)
    if steps > MOST:
        raise ShapeError(f"find_learning_rate: steps={steps}, expected {MOST} or fewer")
    for name, rate in (("lowest", lowest), ("highest", highest)):
        require_number(f"find_learning_rate: {name}", rate)
    if not 0 < lowest < highest < inf:
        raise ShapeError(
            f"find_learning_rate: lowest={lowest!r} and highest={highest!r}, expected 0 < "
            "lowest < highest"
        )
    if isinstance(optimizer, Optimizer) or not callable(optimizer):
        raise DTypeError(
            "find_learning_rate: expected a function from a rate to an optimizer, as "
            f"gx.optim.adam, got {type(optimizer).__name__}"
        )
    growth = log(highest / lowest) / (steps - 1)
    rates = [lowest * exp(growth * step) for step in range(steps)]
    found = _Watch(steps)
    made = optimizer(exponential(lowest, exp(growth)))
    options = {"progress": None} | options
    with suppress(NonFiniteError):
        fit(model, loss, made, data, epochs=steps, key=key, callbacks=[found], **options)
    if len(found.losses) < 2:
        raise ShapeError(f"find_learning_rate: no step is possible at lowest={lowest!r}")
    return Rates(rates[: len(found.losses)], found.losses)


class _Watch:
    """Keep the smoothed loss of each step, and end training after so many, or too high a one."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.losses: list[float] = []
        self.average = 0.0

    def on_step_end(self, state: State) -> None:
        self.average = SMOOTHING * self.average + (1 - SMOOTHING) * state.loss
        self.losses.append(self.average / (1 - SMOOTHING**state.total_steps))
        if len(self.losses) >= self.steps or self.losses[-1] > DIVERGED * abs(min(self.losses)):
            state.stop("enough rates were tried")
