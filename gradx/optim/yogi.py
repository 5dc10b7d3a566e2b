"""Yogi: Adam, whose average of squares moves by no more than the square of a gradient."""

from typing import Any, NamedTuple

from gradx.core import tree
from gradx.ops.arithmetic import divide, multiply, subtract
from gradx.ops.powers import sqrt
from gradx.ops.signs import sign
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
    root,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, require_state, zeros_for


class YogiState(NamedTuple):
    """Steps done, a moving average of gradients, and an estimate of their squares."""

    count: Any
    mean: Any
    square: Any


def yogi(
    learning_rate: LearningRate = 1e-2,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-3,
    start: float = 1e-6,
) -> Optimizer:
    """Step as Adam does, with ``square`` moved by ``(1 - beta2) * g**2`` towards ``g**2``.

    However far it is from there: so it does not fall faster than small gradients let it.
    Betas and ``eps`` are as for ``adam``. ``mean`` and ``square`` begin at ``start``, and are
    corrected as if they began at 0, as TensorFlow and optax have it. Source: Zaheer and others,
    "Adaptive methods for nonconvex optimization" (NeurIPS 2018).

    Raises:
        ValueError: a number is negative, or a beta outside [0, 1).
    """
    require_rate("yogi: learning_rate", learning_rate)
    require_fraction("yogi: beta1", beta1)
    require_fraction("yogi: beta2", beta2)
    require_not_negative("yogi: eps", eps)
    require_not_negative("yogi: start", start)

    def init(params):
        first = lambda: tree.map(lambda zeros: plus(zeros, start), zeros_for(params, "yogi"))
        return YogiState(first_count(params), first(), first())

    def update(grads, state, params=None):
        require_state("yogi", state, YogiState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        # As in adam.py, with one pass less than sqrt(square) / c + eps.
        c = root(1 - power(beta2, step))
        size, offset = -rate * c / (1 - power(beta1, step)), eps * c

        def leaf(g, mean, square):
            mean, squared = moved_to(mean, g, 1 - beta1), multiply(g, g)
            change = multiply(squared, sign(subtract(squared, square)))
            square = plus(times(change, 1 - beta2), square)
            return times(divide(mean, plus(sqrt(square), offset)), size), mean, square

        updates, mean, square = each_leaf("yogi", leaf, 3, grads, state.mean, state.square)
        return updates, YogiState(write(step, state.count), mean, square)

    return Optimizer(init, update)
