"""Steps on the mean gradient of several batches, as if they were one large batch."""

from typing import Any, NamedTuple

from gradx.core import tree
from gradx.errors import DTypeError
from gradx.ops.arithmetic import where
from gradx.ops.creation import zeros_like
from gradx.ops.windows import integer
from gradx.optim.arithmetic import plus
from gradx.optim.numbers import first_count, read, write
from gradx.optim.optimizer import Optimizer, each_leaf, require_state, zeros_for


class AccumulationState(NamedTuple):
    """Gradients taken in, the mean of those since the last step, and the optimizer's state."""

    count: Any
    mean: Any
    inner: Any


def accumulate(optimizer: Optimizer, every: int) -> Optimizer:
    """Take in the gradients of ``every`` updates, and step on their mean with the last.

    The updates before are zeros. Schedules of ``optimizer`` count its own steps.

    >>> import numpy as np, gradx as gx
    >>> optimizer = gx.optim.accumulate(gx.optim.sgd(0.1), every=2)
    >>> params, state = np.asarray([1.0]), optimizer.init(np.asarray([1.0]))
    >>> updates, state = optimizer.update(np.asarray([2.0]), state, params)
    >>> updates, state = optimizer.update(np.asarray([4.0]), state, params)
    >>> updates
    array([-0.3])
    """
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(f"accumulate: {optimizer!r}, expected an Optimizer")
    every = integer("accumulate", "every", every, least=1)

    def init(params):
        return AccumulationState(
            first_count(params), zeros_for(params, "accumulate"), optimizer.init(params)
        )

    def update(grads, state, params=None):
        require_state("accumulate", state, AccumulationState)
        count = read(state.count) + 1
        rule = lambda g, mean: (plus(g / every, mean),)
        (mean,) = each_leaf("accumulate", rule, 1, grads, state.mean)
        is_due = count % every == 0
        zeros = tree.map(zeros_like, mean)
        count = write(count, state.count)
        if type(is_due) is bool and not is_due:
            inner = tree.map(lambda x: x + 0, state.inner)
            return zeros, AccumulationState(count, mean, inner)
        updates, inner = optimizer.update(mean, state.inner, params)
        if type(is_due) is bool:
            return updates, AccumulationState(count, zeros, inner)
        # The count is an array: both ways are computed, and one of them taken.
        chosen = lambda new, old: tree.map(lambda x, y: where(is_due, x, y), new, old)
        following = AccumulationState(count, chosen(zeros, mean), chosen(inner, state.inner))
        return chosen(updates, zeros), following

    return Optimizer(init, update)
