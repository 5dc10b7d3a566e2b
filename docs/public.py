"""What is public: the names that the API reference must have, read from gradx's own source.

A module's public names are those of its ``__all__``; without one, what it re-exports as
``x as x`` and the functions and classes that it defines. A public name that is a module
is a public module.
"""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

ROOTS = ["gradx", "gradx.errors"]  # of the second, what the first does not export
# Where an object is documented that is public in several modules: the first of these.
PREFERRED = ["gradx", "gradx.nn", "gradx.linalg", "gradx.saving", "gradx.special"]


def modules() -> list[str]:
    """Return the names of the public modules."""
    return list(dict.fromkeys(name for root in ROOTS for name in _reachable(root)))


def _reachable(module: str) -> Iterator[str]:
    yield module
    for name in names(module, of_modules=True):
        yield from _reachable(f"{module}.{name}")


def names(module: str, of_modules: bool = False) -> list[str]:
    """Return the public names in a module, those of modules or all others."""
    space = import_module(module)
    found = getattr(space, "__all__", None) or _declared(space)
    elsewhere = names(ROOTS[0]) if module in ROOTS[1:] else []
    return [
        name
        for name in found
        if inspect.ismodule(getattr(space, name)) == of_modules and name not in elsewhere
    ]


def _declared(space: ModuleType) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(space))):
        if isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if alias.name == alias.asname]
    for node in ast.parse(inspect.getsource(space)).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def everything() -> dict[str, Any]:
    """Return every public object by its full name."""
    return {
        f"{module}.{name}": getattr(import_module(module), name)
        for module in modules()
        for name in names(module)
    }


def aliases() -> dict[str, str]:
    """Return the full name under which a public object is documented, by its other names."""
    homes: dict[int, list[str]] = {}
    for name, value in everything().items():
        if callable(value) and getattr(value, "__module__", "").startswith("gradx"):
            homes.setdefault(id(value), []).append(name)
    chosen = {}
    for found in homes.values():
        first, *others = sorted(found, key=_preference)
        chosen |= dict.fromkeys(others, first)
    return chosen


def _preference(full_name: str) -> tuple[int, bool]:
    module, _, name = full_name.rpartition(".")
    value = getattr(import_module(module), name)
    rank = PREFERRED.index(module) if module in PREFERRED else len(PREFERRED)
    return rank, value.__name__ != name
