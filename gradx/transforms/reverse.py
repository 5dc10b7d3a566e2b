"""Reverse mode: record the ops of a function, then walk them backwards.

Creation order is a topological order, so the walk needs neither recursion nor
a search with counts: newest node first.
"""

from itertools import count
from operator import attrgetter
from typing import Any

from gradx.core.arrays import backend_for, reading_stalls
from gradx.core.call import Tensor
from gradx.core.explain import MISSED
from gradx.core.trace import Trace
from gradx.core.views import held
from gradx.errors import TapeError
from gradx.ops.arithmetic import add
from gradx.ops.shapes import conform
from gradx.transforms.constants import constant, constants, is_discrete
from gradx.transforms.structural import (
    constant_factor,
    follow,
    is_harmless,
    join,
    match,
    may_be_scaled_to_infinity,
    may_hold_nan,
    may_matter,
    nothing_of,
    of_seed,
)

next_serial = count().__next__


class Node:
    """One recorded op. An edge is an input's node, its rule and what the rule keeps.

    Made by ``Reverse.record``.
    """

    __slots__ = ("dtype", "edges", "op", "serial", "shape")

    op: Any
    edges: Any  # None once freed
    shape: tuple[int, ...]
    dtype: Any
    serial: int

    # inspect(g, parts), where ``gx.debug()`` looks at what a node pulls back.
    inspect: Any = None


class Reverse(Trace):
    """Records ops. The payload of a value is its node."""

    node_type: Any = Node

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.new_node = self.node_type  # of the instance, which is found faster

    def watch(self, value: Any) -> Tensor:
        """Start recording what happens to ``value``."""
        return self.record(None, (), held(value))

    def lift(self, constant):
        return self.watch(constant)

    def record(self, op: Any, edges: Any, out: Any) -> Tensor:
        """Return ``out`` with a new node: all that recording costs, so nothing here is called."""
        node = self.new_node()
        node.op = op
        node.edges = edges
        node.shape = out.shape
        node.dtype = out.dtype
        node.serial = next_serial()
        tensor = Tensor()
        tensor.value = out
        tensor.trace = self
        tensor.payload = node
        tensor.links = None
        return tensor

    def apply_unary(self, op, x):
        value = x.value
        try:
            out = op.implementations[type(value)](value)
        except MISSED:
            out = op.call(value)
        return self.record(op, op.all_edges(x.payload, out, value, None), out)

    def apply_binary(self, op, x, y):
        x_node = y_node = None
        if type(x) is Tensor:
            if x.trace is self:
                x_node, x = x.payload, x.value
            else:
                x = held(x)
        if type(y) is Tensor:
            if y.trace is self:
                y_node, y = y.payload, y.value
            else:
                y = held(y)
        try:
            types = type(x) if type(x) is type(y) else (type(x), type(y))
            out = op.implementations[types](x, y)
        except MISSED:
            out = op.call(x, y)
        all_edges = op.all_edges
        if all_edges is None:
            return constant(out)
        if x_node is not None and y_node is not None:
            return self.record(op, all_edges(x_node, y_node, out, x, y, None), out)
        node, rule = (x_node, op.vjp[0]) if y_node is None else (y_node, op.vjp[1])
        return self.record(op, ((node, rule, rule.pick(out, x, y, None)),), out)

    def apply_to_one(self, op, x, params):
        value = x.value
        try:
            out = op.implementations[type(value)](value, **params)
        except MISSED:
            out = op.run((value,), params)
        if op.all_edges is None or (params.get("dtype") is not None and is_discrete(out)):
            return constants(op, out)
        return self.record(op, op.all_edges(x.payload, out, value, params), out)

    def apply_general(self, op, arrays, params):
        nodes = [a.payload if type(a) is Tensor and a.trace is self else None for a in arrays]
        values = tuple(
            [held(a) if n is None else a.value for a, n in zip(arrays, nodes, strict=True)]
        )
        out = op.run(values, params)
        edges = _edges(op, nodes, values, params, out)
        if not edges or (params.get("dtype") is not None and is_discrete(out)):
            return constants(op, out)
        if op.results:
            return self._record_each(op, edges, out)
        return self.record(op, edges, out)

    def _record_each(self, op, edges, outs):
        """Record several outputs as a node each: pullbacks are linear, so they add up."""
        recorded = []
        for index, out in enumerate(outs):
            one = [(node, rule.of_output(index, len(outs)), kept) for node, rule, kept in edges]
            recorded.append(self.record(op, tuple(one), out))
        return op.results(*recorded)


