"""Guards: what a captured function read besides its arguments, and whether it has changed.

A function may name globals, close over variables, and so may the functions and objects
that those lead to. All of it is found when the function is captured, by reading code
rather than by running it; each later call compares, in tens of nanoseconds a name, and
what has changed is captured anew.
"""

import functools
import itertools
import os
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable
from typing import Any

from gradx.backends import find_backend
from gradx.core.call import Tensor
from gradx.graph.drawing import Generators
from gradx.transforms.debugging import PACKAGE

MISSING: Any = object()
# Types whose equal values are the same to a program.
VALUES = {bool, int, float, complex, str, bytes}
# Classes of objects that are nothing but their attributes. By name: importing argparse takes 2 ms.
BAGS = {("types", "SimpleNamespace"), ("argparse", "Namespace")}
# In bytes: a closed-over array up to this size is compared by content too.
COMPARED = 1024
# Code in these places is not a user's, and its globals stay what they are.
LIBRARIES = (
    PACKAGE,
    *{os.path.join(sysconfig.get_path(kind), "") for kind in ("stdlib", "purelib", "platlib")},
)


class Guards:
    """What was read, where, and what it was."""

    generators: Generators

    def __init__(self) -> None:
        self.names: list[tuple[Any, str, Any]] = []  # (mapping, name, value)
        self.cells: list[tuple[Any, str, Any]] = []  # (cell, name, content)
        self.contents: list[tuple[Any, Any]] = []  # (list, dict or set, a copy)
        self.arrays: list[tuple[Any, bytes]] = []

    def changed(self) -> str:
        """Name what is no longer what it was; empty if nothing is."""
        for mapping, name, value in self.names:
            found = mapping.get(name, MISSING)
            if found is not value and not _equal(found, value):
                return name
        for cell, name, value in self.cells:
            found = _content(cell)
            if found is not value and not _equal(found, value):
                return name
        for container, copy in self.contents:
            if not _SAME[type(copy)](container, copy):
                return f"a {type(container).__name__}"
        for array, content in self.arrays:
            if array.tobytes() != content:
                return f"an array of {array.dtype} {array.shape}"
        return ""


def _equal(found: Any, value: Any) -> bool:
    return type(found) is type(value) and type(value) in VALUES and found == value


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a variable that has no value yet
        return MISSING


def _same_list(found: Any, copy: Any) -> bool:
    pairs = zip(found, copy, strict=False)
    return len(found) == len(copy) and all(a is b or _equal(a, b) for a, b in pairs)


def _same_dict(found: Any, copy: Any) -> bool:
    if len(found) != len(copy):
        return False
    pairs = ((found.get(key, MISSING), value) for key, value in copy.items())
    return all(a is b or _equal(a, b) for a, b in pairs)


_SAME: dict[type, Callable[[Any, Any], bool]] = {
    dict: _same_dict,
    list: _same_list,
    set: lambda found, copy: found == copy,
}


def guards_of(held: Iterable[Any], arguments: Iterable[Any]) -> Guards:
    """Find all that a call can read.

    ``held`` are the function and what it is called with that is the same object at every
    call; other ``arguments`` bring code with them, and no state.
    """
    walk = _Walk()
    for x in held:
        walk.value(x)
    for argument in arguments:
        walk.argument(argument)
    walk.attributes()
    walk.guards.generators = Generators(walk.seen.values())
    return walk.guards


