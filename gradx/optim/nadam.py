"""NAdam: Adam with Nesterov's look ahead."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import divide
from gradx.ops.powers import sqrt
from gradx.optim.arithmetic import moved_to, moved_to_square, plus, scaled
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
    scalar_beside,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, require_state, zeros_for


class NadamState(NamedTuple):
    """Steps done, the product of all momenta so far, and averages as in Adam."""

    count: Any
    product: Any
    mean: Any
    square: Any


def nadam(
    learning_rate: LearningRate = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
) -> Optimizer:
    """Step as Adam does, along the mean of gradients as it will be one step later.

    The momentum of step ``t`` is ``beta1 * (1 - 0.96**(t * momentum_decay) / 2)``. Betas and
    ``eps`` are as for ``adam``. As PyTorch has it. Source: Dozat, "Incorporating Nesterov
    momentum into Adam" (ICLR workshop 2016).
    """
    require_rate("nadam: learning_rate", learning_rate)
    require_fraction("nadam: beta1", beta1)
    require_fraction("nadam: beta2", beta2)
    require_not_negative("nadam: eps", eps)
    require_not_negative("nadam: momentum_decay", momentum_decay)

    def momentum(step):
        return beta1 * (1 - 0.5 * power(0.96, step * momentum_decay))

    def init(params):
        return NadamState(
            count=first_count(params),
            product=scalar_beside(params, 1.0, "float64"),
            mean=zeros_for(params, "nadam"),
            square=zeros_for(params, "nadam"),
        )

    def update(grads, state, params=None):
        require_state("nadam", state, NadamState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        now, later = momentum(step), momentum(step + 1)
        product = read(state.product) * now
        c = root(1 - power(beta2, step))
        g_size = -rate * c * (1 - now) / (1 - product)
        mean_size = -rate * c * later / (1 - product * later)
        offset = eps * c

        def leaf(g, mean, square):
            mean = moved_to(mean, g, 1 - beta1)
            square = moved_to_square(square, g, 1 - beta2)
            direction = plus(scaled(g, g_size), scaled(mean, mean_size))
            return divide(direction, plus(sqrt(square), offset)), mean, square

        updates, mean, square = each_leaf("nadam", leaf, 3, grads, state.mean, state.square)
        count, product = write(step, state.count), write(product, state.product)
        return updates, NadamState(count, product, mean, square)

    return Optimizer(init, update)
