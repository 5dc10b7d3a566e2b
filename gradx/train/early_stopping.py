"""Stopping when a column of the history no longer improves, and going back to its best."""

import math
from dataclasses import dataclass, field

from gradx.errors import DTypeError, ShapeError
from gradx.random.arguments import as_integer, as_number
from gradx.train.state import State, Weights

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

    Raise ``ShapeError`` for a setting out of range, and at the start of
    training for a column that will not be recorded.

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
    _best_weights: Weights | None = field(default=None, init=False, repr=False)
    _reference: float = field(default=math.inf, init=False, repr=False)
    _sign: float = field(default=1.0, init=False, repr=False)
    _waited: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.monitor, str):
            raise DTypeError(f"EarlyStopping: monitor={self.monitor!r}: it is a column's name")
        if self.mode is None:
            self.mode = MODES.get(self.monitor.rpartition("_")[2])
        if not isinstance(self.mode, str) or self.mode not in SIGNS:
            raise ShapeError(
                f"EarlyStopping: mode={self.mode!r} for {self.monitor!r}: use 'min' or 'max'"
            )
        self._sign = SIGNS[self.mode]
        if as_integer("EarlyStopping: patience", self.patience) < 1:
            raise ShapeError(f"EarlyStopping: patience={self.patience}: it is 1 epoch or more")
        if as_number("EarlyStopping: min_delta", self.min_delta) < 0:
            raise ShapeError(f"EarlyStopping: min_delta={self.min_delta}: it is 0 or more")

    def on_start(self, state: State) -> None:
        """Forget an earlier run."""
        if self.monitor not in state.history:
            raise ShapeError(
                f"EarlyStopping: {self.monitor!r} will not be recorded, only "
                f"{', '.join(state.history.columns)}: give fit validation data or metrics"
            )
        self.best, self.best_epoch, self._best_weights = math.nan, 0, None
        self._reference, self._waited = math.inf, 0

    def on_epoch_end(self, state: State) -> None:
        """Count the epochs since the last improvement, and keep the best parameters."""
        value = state.history[self.monitor][-1]
        cost = self._sign * value
        self._remember(state, value, cost)
        if cost < self._reference - self.min_delta:
            self._reference, self._waited = cost, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            state.stop(f"{self.monitor} did not improve for {self._waited} epochs")

    def on_end(self, state: State) -> None:
        """Go back to the best parameters."""
        if self.restore_best and self._best_weights is not None:
            state.weights = self._best_weights
        self._best_weights = None

    def _remember(self, state: State, value: float, cost: float) -> None:
        # The best of all, though it may be too little better to count as an improvement.
        if (self.best_epoch and not cost < self._sign * self.best) or math.isnan(cost):
            return
        self.best, self.best_epoch = value, state.epoch
        if self.restore_best:
            self._best_weights = state.weights
