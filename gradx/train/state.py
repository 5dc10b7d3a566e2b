"""Where training stands: what callbacks see and may change, and what ``fit`` returns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array
from gradx.train.history import History

Model = TypeVar("Model")


class Weights(NamedTuple):
    """A model and the optimizer's state that belongs to it, replaced together.

    In one assignment, so that Ctrl-C never finds one without the other.
    """

    model: Any
    optimizer_state: Any


def in_row_order(weights: Weights) -> Weights:
    """Return the weights with every array in rows, as a checkpoint has them.

    The order in memory is that in which an array is summed up, and so decides the last bits.
    """
    return tree.map(lambda x: backend_for(x).row_major(x) if is_array(x) else x, weights)


@dataclass(slots=True)
class State:
    """A training run in progress: what callbacks are given.

    Of ``epochs`` this is ``epoch``, and of its ``steps`` (``None`` if that is not known)
    ``step``, both counted from 1; ``total_steps`` were done since the start. ``loss`` is that of
    the last step, ``history`` holds the finished epochs, ``stopped`` the reason to end if there
    is one. The optimizer's learning rate is multiplied by ``rate``.
    """

    weights: Weights
    history: History
    epochs: int
    steps: int | None
    epoch: int = 0
    step: int = 0
    total_steps: int = 0
    loss: float = math.nan
    stopped: str | None = None
    best: Weights | None = None  # of the best epoch, if early stopping keeps them
    rate: float = 1.0
    key: Any = None
    order: Mapping[str, Any] = field(default_factory=dict)  # of batches: see train/sources.py

    @property
    def model(self) -> Any:
        """The model as trained so far."""
        return self.weights.model

    def stop(self, reason: str) -> None:
        """End training after this step or epoch; ``reason`` becomes ``result.stopped``."""
        self.stopped = self.stopped or reason


@dataclass(frozen=True, slots=True)
class Result(Generic[Model]):
    """What ``fit`` returns: the trained ``model``, and how it came about.

    ``history`` has the numbers of each epoch, ``optimizer_state`` is where the optimizer stands,
    ``stopped`` the reason somebody gave for ending training, ``None`` if nobody did.
    """

    model: Model
    history: History
    optimizer_state: Any
    stopped: str | None

    def __repr__(self) -> str:
        end = f", stopped: {self.stopped}" if self.stopped else ""
        return f"<trained {type(self.model).__name__}{end}\n{self.history!r}>"
