"""L-BFGS: steps along a direction that the last changes of the gradient say is downhill.

For losses that are no different from step to step, as of all the data at once.
``minimize`` adds a line search.
"""

from functools import reduce
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.core.arrays import is_kind, untracked
from gradx.core.explain import describe
from gradx.creation import zeros
from gradx.errors import DTypeError
from gradx.ops.arithmetic import add, divide, multiply, subtract, where
from gradx.ops.comparison import greater
from gradx.ops.creation import place_of
from gradx.ops.extremes import maximum
from gradx.ops.joining import concat
from gradx.ops.shapes import astype, expand_dims, sum
from gradx.ops.signs import abs
from gradx.ops.windows import integer
from gradx.optim.arithmetic import scaled
from gradx.optim.numbers import (
    LearningRate,
    choose,
    first_count,
    rate_at,
    read,
    require_rate,
    scalar_beside,
    write,
)
from gradx.optim.optimizer import (
    Optimizer,
    each_leaf,
    leaves_like,
    require_state,
    zeros_for,
)
from gradx.transforms.boundary import as_array

LEAST_CURVATURE = 1e-10  # of a step that is remembered


class Memory(NamedTuple):
    """The last steps and changes of the gradient, oldest first, along a new first axis.

    ``inverses`` are 1 over the products of the two, 0 where nothing is remembered yet, and
    ``scale`` is the size of the inverse of the Hessian.
    """

    steps: Any
    changes: Any
    inverses: Any  # (history,)
    scale: Any  # ()


class LBFGSState(NamedTuple):
    """Steps done, the last gradient and step, and those before."""

    count: Any
    gradient: Any
    step: Any
    memory: Memory


def lbfgs(learning_rate: LearningRate = 1.0, history: int = 10) -> Optimizer:
    """Step by ``-learning_rate * H @ g``, with ``H`` from the last ``history`` steps.

    ``H`` estimates the inverse of the Hessian; the first step is no longer than the
    rate. As PyTorch has it, without line search. Source: Liu, Nocedal, "On the limited
    memory BFGS method for large scale optimization" (Mathematical Programming 45, 1989).
    """
    require_rate("lbfgs: learning_rate", learning_rate)
    history = integer("lbfgs", "history", history, least=1)

    def init(params):
        zeros = zeros_for(params, "lbfgs")
        return LBFGSState(
            first_count(params), zeros, zeros_for(params, "lbfgs"), empty_memory(zeros, history)
        )

    def update(grads, state, params=None):
        require_state("lbfgs", state, LBFGSState)
        # Gradients are checked against the last ones, and take their dtypes.
        (grads,) = each_leaf("lbfgs", lambda g, last: (g + 0.0,), 1, grads, state.gradient)
        done = read(state.count)
        rate = rate_at(learning_rate, done)
        leaves, structure = tree.flatten(grads)
        last, step = tree.leaves(state.gradient), leaves_like(structure, state.step, "lbfgs: state")
        changes = [subtract(g, before) for g, before in zip(leaves, last, strict=True)]
        memory = remembered(state.memory, step, changes)
        size = choose(done == 0, rate * first_size(leaves), rate)
        steps = [scaled(d, size) for d in direction(memory, leaves, done)]
        kept = [step + 0.0 for step in steps]
        count = write(done + 1, state.count)
        unflatten = lambda values: tree.unflatten(structure, values)
        return unflatten(steps), LBFGSState(count, grads, unflatten(kept), memory)

    return Optimizer(init, update)


def empty_memory(params: Any, history: int) -> Memory:
    """Return a memory of ``history`` steps that were none."""
    return Memory(
        tree.map(lambda x: _empty(x, history), params),
        tree.map(lambda x: _empty(x, history), params),
        _empty(scalar_beside(params, 0.0, "float64"), history),
        scalar_beside(params, 1.0, "float64"),
    )


def remembered(memory: Memory, steps: list[Any], changes: list[Any]) -> Memory:
    """Put a step, and what it changed of the gradient, in place of the oldest, if it curves up."""
    curvature, square = dot(changes, steps), dot(changes, changes)
    curves = greater(curvature, LEAST_CURVATURE)
    one = lambda x: where(curves, x, 1.0)
    inverse, scale = 1 / one(curvature), divide(curvature, one(square))

    def kept(old, new):
        leaves, structure = tree.flatten(old)
        rows = zip(leaves, new, strict=True)
        return tree.unflatten(structure, [_shifted(curves, array, last) for array, last in rows])

    return Memory(
        kept(memory.steps, steps),
        kept(memory.changes, changes),
        _shifted(curves, memory.inverses, inverse),
        where(curves, scale, memory.scale),
    )


def direction(memory: Memory, grads: list[Any], done: Any) -> list[Any]:
    """Return ``-H @ g`` by the two loops of the paper; ``done`` steps can have been remembered."""
    steps, changes = tree.leaves(memory.steps), tree.leaves(memory.changes)
    history = memory.inverses.shape[0]
    # What is empty does nothing: where the count is known, it is not gone through.
    used = range(max(0, history - done) if type(done) is int else 0, history)
    found, parts = [-g for g in grads], {}
    for i in reversed(used):
        parts[i] = multiply(dot(_at(i, steps), found), memory.inverses[i])
        found = _moved(found, _at(i, changes), -parts[i])
    found = [scaled(x, memory.scale) for x in found]
    for i in used:
        part = multiply(dot(_at(i, changes), found), memory.inverses[i])
        found = _moved(found, _at(i, steps), subtract(parts[i], part))
    return found


def dot(xs: list[Any], ys: list[Any]) -> Any:
    """Return the sum of the products of all elements, as float64."""
    products = [sum(multiply(x, y)) for x, y in zip(xs, ys, strict=True)]
    wide = [astype(p, place_of(p)[0].float64) for p in products]
    return reduce(add, wide) if wide else as_array(0.0)


def first_size(leaves: list[Any]) -> Any:
    """Return 1, or less where the sum of the sizes of all elements is more than 1: 1 over it."""
    totals = [astype(sum(abs(g)), place_of(g)[0].float64) for g in leaves]
    return 1 / maximum(reduce(add, totals) if totals else as_array(0.0), 1.0)


def _moved(xs, ys, factor):
    return [add(x, scaled(y, factor)) for x, y in zip(xs, ys, strict=True)]


def _at(position, stacked):
    return [array[position, ...] for array in stacked]


def _shifted(curves, old, new):
    """Return the array without its first element and with a new last one, or as it was."""
    row = expand_dims(astype(new, old.dtype), axis=0)
    return where(curves, concat([old[1:, ...], row], axis=0), old)


def _empty(x, history):
    if not is_kind(x, "real floating"):
        raise DTypeError(f"lbfgs: a parameter is {describe(x)}, expected real numbers")
    dtype, device = untracked(x).dtype, place_of(x)[1]
    return zeros((history, *x.shape), dtype=dtype, device=device)
