"""Tensor, and what in-place writes do to it and to its views.

A write makes a new value and rebinds the Tensor to it, so nothing that a tape
kept is ever overwritten. As in NumPy, a write through a view reaches its base,
and a write to the base reaches every view: the base is rebuilt from the view,
then all live views are read from it again.
"""

from itertools import pairwise
from threading import RLock, get_ident
from typing import Any
from weakref import ref

from gradx.backends import backend_of
from gradx.core.surface import Surface
from gradx.errors import ShapeError, TrackedError

# Held while a Tensor is read, changed and bound again: threads may each fill a part of an array.
writing = RLock()


class Writes:
    """How many writes began and ended, odd while one is under way, and whose is the last.

    A view that another thread reads meanwhile may be one of what was there before. Who reads
    sees it by this number, and needs no lock.
    """

    __slots__ = ("count", "thread")

    def __init__(self) -> None:
        self.count = 0
        self.thread = 0


writes = Writes()


class Tensor(Surface):
    """An array seen by a transform, with the operators, attributes and methods of an array.

    Transforms make it of the arguments of their functions, ``gx.tensor`` to explore by hand.
    ``value`` is the array, which may be a Tensor of an outer transform.
    """

    # The payload is what the transform keeps beside the value: a node of the tape in reverse
    # mode, a tangent in forward mode. Links tie views together. Tensors are made by
    # `new_tensor`: an `__init__` would take as long as all the rest of it.
    __slots__ = ("__weakref__", "links", "payload", "trace", "value")

    value: Any
    trace: Any
    payload: Any
    links: "Links | None"


def new_tensor(value: Any, trace: Any, payload: Any) -> Tensor:
    """Return ``value`` as ``trace`` sees it."""
    tensor = Tensor()
    tensor.value = value
    tensor.trace = trace
    tensor.payload = payload
    tensor.links = None
    return tensor


def held(x: Any) -> Any:
    """Return what a tape may keep of an operand that is not its own: no later write reaches it."""
    if type(x) is not Tensor:
        return x
    if x.trace.level >= 0:
        return new_tensor(x.value, x.trace, x.payload)
    return x.value if x.links is None or not _is_lent(x) else _copied(x.value)


def copy_of(tensor: Tensor) -> Tensor:
    """Return a Tensor of the same content that is no view: no write to either reaches the other.

    The value itself is shared, for none is ever written to but where it was lent.
    """
    value = tensor.value if tensor.trace.level >= 0 else held(tensor)
    return new_tensor(value, tensor.trace, tensor.payload)


def unlent(x: Any) -> Any:
    """Return the plain array that a graph may keep of what varies with nothing; else ``x``."""
    return held(x) if type(x) is Tensor and x.trace.level < 0 else x


def without_constants(x: Any) -> Any:
    """Return the plain array in a Tensor that varies with nothing; all else as it is."""
    return x.value if type(x) is Tensor and x.trace.level < 0 else x


class Links:
    """A Tensor's base, how it was read from it, and its own views."""

    __slots__ = ("base", "frozen", "lent", "op", "params", "part_of", "prune_at", "views", "whole")

    def __init__(self, base: Tensor | None, op: Any = None, params: Any = None) -> None:
        self.base = base
        self.op = op
        self.params = params
        self.frozen: str | None = None
        self.part_of: str | None = None  # what a write would be lost in, were it to a copy
        self.whole = False  # whether it is an array, also where it has no axes
        self.lent = False  # whether others may write into the array, behind the Tensor's back
        self.views: list[ref[Tensor]] = []
        self.prune_at = 8


def link(view: Tensor, base: Tensor, op: Any, params: dict[str, Any]) -> None:
    """Record that ``view`` was read from ``base`` by ``op``."""
    view.links = Links(base, op, params)
    if base.links is None:
        own = Links(None)
        if base.links is None:  # still: another thread may have linked a view meanwhile
            base.links = own
    links: Any = base.links
    views, weak = links.views, ref(view)
    views.append(weak)
    if links.views is not views:  # pruned just now by another thread
        links.views.append(weak)
    if len(views) > links.prune_at:
        _prune(links)


def _prune(links):
    """Forget views that are gone. What is appended to the old list meanwhile is looked at again."""
    with writing:
        old, links.views = links.views, []
        links.views.extend([weak for weak in old if weak() is not None])
        links.prune_at = 2 * len(links.views) + 8


def read_again(view: Tensor) -> None:
    """Read a view again from its base, where another thread wrote while it was read."""
    if writes.thread == get_ident():  # which reads views in order to write
        return
    with writing:
        links: Any = view.links
        _become(view, links.op.run((links.base,), links.params))


def freeze(leaf: Tensor, name: str) -> Tensor:
    """Make writes to ``leaf`` raise: a derivative is being taken with respect to it."""
    leaf.links = Links(None)
    leaf.links.frozen = name
    return leaf


def in_memory(copy: Any) -> Any:
    """Return a copy as an array where it is a number: it is written to, and has views."""
    if type(copy) is not Tensor or copy.shape:
        return copy
    if not hasattr(_innermost(copy).value, "__setitem__"):
        copy = _as_array(copy)
    copy.links = Links(None)
    copy.links.whole = True
    return copy


def _as_array(x):
    if type(x) is Tensor:
        return new_tensor(_as_array(x.value), x.trace, x.payload)
    return backend_of(type(x)).xp.asarray(x)


