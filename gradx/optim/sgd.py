"""Stochastic gradient descent, with momentum or without."""

from typing import Any, NamedTuple

from gradx.errors import ShapeError
from gradx.optim.arithmetic import plus, scaled
from gradx.optim.numbers import (
    LearningRate,
    first_count,
    rate_at,
    read,
    require_fraction,
    require_rate,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, require_state, zeros_for


class SGDState(NamedTuple):
    """Steps done, and with momentum the decaying sum of gradients (else ``None``)."""

    count: Any
    velocity: Any


def sgd(learning_rate: LearningRate, momentum: float = 0.0, nesterov: bool = False) -> Optimizer:
    """Step against the gradient, or against a decaying sum of gradients.

    As PyTorch has it: ``velocity = momentum * velocity + g``, and the step is
    ``-learning_rate * velocity``; with ``nesterov``, the step is
    ``-learning_rate * (g + momentum * velocity)``. Source: Sutskever, Martens,
    Dahl, Hinton, "On the importance of initialization and momentum" (ICML 2013).

    Raises:
        ValueError: the rate is negative, the momentum outside [0, 1), or there is ``nesterov``
            without momentum.

    >>> import numpy as np, gradx as gx
    >>> optimizer = gx.optim.sgd(0.1, momentum=0.9)
    >>> params = np.asarray([1.0])
    >>> updates, state = optimizer.update(np.asarray([2.0]), optimizer.init(params), params)
    >>> updates
    array([-0.2])
    """
    require_rate("sgd: learning_rate", learning_rate)
    require_fraction("sgd: momentum", momentum)
    if nesterov and momentum == 0:
        raise ShapeError("sgd: nesterov=True needs a momentum above 0, got momentum=0.0")

    def init(params):
        zeros = zeros_for(params, "sgd")
        return SGDState(first_count(params), zeros if momentum else None)

    def update(grads, state, params=None):
        require_state("sgd", state, SGDState)
        step = read(state.count)
        rate = rate_at(learning_rate, step)
        count = write(step + 1, state.count)
        if not momentum:
            # Parameters are not needed, but tell wrong gradients when they are there.
            beside = () if params is None else (params,)
            rule = lambda g, *parameter: (scaled(g, -rate),)
            (updates,) = each_leaf("sgd", rule, 1, grads, *beside)
            return updates, SGDState(count, None)

        def leaf(g, velocity):
            velocity = plus(velocity * momentum, g)
            direction = plus(velocity * momentum, g) if nesterov else velocity
            return scaled(direction, -rate), velocity

        updates, velocity = each_leaf("sgd", leaf, 2, grads, state.velocity)
        return updates, SGDState(count, velocity)

    return Optimizer(init, update)
