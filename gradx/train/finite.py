"""No step is taken on numbers that are not finite, and the error says where they began."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gradx import errors
from gradx.core import tree
from gradx.core.arrays import is_array
from gradx.errors import GradxError
from gradx.nn.stateful import state_mask
from gradx.ops.complex import real
from gradx.ops.statistical import sum
from gradx.optim.numbers import rates_multiplied
from gradx.optim.optimizer import Optimizer, apply_updates
from gradx.train.history import History
from gradx.train.precision import of_the_optimizer, scale_of
from gradx.train.state import State, Weights
from gradx.transforms.blame import blame
from gradx.transforms.debugging import problem_of


class NonFiniteError(errors.NonFiniteError):
    """The loss, a gradient, an updated parameter or optimizer's state is infinite or not a number.

    ``model`` and ``optimizer_state`` are the last good ones, from before the step; ``history``
    holds the epochs that were finished; ``epoch`` and ``step`` count from 1.
    """

    def __init__(self, message: str, weights: Weights, history: History, epoch: int, step: int):
        super().__init__(message)
        self.model, self.optimizer_state = weights
        self.history = history
        self.epoch = epoch
        self.step = step


class Parts(NamedTuple):
    """What a step is made of, to be computed one by one after it failed.

    All take ``(model, batch, key, scale)``, where the loss of what is not scaled has ``None``.
    """

    targets: tuple[Callable[..., Any], ...]  # the scalar that is differentiated, at each place
    following: Callable[..., Any]  # the model with its next state
    gradients: Callable[..., Any]  # as the optimizer takes them
    optimizer: Optimizer


class _Culprit(NamedTuple):
    """What is not finite, and scalar functions of ``args`` of which one is bad because of it."""

    what: str
    functions: tuple[Callable[..., Any], ...]
    args: tuple[Any, ...]


def explained(
    state: State, parts: Parts, batch: Any, key: Any, loss: Any, updated: Weights
) -> NonFiniteError:
    """Return the error of a step with ``loss`` and ``updated`` weights: what began where."""
    scale = scale_of(state.weights.optimizer_state)
    weights = Weights(state.model, of_the_optimizer(state.weights.optimizer_state))
    given = batch, key, scale
    with rates_multiplied(state.rate):
        culprit = _of_gradients(state.model, parts, given, loss)
        culprit = culprit or _of_the_update(weights, parts, given, updated)
        origin = _origin(culprit, batch, state.model)
    at = "" if scale is None else f", at a loss scale of {float(scale):g}"
    return NonFiniteError(
        f"fit: epoch {state.epoch}, step {state.step}: the loss is {float(loss)}{at}, and "
        f"{culprit.what}; the step was not taken, and error.model is the model before it. "
        f"{origin}",
        weights,
        state.history,
        state.epoch,
        state.step,
    )


def _of_gradients(model: Any, parts: Parts, given: Any, loss: Any) -> _Culprit | None:
    gradients = parts.gradients(model, *given)
    bad = _first_bad(gradients, "model")
    if bad is None and not problem_of(loss):
        return None
    what = "all gradients are finite" if bad is None else f"the gradient of {bad[1]} is not finite"
    return _Culprit(what, parts.targets, (model, *given))


def _of_the_update(weights: Weights, parts: Parts, given: Any, updated: Weights) -> _Culprit:
    bad = _first_bad(updated.model, "model")
    if bad is None:
        return _of_the_state(weights, parts, given, updated)
    model, optimizer_state = weights
    place, path = bad
    of_leaf = lambda model: real(sum(tree.leaves(model)[place]))

    def update(gradients, model):
        step, _ = parts.optimizer.update(gradients, optimizer_state, model)
        return of_leaf(apply_updates(model, step))

    what = f"the update of {path} is not finite"
    if state_mask(model)[place]:
        following = lambda *given: of_leaf(parts.following(*given))
        return _Culprit(what, (following,), (model, *given))
    return _Culprit(what, (update,), (parts.gradients(model, *given), model))


def _of_the_state(weights: Weights, parts: Parts, given: Any, updated: Weights) -> _Culprit:
    bad = _first_bad(of_the_optimizer(updated.optimizer_state), "optimizer_state")
    if bad is None:
        return _Culprit("what another process has is not finite", (), ())
    model, optimizer_state = weights
    place, path = bad

    def following(gradients, model):
        _, state = parts.optimizer.update(gradients, optimizer_state, model)
        return real(sum(tree.leaves(state)[place]))

    what = f"{path} is not finite after it"
    return _Culprit(what, (following,), (parts.gradients(model, *given), model))


def _first_bad(values: Any, name: str) -> tuple[int, str] | None:
    """Return the number and path of the first leaf that is not all finite."""
    for place, (path, leaf) in enumerate(zip(tree.paths(values), tree.leaves(values), strict=True)):
        if problem := problem_of(leaf):
            return place, f"{name}{path} ({problem})"
    return None


def _origin(culprit: _Culprit, batch: Any, model: Any) -> str:
    """Say in which op, at which line, numbers stopped being finite, or what was not before."""
    before = next(_not_finite_in(batch, "batch"), "") or next(_not_finite_in(model, "model"), "")
    try:
        found = next(filter(None, (_blamed(f, *culprit.args) for f in culprit.functions)), None)
    except GradxError as error:
        return f"Which op it was cannot be told, as it has no derivative: {error}"
    if found is None:
        return f"It began here: {before}" if before else "It began in no op of this process"
    op, was_given = found
    return (
        f"It began here: {before}, first in {op}"
        if before and was_given
        else (f"It began here: {op}")
    )


def _blamed(function: Callable[..., Any], first: Any, *rest: Any) -> Any:
    try:
        return blame(function, first, *rest)
    except GradxError:  # The batch alone may go through what has no derivative.
        return blame(lambda first: function(first, *rest), first)


def _not_finite_in(values: Any, name: str) -> Any:
    for path, leaf in zip(tree.paths(values), tree.leaves(values), strict=True):
        if is_array(leaf) and (problem := problem_of(leaf)):
            yield f"{name}{path} has {problem}"
