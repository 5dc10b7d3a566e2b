"""Guards: what a captured function read besides its arguments, and whether it has changed.

Each call compares, in tens of nanoseconds a name; what has changed is captured anew. What there
is to compare is found by reading.py.
"""

import itertools
import operator
import types
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from gradx.graph.drawing import Generators

MISSING: Any = object()
# Types whose equal values are the same to a program.
VALUES = {bool, int, float, complex, str, bytes}
# In bytes: a closed-over array up to this size is compared by content too.
COMPARED = 1024


class Guards:
    """What was read, where, and what it was."""

    generators: Generators

    def __init__(self) -> None:
        self.names: list[tuple[Any, str, Any]] = []  # (mapping, name, value)
        self.cells: list[tuple[Any, str, Any]] = []  # (cell, name, content)
        self.functions: list[tuple[Any, Any, Any]] = []  # (function, its code, its defaults)
        # (object with a state, that state, what tells whether it is the same)
        self.states: list[tuple[Any, Any, Callable[[Any, Any], bool]]] = []

    def changed(self) -> str:
        """Name what is no longer what it was; empty if nothing is."""
        for mapping, name, value in self.names:
            found = mapping.get(name, MISSING)
            if found is not value and not _equal(found, value):
                return name
        for cell, name, value in self.cells:
            found = content_of(cell)
            if found is not value and not _equal(found, value):
                return name
        for function, code, defaults in self.functions:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return f"the code of {function.__name__}"
        for x, state, is_same in self.states:
            if not is_same(x, state):
                return _described(x)
        return ""

    def watch(self, x: Any) -> None:
        """Remember the state that an object has now, if it is of a kind that has one."""
        for kind, take, is_same in _STATES:
            if isinstance(x, kind):
                self.states.append((x, take(x), is_same))
                return
        if _size(x) <= COMPARED:
            self.states.append((x, _bytes(x), _same_bytes))


def content_of(cell: Any) -> Any:
    """Return what is in the cell of a closure, ``MISSING`` if its variable has no value yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def _described(x: Any) -> str:
    if hasattr(type(x), "dtype"):
        return f"an array of {x.dtype} {x.shape}"
    return f"a {type(x).__name__}"


def _equal(found: Any, value: Any) -> bool:
    """Tell whether a program cannot tell two values apart: 0.0 and -0.0 it can."""
    same = type(found) is type(value) and type(value) in VALUES and found == value
    return same and repr(found) == repr(value)


def _is_same(found: Any, value: Any) -> bool:
    return found is value or _equal(found, value)


def _same_list(found: Any, copy: Any) -> bool:
    return len(found) == len(copy) and all(map(_is_same, found, copy))


def _same_dict(found: Any, copy: Any) -> bool:
    if len(found) != len(copy):
        return False
    return all(_is_same(found.get(key, MISSING), value) for key, value in copy.items())


def _size(x: Any) -> float:
    """Return the size in bytes of what is in a buffer: infinity, if ``x`` is none."""
    if hasattr(type(x), "tobytes") and hasattr(type(x), "nbytes"):
        return x.nbytes  # also of an array whose dtype no buffer has
    try:
        return memoryview(x).nbytes
    except TypeError:
        return float("inf")


def _bytes(x: Any) -> bytes:
    return x.tobytes() if hasattr(type(x), "tobytes") else bytes(x)


def _same_bytes(found: Any, content: bytes) -> bool:
    return _bytes(found) == content


def _frame(generator: Any) -> dict[str, Any]:
    """Return where a generator stands: its variables, and its next instruction."""
    frame = generator.gi_frame
    return {} if frame is None else {**frame.f_locals, "": frame.f_lasti}


def _rest(iterator: Any) -> Any:
    """Return how many elements are still to come, where an iterator knows."""
    return operator.length_hint(iterator, -1)


# A kind of objects, what takes their state, and what tells whether they still have it.
_STATES: list[tuple[Any, Callable[[Any], Any], Callable[[Any, Any], bool]]] = [
    ((list, deque), list, _same_list),
    ((dict, types.MappingProxyType), dict, _same_dict),
    (set, set, operator.eq),
    (ContextVar, lambda x: x.get(MISSING), lambda x, value: _is_same(x.get(MISSING), value)),
    (types.GeneratorType, _frame, lambda x, frame: _same_dict(_frame(x), frame)),
    (itertools.count, repr, lambda x, text: repr(x) == text),
    (Iterator, _rest, lambda x, rest: _rest(x) == rest),
]
