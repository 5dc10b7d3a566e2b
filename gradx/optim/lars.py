"""LARS: gradient descent in steps proportional to the size of each array of weights."""

from typing import Any, NamedTuple

from gradx.errors import ShapeError
from gradx.ops.arithmetic import multiply
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
from gradx.optim.trust import trust


class LarsState(NamedTuple):
    """Steps done, and the decaying sum of steps."""

    count: Any
    velocity: Any


def lars(
    learning_rate: LearningRate = 1.0,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    coefficient: float = 1e-3,
) -> Optimizer:
    """Step by ``-learning_rate * direction * coefficient * |params| / |direction|`` and momentum.

    ``direction`` is ``g + weight_decay * params``, and the norms are those of each array; where
    one is 0, ``direction`` is taken as it is. ``velocity`` is the sum of these steps, which
    decays by ``momentum``; ``nesterov`` is as for ``sgd``. Source: You, Gitman, Ginsburg, "Large
    batch training of convolutional networks" (2017), with the momentum as optax has it.

    Raises:
        ValueError: a number is negative, or the momentum outside [0, 1).
    """
    require_rate("lars: learning_rate", learning_rate)
    require_fraction("lars: momentum", momentum)
    require_not_negative("lars: weight_decay", weight_decay)
    require_not_negative("lars: coefficient", coefficient)
    if nesterov and momentum == 0:
        raise ShapeError("lars: nesterov=True needs a momentum above 0, got momentum=0.0")

    def init(params):
        return LarsState(first_count(params), zeros_for(params, "lars"))

    def update(grads, state, params=None):
        require_params("lars", params)
        require_state("lars", state, LarsState)
        done = read(state.count)
        rate = rate_at(learning_rate, done)

        def leaf(g, parameter, velocity):
            direction = plus(scaled(parameter, weight_decay), g)
            size = trust(parameter, direction, coefficient)
            step = scaled(multiply(direction, size), -rate)
            velocity = plus(velocity * momentum, step)
            return plus(velocity * momentum, step) if nesterov else velocity + 0.0, velocity

        updates, velocity = each_leaf("lars", leaf, 2, grads, params, state.velocity)
        return updates, LarsState(write(done + 1, state.count), velocity)

    return Optimizer(init, update)
