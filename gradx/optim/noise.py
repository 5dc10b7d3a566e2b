"""Noise on gradients, which becomes less from step to step."""

from itertools import count
from typing import Any, NamedTuple

from gradx.core.arrays import backend_for, untracked
from gradx.optim.arithmetic import plus, scaled
from gradx.optim.numbers import first_count, power, read, require_not_negative, root, write
from gradx.optim.optimizer import Optimizer, each_leaf, in_dtype_of, require_state
from gradx.random import fold_in, normal, split
from gradx.random.arguments import as_key


class NoiseState(NamedTuple):
    """Steps done, and the key that the next step draws from."""

    count: Any
    key: Any


def add_noise(variance: float, *, key: Any, decay: float = 0.55) -> Optimizer:
    """Add normal noise to each element of the gradients: ``variance / (1 + steps)**decay``.

    Put it before an optimizer with ``chain``. Source: Neelakantan and others, "Adding
    gradient noise improves learning for very deep networks" (2015), who use variances
    of 0.01, 0.3 and 1.

    Raises:
        ValueError: the variance or the decay is negative.

    >>> import numpy as np, gradx as gx
    >>> noise = gx.optim.add_noise(0.01, key=gx.random.key(0))
    >>> optimizer = gx.optim.chain(noise, gx.optim.sgd(0.1))
    >>> state = optimizer.init(np.zeros(1000))
    >>> updates, state = optimizer.update(np.zeros(1000), state)
    >>> round(float(np.std(updates)), 3)
    0.01
    """
    require_not_negative("add_noise: variance", variance)
    require_not_negative("add_noise: decay", decay)
    first_key = as_key(key)

    def init(params):
        return NoiseState(first_count(params), first_key.copy())

    def update(grads, state, params=None):
        require_state("add_noise", state, NoiseState)
        step = read(state.count) + 1
        std = root(variance * power(step, -decay))
        keys, position = split(state.key), count()
        noisy = lambda g: (plus(_noise(fold_in(keys[1], next(position)), g, std), g),)
        (updates,) = each_leaf("add_noise", noisy, 1, grads)
        return updates, NoiseState(write(step, state.count), keys[0])

    return Optimizer(init, update)


def _noise(key, g, std):
    """Draw noise like ``g``: in float64 for that, and else in float32."""
    drawn = "float64" if str(g.dtype).endswith("float64") else "float32"
    device = backend_for(g).device_of(untracked(g))
    return in_dtype_of(g, scaled(normal(key, g.shape, dtype=drawn, device=device), std))
