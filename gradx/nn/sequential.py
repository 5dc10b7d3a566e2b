"""Layers one after the other."""

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from gradx.errors import DTypeError, OutOfBoundsError
from gradx.nn.module import Module, join_shown, show, show_leaf, static
from gradx.random import fold_in


class Function(Module):
    """A function as a layer: it has no parameters, whatever it is."""

    function: Callable[..., Any] = static()

    def __call__(self, x: Any, **options: Any) -> Any:
        return self.function(x, **options)

    def __repr__(self) -> str:
        return show_leaf(self.function)


class Sequential(Module):
    """Apply layers, which are modules or plain functions such as ``gx.nn.relu``, in order.

    ``model(x, key=key, train=True)`` hands ``train`` on to each layer that takes
    it, and a key of its own, ``fold_in(key, position)``, to each that takes one.

    A model is indexed, cut and counted like a tuple; ``model.put(i, layer)`` gives
    a copy with another layer. Functions are kept as they are: arrays that they
    close over are not parameters.

    >>> import gradx as gx
    >>> keys = gx.random.split(gx.random.key(0))
    >>> model = gx.nn.Sequential(
    ...     gx.nn.Linear(784, 128, key=keys[0]), gx.nn.relu, gx.nn.Linear(128, 10, key=keys[1])
    ... )
    >>> len(model), model[0]
    (3, Linear(weight=float32 (784, 128), bias=float32 (128,)))
    """

    layers: tuple[Module, ...]

    def __init__(self, *layers: Module | Callable[..., Any]) -> None:
        self.layers = tuple([_as_layer(i, layer) for i, layer in enumerate(layers)])

    def __call__(self, x: Any, *, key: Any = None, train: bool = False) -> Any:
        for position, layer in enumerate(self.layers):
            x = call_layer(layer, x, key=key, position=position, train=train)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return map(_as_given, self.layers)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(*self.layers[_checked_slice(index)])
        return _as_given(self.layers[self._position(index)])

    def put(self, index: int, layer: Module | Callable[..., Any]) -> "Sequential":
        """Return a copy with ``layer`` in place of the one at ``index``."""
        layers = list(self.layers)
        position = self._position(index)
        layers[position] = _as_layer(position, layer)
        return self.replace(layers=tuple(layers))

    def __repr__(self) -> str:
        return join_shown("Sequential(", [show(layer) for layer in self.layers], ")")

    def _position(self, index: int) -> int:
        if isinstance(index, bool) or not isinstance(index, int):
            raise DTypeError(f"Sequential: expected an integer or a slice, got {index!r}")
        if not -len(self.layers) <= index < len(self.layers):
            raise OutOfBoundsError(
                f"Sequential: index {index}, but it has {len(self.layers)} layers"
            )
        return index % len(self.layers)


def call_layer(layer: Any, x: Any, *, key: Any, position: int, train: bool) -> Any:
    """Call a layer with the ones of ``key`` and ``train`` that it takes."""
    function = layer.function if type(layer) is Function else type(layer).__call__
    takes_key, takes_train = _options(function)
    options: dict[str, Any] = {}
    if takes_key:
        options["key"] = None if key is None else fold_in(key, position)
    if takes_train:
        options["train"] = train
    return layer(x, **options)


@cache
def _options(function: Callable[..., Any]) -> tuple[bool, bool]:
    """Tell whether a function takes ``key`` and whether it takes ``train``."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # Some functions written in C say nothing about themselves.
        return False, False
    names = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return any_name or "key" in names, any_name or "train" in names


def _as_layer(position: int, layer: Any) -> Module:
    if isinstance(layer, (list, tuple)):
        raise DTypeError(
            f"Sequential: layers[{position}] is a {type(layer).__name__}, expected a module or a "
            "function: write Sequential(*layers)"
        )
    if not callable(layer) or isinstance(layer, type):
        raise DTypeError(
            f"Sequential: layers[{position}] is {show_leaf(layer)}, expected a module or a function"
        )
    return layer if isinstance(layer, Module) else Function(layer)


def _checked_slice(index: slice) -> slice:
    ends = (index.start, index.stop, index.step)
    if not all(end is None or isinstance(end, int) for end in ends) or index.step == 0:
        raise DTypeError(f"Sequential: {index!r}, expected a slice of integers with a step")
    return index


def _as_given(layer: Module) -> Any:
    return layer.function if type(layer) is Function else layer
