"""One step of training: gradient, optimizer, and a look whether all of it is finite.

Compiled, the whole step is one graph, and what it found is read back once, at its end.
Where that cannot be, the same functions run one by one.
"""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.distributed import World
from gradx.errors import ShapeError
from gradx.nn.stateful import state_mask, take_state
from gradx.ops.comparison import logical_and, logical_or
from gradx.ops.creation import stop_gradient
from gradx.ops.shapes import astype
from gradx.optim.numbers import rates_multiplied, scalar_beside
from gradx.optim.optimizer import Optimizer, apply_updates
from gradx.optim.sharpness import sharpness_aware, uphill
from gradx.random import fold_in
from gradx.random.arguments import as_number
from gradx.train.compiling import while_it_compiles
from gradx.train.finite import Parts, explained
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
from gradx.transforms.honesty import is_differentiated

# The last argument is called while a device may be at work on the step.
Step = Callable[[State, Any, Any, Callable[[], None]], tuple[Weights, float]]
# (model, batch, key, scale of the loss or None) -> (target, (loss, model with its next state)).
Target = Callable[[Any, Any, Any, Any], Any]
# The same -> ((loss, model with its next state), gradients).
Differentiate = Callable[[Any, Any, Any, Any], Any]
# The last argument multiplies the learning rate; None leaves it.
WholeStep = Callable[[Weights, Any, Any, Any], "Found"]


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
    sharpness: float | None = None,
) -> Step:
    """Return the step ``(state, batch, key, meanwhile) -> (weights, loss)``."""
    scales = precision is not None and precision.dtype is not None
    target = _target_of(with_next_state(objective))
    if world.size > 1:
        target = _with_own_noise(target, world)
    differentiate = _gradients_of(target, sharpness)
    if world.size > 1:
        differentiate = _together(differentiate, world)
    whole = (_scaled_step if scales else _whole_step)(differentiate, optimizer)
    parts = Parts(
        targets=(
            lambda *given: target(*given)[0],
            *([] if sharpness is None else [_nearby(target, sharpness)]),
        ),
        following=lambda *given: target(*given)[1][1],
        gradients=lambda *given: differentiate(*given)[1],
        optimizer=optimizer,
    )
    eager = _as_it_is(whole, parts)
    step = _compiled(whole, eager) if compile else eager
    return step if precision is None else in_precision(step, precision)


def _target_of(stateful: Callable[..., Any]) -> Target:
    """Return what is differentiated, the loss or its multiple by a scale, with both beside it."""

    def target(model: Any, batch: Any, key: Any, scale: Any) -> Any:
        loss, following = stateful(model, batch, key, True)
        scaled = loss if scale is None else loss * astype(scale, loss.dtype)
        return scaled, (loss, following)

    target.__name__ = stateful.__name__  # for the messages of the derivative
    return target


def _nearby(target: Target, sharpness: float) -> Target:
    """Return the target at the place where sharpness-aware gradients are taken."""
    differentiate = value_and_grad(target, has_aux=True)

    def run(model: Any, *given: Any) -> Any:
        _, gradients = differentiate(tree.map(stop_gradient, model), *given)
        return target(apply_updates(model, uphill(gradients, sharpness)), *given)[0]

    return run


def _that_varies(target: Target) -> Target:
    """Return the target, which says so if it does not vary with the model that it is given."""

    @wraps(target)
    def run(*given: Any) -> Any:
        value, aside = target(*given)
        if not is_differentiated(value):
            warnings.warn(
                f"fit: {target.__name__} does not vary with the model, so nothing is trained. "
                "Let it compute with the model, or the predictions, that it is given; what argmax "
                "and comparisons, as in an accuracy, and gx.stop_gradient return has no derivative",
                stacklevel=2,
            )
        return value, aside

    return run


def _gradients_of(target: Target, sharpness: float | None) -> Differentiate:
    target = _that_varies(target)
    if sharpness is None:
        differentiate = value_and_grad(target, has_aux=True)
    else:
        differentiate = sharpness_aware(target, sharpness, has_aux=True)

    def run(model: Any, batch: Any, key: Any, scale: Any) -> Any:
        (_, aside), gradients = differentiate(model, batch, key, scale)
        return aside, gradients if scale is None else unscaled(gradients, scale)

    return run


def _with_own_noise(target: Target, world: World) -> Target:
    return lambda model, batch, key, scale: target(model, batch, fold_in(key, world.rank), scale)


def _together(differentiate: Differentiate, world: World) -> Differentiate:
    """Average all that a batch gives over the processes: what follows is the same on each."""

    def run(model: Any, batch: Any, key: Any, scale: Any) -> Any:
        (loss, following), gradients = differentiate(model, batch, key, scale)
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


def _whole_step(differentiate: Differentiate, optimizer: Optimizer) -> WholeStep:
    def whole_step(weights: Weights, batch: Any, key: Any, rate: Any) -> Found:
        model, optimizer_state = weights
        (loss, following), gradients = differentiate(model, batch, key, None)
        with rates_multiplied(rate):
            updates, optimizer_state = optimizer.update(gradients, optimizer_state, model)
        model = take_state(apply_updates(model, updates), following)
        weights = Weights(model, optimizer_state)
        return Found(weights, loss, are_finite(loss, gradients, weights))

    return whole_step


def _scaled_step(differentiate: Differentiate, optimizer: Optimizer) -> WholeStep:
    """Return a step that is skipped, and the scale lowered, if a gradient is not finite."""

    def whole_step(weights: Weights, batch: Any, key: Any, rate: Any) -> Found:
        model, state = weights
        (loss, aside), gradients = differentiate(model, batch, key, state.scale)
        good = are_finite(gradients)
        with rates_multiplied(rate):
            updates, optimizer_state = optimizer.update(gradients, state.optimizer, model)
        # What is not finite reaches neither averages nor parameters.
        stepped = take_state(apply_updates(model, updates), aside)
        model = chosen(good, stepped, model)
        following = following_state(state, chosen(good, optimizer_state, state.optimizer), good)
        healthy = logical_or(good, state.scale > LEAST_SCALE)
        weights = Weights(model, following)
        return Found(weights, loss, logical_and(are_finite(loss, weights), healthy))

    return whole_step


def _rate_of(state: State) -> float | None:
    """Return what multiplies the learning rate, which callbacks may have set, if anything does."""
    rate = as_number("fit: state.rate", state.rate)
    if rate < 0:
        raise ShapeError(f"fit: state.rate={rate}, expected 0 or more")
    return None if rate == 1 else rate


def _as_it_is(whole: WholeStep, parts: Parts) -> Step:
    def step(
        state: State, batch: Any, key: Any, meanwhile: Callable[[], None]
    ) -> tuple[Weights, float]:
        found = whole(state.weights, batch, key, _rate_of(state))
        meanwhile()
        if not bool(found.finite):
            raise explained(state, parts, batch, key, found.loss, found.weights)
        return found.weights, float(found.loss)

    return step


def _compiled(whole: WholeStep, eager: Step) -> Step:
    run = while_it_compiles(whole, "steps")

    def step(
        state: State, batch: Any, key: Any, meanwhile: Callable[[], None]
    ) -> tuple[Weights, float]:
        # An array, so that another rate is no other program.
        rate = _rate_of(state)
        rate = None if rate is None else scalar_beside(state.model, rate, "float64")
        found = run(state.weights, batch, key, rate)
        meanwhile()
        if not bool(found.finite):
            return eager(state, batch, key, meanwhile)  # which says what is not finite
        return found.weights, float(found.loss)

    return step
