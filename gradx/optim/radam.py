"""RAdam: Adam that waits until its average of squares is known well enough."""

from typing import Any, NamedTuple

from gradx.ops.arithmetic import multiply
from gradx.ops.extremes import maximum
from gradx.ops.powers import sqrt
from gradx.optim.arithmetic import moved_to, moved_to_square, plus, scaled
from gradx.optim.numbers import (
    LearningRate,
    choose,
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
from gradx.optim.optimizer import Optimizer, each_leaf, in_dtype_of, require_state, zeros_for


class RadamState(NamedTuple):
    """Steps done, and moving averages of gradients and of their squares."""

    count: Any
    mean: Any
    square: Any


def radam(
    learning_rate: LearningRate = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Optimizer:
    """Step as Adam does, scaled by how well the average of squares is known.

    Until it rests on more than five gradients, the step is along the mean alone. Betas and
    ``eps`` are as for ``adam``.
    Source: Liu and others, "On the variance of the adaptive learning rate and
    beyond" (ICLR 2020); the limit of five is PyTorch's.
    """
    require_rate("radam: learning_rate", learning_rate)
    require_fraction("radam: beta1", beta1)
    require_fraction("radam: beta2", beta2)
    require_not_negative("radam: eps", eps)
    longest = 2 / (1 - beta2) - 1

    def init(params):
        return RadamState(
            first_count(params), zeros_for(params, "radam"), zeros_for(params, "radam")
        )

    def update(grads, state, params=None):
        require_state("radam", state, RadamState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        correction = 1 - power(beta2, step)
        length = longest - 2 * step * power(beta2, step) / correction
        known = length > 5
        scale = root(correction) * _rectification(length, longest)
        size = -rate / (1 - power(beta1, step))

        def leaf(g, mean, square):
            mean = moved_to(mean, g, 1 - beta1)
            square = moved_to_square(square, g, 1 - beta2)
            adaptive = in_dtype_of(mean, scale) / plus(sqrt(square), eps)
            return multiply(scaled(mean, size), choose(known, adaptive, 1.0)), mean, square

        updates, mean, square = each_leaf("radam", leaf, 3, grads, state.mean, state.square)
        return updates, RadamState(write(step, state.count), mean, square)

    return Optimizer(init, update)


def _rectification(length, longest):
    """Return how much the variance of the step exceeds that of a long average, as a factor."""
    # Where the length is 5 or less the result is not used, but its root must exist.
    if longest <= 5:
        return 1.0
    length = max(length, 5.0) if type(length) is float else maximum(length, 5.0)
    numerator = (length - 4) * (length - 2) * longest
    return root(numerator / ((longest - 4) * (longest - 2) * length))
