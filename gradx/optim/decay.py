"""Weight decay as a gradient: that of the penalty ``strength / 2 * sum(params**2)``."""

from gradx.optim.arithmetic import plus
from gradx.optim.numbers import require_not_negative
from gradx.optim.optimizer import Optimizer, each_leaf, require_params


def add_decayed_weights(strength: float) -> Optimizer:
    """Add ``strength * params`` to the gradients.

    Chained before ``sgd`` or ``adam`` it is their ``weight_decay`` of PyTorch. It
    passes through their averages; ``adamw`` is the one where it does not.

    >>> import numpy as np, gradx as gx
    >>> decay = gx.optim.add_decayed_weights(0.1)
    >>> params = np.asarray([1.0, 2.0])
    >>> decay.update(np.zeros(2), decay.init(params), params)[0]
    array([0.1, 0.2])
    """
    require_not_negative("add_decayed_weights: strength", strength)

    def init(params):
        return ()

    def update(grads, state, params=None):
        require_params("add_decayed_weights", params)
        rule = lambda g, parameter: (plus(parameter * strength, g),)
        (updates,) = each_leaf("add_decayed_weights", rule, 1, grads, params)
        return updates, state

    return Optimizer(init, update)