def never_copied(tensor: Any, name: str) -> Any:
    """Make writes to what was read from a Tensor raise where it is a copy: they would be lost."""
    if type(tensor) is Tensor and tensor.links is not None:
        tensor.links.part_of = name
    return tensor


def rebind(tensor: Tensor, updated: Tensor) -> None:
    """Give ``tensor`` the content of ``updated``, as a write in place would.

    Raises:
        TrackedError: if it is, or is a view of, an argument of the transform.
        ShapeError: if it is a read-only view.

    The caller holds ``writing`` since it read what ``updated`` was made of.
    """
    writes.thread = get_ident()
    writes.count += 1
    try:
        _rebind(tensor, updated)
    finally:
        writes.count += 1


def _rebind(tensor, updated):
    path = _path_to_root(tensor)
    for node in path:
        if node.links is not None and node.links.frozen is not None:
            raise TrackedError(
                f"an in-place write to {node.links.frozen}, which is being differentiated: "
                "write to a copy of it, as in x = gx.asarray(x, copy=True)"
            )
    views = _live_views(path[-1])
    _become(tensor, updated)
    for view, base in pairwise(path):
        _become(base, view.links.op.view(base, view, view.links.params))
    for view, base in views:
        _become(view, view.links.op.run((base,), view.links.params))


def lend(tensor: Tensor) -> Any:
    """Return the array of a Tensor that varies with nothing, which others may write into.

    What they write is in the Tensor, in its base and in its views, as in NumPy's arrays. Tapes
    keep the array that it had before, and copies from now on.
    """
    if not hasattr(tensor.value, "__setitem__"):  # a number of NumPy's
        return _copied(tensor.value)
    with writing:
        try:
            root = _path_to_root(tensor)[-1]
        except ShapeError:  # a view that is read-only
            return _copied(tensor.value)
        if root.trace.level >= 0:
            return _copied(tensor.value)
        if not _is_lent(root):
            rebind(root, new_tensor(_copied(root.value), root.trace, None))
            root.links = root.links or Links(None)
            root.links.lent = True
        return tensor.value


def _is_lent(tensor):
    links = tensor.links
    while links is not None and not links.lent and links.base is not None:
        links = links.base.links
    return links is not None and links.lent


def _copied(array):
    return backend_of(type(array)).xp.asarray(array, copy=True)


def is_number(tensor: Any) -> bool:
    """Tell whether what has no axes is a number to the array library: nothing is written into it.

    A sum or an element of NumPy's is one: ``total += 1`` makes another, and whoever else
    has the old one keeps it.
    """
    array, links = _innermost(tensor).value, tensor.links
    if not backend_of(type(array)).gives_numbers:
        return False
    if links is not None and (links.frozen or links.whole):
        return False
    if array.shape == ():
        return not hasattr(array, "__setitem__")
    if len(_path_to_root(tensor)) > 1:
        return False  # one of a batch, read as a view
    if links is None or links.base is None or links.base.shape:
        return True
    # Read from one that has no axes either: NumPy makes arrays of numbers, as number[...] is one.
    number = backend_of(type(array)).xp.zeros((), dtype=array.dtype)[()]
    return not hasattr(links.op.run((number,), links.params), "__setitem__")


def _path_to_root(tensor: Tensor) -> list[Any]:
    """Return ``tensor``, what it is a view of, what that is a view of, ..."""
    path: list[Any] = [tensor]
    while (links := path[-1].links) is not None and links.base is not None:
        if not _shares_memory(path[-1], links.base):
            if links.part_of is None or 0 in path[-1].shape:
                break
            raise ShapeError(
                f"{links.part_of}: its output is read-only, of an array that is not in order in "
                "memory; write to a copy of it"
            )
        if not callable(links.op.view):
            raise ShapeError(f"{links.op.name}: its output is read-only; write to a copy of it")
        path.append(links.base)
    return path


def _shares_memory(view, base):
    # A number of a batch lies beside the others, and has no views all the same.
    return view.links.op.shares_memory(view, base) and not (base.shape == () and is_number(base))


def _live_views(root: Tensor) -> list[tuple[Any, Tensor]]:
    """Return each living view below ``root`` with its base, bases first."""
    found: list[tuple[Any, Tensor]] = []
    pending = [root]
    while pending:
        base = pending.pop()
        views: list[Any] = [weak() for weak in base.links.views] if base.links else []
        for view in views:
            if view is not None and _shares_memory(view, base):
                found.append((view, base))
                pending.append(view)
    return found


def _become(tensor: Tensor, updated: Tensor) -> None:
    if not tensor.shape:
        _keep_memory(tensor, updated)
    tensor.value, tensor.trace, tensor.payload = updated.value, updated.trace, updated.payload


def _keep_memory(tensor: Tensor, updated: Any) -> None:
    """Make a number an array again where one is overwritten: NumPy's numbers have no views."""
    old, new = _innermost(tensor), _innermost(updated)
    if new.value.shape and not is_number(tensor):  # an array that is one of each call from now on
        tensor.links = tensor.links or Links(None)
        tensor.links.whole = True
    if type(new.value) is not type(old.value):
        new.value = backend_of(type(old.value)).xp.asarray(new.value)


def _innermost(tensor: Tensor) -> Tensor:
    while type(tensor.value) is Tensor:
        tensor = tensor.value
    return tensor
