"""One step of training: gradient, optimizer, and a look whether all of it is finite.

Compiled, the whole step is one graph, and what it found is read back once, at its end.
Where that cannot be, the same functions run one by one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.distributed import World
from gradx.nn.stateful import state_mask, take_state
from gradx.ops.comparison import logical_and, logical_or
from gradx.ops.shapes import astype
from gradx.optim.optimizer import Optimizer, apply_updates
from gradx.random import fold_in
from gradx.train.compiling import while_it_compiles
from gradx.train.finite import NonFiniteError, first_not_finite, is_finite, origin_of
from gradx.train.losses import Objective, with_next_state
from gradx.train.precision import (
    LEAST_SCALE,
    Precision,
    are_finite,
    chosen,
    in_precision,
    unscaled,
)
from gradx.train.precision import following as following_state
from gradx.train.state import State, Weights
from gradx.transforms.grad import value_and_grad

Step = Callable[[State, Any, Any], tuple[Weights, float]]
# (model, batch, key, train or the scale) -> ((loss, model with its next state), gradients).
Differentiate = Callable[[Any, Any, Any, Any], Any]
WholeStep = Callable[[Weights, Any, Any], "Found"]


class Found(NamedTuple):
    """What a whole step returns: ``finite`` is false where it must not be taken."""

    weights: Weights
    loss: Any
    finite: Any


def make_step(
    objective: Objective,
    optimizer: Optimizer,
    world: World,
    compile: bool,
    precision: Precision | None = None,
) -> Step:
    """Return the step ``(state, batch, key) -> (weights, loss)``."""
    scales = precision is not None and precision.dtype is not None
    stateful = with_next_state(objective)
    alone = _of_scaled(stateful) if scales else value_and_grad(stateful, has_aux=True)
    differentiate = alone
    if world.size > 1:
        alone = _with_own_noise(alone, world)
        differentiate = _together(alone, world)
    whole = (_scaled_step if scales else _whole_step)(differentiate, optimizer)
    eager = _as_it_is(whole, alone) if scales else _eager(differentiate, alone, optimizer)
    step = _compiled(whole, eager) if compile else eager
    return step if precision is None else in_precision(step, precision)


def _with_own_noise(differentiate: Differentiate, world: World) -> Differentiate:
    return lambda model, batch, key, last: differentiate(
        model, batch, fold_in(key, world.rank), last
    )


def _together(differentiate: Differentiate, world: World) -> Differentiate:
    """Average all that a batch gives over the processes: what follows is the same on each."""

    def run(model: Any, batch: Any, key: Any, last: Any) -> Any:
        (loss, following), gradients = differentiate(model, batch, key, last)
        leaves, structure = tree.flatten(following)
        mask = state_mask(following)
        kept = [leaf for leaf, is_state in zip(leaves, mask, strict=True) if is_state]
        loss, gradients, kept = world.mean((loss, gradients, kept))
        state = iter(kept)
        leaves = [
            next(state) if is_state else leaf for leaf, is_state in zip(leaves, mask, strict=True)
        ]
        return (loss, tree.unflatten(structure, leaves)), gradients

    return run


def _eager(differentiate: Differentiate, alone: Differentiate, optimizer: Optimizer) -> Step:
    """Return a step op by op; ``alone`` differentiates without the other processes."""

    def step(state: State, batch: Any, key: Any) -> tuple[Weights, float]:
        model, optimizer_state = state.weights
        (loss, following), gradients = differentiate(model, batch, key, True)
        if not is_finite([loss, *tree.leaves(gradients)]):
            origin = origin_of(alone, model, batch, key, True)
            what = f"the loss is {float(loss)}"
            raise _not_finite(state, what, "the gradient of", gradients, origin)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, model)
        model = take_state(apply_updates(model, updates), following)
        if not is_finite(tree.leaves(model)):
            raise _not_finite(state, f"the loss is {float(loss)}", "the update of", model)
        return Weights(model, optimizer_state), float(loss)

    return step


def _whole_step(differentiate: Differentiate, optimizer: Optimizer) -> WholeStep:
    def whole_step(weights: Weights, batch: Any, key: Any) -> Found:
        model, optimizer_state = weights
        (loss, following), gradients = differentiate(model, batch, key, True)
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, model)
        model = take_state(apply_updates(model, updates), following)
        finite = are_finite([loss, *tree.leaves(gradients), *tree.leaves(model)])
        return Found(Weights(model, optimizer_state), loss, finite)

    return whole_step


def _of_scaled(stateful: Callable[..., Any]) -> Differentiate:
    """Return what differentiates the loss times a scale, its last argument."""

    def scaled(model: Any, batch: Any, key: Any, scale: Any) -> tuple[Any, Any]:
        loss, following = stateful(model, batch, key, True)
        return loss * astype(scale, loss.dtype), (loss, following)

    differentiate = value_and_grad(scaled, has_aux=True)

    def run(model: Any, batch: Any, key: Any, scale: Any) -> Any:
        (_, aside), gradients = differentiate(model, batch, key, scale)
        return aside, gradients

    return run


def _scaled_step(differentiate: Differentiate, optimizer: Optimizer) -> WholeStep:
    """Return a step that is skipped, and the scale lowered, if a gradient is not finite."""

    def whole_step(weights: Weights, batch: Any, key: Any) -> Found:
        model, state = weights
        (loss, aside), gradients = differentiate(model, batch, key, state.scale)
        gradients = unscaled(gradients, state.scale)
        good = are_finite(tree.leaves(gradients))
        updates, optimizer_state = optimizer.update(gradients, state.optimizer, model)
        # What is not finite reaches neither averages nor parameters.
        stepped = take_state(apply_updates(model, updates), aside)
        model = chosen(good, stepped, model)
        following = following_state(state, chosen(good, optimizer_state, state.optimizer), good)
        healthy = logical_or(good, state.scale > LEAST_SCALE)
        finite = logical_and(are_finite([loss, *tree.leaves(model)]), healthy)
        return Found(Weights(model, following), loss, finite)

    return whole_step


def _as_it_is(whole: WholeStep, alone: Differentiate) -> Step:
    def step(state: State, batch: Any, key: Any) -> tuple[Weights, float]:
        found = whole(state.weights, batch, key)
        if not bool(found.finite):
            scale = state.weights.optimizer_state.scale
            what = f"the loss is {float(found.loss)}, at a loss scale of {float(scale):g}"
            origin = origin_of(alone, state.model, batch, key, scale)
            raise _not_finite(state, what, "the update of", found.weights.model, origin)
        return found.weights, float(found.loss)

    return step


def _compiled(whole: WholeStep, eager: Step) -> Step:
    run = while_it_compiles(whole, "steps")

    def step(state: State, batch: Any, key: Any) -> tuple[Weights, float]:
        found = run(state.weights, batch, key)
        if not bool(found.finite):
            return eager(state, batch, key)  # which says what is not finite
        return found.weights, float(found.loss)

    return step


def _not_finite(
    state: State, loss: str, kind: str, values: Any, origin: str = ""
) -> NonFiniteError:
    bad = first_not_finite(values)
    problem = loss if bad is None else f"{loss}, and {kind} {bad} is not finite"
    cause = f". It began here: {origin}" if origin else ""
    return NonFiniteError(
        f"fit: epoch {state.epoch}, step {state.step}: {problem}; "
        f"the step was not taken, and error.model is the model before it{cause}",
        state.model,
        state.history,
        state.epoch,
        state.step,
    )
