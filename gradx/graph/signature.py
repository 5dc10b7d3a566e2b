"""Signatures: what of a call decides which program runs it."""

import dataclasses
import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradx.backends import Backend, current_device, find_backend
from gradx.core import tree
from gradx.core.arrays import untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.errors import CaptureError, DTypeError, ShapeError
from gradx.graph.capture import Capture
from gradx.graph.naming import leaf_names
from gradx.transforms.boundary import name_of


class Call(NamedTuple):
    """A call taken apart: its signature, the leaves of its arguments, and which are tracked."""

    key: Hashable
    statics: Hashable
    leaves: list[Any]
    structure: Any
    tracked: bool


# Type of a leaf -> what of it is in the signature. A number is an input of the graph, whose
# value may differ; a truth value or a text is not.
_DESCRIBE: dict[type, Callable[[Any], Hashable]] = {
    np.ndarray: lambda x: (x.shape, x.dtype),
    int: lambda x: int,
    float: lambda x: float,
    complex: lambda x: complex,
    bool: lambda x: (bool, x),
    str: lambda x: (str, x),
    bytes: lambda x: (bytes, x),
}


def take_apart(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], statics: Hashable
) -> Call:
    """Return the signature of a call, and its leaves."""
    leaves, structure = tree.flatten((args, kwargs))
    described = []
    tracked = False
    for leaf in leaves:
        kind = type(leaf)
        describe_leaf = _DESCRIBE.get(kind)
        if describe_leaf is None:
            tracked = tracked or kind is Tensor
            described.append(_described(f, leaf, args, kwargs))
        else:
            described.append(describe_leaf(leaf))
    key = (structure, tuple(described), statics, current_device())
    return Call(key, statics, leaves, structure, tracked)


def _described(f, leaf, args, kwargs):
    if type(leaf) is Tensor and is_weak(leaf):
        return type(leaf.value.item())
    plain = untracked(leaf)
    backend = find_backend(type(plain))
    if backend is not None and backend.name == "numpy":
        return (tuple(leaf.shape), leaf.dtype)  # also of NumPy's own scalars
    if backend is not None:
        describe_array = _of_library(backend)
        if type(leaf) in backend.array_types:
            _DESCRIBE[type(leaf)] = describe_array
        return describe_array(plain)
    if args and leaf is args[0] and hasattr(leaf, "__dict__") and not callable(leaf):
        return _Identity(leaf)  # the object that a method belongs to
    name = next(
        name
        for name, other in zip(
            leaf_names(f, args, kwargs), tree.leaves((args, kwargs)), strict=True
        )
        if other is leaf
    )
    raise CaptureError(
        f"{name_of(f)}: argument {name} is {describe(leaf)}, neither an array nor a number: "
        f"name it in static="
    )


def _of_library(backend: Backend) -> Callable[[Any], Hashable]:
    name, device_of = backend.name, backend.device_of
    return lambda x: (name, tuple(x.shape), x.dtype, device_of(x))


class _Identity:
    """An object as part of a signature: the same only as itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is _Identity and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def is_weak(tensor: Tensor) -> bool:
    """Tell whether a Tensor stands for a Python number, in a graph that is being captured."""
    return isinstance(tensor.trace, Capture) and tensor.payload.weak


def static_places(
    f: Callable[..., Any], static: str | int | Sequence[str | int]
) -> list[tuple[int | None, str]]:
    """Return the position and the name of each argument that ``static`` names.

    Raise ``ShapeError`` for an argument that ``f`` does not have.
    """
    chosen = static if isinstance(static, tuple | list | set | frozenset) else (static,)
    return [_place(f, which) for which in chosen]


def _place(f, which):
    parameters = list(inspect.signature(f).parameters.values())
    names = [parameter.name for parameter in parameters]
    position = names.index(which) if type(which) is str and which in names else which
    rest = [i for i, p in enumerate(parameters) if p.kind is inspect.Parameter.VAR_POSITIONAL]
    if type(position) is int and rest and position >= rest[0]:
        return position, f"{names[rest[0]]}[{position - rest[0]}]"
    if type(position) is not int or not 0 <= position < len(names):
        raise ShapeError(f"{name_of(f)} has no parameter {which!r}, only {', '.join(names)}")
    by_name_only = parameters[position].kind is inspect.Parameter.KEYWORD_ONLY
    return None if by_name_only else position, names[position]


def set_apart(
    places: list[tuple[int | None, str]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """Return the arguments without the static ones, and those by name."""
    found: dict[str, Any] = {}
    left, named = list(args), dict(kwargs)
    for position, name in places:
        if name in named:
            found[name] = named.pop(name)
        elif position is not None and position < len(left):
            found[name], left[position] = left[position], None
    return tuple(left), named, found


def hashed(f: Callable[..., Any], found: dict[str, Any]) -> Hashable:
    """Return static arguments as part of a signature: 1 and 1.0 and True are three values."""
    try:
        hash(tuple(found.values()))
    except TypeError as error:
        raise DTypeError(f"{name_of(f)}: a static argument must be hashable: {error}") from error
    return tuple([(name, _told_apart(value)) for name, value in found.items()])


def _told_apart(value: Any) -> Hashable:
    """Return what is equal for two values only if a program cannot tell them apart."""
    if isinstance(value, float | complex):
        return (type(value), value, repr(value))  # of zeros, the sign
    if isinstance(value, tuple):
        return (type(value), value, tuple(map(_told_apart, value)))
    if isinstance(value, frozenset):
        return (type(value), frozenset(map(_told_apart, value)))
    if _compares_fields(type(value)):
        parts = [getattr(value, f.name) for f in dataclasses.fields(value) if f.compare]
        return (type(value), value, tuple(map(_told_apart, parts)))
    return (type(value), value)


def _compares_fields(cls: type) -> bool:
    params = getattr(cls, "__dataclass_params__", None)
    return params is not None and params.eq and params.frozen


def put_back(
    places: list[tuple[int | None, str]], args: list[Any], found: dict[str, Any]
) -> dict[str, Any]:
    """Put static arguments where they were among ``args``; return the others by name."""
    by_name = dict(found)
    for position, name in places:
        if name in by_name and position is not None and position < len(args):
            args[position] = by_name.pop(name)
    return by_name
