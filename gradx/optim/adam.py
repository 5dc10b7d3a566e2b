"""Adam: steps along an average of gradients, divided by the root of one of squares."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import divide
from gradx.ops.extremes import maximum
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


class AdamState(NamedTuple):
    """Steps done, moving averages of gradients and of their squares, and the largest of those.

    The last is ``None`` without ``amsgrad``.
    """

    count: Any
    mean: Any
    square: Any
    largest: Any = None


def adam(
    learning_rate: LearningRate = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    amsgrad: bool = False,
) -> Optimizer:
    """Step by ``-learning_rate * mean / (sqrt(square) + eps)``, both corrected for their start.

    ``mean`` and ``square`` are moving averages of ``g`` and ``g**2`` with decays
    ``beta1`` and ``beta2``, divided by ``1 - beta**steps``. With ``amsgrad``, ``square`` is the
    largest that it has been. Sources: Kingma, Ba, "Adam: a method for stochastic optimization"
    (ICLR 2015); Reddi and others, "On the convergence of Adam and beyond" (ICLR 2018).

    Raises:
        ValueError: the rate is negative, or a beta outside [0, 1).

    >>> import numpy as np, gradx as gx
    >>> optimizer, params = gx.optim.adam(0.1), np.asarray([1.0, -2.0])
    >>> state = optimizer.init(params)
    >>> for _ in range(200):
    ...     grads = gx.grad(lambda p: gx.sum(p * p))(params)
    ...     updates, state = optimizer.update(grads, state, params)
    ...     params = gx.optim.apply_updates(params, updates)
    >>> bool(abs(params).max() < 0.01)
    True
    """
    require_rate("adam: learning_rate", learning_rate)
    require_fraction("adam: beta1", beta1)
    require_fraction("adam: beta2", beta2)
    require_not_negative("adam: eps", eps)

    def init(params):
        mean, square = zeros_for(params, "adam"), zeros_for(params, "adam")
        largest = zeros_for(params, "adam") if amsgrad else None
        return AdamState(first_count(params), mean, square, largest)

    def update(grads, state, params=None):
        require_state("adam", state, AdamState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        # sqrt(square) / c + eps is (sqrt(square) + eps * c) / c, with one pass less.
        c = root(1 - power(beta2, step))
        size, offset = -rate * c / (1 - power(beta1, step)), eps * c

        def leaf(g, mean, square, *largest):
            mean = moved_to(mean, g, 1 - beta1)
            square = moved_to_square(square, g, 1 - beta2)
            kept = [square, *[maximum(square, before) for before in largest]]
            return times(divide(mean, plus(sqrt(kept[-1]), offset)), size), mean, *kept

        before = [state.mean, state.square, *([state.largest] if amsgrad else [])]
        updates, *averages = each_leaf("adam", leaf, 1 + len(before), grads, *before)
        return updates, AdamState(write(step, state.count), *averages)

    return Optimizer(init, update)
