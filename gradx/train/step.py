"""One step of training: gradient, optimizer, and a look whether all of it is finite.

Compiled, the whole step is one graph, and what it found is read back once, at its end.
Where that cannot be, the same functions run one by one.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.distributed import World
from gradx.errors import CaptureError
from gradx.graph.compile import Compiled
from gradx.nn.stateful import state_mask, take_state
from gradx.ops.comparison import isfinite
from gradx.ops.joining import stack
from gradx.ops.statistical import all
from gradx.optim.optimizer import Optimizer, apply_updates
from gradx.random import fold_in
from gradx.train.finite import NonFiniteError, first_not_finite, is_finite
from gradx.train.losses import Objective, with_next_state
from gradx.train.state import State, Weights
from gradx.transforms.grad import value_and_grad

Step = Callable[[State, Any, Any], tuple[Weights, float]]
# (model, batch, key, train) -> ((loss, model with its next state), gradients).
Differentiate = Callable[[Any, Any, Any, bool], Any]


class Found(NamedTuple):
    """What a compiled step returns."""

    weights: Weights
    loss: Any
    finite: Any


def make_step(objective: Objective, optimizer: Optimizer, world: World, compile: bool) -> Step:
    """Return the step ``(state, batch, key) -> (weights, loss)``."""
    differentiate = value_and_grad(with_next_state(objective), has_aux=True)
    if world.size > 1:
        differentiate = _together(differentiate, world)
    eager = _eager(differentiate, optimizer)
    return _compiled(differentiate, optimizer, eager) if compile else eager


def _together(differentiate: Differentiate, world: World) -> Differentiate:
    """Average all that a batch gives over the processes: what follows is the same on each."""

    def run(model: Any, batch: Any, key: Any, train: bool) -> Any:
        own = fold_in(key, world.rank)  # for noise that is not the same on all
        (loss, following), gradients = differentiate(model, batch, own, train)
        leaves, structure = tree.flatten(following)
        chosen = state_mask(following)
        kept = [leaf for leaf, is_state in zip(leaves, chosen, strict=True) if is_state]
        loss, gradients, kept = world.mean((loss, gradients, kept))
        state = iter(kept)
        leaves = [
            next(state) if is_state else leaf for leaf, is_state in zip(leaves, chosen, strict=True)
        ]
        return (loss, tree.unflatten(structure, leaves)), gradients

    return run


def _eager(differentiate: Differentiate, optimizer: Optimizer) -> Step:
    def step(state: State, batch: Any, key: Any) -> tuple[Weights, float]:
        model, optimizer_state = state.weights
        (loss, following), gradients = differentiate(model, batch, key, True)
        if not is_finite([loss, *tree.leaves(gradients)]):
            raise _not_finite(state, f"the loss is {float(loss)}", "the gradient of", gradients)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, model)
        model = take_state(apply_updates(model, updates), following)
        if not is_finite(tree.leaves(model)):
            raise _not_finite(state, f"the loss is {float(loss)}", "the update of", model)
        return Weights(model, optimizer_state), float(loss)

    return step


def _compiled(differentiate: Differentiate, optimizer: Optimizer, eager: Step) -> Step:
    def whole_step(weights: Weights, batch: Any, key: Any) -> Found:
        model, optimizer_state = weights
        (loss, following), gradients = differentiate(model, batch, key, True)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, model)
        model = take_state(apply_updates(model, updates), following)
        looked_at = [loss, *tree.leaves(gradients), *tree.leaves(model)]
        finite = all(stack([all(isfinite(array)) for array in looked_at]))
        return Found(Weights(model, optimizer_state), loss, finite)

    compiled = Compiled(whole_step, (), ())
    reason = ""

    def step(state: State, batch: Any, key: Any) -> tuple[Weights, float]:
        nonlocal reason
        if reason or compiled.unstable:
            return eager(state, batch, key)
        try:
            found = compiled(state.weights, batch, key)
        except CaptureError as error:
            reason = str(error)
            warnings.warn(f"fit: steps run without being compiled: {reason}", stacklevel=2)
            return eager(state, batch, key)
        if not bool(found.finite):
            return eager(state, batch, key)  # which says what is not finite
        return found.weights, float(found.loss)

    return step


def _not_finite(state: State, loss: str, kind: str, values: Any) -> NonFiniteError:
    bad = first_not_finite(values)
    problem = loss if bad is None else f"{loss}, and {kind} {bad} is not finite"
    return NonFiniteError(
        f"fit: epoch {state.epoch}, step {state.step}: {problem}; "
        "the step was not taken, and error.model is the model before it",
        state.model,
        state.history,
        state.epoch,
        state.step,
    )
