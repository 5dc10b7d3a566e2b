"""What a function can read besides its arguments, found by reading its code, not by running it.

A function may name globals, close over variables, and so may the functions and objects that
those lead to. Of modules, classes and objects the attributes count that some code names, as a
name or as a text (``getattr(settings, "rate")``).
"""

import functools
import gc
import itertools
import os
import sys
import sysconfig
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from operator import attrgetter
from typing import Any, NamedTuple

from gradx.backends import find_backend
from gradx.core.call import Tensor
from gradx.graph.drawing import Generators
from gradx.graph.guards import MISSING, VALUES, Guards, content_of
from gradx.transforms.debugging import PACKAGE

# Classes of objects that are nothing but their attributes. By name: importing argparse takes 2 ms.
BAGS = {("types", "SimpleNamespace"), ("argparse", "Namespace")}
# Code in these places is not a user's, and its globals stay what they are.
LIBRARIES = (
    PACKAGE,
    *{os.path.join(sysconfig.get_path(kind), "") for kind in ("stdlib", "purelib", "platlib")},
)
# What reads attributes that the code need not name.
READS_ALL = {"__dict__", "asdict", "astuple", "getattr", "vars"}
# What takes the name of an attribute as a text: one that is not there may come to be.
BY_TEXT = READS_ALL | {"hasattr"}
ENVIRONMENT = {"environ", "getenv"}


class _Space(NamedTuple):
    """An object, class, module or function, and a mapping from its attributes."""

    owner: Any
    attributes: Any


class _Slots:
    """The attributes of an object that are not in a dictionary, as a mapping."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __iter__(self) -> Iterator[str]:
        for base in type(self.x).__mro__:
            for name, member in vars(base).items():
                if isinstance(member, types.MemberDescriptorType):
                    yield name

    def get(self, name: str, default: Any) -> Any:
        """Return the attribute, or ``default`` where it has no value."""
        try:
            return object.__getattribute__(self.x, name)
        except AttributeError:
            return default


def guards_of(held: Iterable[Any], arguments: Iterable[Any]) -> Guards:
    """Find all that a call can read.

    ``held`` are the function and what it is called with that is the same object at every
    call; other ``arguments`` bring code with them, and no state but their settings.
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
        self.words: set[str] = set()  # all names in the user's code, attributes among them
        self.texts: set[str] = set()  # all texts there that may be names of attributes
        self.spaces: list[_Space] = []
        self.classes: set[type] = set()

    def value(self, x: Any) -> None:
        """Look at what a name stands for."""
        if type(x) in VALUES or x is None or x is MISSING or id(x) in self.seen:
            return
        self.seen[id(x)] = x
        look = _LOOKS.get(type(x))
        if look is not None:
            look(self, x)
        elif isinstance(x, type):
            self.kind(type(x))
            self.kind(x)
        elif type(x) is Tensor or find_backend(type(x)) is not None:
            if hasattr(x, "tobytes"):
                self.guards.watch(x)
        else:
            self._container(x)
            self.object(x)

    def _container(self, x: Any) -> None:
        """Look at what is in an object of a subclass, and at other states that it may have."""
        for kind in (tuple, list, dict, set):
            if isinstance(x, kind):
                _LOOKS[kind](self, x)
                return
        self.guards.watch(x)
        if isinstance(x, Iterator) and type(x).__module__ in ("builtins", "itertools"):
            self._parts(part for part in gc.get_referents(x) if isinstance(part, Iterator | tuple))

    def object(self, x: Any) -> None:
        """Look at an object: at its methods now, at the attributes that code names at the end."""
        content = _dictionary(x)
        if "__wrapped__" in content and _is_library_module(type(x).__module__):
            self.value(content["__wrapped__"])  # it stands for a function, with a state of its own
            return
        if content is not _NOTHING:
            self.spaces.append(_Space(x, content))
        if not _is_library_module(type(x).__module__) and any(_Slots(x)):
            self.spaces.append(_Space(x, _Slots(x)))
        self.kind(type(x))

    def kind(self, cls: type) -> None:
        """Look at the methods of a class that a user wrote, and keep its attributes for the end."""
        for base in cls.__mro__:
            if base in self.classes or _is_library_module(base.__module__):
                continue
            self.classes.add(base)
            self.spaces.append(_Space(base, vars(base)))
            for member in vars(base).values():
                function = getattr(member, "__func__", getattr(member, "fget", member))
                if isinstance(function, types.FunctionType):
                    self.value(function)

    def module(self, x: types.ModuleType) -> None:
        """Keep a user's module for the end, when it is known what code names."""
        if not _is_library_module(x.__name__):
            self.spaces.append(_Space(x, vars(x)))

    def argument(self, x: Any) -> None:
        """Look at the code that comes with an argument, which itself may differ every time."""
        if type(x) in VALUES or x is None or id(x) in self.seen:
            return
        if isinstance(x, types.FunctionType | types.MethodType):
            self.value(x)
            return
        self.seen[id(x)] = x
        if isinstance(x, tuple | list | set):
            self._arguments(x)
        elif isinstance(x, dict):
            self._arguments(x.values())
        elif type(x) is not Tensor and find_backend(type(x)) is None:
            kind: Any = type(x)
            self.kind(kind)
            settings = _settings(kind)
            for name, part in _dictionary(x).items():
                look = self.value if name in settings else self.argument
                look(part)

    def _arguments(self, parts: Iterable[Any]) -> None:
        for part in parts:
            self.argument(part)

    def attributes(self) -> None:
        """Guard the attributes that code names: more may be found on the way."""
        done: set[tuple[int, str]] = set()
        while True:
            found = [
                (number, name)
                for number, space in enumerate(self.spaces)
                for name in self._attribute_names(space)
                if (number, name) not in done
            ]
            if not found:
                return
            for number, name in found:
                done.add((number, name))
                attributes = self.spaces[number].attributes
                value = attributes.get(name, MISSING)
                self.guards.names.append((attributes, name, value))
                self.value(value)

    def _attribute_names(self, space: _Space) -> Iterable[str]:
        owner, attributes = space
        if isinstance(owner, types.ModuleType):
            return self.words.intersection(attributes) | self._asked()
        kinds = owner.__mro__ if isinstance(owner, type) else ()
        if not isinstance(owner, type | types.FunctionType):
            if _is_library_module(type(owner).__module__) and not _is_bag(owner):
                return list(attributes)
            if self.words & READS_ALL:
                return {*attributes, *self._asked()}
        # One that only a class has may come to be the object's own.
        of_classes = [vars(c) for c in (*kinds, *type(owner).__mro__) if c in self.classes]
        return self.words.intersection(itertools.chain(attributes, *of_classes)) | self._asked()

    def _asked(self) -> set[str]:
        """Return the attributes that code may read, or ask for, by a text."""
        return self.texts if self.words & BY_TEXT else set()

    def _function(self, x: types.FunctionType) -> None:
        self._cells(x)
        for default in (*(x.__defaults__ or ()), *(x.__kwdefaults__ or {}).values()):
            self.value(default)
        if x.__code__.co_filename.startswith(LIBRARIES):
            return
        self.guards.functions.append((x, x.__code__, x.__defaults__))
        self.spaces.append(_Space(x, vars(x)))
        words, texts = set(_words(x.__code__)), set(_texts(x.__code__.co_consts))
        self.words |= words
        self.texts |= texts
        if "globals" in words:
            words |= texts
        if words & ENVIRONMENT:
            self.value(os.environ)
        for name in words.intersection(x.__globals__):
            value = x.__globals__[name]
            self.guards.names.append((x.__globals__, name, value))
            self.value(value)

    def _cells(self, x: types.FunctionType) -> None:
        names = x.__code__.co_freevars
        for name, cell in zip(names, x.__closure__ or (), strict=True):
            content = content_of(cell)
            self.guards.cells.append((cell, name, content))
            self.value(content)

    def _parts(self, x: Iterable[Any]) -> None:
        for part in x:
            self.value(part)

    def _list(self, x: Any) -> None:
        self.guards.watch(x)
        self._parts(x)

    def _dict(self, x: Any) -> None:
        self.guards.watch(x)
        self._parts(x.values())

    def _method(self, x: types.MethodType) -> None:
        self.value(x.__func__)
        self.value(x.__self__)

    def _partial(self, x: Any) -> None:
        self._parts((x.func, *x.args, *x.keywords.values()))

    def _variable(self, x: ContextVar[Any]) -> None:
        self.guards.watch(x)
        self.value(x.get(MISSING))

    def _getter(self, x: Any) -> None:
        paths = [word for path in x.__reduce__()[1] for word in path.split(".")]
        self.words.update(paths)


