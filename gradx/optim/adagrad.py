"""Adagrad: steps divided by the root of the sum of all squared gradients."""

from typing import Any, NamedTuple

from gradx.ops.powers import sqrt
from gradx.optim.arithmetic import plus, times
from gradx.optim.numbers import (
    LearningRate,
    first_count,
    rate_at,
    read,
    require_not_negative,
    require_rate,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, require_state, zeros_for


class AdagradState(NamedTuple):
    """Steps done, and the sum of squared gradients."""

    count: Any
    square_sum: Any


def adagrad(learning_rate: LearningRate = 1e-2, eps: float = 1e-10) -> Optimizer:
    """Step by ``-learning_rate * g / (sqrt(sum of g**2) + eps)``.

    Source: Duchi, Hazan, Singer, "Adaptive subgradient methods" (JMLR 12, 2011).
    """
    require_rate("adagrad: learning_rate", learning_rate)
    require_not_negative("adagrad: eps", eps)

    def init(params):
        return AdagradState(first_count(params), zeros_for(params, "adagrad"))

    def update(grads, state, params=None):
        require_state("adagrad", state, AdagradState)
        step = read(state.count)
        rate = rate_at(learning_rate, step)

        def leaf(g, square_sum):
            square_sum = plus(g * g, square_sum)
            return times(g / plus(sqrt(square_sum), eps), -rate), square_sum

        updates, square_sum = each_leaf("adagrad", leaf, 2, grads, state.square_sum)
        return updates, AdagradState(write(step + 1, state.count), square_sum)

    return Optimizer(init, update)
