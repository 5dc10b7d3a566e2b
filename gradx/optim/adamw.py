"""AdamW: Adam, and weights that decay at the learning rate by themselves."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import divide
from gradx.ops.extremes import maximum
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


class AdamWState(NamedTuple):
    """Steps done, moving averages of gradients and of their squares, and the largest of those.

    The last is ``None`` without ``amsgrad``.
    """

    count: Any
    mean: Any
    square: Any
    largest: Any = None


def adamw(
    learning_rate: LearningRate = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    amsgrad: bool = False,
) -> Optimizer:
    """Step as Adam does, and by ``-learning_rate * weight_decay * params`` besides.

    The decay does not pass through the averages, which, with ``amsgrad``, are as ``adam`` has
    them. Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (ICLR 2019).

    Raises:
        ValueError: the rate or the decay is negative, or a beta outside [0, 1).
    """
    require_rate("adamw: learning_rate", learning_rate)
    require_fraction("adamw: beta1", beta1)
    require_fraction("adamw: beta2", beta2)
    require_not_negative("adamw: eps", eps)
    require_not_negative("adamw: weight_decay", weight_decay)

    def init(params):
        mean, square = zeros_for(params, "adamw"), zeros_for(params, "adamw")
        largest = zeros_for(params, "adamw") if amsgrad else None
        return AdamWState(first_count(params), mean, square, largest)

    def update(grads, state, params=None):
        require_params("adamw", params)
        require_state("adamw", state, AdamWState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        # As in adam.py, with one pass less than sqrt(square) / c + eps.
        c = root(1 - power(beta2, step))
        size, offset = -rate * c / (1 - power(beta1, step)), eps * c

        def leaf(g, parameter, mean, square, *largest):
            mean = moved_to(mean, g, 1 - beta1)
            square = moved_to_square(square, g, 1 - beta2)
            kept = [square, *[maximum(square, before) for before in largest]]
            step = times(divide(mean, plus(sqrt(kept[-1]), offset)), size)
            return plus(step, scaled(parameter, -rate * weight_decay)), mean, *kept

        before = [state.mean, state.square, *([state.largest] if amsgrad else [])]
        updates, *averages = each_leaf("adamw", leaf, 1 + len(before), grads, params, *before)
        return updates, AdamWState(write(step, state.count), *averages)

    return Optimizer(init, update)
