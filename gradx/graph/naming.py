"""What a function calls its arguments, for pictures, listings and messages."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from gradx.core import tree


def parameter_names(f: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """Return the name that ``f`` gives each of ``args``."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # Some functions written in C do not say.
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "argument")
    names += [f"{rest}[{i}]" for i in range(len(args) - len(names))]
    return names[: len(args)]


def leaf_names(f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """Name every leaf of the arguments of a call, as in ``model.layers[0].weight``."""
    named = [*zip(parameter_names(f, args), args, strict=True), *sorted(kwargs.items())]
    return [f"{name}{path}" for name, value in named for path in tree.paths(value)]
