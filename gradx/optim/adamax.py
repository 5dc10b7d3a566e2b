"""Adamax: Adam with the largest gradient of late in place of the root of a mean square."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import divide
from gradx.ops.extremes import maximum
from gradx.ops.signs import abs
from gradx.optim.arithmetic import moved_to, plus, times
from gradx.optim.numbers import (
    LearningRate,
    first_count,
    power,
    rate_at,
    read,
    require_fraction,
    require_not_negative,
    require_rate,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, require_state, zeros_for


class AdamaxState(NamedTuple):
    """Steps done, a moving average of gradients, and the decaying largest of their sizes."""

    count: Any
    mean: Any
    largest: Any


def adamax(
    learning_rate: LearningRate = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Optimizer:
    """Step by ``-learning_rate * mean / largest``, the mean corrected for its start.

    ``mean`` is a moving average of ``g`` with decay ``beta1``, ``largest`` is
    ``max(beta2 * largest, |g| + eps)``. Source: Kingma, Ba, "Adam: a method for stochastic
    optimization" (ICLR 2015), section 7.1.
    """
    require_rate("adamax: learning_rate", learning_rate)
    require_fraction("adamax: beta1", beta1)
    require_fraction("adamax: beta2", beta2)
    require_not_negative("adamax: eps", eps)

    def init(params):
        zeros = zeros_for(params, "adamax")
        return AdamaxState(first_count(params), zeros, zeros_for(params, "adamax"))

    def update(grads, state, params=None):
        require_state("adamax", state, AdamaxState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        size = -rate / (1 - power(beta1, step))

        def leaf(g, mean, largest):
            mean = moved_to(mean, g, 1 - beta1)
            largest = maximum(largest * beta2, plus(abs(g), eps))
            return times(divide(mean, largest), size), mean, largest

        updates, mean, largest = each_leaf("adamax", leaf, 3, grads, state.mean, state.largest)
        return updates, AdamaxState(write(step, state.count), mean, largest)

    return Optimizer(init, update)
