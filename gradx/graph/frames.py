"""Frames around what one call of a module computed, each with its parameters, for drawings.

A module notes nothing and no node knows its module. While a function is being
drawn, each call of a module is made by a watcher that draws a serial number
before and after it; as nodes are numbered by the same counter, the nodes of a
call are those with numbers between.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from gradx.core import tree
from gradx.transforms.reverse import next_serial


class Frame(NamedTuple):
    """A call of a module: what to write on it, its path in the arguments, the frame around it."""

    label: str
    path: str | None
    parent: int | None


class Call(NamedTuple):
    """A call of a module: its nodes have serial numbers between first and last."""

    path: str | None  # ``None`` if the module is in no argument, "" if it is what is drawn
    kind: str
    first: int
    last: int


class Calls:
    """Watches the modules of some trees, which are given with their names."""

    def __init__(self, named: Sequence[tuple[str, Any]]) -> None:
        self.named = named
        self.running: list[Any] = []
        self.made: list[Call] = []  # A call stands before those inside it.

    def watch(self, module: Any, call: Callable[[], Any]) -> Any:
        """Make a call of a module, and note which nodes are of it."""
        if self.running and self.running[-1] is module:  # a call of super().__call__
            return call()
        place, first = len(self.made), next_serial()
        self.made.append(Call(self._path(module), type(module).__name__, first, first))
        self.running.append(module)
        try:
            return call()
        finally:
            self.running.pop()
            self.made[place] = self.made[place]._replace(last=next_serial())

    def _path(self, module):
        found = ((name, tree.path_of(module, value)) for name, value in self.named)
        return next((f"{name}{path}".lstrip(".") for name, path in found if path is not None), None)


def framed(
    calls: Sequence[Call], ops: Iterable[int], leaves: Iterable[tuple[str, float]]
) -> tuple[list[Frame], list[int | None], list[int | None]]:
    """Return the frames of a drawing, and the frame of each op and of each leaf.

    ``ops`` has serial numbers; ``leaves`` has the path of each parameter, and the serial number
    of the first op that takes it. A frame that would hold a single thing is left out.
    """
    of_ops = [_innermost(calls, serial) for serial in ops]
    of_leaves = [_owner(calls, path, first_use) for path, first_use in leaves]
    parents = [_innermost(calls[:place], call.first) for place, call in enumerate(calls)]
    held = Counter([*of_ops, *of_leaves])
    for place in reversed(range(len(calls))):
        held[parents[place]] += min(held[place], 1)
    places = [place for place in range(len(calls)) if held[place] > 1]
    numbers: dict[int | None, int | None] = {None: None}  # of the nearest frame around each call
    for place in range(len(calls)):
        kept = held[place] > 1
        numbers[place] = places.index(place) if kept else numbers[parents[place]]
    frames: list[Frame] = []
    for place in places:
        frames.append(_frame(calls, place, numbers[parents[place]], frames))
    return frames, [numbers[call] for call in of_ops], [numbers[call] for call in of_leaves]


def _innermost(calls, serial):
    within = [place for place, call in enumerate(calls) if call.first < serial < call.last]
    return within[-1] if within else None


def _owner(calls, path, first_use):
    """Return the call of the module that a parameter is a field of.

    It is not drawn there if it was used before, as the frame would depend on its own result.
    """
    found = [
        (len(call.path), -place)
        for place, call in enumerate(calls)
        if call.path is not None and is_below(call.path, path) and call.first < first_use
    ]
    return -max(found)[1] if found else None


def is_below(path: str, whole: str) -> bool:
    """Tell whether a path goes on where another one ends."""
    return not path or (whole.startswith(path) and whole[len(path) :][:1] in (".", "["))


def below(path: str | None, whole: str) -> str:
    """Return what of a path comes after the one that it begins with, if it does."""
    if path is None or not is_below(path, whole):
        return whole
    return whole[len(path) :].removeprefix(".")


def _frame(calls, place, parent, frames):
    call = calls[place]
    path = below(None if parent is None else frames[parent].path, call.path or "")
    earlier = sum(other.path == call.path and call.path is not None for other in calls[:place])
    words = [path, call.kind, f"({earlier + 1})" if earlier else ""]
    return Frame(" ".join(word for word in words if word), call.path, parent)
