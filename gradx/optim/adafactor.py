"""Adafactor: Adam's second average kept as one row and one column for each matrix.

For a matrix of n x m that is n + m numbers beside it, where Adam keeps 2 * n * m.
"""

from math import prod
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.core.arrays import backend_for, is_kind, untracked
from gradx.core.explain import describe
from gradx.errors import DTypeError
from gradx.nn.penalties import sum_of_squares
from gradx.ops.arithmetic import divide, multiply
from gradx.ops.creation import place_of
from gradx.ops.extremes import maximum, minimum
from gradx.ops.linalg import matmul
from gradx.ops.powers import sqrt
from gradx.ops.statistical import mean
from gradx.optim.arithmetic import moved_to, plus, scaled
from gradx.optim.numbers import (
    LearningRate,
    first_count,
    rate_at,
    read,
    require_not_negative,
    require_rate,
    root,
    write,
)
from gradx.optim.optimizer import (
    Optimizer,
    each_leaf_of_any_shape,
    in_dtype_of,
    require_params,
    require_state,
    zeros_for,
)
from gradx.transforms.boundary import as_array


class AdafactorState(NamedTuple):
    """Steps done, and averages of squared gradients: over rows and columns, or of each element.

    What an array of parameters does not use has no elements.
    """

    count: Any
    rows: Any
    columns: Any
    square: Any


def adafactor(
    learning_rate: LearningRate = 1e-2,
    decay: float = 0.8,
    eps: float = 1e-3,
    clip: float = 1.0,
    weight_decay: float = 0.0,
) -> Optimizer:
    """Step by ``-size * g / sqrt(square)``, no further than ``clip`` as a root mean square.

    ``square`` of arrays of two axes and more is the product of averages over their last
    two, with decay ``1 - step**-decay``. ``size`` is the root mean square of the
    parameters, at least ``eps``, times the smaller of the rate and ``1 / sqrt(step)``.
    Parameters shrink by ``learning_rate * weight_decay`` of themselves besides.
    As PyTorch has it. Source: Shazeer, Stern, "Adafactor: adaptive learning rates with
    sublinear memory cost" (ICML 2018).
    """
    require_rate("adafactor: learning_rate", learning_rate)
    require_not_negative("adafactor: decay", decay)
    require_not_negative("adafactor: eps", eps)
    require_not_negative("adafactor: clip", clip)
    require_not_negative("adafactor: weight_decay", weight_decay)

    def init(params):
        zeros_for(params, "adafactor")  # raises for what cannot be optimized
        averages = [tree.map(kind, params) for kind in (_rows_of, _columns_of, _square_of)]
        return AdafactorState(first_count(params), *averages)

    def update(grads, state, params=None):
        require_params("adafactor", params)
        require_state("adafactor", state, AdafactorState)
        done = read(state.count)
        rate, step = rate_at(learning_rate, done), done + 1
        share, size = 1 / step**decay, _least(rate, 1 / root(step))

        def leaf(g, parameter, *averages):
            averages = _moved(averages, g, share)
            direction = divide(g, sqrt(_estimate(averages, g)))
            length = maximum(_rms(direction) / clip if clip else _rms(direction), 1.0)
            steps = multiply(direction, divide(maximum(_rms(parameter), eps), length))
            decayed = scaled(parameter, -rate * weight_decay)
            return plus(decayed, scaled(steps, -size)), *averages

        updates, *averages = each_leaf_of_any_shape("adafactor", leaf, grads, params, state[1:])
        return updates, AdafactorState(write(step, state.count), *averages)

    return Optimizer(init, update)


def _rows_of(x):
    return _zeros(x, (*x.shape[:-1], 1) if _is_matrix(x) else (0,))


def _columns_of(x):
    return _zeros(x, (*x.shape[:-2], 1, x.shape[-1]) if _is_matrix(x) else (0,))


def _square_of(x):
    return _zeros(x, (0,) if _is_matrix(x) else getattr(x, "shape", ()))


def _is_matrix(x):
    shape = getattr(x, "shape", ())
    return len(shape) > 1 and 0 not in shape  # of no elements there is no mean


def _zeros(x, shape):
    x = as_array(x)
    if not is_kind(x, "real floating"):
        raise DTypeError(f"adafactor: a parameter is {describe(x)}, expected real numbers")
    xp, device = place_of(x)
    return xp.zeros(shape, dtype=untracked(x).dtype, device=device)


def _moved(averages, g, share):
    rows, columns, square = averages
    share = in_dtype_of(g, share)
    if not _is_matrix(g):
        return rows + 0.0, columns + 0.0, moved_to(square, g * g, share)
    squared = g * g
    rows = moved_to(rows, mean(squared, axis=-1, keepdims=True), share)
    return rows, moved_to(columns, mean(squared, axis=-2, keepdims=True), share), square + 0.0


def _estimate(averages, g):
    rows, columns, square = averages
    smallest = float(backend_for(g).xp.finfo(untracked(g).dtype).eps)
    if _is_matrix(g):
        square = matmul(rows, columns) / maximum(mean(rows, axis=-2, keepdims=True), smallest)
    return maximum(square, smallest * smallest)


def _rms(x):
    return sqrt(sum_of_squares(x) / max(prod(x.shape), 1))


def _least(x, y):
    return min(x, y) if type(x) in (int, float) and type(y) is float else minimum(x, y)
