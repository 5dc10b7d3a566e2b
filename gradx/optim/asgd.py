"""ASGD: gradient descent with shrinking steps, and the average of all places it has been."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import add
from gradx.optim.arithmetic import moved_to, plus, scaled
from gradx.optim.numbers import (
    LearningRate,
    at_least,
    first_count,
    power,
    rate_at,
    read,
    require_not_negative,
    require_rate,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, require_params, require_state, zeros_for


class ASGDState(NamedTuple):
    """Steps done, and the average of parameters since ``start``: the result of the method."""

    count: Any
    mean: Any


def asgd(
    learning_rate: LearningRate = 1e-2,
    decay: float = 1e-4,
    exponent: float = 0.75,
    start: float = 1e6,
) -> Optimizer:
    """Step by ``-size * (g + decay * params)``, where ``size`` shrinks with the steps done.

    ``size`` is ``learning_rate / (1 + decay * learning_rate * steps)**exponent``. The state's
    ``mean`` is the average of the parameters after each step since the step ``start``, and until
    then the parameters themselves; a million, PyTorch's default, is for long runs. Source: Polyak,
    Juditsky, "Acceleration of stochastic approximation by averaging" (SIAM Journal on Control
    and Optimization 30, 1992).

    >>> import numpy as np, gradx as gx
    >>> optimizer, params = gx.optim.asgd(0.5, start=1), np.asarray([2.0])
    >>> state = optimizer.init(params)
    >>> for sign in [1.0, -1.0, 1.0, -1.0]:  # a gradient that is all noise
    ...     updates, state = optimizer.update(np.asarray([sign]), state, params)
    ...     params = gx.optim.apply_updates(params, updates)
    >>> params.round(2), state.mean.round(2)
    (array([2.]), array([1.75]))
    """
    require_rate("asgd: learning_rate", learning_rate)
    require_not_negative("asgd: decay", decay)
    require_not_negative("asgd: exponent", exponent)
    require_not_negative("asgd: start", start)

    def init(params):
        return ASGDState(first_count(params), zeros_for(params, "asgd"))

    def update(grads, state, params=None):
        require_params("asgd", params)
        require_state("asgd", state, ASGDState)
        done = read(state.count)
        rate = rate_at(learning_rate, done)
        size = rate / power(1 + decay * rate * done, exponent)
        share = 1 / at_least(done - start, 1.0)

        def leaf(g, parameter, mean):
            step = scaled(plus(parameter * decay, g), -size)
            return step, moved_to(mean, add(parameter, step), share)

        updates, mean = each_leaf("asgd", leaf, 2, grads, params, state.mean)
        return updates, ASGDState(write(done + 1, state.count), mean)

    return Optimizer(init, update)
