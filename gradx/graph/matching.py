"""Matching: code that recognises a call of a kind which was seen before.

Walking the trees of a training step's arguments takes longer than replaying a small step. For a
kind that comes twice in a row a function is written that compares types, lengths, shapes and
dtypes in a straight line, and returns the leaves. A call that it does not recognise, whatever
it is, is taken apart as any other (signature.py).
"""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import optree

from gradx.backends import current_device, find_backend
from gradx.core import tree

# Leaves of a call of the kind; None of another.
Match = Callable[[tuple[Any, ...], dict[str, Any]], list[Any] | None]

NUMBERS = (int, float, complex)
VALUES = (bool, str, bytes)
MOST_LEAVES = 2000  # Python compiles a longer function for seconds


def match_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Match | None:
    """Return the function for calls like this one; None if its leaves are of other types."""
    written = _Written()
    try:
        written.node("args", args)
        written.node("kwargs", kwargs)
    except _NotWrittenError:
        return None
    written.require("current_device()", current_device())
    return written.function()


class _NotWrittenError(Exception):
    """A leaf is neither an array nor a Python value."""


class _Written:
    """Lines of a function, and what they name."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._scope: dict[str, Any] = {"current_device": current_device}
        self._leaves: list[str] = []
        self._count = 0

    def function(self) -> Match:
        """Return the function."""
        body = "\n        ".join([*self._lines, f"return [{', '.join(self._leaves)}]"])
        text = f"def match(args, kwargs):\n    try:\n        {body}\n"
        # A key that is not there, parts of another number.
        text += "    except (LookupError, ValueError):\n        return None\n"
        exec(compile(text, "<match>", "exec"), self._scope)
        return self._scope["match"]

    def require(self, expression: str, value: Any) -> None:
        """Return None unless an expression has a value."""
        self._unless(f"{expression} == {self._name(value)}")

    def node(self, name: str, x: Any) -> None:
        """Write what recognises a part of a tree, whose value is called ``name``."""
        if x is None:
            self._unless(f"{name} is None")
        elif optree.tree_is_leaf(x, namespace=tree.NAMESPACE):
            self._leaf(name, x)
        elif type(x) in (list, tuple):
            self._unless(f"type({name}) is {self._name(type(x))}")
            self._parts(name, list(x))
        elif type(x) is dict:
            self._unless(f"type({name}) is dict and len({name}) == {len(x)}")
            for key in tree.keys_of(x):
                part = self._fresh()
                self._lines.append(f"{part} = {name}[{self._name(key)}]")
                self.node(part, x[key])
        else:
            self._registered(name, x)

    def _registered(self, name: str, x: Any) -> None:
        """Write what recognises a Module, or any node that has a function to flatten it."""
        kind = type(x)
        self._unless(f"type({name}) is {self._name(kind)}")
        if optree.is_namedtuple(x):
            self._parts(name, list(x))
            return
        registered = optree.register_pytree_node.get(kind, namespace=tree.NAMESPACE)
        if registered is None:
            raise _NotWrittenError
        children, settings, *_ = registered.flatten_func(x)
        if fields := getattr(registered.flatten_func, "fields", None):
            self._fields(name, fields, (children, settings))
            return
        flat, found = self._fresh(), self._fresh()
        self._lines.append(f"{flat}, {found}, *_ = {self._name(registered.flatten_func)}({name})")
        self.require(found, settings)
        self._parts(flat, list(children))

    def _fields(self, name: str, fields: Any, values: Any) -> None:
        """Write what recognises a Module, whose fields are read where they lie."""
        content = self._fresh()
        self._lines.append(f"{content} = {name}.__dict__")
        (children, settings), (parts, found) = fields, values
        for setting, value in zip(settings, found, strict=True):
            one, known = self._fresh(), self._name(value)
            self._lines.append(f"{one} = {content}[{setting!r}]")
            self._unless(f"{one} is {known} or {one} == {known}")
        for child, part in zip(children, parts, strict=True):
            one = self._fresh()
            self._lines.append(f"{one} = {content}[{child!r}]")
            self.node(one, part)

    def _parts(self, name: str, parts: list[Any]) -> None:
        names = [self._fresh() for _ in parts]
        self._lines.append(f"[{', '.join(names)}] = {name}")
        for one, part in zip(names, parts, strict=True):
            self.node(one, part)

    def _leaf(self, name: str, x: Any) -> None:
        kind = type(x)
        same = f"type({name}) is {self._name(kind)}"
        if kind in VALUES:
            same += f" and {name} == {self._name(x)}"
        elif kind not in NUMBERS:
            backend = find_backend(kind)
            known = kind is np.ndarray or issubclass(kind, np.generic)
            if backend is None or not (known or kind in backend.array_types):
                raise _NotWrittenError
            shape, dtype = self._name(x.shape), self._name(x.dtype)
            # Most often the very dtype, which is found out in a quarter of the time.
            same += f" and {name}.shape == {shape}"
            same += f" and ({name}.dtype is {dtype} or {name}.dtype == {dtype})"
            if backend.name != "numpy":
                device_of = self._name(backend.device_of)
                same += f" and {device_of}({name}) == {self._name(backend.device_of(x))}"
        self._unless(same)
        self._leaves.append(name)
        if len(self._leaves) > MOST_LEAVES:
            raise _NotWrittenError

    def _unless(self, condition: str) -> None:
        self._lines.append(f"if not ({condition}): return None")

    def _fresh(self) -> str:
        self._count += 1
        return f"x{self._count}"

    def _name(self, value: Hashable | Any) -> str:
        name = f"k{len(self._scope)}"
        self._scope[name] = value
        return name
