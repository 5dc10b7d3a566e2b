"""The shape every optimizer has, and how one is run over the leaves of trees.

An optimizer is two pure functions. Its state is a tree of arrays, so it can be
saved, moved and compiled like parameters; averages that it keeps have the
structure of the parameters.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.ops.arithmetic import add
from gradx.ops.complex import imag
from gradx.ops.creation import zeros_like
from gradx.ops.shapes import astype, real
from gradx.transforms.boundary import as_array, is_differentiable


class Optimizer(NamedTuple):
    """Pure functions: ``init(params)`` once, then ``update(grads, state, params)`` every step.

    ``update`` returns the updates, to be added by ``apply_updates``, and the next
    state. It never writes to what it is given, nor returns it.

    >>> import numpy as np, gradx as gx
    >>> optimizer, params = gx.optim.sgd(0.5), np.asarray([1.0, 2.0])
    >>> state = optimizer.init(params)
    >>> updates, state = optimizer.update(np.asarray([1.0, 1.0]), state, params)
    >>> gx.optim.apply_updates(params, updates)
    array([0.5, 1.5])
    """

    init: Callable[[Any], Any]
    update: Callable[..., tuple[Any, Any]]


def apply_updates(params: Any, updates: Any) -> Any:
    """Return ``params + updates``, leaf by leaf, in the dtypes of ``params``.

    Raises:
        ValueError: their structures or shapes differ.

    >>> import numpy as np, gradx as gx
    >>> gx.optim.apply_updates({"w": np.asarray([1.0, 2.0])}, {"w": np.asarray([-0.5, 0.5])})
    {'w': array([0.5, 2.5])}
    """
    leaves, structure = tree.flatten(params)
    steps = leaves_like(structure, updates, "apply_updates: the updates")
    return tree.unflatten(structure, map(_add_step, leaves, steps))


def _add_step(parameter: Any, step: Any) -> Any:
    parameter = _floating("apply_updates: a parameter", parameter)
    step = _floating("apply_updates: an update", step)
    if step.shape != parameter.shape:
        raise ShapeError(
            f"apply_updates: an update of {describe(step)} for a parameter of {describe(parameter)}"
        )
    return add(parameter, in_dtype_of(parameter, step))


def in_dtype_of(array: Any, value: Any) -> Any:
    """Return ``value`` in the dtype of ``array``; a Python number has it already."""
    if type(value) in (float, int) or value.dtype == array.dtype:
        return value
    return astype(value, array.dtype)


def leaves_like(structure: Any, other: Any, what: str) -> list[Any]:
    """Return the leaves of ``other``, which must have ``structure``."""
    leaves, found = tree.flatten(other)
    if found != structure:
        raise ShapeError(
            f"{what} have another structure than they belong to: {found}, expected {structure}"
        )
    return leaves


def zeros_for(params: Any, name: str) -> Any:
    """Return zeros like each parameter: the averages of optimizer ``name`` before any step."""
    leaves, structure = tree.flatten(params)
    for index, leaf in enumerate(leaves):
        if not is_differentiable(leaf):
            raise DTypeError(
                f"{name}: params{tree.paths(params)[index]} is {describe(leaf)}: "
                "only floating-point and complex arrays can be optimized"
            )
    return tree.unflatten(structure, [zeros_like(as_array(leaf)) for leaf in leaves])


def each_leaf(
    name: str, rule: Callable[..., tuple[Any, ...]], outputs: int, grads: Any, *others: Any
) -> list[Any]:
    """Apply ``rule(g, *others)`` to each leaf, and return its outputs as trees like ``grads``.

    Gradients are taken in the dtype of the leaf beside them in the first of
    ``others``, so that no state drifts to another dtype. A complex leaf is two
    real ones, as in PyTorch.
    """
    leaves, structure = tree.flatten(grads)
    columns = [
        leaves_like(structure, other, f"{name}: the state or parameters") for other in others
    ]
    rows = [_run(name, rule, *row) for row in zip(leaves, *columns, strict=True)]
    results = zip(*rows, strict=True) if rows else [()] * outputs
    return [tree.unflatten(structure, column) for column in results]


def each_leaf_of_any_shape(
    name: str, rule: Callable[..., tuple[Any, ...]], grads: Any, params: Any, averages: Any
) -> list[Any]:
    """Apply ``rule(g, parameter, *averages)``, where averages have shapes of their own.

    What it returns is the update and the next averages, as trees like ``grads``.
    """
    checked = each_leaf(name, lambda g, parameter: (g, parameter), 2, grads, params)
    structure = tree.flatten(grads)[1]
    columns = [leaves_like(structure, t, f"{name}: the state") for t in (*checked, *averages)]
    results = [rule(*row) for row in zip(*columns, strict=True)]
    outputs = zip(*results, strict=True) if results else [()] * (1 + len(averages))
    return [tree.unflatten(structure, output) for output in outputs]


def _run(name, rule, g, *others):
    g = _floating(f"{name}: a gradient", g)
    averages = [_floating(f"{name}: a parameter or average", other) for other in others]
    if averages:
        _require_shapes(g, averages)
        g = in_dtype_of(averages[0], g)
    if not _is_complex(type(g.dtype), g.dtype):  # type: ignore[arg-type]
        return rule(g, *averages)
    row = (g, *averages)
    pairs = zip(rule(*map(real, row)), rule(*map(imag, row)), strict=True)
    return tuple([x + 1j * y for x, y in pairs])


def _floating(what, x):
    if not is_differentiable(x):
        raise DTypeError(f"{what} is {describe(x)}, expected a floating-point or complex array")
    return as_array(x)


def _require_shapes(g, others):
    for other in others:
        if other.shape != g.shape:
            raise ShapeError(
                f"a gradient of {describe(g)} for a parameter or state of {describe(other)}"
            )


@cache
def _is_complex(kind: Any, dtype: Any) -> bool:
    # The type is there so that dtypes of two libraries are never compared.
    return "complex" in str(dtype)


def require_params(name: str, params: Any) -> None:
    """Raise if ``params`` were left out of ``update``, where they are needed."""
    if params is None:
        raise DTypeError(f"{name}: update needs the parameters: update(grads, state, params)")


def require_state(name: str, state: Any, kind: type) -> None:
    """Raise unless ``state`` is what the optimizer's ``init`` or ``update`` returned."""
    if not isinstance(state, kind):
        raise DTypeError(
            f"{name}: the state is a {type(state).__name__}, expected the {kind.__name__} that "
            "init(params) or the last update returned"
        )
