"""SGDW: stochastic gradient descent, and weights that decay at the learning rate by themselves."""

from typing import Any, NamedTuple

from gradx.errors import ShapeError
from gradx.optim.arithmetic import plus, scaled
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


class SGDWState(NamedTuple):
    """Steps done, and the decaying sum of gradients."""

    count: Any
    velocity: Any


def sgdw(
    learning_rate: LearningRate = 1e-2,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 1e-2,
) -> Optimizer:
    """Step as ``sgd`` does, and by ``-learning_rate * weight_decay * params`` besides.

    The decay does not pass through the velocity; ``momentum`` and ``nesterov`` are as for
    ``sgd``. Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (ICLR 2019).
    """
    require_rate("sgdw: learning_rate", learning_rate)
    require_fraction("sgdw: momentum", momentum)
    require_not_negative("sgdw: weight_decay", weight_decay)
    if nesterov and momentum == 0:
        raise ShapeError("sgdw: nesterov=True needs a momentum above 0, got momentum=0.0")

    def init(params):
        return SGDWState(first_count(params), zeros_for(params, "sgdw"))

    def update(grads, state, params=None):
        require_params("sgdw", params)
        require_state("sgdw", state, SGDWState)
        step = read(state.count)
        rate = rate_at(learning_rate, step)

        def leaf(g, parameter, velocity):
            velocity = plus(velocity * momentum, g)
            direction = plus(velocity * momentum, g) if nesterov else velocity
            return scaled(plus(parameter * weight_decay, direction), -rate), velocity

        updates, velocity = each_leaf("sgdw", leaf, 2, grads, params, state.velocity)
        return updates, SGDWState(write(step + 1, state.count), velocity)

    return Optimizer(init, update)
