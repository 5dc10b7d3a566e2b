"""Tensors that vary with nothing among the arguments of NumPy's functions."""

from typing import Any

from gradx.core.call import Tensor
from gradx.core.views import without_constants
from gradx.transforms.constants import constant


def varies_with_nothing(arguments: Any) -> bool:
    """Tell whether no Tensor in nested arguments has a derivative."""
    if type(arguments) is Tensor:
        return arguments.trace.level < 0
    if isinstance(arguments, dict):
        arguments = arguments.values()
    elif not isinstance(arguments, list | tuple):
        return True
    return all(map(varies_with_nothing, arguments))


def as_plain(arguments: Any) -> Any:
    """Return nested arguments with plain arrays in place of such Tensors."""
    if isinstance(arguments, dict):
        return {name: as_plain(value) for name, value in arguments.items()}
    if type(arguments) in (list, tuple):
        return type(arguments)(map(as_plain, arguments))
    return without_constants(arguments)


def as_constants(found: Any) -> Any:
    """Return what NumPy found with its arrays as such Tensors."""
    if type(found) in (list, tuple):
        return type(found)(map(as_constants, found))
    return constant(found)
