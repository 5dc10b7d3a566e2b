"""From a tape to what a drawing of it shows: boxes, arrows, and the words at each.

A box is a leaf, an op or the result; an arrow is one use of a value by an op.
Above an arrow stands the value that went forward, below it the gradient that
came back along it. A value used twice receives the sum of both.
"""

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from gradx.graph.local import gradient_summary, local_derivative
from gradx.graph.summary import Summary, summarize
from gradx.ops.creation import zeros_like
from gradx.ops.shapes import conform
from gradx.transforms.explore import ExploredNode
from gradx.transforms.reverse import oldest_first, propagate

SYMBOLS = {
    "add": "+",
    "subtract": "−",
    "negative": "−",
    "multiply": "×",
    "divide": "÷",
    "matmul": "@",
    "sum": "Σ",
    "prod": "Π",
    "sqrt": "√",
    "pow": "xʸ",
    "square": "x²",
    "matrix_transpose": "ᵀ",
    "abs": "|x|",
    "getitem": "[ ]",
}


class Leaf(NamedTuple):
    """A node that nothing was computed for, and how to show it."""

    node: ExploredNode
    name: str
    in_a_tree: bool


@dataclass
class Box:
    """``kind`` is "input", "parameter" (in a tree), "constant", "op" or "output"."""

    kind: str
    label: str
    title: str
    total: tuple[str, ...] = ()  # the gradient, where no single arrow shows it


@dataclass
class Arrow:
    """One use of a value: indices of boxes, and what is written above and below."""

    source: int
    target: int
    forward: tuple[str, ...]
    gradient: tuple[str, ...]
    title: str


@dataclass
class Diagram:
    """All that a drawing shows, in words. A box comes after those it depends on."""

    heading: str
    boxes: list[Box]
    arrows: list[Arrow]


class Walk(NamedTuple):
    """A tape read backwards: its nodes, oldest first, and the cotangent of each."""

    end: ExploredNode
    nodes: list[ExploredNode]
    found: dict[ExploredNode, Any]
    leaves: dict[ExploredNode, Leaf]


def constant_diagram(heading: str, name: str, value: Any, seed: Any, leaves: list[Leaf]) -> Diagram:
    """Describe a result that depends on no leaf."""
    boxes = [_leaf_box(leaf, zeros_like(leaf.node.value), uses=0) for leaf in leaves]
    boxes.append(Box("constant", "constant", f"a constant = {summarize(value).sentence}"))
    diagram = Diagram(heading, boxes, [])
    _add_output(diagram, len(boxes) - 1, name, value, seed)
    return diagram


def tape_diagram(
    heading: str, name: str, end: ExploredNode, seed: Any, leaves: list[Leaf]
) -> Diagram:
    """Describe what ``end`` was computed from, and the gradients that ``seed`` gives.

    ``leaves`` are shown even where ``end`` does not depend on them.

    Raises:
        RuntimeError: part of the tape was freed.
    """
    walk = Walk(end, oldest_first([end]), {}, {leaf.node: leaf for leaf in leaves})
    walk.found.update(propagate({end: seed}, retain=True, keep_all=True))
    unused = [leaf for leaf in leaves if leaf.node not in walk.found]
    boxes = [_leaf_box(leaf, zeros_like(leaf.node.value), uses=0) for leaf in unused]
    places = {node: place for place, node in enumerate(walk.nodes, start=len(boxes))}
    into = {node: list(_arrows_into(node, walk, places)) for node in walk.nodes}
    arrows = [arrow for group in into.values() for arrow in group]
    uses = Counter([places[end], *[arrow.source for arrow in arrows]])
    boxes += [_box(node, walk, into[node], uses[places[node]]) for node in walk.nodes]
    diagram = Diagram(heading, boxes, arrows)
    _add_output(diagram, places[end], name, end.value, seed)
    return diagram


def _box(node, walk, into, uses):
    if not node.edges:
        leaf = walk.leaves.get(node) or Leaf(node, node.name or "tensor", False)
        return _leaf_box(leaf, walk.found[node], uses)
    op = node.op.name
    gradient = gradient_summary(walk.found[node])
    title = [
        op,
        f"output {_named(node)}{summarize(node.value).sentence}",
        f"upstream gradient {gradient.sentence}",
        *[arrow.title for arrow in into],
    ]
    return Box("op", SYMBOLS.get(op, op), "\n".join(title), _total(gradient, uses))


def _leaf_box(leaf, g, uses):
    gradient = gradient_summary(g)
    value = summarize(leaf.node.value).sentence
    title = f"{leaf.name} = {value}\ngradient {gradient.sentence}"
    if uses != 1:
        title += f" (sum over {uses} uses)"
    kind = "parameter" if leaf.in_a_tree else "input"
    return Box(kind, leaf.name, title, _total(gradient, uses))


def _total(gradient, uses):
    return () if uses == 1 else (f"total {gradient.lines[0]}", *gradient.lines[1:])


def _named(node):
    return f"{node.name} = " if node.name else ""


def _arrows_into(node, walk, places):
    """Describe each input of an op: its value, and downstream = upstream x local."""
    for number, (parent, rule, saved) in enumerate(node.edges, start=1):
        upstream = walk.found[node]
        part = rule.apply(upstream, *saved)
        downstream = conform(part, parent.shape, parent.dtype)
        summed = ", summed" if prod(part.shape) > prod(parent.shape) else ""
        forward, gradient = summarize(parent.value), gradient_summary(downstream)
        place = next((i for i, r in enumerate(node.op.vjp, start=1) if r is rule), number)
        title = (
            f"input {place if len(node.op.vjp) > 1 else number}: "
            f"{_named(parent)}{forward.sentence}\n"
            f"  upstream {gradient_summary(upstream).sentence}"
            f"{_through(local_derivative(node, rule, saved))}{summed}"
            f" = downstream {gradient.sentence}"
        )
        above = _above(forward, parent.name if parent.edges else None)
        yield Arrow(places[parent], places[node], above, gradient.lines, title)


def _above(forward, name):
    """Return the lines above an arrow; an op's output shows its name there, if it has one."""
    lines = (*forward.shape, *forward.lines)
    return (f"{name} = {lines[0]}", *lines[1:]) if name else lines


def _through(local: Summary | None) -> str:
    return " through a linear map" if local is None else f" × local {local.sentence}"


def _add_output(diagram, place, name, value, seed):
    forward, gradient = summarize(value), gradient_summary(seed)
    title = f"{name} = {forward.sentence}\ngradient {gradient.sentence}, where the way back begins"
    diagram.boxes.append(Box("output", name, title))
    above, end = _above(forward, None), len(diagram.boxes) - 1
    diagram.arrows.append(Arrow(place, end, above, gradient.lines, title))
