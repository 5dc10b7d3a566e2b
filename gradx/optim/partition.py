"""An optimizer for each group of parameters: for freezing, and for settings of their own.

Each optimizer is given the whole tree with ``None``, an empty tree, in place of what is not
its own: so paths stay what they are, and partitions can be parts of partitions.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gradx.core import tree
from gradx.errors import DTypeError, ShapeError
from gradx.nn.stateful import state_mask
from gradx.ops.creation import zeros_like
from gradx.optim.optimizer import Optimizer, leaves_like
from gradx.transforms.boundary import as_array

# A pattern of paths, or a function of a leaf as gx.nn.is_weight is.
Selector = str | Callable[[Any], bool]

STATE = -1  # the group of what no optimizer may touch, such as the averages of a BatchNorm
REST = "*"  # all that is left, which may be nothing
SHOWN = 12  # paths in a message


def partition(groups: Mapping[Selector, Optimizer | None]) -> Optimizer:
    """Update each parameter by the optimizer of the first group that takes it; by none, freeze it.

    A group is named by a path in the tree, which takes all that is under it (``*`` in it stands
    for any text), or by a function of a leaf, such as ``gx.nn.is_weight``, that may look at its
    shape and dtype. The state is the tuple of the groups' states. State of layers is in no group.

    Raises:
        ValueError: a group other than ``"*"`` takes nothing, or a parameter is in no group.

    >>> import gradx as gx
    >>> optimizer = gx.optim.partition({
    ...     "layers[0]": None,  # frozen
    ...     gx.nn.is_weight: gx.optim.adamw(1e-3, weight_decay=0.1),
    ...     "*": gx.optim.adam(1e-3),  # biases and norms, which do not decay
    ... })
    """
    _require_groups(groups)
    optimizers = list(groups.values())

    def init(params):
        chosen = _groups_of(params, groups)
        return tuple(
            [
                () if optimizer is None else optimizer.init(_part(params, chosen, group))
                for group, optimizer in enumerate(optimizers)
            ]
        )

    def update(grads, state, params=None):
        chosen = _groups_of(grads if params is None else params, groups)
        leaves, structure = tree.flatten(grads)
        if params is not None:
            leaves_like(structure, params, "partition: the parameters")
        _require_states(state, len(groups))
        updates = [zeros_like(as_array(g)) for g in leaves]
        following = []
        for group, (optimizer, own) in enumerate(zip(optimizers, state, strict=True)):
            if optimizer is not None:
                part = None if params is None else _part(params, chosen, group)
                steps, own = optimizer.update(_part(grads, chosen, group), own, part)
                _put(updates, tree.leaves(steps), chosen, group)
            following.append(own)
        return tree.unflatten(structure, updates), tuple(following)

    return Optimizer(init, update)


def _require_groups(groups: Any) -> None:
    if not isinstance(groups, Mapping) or not groups:
        raise DTypeError(
            f"partition: {groups!r}, expected a mapping from paths or functions to optimizers, "
            "as in {'layers[0]': None, '*': gx.optim.adam(1e-3)}"
        )
    for selector, optimizer in groups.items():
        if not isinstance(selector, str) and not callable(selector):
            raise DTypeError(f"partition: a group {selector!r}, expected a path or a function")
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise DTypeError(
                f"partition: {_named(selector)} has {optimizer!r}, expected an Optimizer, "
                "or None for what is frozen"
            )


def _require_states(state: Any, count: int) -> None:
    if not isinstance(state, tuple) or len(state) != count:
        raise DTypeError(
            f"partition: the state is a {type(state).__name__}, expected the tuple of {count} "
            "that init(params) or the last update returned"
        )


def _groups_of(params: Any, groups: Mapping[Selector, Any]) -> list[int]:
    """Return the number of the group of each leaf."""
    paths = [path.removeprefix(".") for path in tree.paths(params)]
    rows = list(zip(paths, tree.leaves(params), state_mask(params), strict=True))
    takes = [_taking(selector) for selector in groups]
    chosen = [
        STATE if is_state else next((i for i, t in enumerate(takes) if t(path, leaf)), None)
        for path, leaf, is_state in rows
    ]
    free = [path for path, group in zip(paths, chosen, strict=True) if group is None]
    if free:
        raise ShapeError(
            f"partition: no group takes {_listed(free)}: let the last be '*', for all that is left"
        )
    for group, selector in enumerate(groups):
        if group not in chosen and selector != REST:
            raise ShapeError(_takes_nothing(selector, rows, takes[group]))
    return chosen  # type: ignore[return-value]


def _taking(selector: Selector) -> Callable[[str, Any], bool]:
    if callable(selector):
        return lambda path, leaf: bool(selector(leaf))
    text = re.escape(selector.removeprefix(".")).replace(r"\*", ".*")
    pattern = re.compile(rf"{text}(?:[.\[].*)?", re.DOTALL)
    return lambda path, leaf: pattern.fullmatch(path) is not None


def _takes_nothing(selector: Selector, rows: list[Any], takes: Callable[[str, Any], bool]) -> str:
    taken = [path for path, leaf, is_state in rows if not is_state and takes(path, leaf)]
    if taken:
        return (
            f"partition: {_named(selector)} takes only what groups before it have: {_listed(taken)}"
        )
    there = [path for path, _, is_state in rows if not is_state]
    return f"partition: {_named(selector)} takes nothing: there are {_listed(there)}"


def _named(selector: Selector) -> str:
    name = selector if isinstance(selector, str) else getattr(selector, "__name__", selector)
    return f"the group {name!r}"


def _listed(paths: list[str]) -> str:
    more = [f"and {len(paths) - SHOWN} more"] if len(paths) > SHOWN else []
    return ", ".join([*[path or "the array itself" for path in paths[:SHOWN]], *more]) or "none"


def _part(values: Any, chosen: list[int], group: int) -> Any:
    """Return a tree with nothing in the place of the leaves of other groups."""
    leaves, structure = tree.flatten(values)
    pairs = zip(leaves, chosen, strict=True)
    return tree.unflatten(structure, [leaf if own == group else None for leaf, own in pairs])


def _put(updates: list[Any], steps: Iterable[Any], chosen: list[int], group: int) -> None:
    places = [place for place, own in enumerate(chosen) if own == group]
    for place, step in zip(places, steps, strict=True):
        updates[place] = step
