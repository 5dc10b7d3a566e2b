"""AdaBelief: Adam, which trusts a gradient the more the closer it is to what was expected."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import divide, subtract
from gradx.ops.powers import sqrt
from gradx.optim.arithmetic import moved_to, moved_to_square, plus, times
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
from gradx.optim.optimizer import Optimizer, each_leaf, require_state, zeros_for


class AdaBeliefState(NamedTuple):
    """Steps done, and moving averages of gradients and of squared distances to their average."""

    count: Any
    mean: Any
    surprise: Any


def adabelief(
    learning_rate: LearningRate = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-16,
) -> Optimizer:
    """Step by ``-learning_rate * mean / (sqrt(surprise) + eps)``, both corrected for their start.

    ``mean`` is a moving average of ``g`` with decay ``beta1``, ``surprise`` one of
    ``(g - mean)**2`` with decay ``beta2``, to which ``eps`` is added every step. Source: Zhuang
    and others, "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients"
    (NeurIPS 2020).

    Raises:
        ValueError: the rate or ``eps`` is negative, or a beta outside [0, 1).
    """
    require_rate("adabelief: learning_rate", learning_rate)
    require_fraction("adabelief: beta1", beta1)
    require_fraction("adabelief: beta2", beta2)
    require_not_negative("adabelief: eps", eps)

    def init(params):
        zeros = zeros_for(params, "adabelief")
        return AdaBeliefState(first_count(params), zeros, zeros_for(params, "adabelief"))

    def update(grads, state, params=None):
        require_state("adabelief", state, AdaBeliefState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        # As in adam.py, with one pass less than sqrt(surprise) / c + eps.
        c = root(1 - power(beta2, step))
        size, offset = -rate * c / (1 - power(beta1, step)), eps * c

        def leaf(g, mean, surprise):
            mean = moved_to(mean, g, 1 - beta1)
            surprise = plus(moved_to_square(surprise, subtract(g, mean), 1 - beta2), eps)
            return times(divide(mean, plus(sqrt(surprise), offset)), size), mean, surprise

        updates, *averages = each_leaf("adabelief", leaf, 3, grads, state.mean, state.surprise)
        return updates, AdaBeliefState(write(step, state.count), *averages)

    return Optimizer(init, update)
