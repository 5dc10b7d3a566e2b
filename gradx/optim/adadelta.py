"""Adadelta: steps in the units of the parameters, from averages of squares."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import divide
from gradx.ops.powers import sqrt
from gradx.optim.arithmetic import moved_to_square, scaled, times
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


class AdadeltaState(NamedTuple):
    """Steps done, and moving averages of squared gradients and of squared steps."""

    count: Any
    square: Any
    square_step: Any


def adadelta(learning_rate: LearningRate = 1.0, rho: float = 0.9, eps: float = 1e-6) -> Optimizer:
    """Step by ``-learning_rate * g * sqrt(square_step + eps) / sqrt(square + eps)``.

    ``rho`` is the decay of both averages. Source: Zeiler, "ADADELTA: an adaptive
    learning rate method" (arXiv 1212.5701).
    """
    require_rate("adadelta: learning_rate", learning_rate)
    require_fraction("adadelta: rho", rho)
    require_not_negative("adadelta: eps", eps)

    def init(params):
        zeros = zeros_for(params, "adadelta")
        return AdadeltaState(first_count(params), zeros, zeros_for(params, "adadelta"))

    def update(grads, state, params=None):
        require_state("adadelta", state, AdadeltaState)
        step = read(state.count)
        rate = rate_at(learning_rate, step)

        def leaf(g, square, square_step):
            square = moved_to_square(square, g, 1 - rho)
            direction = times(divide(sqrt(square_step + eps), sqrt(square + eps)), g)
            square_step = moved_to_square(square_step, direction, 1 - rho)
            return scaled(direction, -rate), square, square_step

        updates, square, square_step = each_leaf(
            "adadelta", leaf, 3, grads, state.square, state.square_step
        )
        return updates, AdadeltaState(write(step + 1, state.count), square, square_step)

    return Optimizer(init, update)
