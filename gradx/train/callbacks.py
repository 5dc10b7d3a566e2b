"""Who is told what happens during training.

A callback is a function of the ``State``, called when an epoch ends, or an
object with any of the methods named in ``EVENTS``. ``state.stop(reason)`` ends
training. Callbacks are called in the order given.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from gradx.errors import DTypeError
from gradx.train.state import State

EVENTS = ("on_start", "on_step_end", "on_epoch_end", "on_end")

Handler = Callable[[State], None]


def handlers(*groups: Iterable[Any]) -> dict[str, list[Handler]]:
    """Return what to call at each event, for the callbacks of all groups."""
    found: dict[str, list[Handler]] = {event: [] for event in EVENTS}
    for group in groups:
        if not isinstance(group, Iterable) or isinstance(group, str):
            raise DTypeError(f"callbacks: expected a sequence, got {group!r}: write [...]")
    for callback in chain(*groups):
        for event, handler in _handlers_of(callback).items():
            found[event].append(handler)
    return found


def _handlers_of(callback: Any) -> dict[str, Handler]:
    if isinstance(callback, type):
        raise DTypeError(f"callbacks: {callback!r} is a class: make one, {callback.__name__}(...)")
    methods = {event: getattr(callback, event) for event in EVENTS if hasattr(callback, event)}
    if methods:
        return methods
    if callable(callback):
        return {"on_epoch_end": callback}
    raise DTypeError(
        f"callbacks: {callback!r} is neither a function nor has one of {', '.join(EVENTS)}"
    )
