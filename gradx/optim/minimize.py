"""Minimise a function that is the same in every step: L-BFGS with a line search.

The search reads values of the function to decide, so a step of it is not compiled.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.core.arrays import backend_for
from gradx.errors import DTypeError, NonFiniteError
from gradx.ops.arithmetic import subtract
from gradx.ops.windows import integer
from gradx.optim.arithmetic import scaled
from gradx.optim.lbfgs import direction, dot, empty_memory, first_size, remembered
from gradx.optim.line_search import Point, strong_wolfe
from gradx.optim.numbers import require_not_negative
from gradx.optim.optimizer import apply_updates, zeros_for
from gradx.transforms.grad import value_and_grad


class Minimum(NamedTuple):
    """Where ``minimize`` ended: ``converged`` if no element of the gradient exceeds the tolerance.

    ``values`` are the function's at the start and after each step.
    """

    params: Any
    values: list[float]
    converged: bool


def minimize(
    function: Callable[[Any], Any],
    start: Any,
    *,
    steps: int = 100,
    history: int = 10,
    tolerance: float = 1e-8,
) -> Minimum:
    """Find a minimum of a scalar ``function`` of a tree of arrays near ``start``.

    In at most ``steps`` steps of L-BFGS, each of a length for which the strong Wolfe
    conditions hold. It ends before where no element of the gradient is larger than
    ``tolerance``, or where no step leads further down. Sources: Liu, Nocedal, "On the
    limited memory BFGS method" (Mathematical Programming 45, 1989); Nocedal, Wright,
    "Numerical optimization" (2006), algorithms 3.5 and 3.6.

    Raises:
        FloatingPointError: the function or its gradient is not finite at the start.

    >>> import numpy as np, gradx as gx
    >>> def rosenbrock(x):
    ...     return gx.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> found = gx.optim.minimize(rosenbrock, np.asarray([-1.2, 1.0, 1.0]))
    >>> found.params.round(6), found.converged
    (array([1., 1., 1.]), True)
    """
    if not callable(function):
        raise DTypeError(f"minimize: {function!r}, expected a function of a tree of arrays")
    steps = integer("minimize", "steps", steps, least=0)
    history = integer("minimize", "history", history, least=1)
    require_not_negative("minimize: tolerance", tolerance)
    differentiate = value_and_grad(function)
    memory = empty_memory(zeros_for(start, "minimize"), history)
    params, (value, grads) = start, _evaluated(differentiate, start)
    values = [value]
    for done in range(steps):
        if _largest(grads) <= tolerance:
            break
        slope = direction(memory, grads, done)
        first = float(first_size(grads)) if done == 0 else 1.0
        found = _searched(differentiate, params, value, grads, slope, first)
        if found is None:
            break
        size, value, after, params = found
        changes = [subtract(new, old) for new, old in zip(after, grads, strict=True)]
        memory = remembered(memory, [scaled(d, size) for d in slope], changes)
        grads = after
        values.append(value)
    return Minimum(params, values, _largest(grads) <= tolerance)


def _evaluated(differentiate, params):
    value, grads = differentiate(params)
    leaves = tree.leaves(grads)
    if not all(_is_finite(x) for x in [value, *leaves]):
        raise NonFiniteError(f"minimize: at the start the function is {float(value)}")
    return float(value), leaves


def _searched(differentiate, params, value, grads, slope, first):
    """Return the length of a step, and the value, gradient and parameters there; or None."""
    structure = tree.flatten(params)[1]

    def along(size):
        moved = apply_updates(params, tree.unflatten(structure, [scaled(d, size) for d in slope]))
        value, grads = differentiate(moved)
        leaves = tree.leaves(grads)
        return Point(size, float(value), float(dot(leaves, slope)), (leaves, moved))

    found = strong_wolfe(along, Point(0.0, value, float(dot(grads, slope)), None), first)
    return None if found is None else (found.size, found.value, *found.rest)


def _largest(grads):
    return max(
        (float(backend_for(g).xp.max(abs(g))) for g in grads if 0 not in g.shape), default=0.0
    )


def _is_finite(x):
    xp = backend_for(x).xp
    return bool(xp.all(xp.isfinite(x)))
