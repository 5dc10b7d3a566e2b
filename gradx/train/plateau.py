"""Lowering the learning rate when a column of the history no longer improves."""

import math
from dataclasses import dataclass, field

from gradx.errors import ShapeError
from gradx.random.arguments import as_integer, as_number
from gradx.train.early_stopping import SIGNS, mode_for, require_recorded
from gradx.train.state import State


@dataclass
class ReduceOnPlateau:
    """Multiply the learning rate by ``factor`` when ``monitor`` has not improved for too long.

    That is, after more than ``patience`` epochs in a row, and not in the ``cooldown`` epochs after
    the last time. An improvement is one by more than the part ``threshold`` of the best so far, or
    with ``relative=False`` by more than ``threshold`` itself. The rate never falls below the part
    ``least`` of the optimizer's own, which may be a schedule; ``rate`` says what part it is now.
    ``mode`` is as for ``EarlyStopping``. As PyTorch has it. A callback of ``gx.train.fit``, for
    every optimizer of ``gx.optim``.

    >>> import gradx as gx
    >>> gx.train.ReduceOnPlateau("validation_loss", factor=0.5, patience=3).rate
    1.0
    """

    monitor: str = "validation_loss"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    relative: bool = True
    cooldown: int = 0
    least: float = 0.0
    mode: str | None = None
    rate: float = field(default=1.0, init=False)
    _best: float = field(default=math.inf, init=False, repr=False)
    _waited: int = field(default=0, init=False, repr=False)
    _resting: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.mode = mode_for("ReduceOnPlateau", self.monitor, self.mode)
        for name in ("patience", "cooldown"):
            if as_integer(f"ReduceOnPlateau: {name}", getattr(self, name)) < 0:
                raise ShapeError(f"ReduceOnPlateau: {name}={getattr(self, name)}: it is 0 or more")
        for name, most in (("factor", 1.0), ("least", 1.0), ("threshold", math.inf)):
            value = as_number(f"ReduceOnPlateau: {name}", getattr(self, name))
            if not 0 <= value < most or (name == "factor" and value == 0):
                raise ShapeError(f"ReduceOnPlateau: {name}={value}: it is between 0 and {most}")

    def on_start(self, state: State) -> None:
        """Forget an earlier run, or do again what one that goes on has done so far."""
        require_recorded("ReduceOnPlateau", self.monitor, state)
        self.rate, self._best = 1.0, math.inf
        self._waited = self._resting = 0
        for value in state.history[self.monitor]:
            self._count(state, value)

    def on_epoch_end(self, state: State) -> None:
        """Count the epochs since the last improvement, and lower the rate in time."""
        self._count(state, state.history[self.monitor][-1])

    def _count(self, state: State, value: float) -> None:
        cost = SIGNS[self.mode or "min"] * value
        improves = cost < self._best - self._margin()
        self._best = cost if improves else self._best
        self._waited = 0 if improves else self._waited + 1
        if self._resting:
            self._resting, self._waited = self._resting - 1, 0
        if self._waited > self.patience and self.rate > 0:
            lowered = max(self.rate * self.factor, self.least)
            state.rate *= lowered / self.rate
            self.rate, self._waited, self._resting = lowered, 0, self.cooldown

    def _margin(self) -> float:
        """Return by how much a cost must be lower than the best to be an improvement."""
        if math.isinf(self._best):
            return 0.0
        # In PyTorch a negative best makes the margin negative, and what is worse an improvement.
        return self.threshold * (abs(self._best) if self.relative else 1.0)