def _edges(op, nodes, values, params, out):
    if op.signature.variadic:
        rule = op.vjp[0]
        return tuple(
            (node, rule, rule.pick(out, position, values, params))
            for position, node in enumerate(nodes)
            if node is not None and rule is not None
        )
    return tuple(
        [
            (node, rule, rule.pick(out, *values, params))
            for node, rule in zip(nodes, op.vjp, strict=True)
            if node is not None and rule is not None
        ]
    )


def oldest_first(ends: list[Any]) -> list[Any]:
    """Return the nodes that ``ends`` depend on, and ``ends``, in order of creation."""
    nodes, found = list(ends), set(ends)
    for node in nodes:  # which grows on the way
        if node.edges is None:
            raise TapeError(
                "this part of the tape was freed by an earlier backward(); "
                "call the first one as backward(retain_graph=True)"
            )
        for edge in node.edges:
            parent = edge[0]
            if parent not in found:
                found.add(parent)
                nodes.append(parent)
    nodes.sort(key=attrgetter("serial"))
    return nodes


def propagate(
    cotangents: dict[Any, Any], *, retain: bool, keep_all: bool = False, nested: bool = False
) -> dict[Any, Any]:
    """Walk back from nodes with cotangents, and return the cotangents of the leaves.

    The result maps each leaf that they depend on (with ``keep_all`` every node)
    to its cotangent, in the shape and dtype of the leaf. Unless told to
    ``retain``, what the nodes keep is freed on the way. ``nested`` says that a
    transform around this one takes derivatives of the result.
    """
    nodes = oldest_first(list(cotangents))
    if not cotangents:
        return {}
    nested = nested or any(node.inspect for node in cotangents)
    # What may be infinite in a pullback that is pulled back itself is not looked for in training,
    # where nothing of the tape would then be freed on the way.
    doubtful = retain and any(map(may_be_scaled_to_infinity, nodes))
    if not (nested or doubtful or may_matter(nodes, cotangents.values())):
        return _walk(nodes, cotangents, keep_all, free=not retain)
    seed = next(iter(cotangents.values()))
    with backend_for(seed).quiet():
        if nested or reading_stalls(seed):
            found = _walk_with_zeros(nodes, cotangents, keep_all, is_harmless(nodes))
        else:
            # A dead zero does no harm until it meets an infinity, and is then seen by the NaN it
            # made: only then is it worth following. Outer derivatives may meet it later.
            found = _walk(nodes, dict(cotangents), keep_all, free=False)
            if any(may_hold_nan(g) for node, g in found.items() if not node.edges):
                found = _walk_with_zeros(nodes, cotangents, keep_all, harmless=False)
    if not retain:
        for node in nodes:
            node.edges = node.edges and None
    return found


def _walk(nodes, cotangents, keep_all, free):
    kept = {}
    for node in reversed(nodes):
        g = cotangents.pop(node, None)
        if g is None:
            continue
        edges = node.edges
        if keep_all or not edges:
            kept[node] = g
        for parent, rule, saved in edges:
            part = rule.apply(g, *saved)
            if part.shape != parent.shape or part.dtype is not parent.dtype:
                part = conform(part, parent.shape, parent.dtype)
            known = cotangents.get(parent)
            cotangents[parent] = part if known is None else known + part
        if free and edges:
            node.edges = None
    return kept


def _walk_with_zeros(nodes, seeds, keep_all, harmless):
    """Walk back with what lives of each cotangent beside it."""
    cotangents = {node: (g, of_seed(g)) for node, g in seeds.items()}
    kept = {}
    for node in reversed(nodes):
        if node not in cotangents:
            continue
        g, live = cotangents.pop(node)
        if keep_all or not node.edges:
            kept[node] = g
        factor = constant_factor(node)
        parts = []
        for parent, rule, saved in node.edges:
            part, lives = follow(node.op, rule, saved, g, live, factor, harmless)
            part, lives = conform(part, parent.shape, parent.dtype), match(lives, parent.shape)
            if 0 in node.shape and 0 not in parent.shape:
                lives = nothing_of(part)
            parts.append(part)
            if parent in cotangents:
                known, known_lives = cotangents[parent]
                part, lives = add(known, part), join(known_lives, lives)
            cotangents[parent] = (part, lives)
        if node.inspect:
            node.inspect(g, parts)
    return kept
