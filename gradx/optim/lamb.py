"""LAMB: Adam's direction, in steps proportional to the size of each array of weights."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import divide, multiply
from gradx.ops.powers import sqrt
from gradx.optim.arithmetic import moved_to, moved_to_square, plus, scaled, times
from gradx.optim.numbers import (
    LearningRate,
    first_count,
    power,
    rate_at,
    read,
    require_fraction,
    require_not_negative,
    require_rate,
    root,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, require_params, require_state, zeros_for
from gradx.optim.trust import trust


class LambState(NamedTuple):
    """Steps done, and moving averages of gradients and of their squares."""

    count: Any
    mean: Any
    square: Any


def lamb(
    learning_rate: LearningRate = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
) -> Optimizer:
    """Step by ``-learning_rate * direction * |params| / |direction|``, array by array.

    ``direction`` is Adam's and ``weight_decay * params``; where a norm is 0 the factor is 1.
    Betas and ``eps`` are as for ``adam``. Source: You and others, "Large batch optimization for
    deep learning" (ICLR 2020).
    """
    require_rate("lamb: learning_rate", learning_rate)
    require_fraction("lamb: beta1", beta1)
    require_fraction("lamb: beta2", beta2)
    require_not_negative("lamb: eps", eps)
    require_not_negative("lamb: weight_decay", weight_decay)

    def init(params):
        return LambState(first_count(params), zeros_for(params, "lamb"), zeros_for(params, "lamb"))

    def update(grads, state, params=None):
        require_params("lamb", params)
        require_state("lamb", state, LambState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        # As in adam.py, with one pass less than sqrt(square) / c + eps.
        c = root(1 - power(beta2, step))
        size, offset = c / (1 - power(beta1, step)), eps * c

        def leaf(g, parameter, mean, square):
            mean = moved_to(mean, g, 1 - beta1)
            square = moved_to_square(square, g, 1 - beta2)
            direction = times(divide(mean, plus(sqrt(square), offset)), size)
            direction = plus(scaled(parameter, weight_decay), direction)
            return scaled(multiply(direction, trust(parameter, direction)), -rate), mean, square

        updates, mean, square = each_leaf("lamb", leaf, 3, grads, params, state.mean, state.square)
        return updates, LambState(write(step, state.count), mean, square)

    return Optimizer(init, update)
