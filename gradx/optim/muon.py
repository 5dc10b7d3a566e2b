"""Muon: matrices step along the nearest orthogonal matrix to their momentum, the rest by AdamW."""

from math import sqrt as sqrt_of_number
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.core.arrays import is_kind, untracked
from gradx.core.explain import describe
from gradx.errors import DTypeError
from gradx.ops.arithmetic import add, divide
from gradx.ops.creation import place_of
from gradx.ops.extremes import maximum
from gradx.ops.linalg import matmul
from gradx.ops.linalg_norms import vector_norm
from gradx.ops.powers import sqrt
from gradx.ops.shapes import matrix_transpose
from gradx.optim.arithmetic import moved_to, moved_to_square, plus, scaled, times
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
from gradx.optim.optimizer import (
    Optimizer,
    each_leaf_of_any_shape,
    require_params,
    require_state,
    zeros_for,
)
from gradx.transforms.boundary import as_array

# Of a x + b x^3 + c x^5, which brings singular values near 1 in a few iterations: Jordan's.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
SMALLEST = 1e-7  # norm to divide by
LIKE_ADAMW = 0.2  # the root mean square of AdamW's steps, in learning rates: Liu and others'


class MuonState(NamedTuple):
    """Steps done, moving averages of gradients, and of their squares where there is no matrix.

    The squares of a matrix, which are not used, have no elements.
    """

    count: Any
    mean: Any
    square: Any


def muon(
    learning_rate: LearningRate = 1e-3,
    momentum: float = 0.95,
    nesterov: bool = True,
    weight_decay: float = 0.1,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Optimizer:
    """Step matrices by ``-size * orthogonal(mean)``, and all else as ``adamw`` does.

    ``mean`` is a moving average of gradients with decay ``momentum``, one step ahead with
    ``nesterov``. ``orthogonal`` brings its singular values near 1, by five iterations of Newton and
    Schulz, and ``size`` is ``0.2 * learning_rate * sqrt(longer side)``: so steps are as large as
    AdamW's, for which learning rates and decays are then the same. It is PyTorch's with
    ``adjust_lr_fn="match_rms_adamw"``, and does not depend on which axis is the inputs'. Arrays of
    two axes are matrices; embeddings and last layers are said to do better with ``adamw``, which
    ``partition`` gives them. All parameters decay by ``learning_rate * weight_decay``.
    Sources: Jordan and others, "Muon: an optimizer for hidden layers in neural networks"
    (2024); Liu and others, "Muon is scalable for LLM training" (arXiv 2502.16982).

    >>> import numpy as np, gradx as gx
    >>> optimizer, params = gx.optim.muon(0.1, weight_decay=0.0), np.zeros((2, 2))
    >>> gradient = np.asarray([[100.0, 0.0], [0.0, 1.0]])
    >>> updates, state = optimizer.update(gradient, optimizer.init(params), params)
    >>> bool(abs(updates[1, 1]) > abs(updates[0, 0]) / 2)
    True
    """
    require_rate("muon: learning_rate", learning_rate)
    for name, value in (("momentum", momentum), ("beta1", beta1), ("beta2", beta2)):
        require_fraction(f"muon: {name}", value)
    require_not_negative("muon: weight_decay", weight_decay)
    require_not_negative("muon: eps", eps)

    def init(params):
        mean = zeros_for(params, "muon")
        return MuonState(first_count(params), mean, tree.map(_squares_of, params))

    def update(grads, state, params=None):
        require_params("muon", params)
        require_state("muon", state, MuonState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        c = root(1 - power(beta2, step))
        size, offset = -rate * c / (1 - power(beta1, step)), eps * c

        def leaf(g, parameter, mean, square):
            decayed = scaled(parameter, -rate * weight_decay)
            if not _is_matrix(g):
                mean = moved_to(mean, g, 1 - beta1)
                square = moved_to_square(square, g, 1 - beta2)
                adaptive = times(divide(mean, plus(sqrt(square), offset)), size)
                return plus(adaptive, decayed), mean, square
            mean = moved_to(mean, g, 1 - momentum)
            direction = orthogonal(moved_to(g, mean, momentum) if nesterov else mean)
            factor = LIKE_ADAMW * sqrt_of_number(max(g.shape))
            return plus(scaled(direction, -rate * factor), decayed), mean, square + 0.0

        columns = (state.mean, state.square)
        updates, mean, square = each_leaf_of_any_shape("muon", leaf, grads, params, columns)
        return updates, MuonState(write(step, state.count), mean, square)

    return Optimizer(init, update)


def orthogonal(x: Any) -> Any:
    """Return a matrix with the singular vectors of ``x`` and singular values of about 1."""
    if x.shape[0] > x.shape[1]:
        return matrix_transpose(orthogonal(matrix_transpose(x)))
    first, second, third = COEFFICIENTS
    x = divide(x, maximum(vector_norm(x), SMALLEST))
    for _ in range(ITERATIONS):
        gram = matmul(x, matrix_transpose(x))
        x = add(x * first, matmul(add(gram * second, matmul(gram, gram) * third), x))
    return x


def _is_matrix(x):
    return len(getattr(x, "shape", ())) == 2


def _squares_of(x):
    x = as_array(x)
    if not is_kind(x, "real floating"):
        raise DTypeError(f"muon: a parameter is {describe(x)}, expected real numbers")
    xp, device = place_of(x)
    return xp.zeros((0,) if _is_matrix(x) else x.shape, dtype=untracked(x).dtype, device=device)
