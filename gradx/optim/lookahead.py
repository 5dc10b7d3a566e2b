"""Lookahead: some steps ahead, then back to a place on the way there."""

from typing import Any, NamedTuple

from gradx.core import tree
from gradx.errors import DTypeError, ShapeError
from gradx.ops.arithmetic import subtract
from gradx.ops.windows import integer
from gradx.optim.arithmetic import moved_to
from gradx.optim.numbers import choose, first_count, read, require_number, write
from gradx.optim.optimizer import Optimizer, apply_updates, each_leaf, require_params, require_state


class LookaheadState(NamedTuple):
    """Steps done, the slow parameters, and the optimizer's state."""

    count: Any
    slow: Any
    inner: Any


def lookahead(optimizer: Optimizer, every: int = 5, share: float = 0.5) -> Optimizer:
    """Step as ``optimizer`` does, and with each ``every``-th step go back to the slow parameters.

    These begin at the first parameters, and have then moved by ``share`` of the way to where
    the optimizer has come; ``state.slow`` is a model like them. Source: Zhang and others,
    "Lookahead optimizer: k steps forward, 1 step back" (NeurIPS 2019).

    Raises:
        ValueError: ``every`` is less than 1, or ``share`` not above 0 and at most 1.

    >>> import numpy as np, gradx as gx
    >>> optimizer = gx.optim.lookahead(gx.optim.sgd(1.0), every=2, share=0.5)
    >>> params, state = np.asarray([4.0]), optimizer.init(np.asarray([4.0]))
    >>> for _ in range(2):
    ...     updates, state = optimizer.update(np.asarray([1.0]), state, params)
    ...     params = gx.optim.apply_updates(params, updates)
    >>> params
    array([3.])
    """
    if not isinstance(optimizer, Optimizer):
        raise DTypeError(f"lookahead: {optimizer!r}, expected an Optimizer")
    every = integer("lookahead", "every", every, least=1)
    require_number("lookahead: share", share)
    if not 0 < share <= 1:
        raise ShapeError(f"lookahead: share={share!r}: expected a number above 0, and at most 1")

    def init(params):
        slow = tree.map(lambda leaf: leaf + 0.0, params)
        return LookaheadState(first_count(params), slow, optimizer.init(params))

    def update(grads, state, params=None):
        require_params("lookahead", params)
        require_state("lookahead", state, LookaheadState)
        count = read(state.count) + 1
        updates, inner = optimizer.update(grads, state.inner, params)
        is_due = count % every == 0

        def leaf(ahead, parameter, update, slow):
            moved = moved_to(slow, ahead, share)
            back = subtract(moved, parameter)
            return choose(is_due, back, update), choose(is_due, moved, slow + 0.0)

        ahead = apply_updates(params, updates)
        updates, slow = each_leaf("lookahead", leaf, 2, ahead, params, updates, state.slow)
        return updates, LookaheadState(write(count, state.count), slow, inner)

    return Optimizer(init, update)
