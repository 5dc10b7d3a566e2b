"""Looking at the calls of modules: who watches is given each, and makes it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Watcher = Callable[[Any, Callable[[], Any]], Any]

# Makes each call of a module, if there is one: watcher(module, call) -> call().
WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Let ``watcher(module, call)`` make each call of a module in this block: it returns call()."""
    token = WATCHER.set(watcher)
    try:
        yield
    finally:
        WATCHER.reset(token)
