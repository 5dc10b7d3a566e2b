"""Nested containers of arrays: optree's trees, in gradx's namespace."""

from collections.abc import Callable, Iterable
from typing import Any

import optree

from gradx.core.views import Tensor
from gradx.errors import ShapeError

NAMESPACE = "gradx"  # where Modules are registered
ENDLESS = "a tree holds itself, or is nested deeper than 1,000 levels"
LEAF: Any = optree.treespec_leaf(namespace=NAMESPACE)


def map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """Apply ``function`` to each leaf, and to the leaves of ``others`` in its place."""
    return optree.tree_map(function, tree, *others, namespace=NAMESPACE)


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of a tree from left to right; ``None`` is an empty tree."""
    try:
        return optree.tree_leaves(tree, namespace=NAMESPACE)
    except RecursionError:
        raise ShapeError(ENDLESS) from None


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves and the structure that ``unflatten`` takes."""
    if type(tree) is Tensor:  # as most functions return
        return [tree], LEAF
    try:
        return optree.tree_flatten(tree, namespace=NAMESPACE)
    except RecursionError:
        raise ShapeError(ENDLESS) from None


def unflatten(structure: Any, leaves: Iterable[Any]) -> Any:
    """Build a tree from its structure and its leaves."""
    if structure is LEAF:
        (leaf,) = leaves
        return leaf
    return optree.tree_unflatten(structure, leaves)


def paths(tree: Any) -> list[str]:
    """Return the path of each leaf as Python source, as in ``['weights'][0]``."""
    try:
        accessors = optree.tree_accessors(tree, namespace=NAMESPACE)
    except RecursionError:
        raise ShapeError(ENDLESS) from None
    return [accessor.codify("") for accessor in accessors]


def keys_of(dictionary: Any) -> tuple[Any, ...]:
    """Return the keys of a dictionary in the order of its leaves."""
    return optree.tree_flatten_one_level(dictionary, namespace=NAMESPACE)[2]


def path_of(part: Any, tree: Any) -> str | None:
    """Return the path of the very object ``part`` in a tree, or ``None`` if it is not there."""
    accessors, found, _ = optree.tree_flatten_with_accessor(
        tree, is_leaf=lambda value: value is part, namespace=NAMESPACE
    )
    pairs = zip(accessors, found, strict=True)
    return next((accessor.codify("") for accessor, value in pairs if value is part), None)


def spread(prefix: Any, tree: Any) -> list[Any]:
    """Return for each leaf of a tree what ``prefix`` says of it: a tree that may end before it.

    ``None`` in ``prefix`` is something said, too.

    Raises:
        ValueError: they differ where both go on.
    """
    said, structure = optree.tree_flatten(prefix, none_is_leaf=True, namespace=NAMESPACE)
    parts = structure.flatten_up_to(tree)
    return [one for one, part in zip(said, parts, strict=True) for _ in leaves(part)]
