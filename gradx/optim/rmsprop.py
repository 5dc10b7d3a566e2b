"""RMSprop: steps divided by the root of a moving average of squared gradients."""

from typing import Any, NamedTuple

from gradx.ops.elementwise import sqrt
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
from gradx.optim.optimizer import Optimizer, each_leaf, zeros_for


class RMSpropState(NamedTuple):
    """Steps done, averages of squares and (if centered) of gradients, and the velocity."""

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
    require_not_negative("rmsprop: momentum", momentum)

    def init(params):
        zeros = lambda: zeros_for(params, "rmsprop")
        # The average of gradients and the velocity are zero, and stay so, where they are not used.
        return RMSpropState(first_count(params), zeros(), zeros(), zeros())

    def update(grads, state, params=None):
        step = read(state.count)
        rate = rate_at(learning_rate, step)

        def leaf(g, square, mean, velocity):
            square = moved_to_square(square, g, 1 - alpha)
            mean = moved_to(mean, g, 1 - alpha) if centered else mean + 0.0
            variance = square - mean * mean if centered else square
            direction = g / plus(sqrt(variance), eps)
            velocity = plus(velocity * momentum, direction)
            return scaled(velocity, -rate), square, mean, velocity

        updates, *averages = each_leaf(
            "rmsprop", leaf, 4, grads, state.square, state.mean, state.velocity
        )
        return updates, RMSpropState(write(step + 1, state.count), *averages)

    return Optimizer(init, update)