class _Walk:
    """The search: each object once."""

    def __init__(self) -> None:
        self.guards = Guards()
        self.seen: dict[int, Any] = {}  # which also keeps them alive, so that no id is used again
        self.words: set[str] = set()  # all names in the user's code: attributes among them
        self.spaces: list[Any] = []  # objects, classes and modules
        self.classes: set[type] = set()

    def value(self, x: Any) -> None:
        """Look at what a name stands for."""
        if type(x) in VALUES or x is None or x is MISSING or id(x) in self.seen:
            return
        self.seen[id(x)] = x
        look = _LOOKS.get(type(x))
        if look is not None:
            look(self, x)
        elif type(x) is Tensor or find_backend(type(x)) is not None:
            self._array(x)
        elif isinstance(x, tuple | list | dict | set):
            look = next(_LOOKS[kind] for kind in (tuple, list, dict, set) if isinstance(x, kind))
            look(self, x)
        else:
            self.object(x)

    def object(self, x: Any) -> None:
        """Look at an object: at its methods now, at the attributes that code names at the end."""
        if hasattr(x, "__wrapped__"):  # what stands for a function has a state of its own
            self.value(x.__wrapped__)
            return
        if hasattr(x, "__dict__"):
            self.spaces.append(x)
        self.kind(type(x))

    def kind(self, cls: type) -> None:
        """Look at the methods of a class that a user wrote, and keep its attributes for the end."""
        for base in cls.__mro__:
            if base in self.classes or _is_library_module(base.__module__):
                continue
            self.classes.add(base)
            self.spaces.append(base)
            for member in vars(base).values():
                function = getattr(member, "__func__", getattr(member, "fget", member))
                if isinstance(function, types.FunctionType):
                    self.value(function)

    def module(self, x: types.ModuleType) -> None:
        """Keep a user's module for the end, when it is known what code names."""
        if not _is_library_module(x.__name__):
            self.spaces.append(x)

    def argument(self, x: Any) -> None:
        """Look at the code that comes with an argument, which itself may differ every time."""
        if type(x) in VALUES or x is None or id(x) in self.seen:
            return
        self.seen[id(x)] = x
        parts: Iterable[Any]
        if isinstance(x, tuple | list | set):
            parts = x
        elif isinstance(x, dict):
            parts = x.values()
        elif isinstance(x, types.FunctionType | types.MethodType):
            del self.seen[id(x)]
            self.value(x)
            return
        elif type(x) is Tensor or find_backend(type(x)) is not None:
            return
        else:
            self.kind(type(x))
            parts = getattr(x, "__dict__", {}).values()
        for part in parts:
            self.argument(part)

    def attributes(self) -> None:
        """Guard the attributes that code names: more may be found on the way."""
        done: set[tuple[int, str]] = set()
        while True:
            found = [
                (space, name)
                for space in self.spaces
                for name in self._attribute_names(space)
                if (id(space), name) not in done
            ]
            if not found:
                return
            for space, name in found:
                done.add((id(space), name))
                value = vars(space).get(name, MISSING)
                self.guards.names.append((vars(space), name, value))
                self.value(value)

    def _attribute_names(self, space):
        if isinstance(space, type | types.ModuleType) or _is_bag(space):
            return self.words.intersection(vars(space))
        if _is_library_module(type(space).__module__):
            return list(vars(space))
        # One that only the class has may come to be the object's own.
        of_class = [vars(base) for base in type(space).__mro__ if base in self.classes]
        return self.words.intersection(itertools.chain(vars(space), *of_class))

    def _function(self, x):
        self._cells(x)
        for default in (*(x.__defaults__ or ()), *(x.__kwdefaults__ or {}).values()):
            self.value(default)
        if x.__code__.co_filename.startswith(LIBRARIES):
            return
        words = set(_words(x.__code__))
        self.words |= words
        for name in words.intersection(x.__globals__):
            value = x.__globals__[name]
            self.guards.names.append((x.__globals__, name, value))
            self.value(value)

    def _cells(self, x):
        names = x.__code__.co_freevars
        for name, cell in zip(names, x.__closure__ or (), strict=True):
            content = _content(cell)
            self.guards.cells.append((cell, name, content))
            self.value(content)

    def _array(self, x):
        if hasattr(x, "tobytes") and x.nbytes <= COMPARED:
            self.guards.arrays.append((x, x.tobytes()))

    def _parts(self, x):
        for part in x:
            self.value(part)

    def _list(self, x):
        self.guards.contents.append((x, list(x)))
        self._parts(x)

    def _dict(self, x):
        self.guards.contents.append((x, dict(x)))
        self._parts(x.values())

    def _set(self, x):
        self.guards.contents.append((x, set(x)))

    def _method(self, x):
        self.value(x.__func__)
        self.value(x.__self__)

    def _partial(self, x):
        self._parts((x.func, *x.args, *x.keywords.values()))


_LOOKS: dict[type, Callable[[_Walk, Any], None]] = {
    dict: _Walk._dict,
    frozenset: _Walk._parts,
    functools.partial: _Walk._partial,
    list: _Walk._list,
    set: _Walk._set,
    tuple: _Walk._parts,
    type: _Walk.kind,
    types.BuiltinFunctionType: lambda walk, x: None,
    types.FunctionType: _Walk._function,
    types.MethodType: _Walk._method,
    types.ModuleType: _Walk.module,
}


def _words(code: types.CodeType) -> Iterable[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _words(constant)


def _is_bag(space):
    return any((c.__module__, c.__qualname__) in BAGS for c in type(space).__mro__)


@functools.cache
def _is_library_module(name: str) -> bool:
    if name in ("builtins", "abc", "types"):
        return True
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and os.path.abspath(file).startswith(LIBRARIES)
