"""What layers remember of training beside their parameters, such as ``BatchNorm``'s statistics.

It is an array in the model's tree, in a field declared with ``state()``: it is moved, saved
and restored with the model, its gradient is zero, and penalties leave it out. A layer is
never changed: when it is called with ``train=True`` it says what the next value is, and
``with_state`` gives the model that has it.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import fields
from functools import lru_cache, wraps
from typing import Any

import optree

from gradx.core import tree
from gradx.errors import DTypeError, ShapeError
from gradx.nn.module import Module
from gradx.ops.creation import stop_gradient

# By the identity of a leaf: the leaf, held so that its identity stays its own, and what follows it.
Changes = dict[int, tuple[Any, Any]]

_CHANGES: ContextVar[Changes | None] = ContextVar("changes", default=None)


def with_state(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Return a function of a model that returns its result and the model with its next state.

    ``function`` takes the model first. Where it is differentiated, the model goes
    out as the auxiliary value; ``gx.train.fit`` does so by itself.

    Raises:
        ValueError: a layer ran that is not in the model.

    >>> import numpy as np, gradx as gx
    >>> model = gx.nn.BatchNorm(1, momentum=0.5)
    >>> call = gx.nn.with_state(lambda model, x: model(x, train=True))
    >>> out, model = call(model, np.asarray([[1.0], [3.0]], dtype=np.float32))
    >>> out[:, 0].round(3), model.mean
    (array([-1.,  1.], dtype=float32), array([1.], dtype=float32))
    """
    if not callable(function):
        raise DTypeError(f"with_state: {function!r}, expected a function of a model")

    @wraps(function)
    def stateful(model: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        changes: Changes = {}
        token = _CHANGES.set(changes)
        try:
            out = function(model, *args, **kwargs)
        finally:
            _CHANGES.reset(token)
        return out, _changed(model, changes)

    return stateful


def set_next(name: str, leaf: Any, following: Callable[[Any], Any]) -> None:
    """Say that the state ``leaf`` of layer ``name`` is followed by ``following(leaf)``."""
    changes = _CHANGES.get()
    if changes is None:
        raise ShapeError(
            f"{name}: train=True computes new statistics, which would be lost: write "
            "out, model = gx.nn.with_state(lambda model, x: model(x, train=True))(model, x)"
        )
    # A layer that is called twice goes on from where the first call left it.
    _, latest = changes.get(id(leaf), (leaf, stop_gradient(leaf)))
    changes[id(leaf)] = leaf, following(latest)


def state_mask(model: Any) -> list[bool]:
    """Tell of each leaf of a tree whether it lies in a field declared with ``state()``."""
    return _mask_of(tree.flatten(model)[1])


def take_state(model: Any, source: Any) -> Any:
    """Return ``model`` with the state of ``source``, a model of the same structure.

    After an optimizer's step, this brings in what ``with_state`` gave.

    >>> import numpy as np, gradx as gx
    >>> model = gx.nn.BatchNorm(1)
    >>> after = gx.nn.take_state(model, model.replace(weight=np.zeros(1), mean=np.ones(1)))
    >>> after.weight, after.mean
    (array([1.], dtype=float32), array([1.]))
    """
    leaves, structure = tree.flatten(model)
    theirs, other = tree.flatten(source)
    if other != structure:
        raise ShapeError(f"take_state: the source is {other}, expected {structure}")
    rows = zip(leaves, theirs, _mask_of(structure), strict=True)
    return tree.unflatten(structure, [new if chosen else old for old, new, chosen in rows])


@lru_cache(maxsize=256)
def _mask_of(structure: Any) -> list[bool]:
    accessors = optree.treespec_accessors(structure)
    return [any(_is_state(entry) for entry in accessor) for accessor in accessors]


def _is_state(entry: Any) -> bool:
    kind = entry.type
    if not (isinstance(kind, type) and issubclass(kind, Module)):
        return False
    return any("state" in f.metadata for f in fields(kind) if f.name == entry.entry)  # type: ignore[arg-type]


def _changed(model: Any, changes: Changes) -> Any:
    leaves, structure = tree.flatten(model)
    if changes.keys() - set(map(id, leaves)):
        raise ShapeError(
            "with_state: a layer was called that is not in the model, the first argument; "
            "if that one is differentiated inside, write gx.grad(gx.nn.with_state(...)), "
            "with_state within"
        )
    following = [changes.get(id(leaf), (leaf, leaf))[1] for leaf in leaves]
    return tree.unflatten(structure, following)
