"""Penalties on the size of parameters, to be added to a loss."""

from collections.abc import Callable
from functools import reduce
from math import inf
from numbers import Number
from typing import Any

from gradx.core import tree
from gradx.core.arrays import is_array, is_kind
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.nn.checks import require_number
from gradx.nn.stateful import state_mask
from gradx.ops.arithmetic import add
from gradx.ops.complex import conj
from gradx.ops.shapes import real, sum
from gradx.ops.signs import abs
from gradx.transforms.boundary import as_array, is_differentiable

Select = Callable[[Any], bool]


def is_weight(leaf: Any) -> bool:
    """Tell whether a leaf of a model is a weight: a float array of two or more axes, no bias.

    >>> import numpy as np, gradx as gx
    >>> layer = gx.nn.Linear(3, 2, key=gx.random.key(0))
    >>> gx.nn.is_weight(layer.weight), gx.nn.is_weight(layer.bias)
    (True, False)
    """
    return is_differentiable(leaf) and len(as_array(leaf).shape) >= 2


def l2_penalty(parameters: Any, strength: float, select: Select = is_differentiable) -> Any:
    """Return ``strength * sum(|w|**2)`` over all elements of the float leaves of a tree.

    With ``select=gx.nn.is_weight``, or another function of a leaf, only those count;
    state, as of ``gx.nn.BatchNorm``, never does.

    >>> import numpy as np, gradx as gx
    >>> float(gx.nn.l2_penalty({"weight": np.asarray([[1.0, -2.0]])}, strength=0.5))
    2.5
    """
    return _penalty("l2_penalty", sum_of_squares, parameters, strength, select)


def l1_penalty(parameters: Any, strength: float, select: Select = is_differentiable) -> Any:
    """Return ``strength * sum(|w|)``, as ``l2_penalty`` does with squares.

    >>> import numpy as np, gradx as gx
    >>> float(gx.nn.l1_penalty({"weight": np.asarray([[1.0, -2.0]])}, strength=0.5))
    1.5
    """
    return _penalty("l1_penalty", _sum_of_sizes, parameters, strength, select)


def sum_of_squares(x: Any) -> Any:
    """Return ``sum(|x|**2)``."""
    # Not by abs, whose second derivative at 0 is another.
    return sum(real(conj(x) * x) if is_kind(x, "complex floating") else x * x)


def _sum_of_sizes(x):
    return sum(abs(x))


def _penalty(name, total_of, parameters, strength, select):
    require_number(name, "strength", strength)
    if not 0 <= strength < inf:
        raise ShapeError(f"{name}: strength={strength!r}, expected 0 or more, and finite")
    if not callable(select):
        raise DTypeError(f"{name}: select={select!r}, expected a function of a leaf")
    leaves = tree.leaves(parameters)
    for index, leaf in enumerate(leaves):
        if not isinstance(leaf, Number) and not is_array(leaf):
            path = tree.paths(parameters)[index]
            raise DTypeError(f"{name}: parameters{path} is {describe(leaf)}, expected an array")
    chosen = [
        leaf
        for leaf, is_state in zip(leaves, state_mask(parameters), strict=True)
        if not is_state and is_differentiable(leaf) and select(leaf)
    ]
    totals = [total_of(as_array(leaf)) for leaf in chosen]
    return strength * reduce(add, totals) if totals else 0.0
