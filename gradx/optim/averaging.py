"""An exponential moving average of the weights, kept beside those that are trained."""

from typing import Any, NamedTuple

from gradx.core import tree
from gradx.errors import DTypeError
from gradx.optim.arithmetic import moved_to
from gradx.optim.numbers import require_fraction
from gradx.optim.optimizer import Optimizer, apply_updates, each_leaf, require_params, require_state


class AveragedState(NamedTuple):
    """The average of the parameters after each step, like them, and the optimizer's state."""

    mean: Any
    inner: Any


def averaged(optimizer: Optimizer, decay: float = 0.999) -> Optimizer:
    """Step as ``optimizer`` does, and keep ``mean = decay * mean + (1 - decay) * params``.

    ``state.mean`` begins at the first parameters and is a model like them; after
    ``fit`` it is ``result.optimizer_state.mean``. Source: Polyak, Juditsky, "Acceleration
    of stochastic approximation by averaging" (SIAM J. Control and Optimization 30, 1992).

    >>> import numpy as np, gradx as gx
    >>> optimizer = gx.optim.averaged(gx.optim.sgd(1.0), decay=0.5)
    >>> params, state = np.asarray([1.0]), optimizer.init(np.asarray([1.0]))
    >>> updates, state = optimizer.update(np.asarray([1.0]), state, params)
    >>> gx.optim.apply_updates(params, updates), state.mean
    (array([0.]), array([0.5]))
    """
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(f"averaged: {optimizer!r}, expected an Optimizer")
    require_fraction("averaged: decay", decay)

    def init(params):
        inner = optimizer.init(params)
        return AveragedState(tree.map(lambda leaf: leaf + 0.0, params), inner)

    def update(grads, state, params=None):
        require_params("averaged", params)
        require_state("averaged", state, AveragedState)
        updates, inner = optimizer.update(grads, state.inner, params)
        rule = lambda new, mean: (moved_to(mean, new, 1 - decay),)
        (mean,) = each_leaf("averaged", rule, 1, apply_updates(params, updates), state.mean)
        return updates, AveragedState(mean, inner)

    return Optimizer(init, update)