_LOOKS: dict[type, Callable[[_Walk, Any], None]] = {
    ContextVar: _Walk._variable,
    attrgetter: _Walk._getter,
    deque: _Walk._list,
    dict: _Walk._dict,
    frozenset: _Walk._parts,
    functools.partial: _Walk._partial,
    list: _Walk._list,
    set: lambda walk, x: walk.guards.watch(x),
    tuple: _Walk._parts,
    type: _Walk.kind,
    types.BuiltinFunctionType: lambda walk, x: None,
    types.FunctionType: _Walk._function,
    types.MappingProxyType: _Walk._dict,
    types.MethodType: _Walk._method,
    types.ModuleType: _Walk.module,
    weakref.ref: lambda walk, x: walk.value(x()),
}


def _words(code: types.CodeType) -> Iterable[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _words(constant)


def _texts(constants: Iterable[Any]) -> Iterable[str]:
    """Yield the texts among the constants of some code that may be names."""
    for constant in constants:
        if isinstance(constant, str) and constant.isidentifier():
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _texts(constant)
        elif isinstance(constant, types.CodeType):
            yield from _texts(constant.co_consts)


_NOTHING: Any = types.MappingProxyType({})


def _dictionary(x: Any) -> Any:
    """Return the attributes of an object."""
    try:
        found = vars(x)
    except Exception:  # it has none, or a __getattr__ that raises whatever it likes
        return _NOTHING
    return found if isinstance(found, dict | types.MappingProxyType) else _NOTHING


@functools.cache
def _settings(cls: type) -> set[str]:
    """Return the fields of a module that are settings: the same where its graph is."""
    fields = getattr(cls, "__dataclass_fields__", {})
    return {field.name for field in fields.values() if "static" in field.metadata}


def _is_bag(space: Any) -> bool:
    return any((c.__module__, c.__qualname__) in BAGS for c in type(space).__mro__)


@functools.cache
def _is_library_module(name: str) -> bool:
    if name in ("builtins", "abc", "types"):
        return True
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and os.path.abspath(file).startswith(LIBRARIES)
