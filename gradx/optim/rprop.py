"""Rprop: a step size for each parameter, that grows while its gradient keeps its sign."""

from typing import Any, NamedTuple

from gradx.errors import ShapeError
from gradx.ops.arithmetic import add, multiply, where
from gradx.ops.extremes import clip
from gradx.ops.signs import sign
from gradx.optim.numbers import (
    LearningRate,
    choose,
    first_count,
    rate_at,
    read,
    require_not_negative,
    require_rate,
    write,
)
from gradx.optim.optimizer import Optimizer, each_leaf, in_dtype_of, require_state, zeros_for


class RpropState(NamedTuple):
    """Steps done, the gradients that the last step followed, and the sizes of steps."""

    count: Any
    gradient: Any
    size: Any


def rprop(
    learning_rate: LearningRate = 1e-2,
    shrink: float = 0.5,
    grow: float = 1.2,
    smallest: float = 1e-6,
    largest: float = 50.0,
) -> Optimizer:
    """Step by ``-size * sign(g)``, with a ``size`` for each parameter.

    A size begins as the learning rate of the first step, later rates change nothing. It is
    multiplied by ``grow`` where ``g`` has the sign of the last step's gradient and by
    ``shrink`` where it has the other, in which case no step is taken; it stays from
    ``smallest`` to ``largest``. For gradients without noise, of all data at once.
    Source: Riedmiller, Braun, "A direct adaptive method for faster backpropagation learning:
    the RPROP algorithm" (ICNN 1993), and as PyTorch has it.

    Raises:
        ValueError: ``shrink`` is not below 1 or ``grow`` not above, or ``smallest`` exceeds
            ``largest``.
    """
    require_rate("rprop: learning_rate", learning_rate)
    for name, value in (("shrink", shrink), ("grow", grow)):
        require_not_negative(f"rprop: {name}", value)
    if not 0 < shrink < 1 < grow:
        raise ShapeError(f"rprop: shrink={shrink!r}, grow={grow!r}: expected 0 < shrink < 1 < grow")
    for name, value in (("smallest", smallest), ("largest", largest)):
        require_not_negative(f"rprop: {name}", value)
    if smallest > largest:
        raise ShapeError(f"rprop: smallest={smallest!r} is more than largest={largest!r}")

    def init(params):
        return RpropState(
            first_count(params), zeros_for(params, "rprop"), zeros_for(params, "rprop")
        )

    def update(grads, state, params=None):
        require_state("rprop", state, RpropState)
        done = read(state.count)
        first = rate_at(learning_rate, done)

        def leaf(g, before, size):
            agreement = multiply(g, before)
            # There are only zeros yet where the first size is added.
            size = choose(done == 0, add(size, in_dtype_of(size, first)), size)
            grown, shrunk = size * grow, size * shrink
            size = where(agreement > 0, grown, where(agreement < 0, shrunk, size))
            size = clip(size, float(smallest), float(largest))
            followed = where(agreement < 0, 0.0, g)
            return multiply(sign(followed), -size), followed, size

        updates, gradient, size = each_leaf("rprop", leaf, 3, grads, state.gradient, state.size)
        return updates, RpropState(write(done + 1, state.count), gradient, size)

    return Optimizer(init, update)
