"""Graphs by hand, as in a lecture: ``f = (x + y) * z; f.backward(); x.grad``.

Tensors made by ``gx.tensor`` live on the one permanent tape. It has the same
ops, rules and nodes as any other, but its nodes also keep their value, so that
the graph can be drawn, and the gradient that ``backward`` found.
"""

from typing import Any

from gradx.core.arrays import is_kind
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.trace import Ended, substitutes
from gradx.core.views import freeze, without_constants
from gradx.device import asarray
from gradx.errors import DTypeError, ShapeError, TapeError
from gradx.ops.complex import conj
from gradx.ops.creation import ones_like, stop_gradient
from gradx.transforms.boundary import as_array, copied, require_differentiable, require_match
from gradx.transforms.reverse import Node, Reverse, next_serial, propagate


class ExploredNode(Node):
    """A node that keeps what a reader of the graph wants to see."""

    __slots__ = ("grad", "name", "pending", "value")

    value: Any
    name: str | None
    grad: Any  # an array of its own, once it was read
    pending: Any  # the cotangents that backward() found since


class Explore(Reverse):
    """The tape that never ends."""

    node_type = ExploredNode
    gives_items = True  # who explores by hand asks for the number

    def record(self, op, edges, out):
        # What Reverse.record does, written out: to call it takes 7 % of a recorded product.
        node = self.new_node()
        node.op = op
        node.edges = edges
        node.shape = out.shape
        node.dtype = out.dtype
        node.serial = next_serial()
        node.value = out
        node.grad = node.pending = node.name = None
        tensor = Tensor()
        tensor.value = out
        tensor.trace = self
        tensor.payload = node
        tensor.links = None
        return tensor


TAPE = Explore("gx.tensor")


def watch_named(tape: Explore, array: Any, name: str | None) -> Tensor:
    """Make ``array`` a named leaf of ``tape``."""
    if not isinstance(name, str | None):
        raise DTypeError(f"the name of a tensor is text, got {describe(name)}")
    leaf = tape.watch(array)
    leaf.payload.name = name
    return freeze(leaf, f"the tensor {name!r}" if name else "a tensor")


def node_of(tensor: Tensor) -> ExploredNode:
    """Return the node of an explored Tensor, or raise where there is none."""
    if isinstance(tensor.trace, Explore):
        return tensor.payload
    raise TapeError(
        f"backward() and .grad are for tensors made by gx.tensor(...), this one belongs to "
        f"{tensor.trace.name}: return it from the function, and gx.grad gives its gradient"
    )


def backward(tensor: Tensor, seed: Any = None, retain_graph: bool = False) -> None:
    """Add the gradient of this tensor to ``.grad`` of every tensor it depends on.

    ``seed`` is the cotangent to start from, of this tensor's shape; a scalar
    needs none. The tape is freed on the way, unless ``retain_graph`` is true.
    What varies with no tensor, such as a count, reaches none: each ``.grad`` stays as it is.

    Raises:
        ValueError: it is not a scalar and there is no seed, or the seed's shape differs.
        TypeError: it is complex and there is no seed.
        RuntimeError: the tape was freed by an earlier call.
    """
    node = None if tensor.trace.level < 0 else node_of(tensor)
    if seed is None:
        seed = _default_seed(tensor)
    seed = require_match(seed, tensor.value, "backward: the seed")
    if node is None:
        return
    found = propagate({node: copied(as_array(seed))}, retain=retain_graph, keep_all=True)
    reached: Any
    for reached, g in found.items():
        known = reached.pending
        reached.pending = g if known is None else known + g
        if not retain_graph and reached.edges is None:
            reached.value = None


def _default_seed(tensor):
    if tensor.shape != ():
        raise ShapeError(
            f"backward: {describe(tensor.value)} is not a scalar: reduce it, as in gx.sum(...), "
            "or pass seed=, the cotangent to start from"
        )
    if is_kind(tensor.value, "complex floating"):
        raise DTypeError(
            f"backward: {describe(tensor.value)} is complex, and 1 is no more its cotangent "
            "than 1j: take a real value of it, or pass seed=, the cotangent to start from"
        )
    return ones_like(tensor.value)


def read_grad(tensor: Tensor) -> Any:
    """Return the gradient that ``backward`` found, a plain array, or ``None``."""
    node = node_of(tensor)
    g, node.pending = without_constants(node.pending), None
    if g is not None:
        g = conj(g) if is_kind(g, "complex floating") else g
        # A cotangent may be shared: two inputs of an addition receive one.
        node.grad = copied(g) if node.grad is None else node.grad + g
    return node.grad


def write_grad(tensor: Tensor, grad: Any) -> None:
    """Replace the gradient, as in ``x.grad = None`` before the next step."""
    node = node_of(tensor)
    if grad is not None:
        grad = copied(require_match(grad, tensor.value, "grad"))
    node.grad, node.pending = grad, None


def detach(tensor: Tensor) -> Any:
    """Return the value as an array, a copy of its own, that has no derivative in any transform.

    What ``vmap`` maps over and ``capture`` records stays theirs: a Tensor. A transform that has
    returned, or raised, has no more part in it.
    """
    while type(tensor) is Tensor and isinstance(tensor.trace, Ended):
        tensor = tensor.value
    return copied(without_constants(stop_gradient(tensor)))


def read_name(tensor: Tensor) -> str | None:
    """Return the name shown in drawings, ``None`` if it has none."""
    return tensor.payload.name if isinstance(tensor.trace, Explore) else None


def write_name(tensor: Tensor, name: str | None) -> None:
    """Name a tensor for drawings, as in ``q = x + y; q.name = "q"``."""
    node_of(tensor).name = name


def tensor(value: Any, device: Any = None, name: str | None = None) -> Tensor:
    """Make a tensor to explore a graph by hand: ``backward()`` gives it a ``.grad``.

    ``value`` is a floating-point or complex array or number; it is copied, to
    ``device`` if one is named. ``name`` is shown in drawings.

    >>> import gradx as gx
    >>> x, y, z = gx.tensor(-2.0), gx.tensor(5.0), gx.tensor(-4.0)
    >>> f = (x + y) * z
    >>> f.backward()
    >>> x.grad, y.grad, z.grad
    (array(-4.), array(-4.), array(3.))
    """
    array = asarray(value, device=device)
    array = require_differentiable(array, lambda: f"gx.tensor({name or ''})".replace("()", ""))
    return watch_named(substitutes.get().get(TAPE, TAPE), copied(array), name)
