"""RMSprop: steps divided by the root of a moving average of squared gradients."""

from typing import Any, NamedTuple

from gradx.ops.powers import sqrt
from gradx.optim.arithmetic import moved_to, moved_to_square, plus, scaled
from gradx.optim.numbers import (
    LearningRate,
    first_count,
    rate_at,
    read,
    require_fraction,
    require_not_negative,
    require_rate,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, require_state, zeros_for


class RMSpropState(NamedTuple):
    """Steps done, an average of squares, and ``None`` or one of gradients, and the velocity."""

    count: Any
    square: Any
    mean: Any
    velocity: Any


def rmsprop(
    learning_rate: LearningRate = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
) -> Optimizer:
    """Step by ``-learning_rate * velocity``, ``velocity = momentum * velocity + g / (rms + eps)``.

    ``rms`` is the root of a moving average of ``g**2`` with decay ``alpha``; if
    ``centered``, of the gradient's variance. As PyTorch has it. Source: Tieleman,
    Hinton, "Lecture 6.5" (2012); centered, Graves (arXiv 1308.0850).
    """
    require_rate("rmsprop: learning_rate", learning_rate)
    require_fraction("rmsprop: alpha", alpha)
    require_not_negative("rmsprop: eps", eps)
    require_fraction("rmsprop: momentum", momentum)

    def init(params):
        return RMSpropState(
            count=first_count(params),
            square=zeros_for(params, "rmsprop"),
            mean=zeros_for(params, "rmsprop") if centered else None,
            velocity=zeros_for(params, "rmsprop") if momentum else None,
        )

    def update(grads, state, params=None):
        require_state("rmsprop", state, RMSpropState)
        step = read(state.count)
        rate = rate_at(learning_rate, step)

        def leaf(g, square, *rest):
            square = moved_to_square(square, g, 1 - alpha)
            kept, variance = [square], square
            if centered:
                mean = moved_to(rest[0], g, 1 - alpha)
                kept, variance = [square, mean], square - mean * mean
            direction = g / plus(sqrt(variance), eps)
            if momentum:
                direction = plus(rest[-1] * momentum, direction)
                kept.append(direction)
            return (scaled(direction, -rate), *kept)

        used = [average for average in state[1:] if average is not None]
        updates, *averages = each_leaf("rmsprop", leaf, 1 + len(used), grads, *used)
        return updates, _next_state(write(step + 1, state.count), averages, state)

    return Optimizer(init, update)


def _next_state(count, averages, state):
    """Put the averages into the places of the state that are in use."""
    remaining = iter(averages)
    return RMSpropState(count, *[None if old is None else next(remaining) for old in state[1:]])
