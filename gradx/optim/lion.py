"""Lion: steps of one size along the sign of an average, and weights that decay."""

from typing import Any, NamedTuple

from gradx.ops.signs import sign
from gradx.optim.arithmetic import moved_to, plus, scaled
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
from gradx.optim.optimizer import Optimizer, each_leaf, require_params, require_state, zeros_for


class LionState(NamedTuple):
    """Steps done, and a moving average of gradients."""

    count: Any
    mean: Any


def lion(
    learning_rate: LearningRate = 1e-4,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 1e-3,
) -> Optimizer:
    """Step by ``-learning_rate * (sign(beta1 * mean + (1 - beta1) * g) + weight_decay * params)``.

    ``mean`` is a moving average of gradients with decay ``beta2``. Rates are three to ten
    times smaller than Adam's, and decays larger by as much. Source: Chen and others,
    "Symbolic discovery of optimization algorithms" (NeurIPS 2023).
    """
    require_rate("lion: learning_rate", learning_rate)
    require_fraction("lion: beta1", beta1)
    require_fraction("lion: beta2", beta2)
    require_not_negative("lion: weight_decay", weight_decay)

    def init(params):
        return LionState(first_count(params), zeros_for(params, "lion"))

    def update(grads, state, params=None):
        require_params("lion", params)
        require_state("lion", state, LionState)
        step = read(state.count)
        rate = rate_at(learning_rate, step)

        def leaf(g, parameter, mean):
            direction = sign(moved_to(mean, g, 1 - beta1))
            mean = moved_to(mean, g, 1 - beta2)
            return scaled(plus(parameter * weight_decay, direction), -rate), mean

        updates, mean = each_leaf("lion", leaf, 2, grads, params, state.mean)
        return updates, LionState(write(step + 1, state.count), mean)

    return Optimizer(init, update)
