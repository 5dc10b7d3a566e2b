"""Stochastic gradient descent, with momentum or without."""

from typing import Any, NamedTuple

from gradx.errors import ShapeError
from gradx.optim.arithmetic import plus, scaled
from gradx.optim.numbers import (
    LearningRate,
    choose,
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


def sgd(
    learning_rate: LearningRate,
    momentum: float = 0.0,
    nesterov: bool = False,
    dampening: float = 0.0,
    maximize: bool = False,
) -> Optimizer:
    """Step against the gradient, or against a decaying sum of gradients.

    As PyTorch has it: ``velocity = momentum * velocity + (1 - dampening) * g``, of which the first
    is ``g``, and the step is ``-learning_rate * velocity``; with ``nesterov``, the step is
    ``-learning_rate * (g + momentum * velocity)``. With ``maximize`` steps go the other way, up.
    Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum"
    (ICML 2013).

    Raises:
        ValueError: the rate is negative, the momentum or dampening outside [0, 1), or there is
            ``nesterov`` or dampening without momentum, or both.

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
    require_fraction("sgd: dampening", dampening)
    if dampening and (nesterov or momentum == 0):
        raise ShapeError(
            f"sgd: dampening={dampening!r} needs a momentum above 0 and no nesterov, "
            f"got momentum={momentum!r}, nesterov={nesterov!r}"
        )
    way = 1 if maximize else -1

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
            rule = lambda g, *parameter: (scaled(g, way * rate),)
            (updates,) = each_leaf("sgd", rule, 1, grads, *beside)
            return updates, SGDState(count, None)

        share = choose(step == 0, 1.0, 1 - dampening) if dampening else None

        def leaf(g, velocity):
            added = g if share is None else scaled(g, share)
            velocity = plus(velocity * momentum, added)
            direction = plus(velocity * momentum, g) if nesterov else velocity
            return scaled(direction, way * rate), velocity

        updates, velocity = each_leaf("sgd", leaf, 2, grads, state.velocity)
        return updates, SGDState(count, velocity)

    return Optimizer(init, update)
