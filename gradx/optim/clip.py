"""Clipping gradients by the norm of all of them together."""

from functools import reduce
from numbers import Number
from typing import Any

from gradx.core import tree
from gradx.core.arrays import backend_for, is_array, is_kind, untracked
from gradx.core.explain import describe
from gradx.errors import DTypeError
from gradx.nn.penalties import sum_of_squares
from gradx.ops.arithmetic import add, multiply
from gradx.ops.extremes import maximum
from gradx.ops.powers import sqrt
from gradx.ops.shapes import astype
from gradx.optim.arithmetic import scaled
from gradx.optim.numbers import require_not_negative
from gradx.optim.optimizer import Optimizer, each_leaf
from gradx.transforms.boundary import as_array, is_differentiable


def global_norm(values: Any) -> Any:
    """Return the root of the sum of the squares of all elements of all leaves.

    >>> import numpy as np, gradx as gx
    >>> float(gx.optim.global_norm({"a": np.asarray([3.0]), "b": np.asarray(4.0)}))
    5.0
    """
    norm, leaves = wide_norm(values), tree.leaves(values)
    first = untracked(as_array(leaves[0])).dtype if leaves else norm.dtype
    return astype(norm, first) if _is_half(first) else norm


def wide_norm(values: Any) -> Any:
    """Return ``global_norm``, in float32 where that of halves would overflow."""
    leaves = tree.leaves(values)
    for leaf in leaves:
        is_known = isinstance(leaf, Number) or is_array(leaf)
        # An integer that no dtype holds is an array of objects.
        if not is_known or not is_kind(untracked(as_array(leaf)), "numeric"):
            raise DTypeError(f"global_norm: a leaf is {describe(leaf)}, expected an array")
    squares = [sum_of_squares(_as_floats(as_array(leaf))) for leaf in leaves]
    return sqrt(reduce(_add_up, squares) if squares else as_array(0.0))


def _as_floats(x: Any) -> Any:
    """Return numbers whose squares neither wrap around, nor overflow from 256 on."""
    if not is_differentiable(x):
        return multiply(x, 1.0)
    return astype(x, backend_for(x).xp.float32) if _is_half(untracked(x).dtype) else x


def _is_half(dtype: Any) -> bool:
    return str(dtype).endswith("float16")


def _add_up(total: Any, square: Any) -> Any:
    return add(total, astype(square, total.dtype))


def clip_by_global_norm(max_norm: float) -> Optimizer:
    """Scale all gradients by one factor, such that their norm is at most ``max_norm``.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent
    neural networks" (ICML 2013). Put it before an optimizer with ``chain``.

    >>> import numpy as np, gradx as gx
    >>> clip = gx.optim.clip_by_global_norm(1.0)
    >>> clip.update(np.asarray([3.0, 4.0]), clip.init(np.zeros(2)))[0]
    array([0.6, 0.8])
    """
    require_not_negative("clip_by_global_norm: max_norm", max_norm)

    def init(params):
        return ()

    def update(grads, state, params=None):
        if max_norm == 0:
            return each_leaf("clip_by_global_norm", lambda g: (g * 0.0,), 1, grads)[0], state
        # At most one, with no branch: max_norm / max(norm, max_norm).
        factor = max_norm / maximum(wide_norm(grads), float(max_norm))
        (updates,) = each_leaf("clip_by_global_norm", lambda g: (scaled(g, factor),), 1, grads)
        return updates, state

    return Optimizer(init, update)
