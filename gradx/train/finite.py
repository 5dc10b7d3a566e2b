"""No step is taken on numbers that are not finite."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gradx import errors
from gradx.core import tree
from gradx.core.arrays import backend_for, is_array
from gradx.train.history import History
from gradx.transforms.debugging import debug, problem_of


class NonFiniteError(errors.NonFiniteError):
    """The loss, a gradient or an updated parameter is infinite or not a number.

    ``model`` is the last good one, from before the step; ``history`` holds the
    epochs that were finished; ``epoch`` and ``step`` count from 1.
    """

    def __init__(self, message: str, model: Any, history: History, epoch: int, step: int) -> None:
        super().__init__(message)
        self.model = model
        self.history = history
        self.epoch = epoch
        self.step = step


def is_finite(arrays: list[Any]) -> bool:
    """Tell whether all elements of all arrays are finite, by reading one value from the device."""
    xp = backend_for(arrays[0]).xp
    return bool(xp.all(xp.stack([xp.all(xp.isfinite(array)) for array in arrays])))


def first_not_finite(model: Any) -> str | None:
    """Return the path of the first leaf that is not all finite, None if there is none."""
    for path, leaf in zip(tree.paths(model), tree.leaves(model), strict=True):
        xp = backend_for(leaf).xp
        finite = xp.isfinite(leaf)
        if not bool(xp.all(finite)):
            bad = int(xp.sum(xp.astype(~finite, xp.int64)))
            return f"model{path} ({bad} of {leaf.size} elements)"
    return None


def origin_of(differentiate: Callable[..., Any], model: Any, batch: Any, *rest: Any) -> str:
    """Say where numbers stopped being finite: in the batch, or in an op at a line; or nothing.

    ``differentiate(model, batch, *rest)`` is the step that failed, which is computed once more.
    """
    for path, leaf in zip(tree.paths(batch), tree.leaves(batch), strict=True):
        if is_array(leaf) and (problem := problem_of(leaf)):
            return f"batch{path} has {problem}"
    try:
        with debug(), suppress(errors.TapeError):
            differentiate(model, batch, *rest)
    except errors.NonFiniteError as error:
        return str(error)
    return ""
