"""Stopping when a column of the history no longer improves, and going back to its best."""

import math
from dataclasses import dataclass, field
from typing import Any

from gradx.errors import DTypeError, ShapeError
from gradx.random.arguments import as_integer, as_number
from gradx.train.state import State

# How a column's name ends -> which way is better.
MODES = {"loss": "min", "error": "min", "accuracy": "max", "r2": "max"}
SIGNS = {"min": 1.0, "max": -1.0}


@dataclass
class EarlyStopping:
    """Stop after ``patience`` epochs in a row in which ``monitor`` did not improve.

    An improvement is one by more than ``min_delta`` over the last epoch that
    counted as one. ``mode`` is ``"min"`` or ``"max"``, which follows from
    names that end in loss, error, accuracy or r2. A value that is not a number
    is no improvement.

    With ``restore_best``, the result has the parameters, and the optimizer's
    state, of the best epoch, however training ended: early, after the last
    epoch, or by Ctrl-C. ``best_epoch`` and ``best`` say afterwards which it was.

    Raises:
        ValueError: a setting is out of range, or, when training starts, ``monitor`` is a
            column that will not be recorded.

    >>> import gradx as gx
    >>> gx.train.EarlyStopping("validation_accuracy", patience=3).mode
    'max'
    """

    monitor: str = "validation_loss"
    patience: int = 5
    min_delta: float = 0.0
    mode: str | None = None
    restore_best: bool = True
    best: float = field(default=math.nan, init=False)
    best_epoch: int = field(default=0, init=False)
    _reference: float = field(default=math.inf, init=False, repr=False)
    _sign: float = field(default=1.0, init=False, repr=False)
    _waited: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.mode = mode_for("EarlyStopping", self.monitor, self.mode)
        self._sign = SIGNS[self.mode]
        if as_integer("EarlyStopping: patience", self.patience) < 1:
            raise ShapeError(f"EarlyStopping: patience={self.patience}: it is 1 epoch or more")
        if as_number("EarlyStopping: min_delta", self.min_delta) < 0:
            raise ShapeError(f"EarlyStopping: min_delta={self.min_delta}: it is 0 or more")

    def on_start(self, state: State) -> None:
        """Forget an earlier run, or count what one that goes on has done so far."""
        require_recorded("EarlyStopping", self.monitor, state)
        self.best, self.best_epoch = math.nan, 0
        self._reference, self._waited = math.inf, 0
        for epoch, value in enumerate(state.history[self.monitor], 1):
            self._count(epoch, value)
        self._stop_in_time(state)
        if self.restore_best and self.best_epoch and state.best is None:
            raise ShapeError(
                "EarlyStopping: the checkpoint has no best parameters to go back to: "
                "give restore_best=False"
            )

    def on_epoch_end(self, state: State) -> None:
        """Count the epochs since the last improvement, and keep the best parameters."""
        is_best = self._count(state.epoch, state.history[self.monitor][-1])
        if is_best and self.restore_best:
            state.best = state.weights
        self._stop_in_time(state)

    def on_end(self, state: State) -> None:
        """Go back to the best parameters."""
        if self.restore_best and state.best is not None:
            state.weights = state.best

    def _count(self, epoch: int, value: float) -> bool:
        """Take in the value of an epoch, and tell whether it is the best of all."""
        cost = self._sign * value
        improves = cost < self._reference - self.min_delta
        self._reference = cost if improves else self._reference
        self._waited = 0 if improves else self._waited + 1
        # The best of all, though it may be too little better to count as an improvement.
        is_best = not math.isnan(cost) and not (
            self.best_epoch and not cost < self._sign * self.best
        )
        if is_best:
            self.best, self.best_epoch = value, epoch
        return is_best

    def _stop_in_time(self, state: State) -> None:
        if self._waited >= self.patience:
            state.stop(f"{self.monitor} did not improve for {self._waited} epochs")


def require_recorded(callback: str, monitor: str, state: State) -> None:
    """Raise a ``ShapeError`` if the history has no column of the name ``monitor``."""
    if monitor not in state.history:
        raise ShapeError(
            f"{callback}: {monitor!r} will not be recorded, only "
            f"{', '.join(state.history.columns)}: give fit validation data or metrics"
        )


def mode_for(name: str, monitor: Any, mode: str | None) -> str:
    """Return which way is better for a column: as given, or as its name says."""
    if not isinstance(monitor, str):
        raise DTypeError(f"{name}: monitor={monitor!r}: it is a column's name")
    mode = MODES.get(monitor.rpartition("_")[2]) if mode is None else mode
    if not isinstance(mode, str) or mode not in SIGNS:
        raise ShapeError(f"{name}: mode={mode!r} for {monitor!r}: use 'min' or 'max'")
    return mode
