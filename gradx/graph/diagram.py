"""From a tape to what a drawing of it shows: boxes, arrows, and the words at each.

A box is a leaf, an op or the result; an arrow is one use of a value by an op.
Above an arrow stands the value that went forward, below it the gradient that
came back along it. A value used twice receives the sum of both.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gradx.core.arrays import backend_for, is_kind, untracked
from gradx.graph.summary import Summary, summarize
from gradx.ops.complex import conj
from gradx.ops.creation import ones_like, zeros_like
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
    """A leaf, an op or the result. ``kind`` is "input", "parameter", "constant", "op" or "output"."""

    kind: str
    label: str
    title: str
    total: str = ""  # the gradient, where no single arrow shows it


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


class Use(NamedTuple):
    """One input of one op, on the way back: ``downstream = upstream x local``."""

    parent: ExploredNode
    words: str
    gradient: Summary


def constant_diagram(heading: str, name: str, value: Any, seed: Any, leaves: list[Leaf]) -> Diagram:
    """Describe a result that depends on no leaf."""
    forward, gradient = summarize(value), summarize(seed)
    boxes = [_unused(leaf) for leaf in leaves]
    boxes.append(Box("constant", "constant", f"a constant = {forward.sentence}"))
    boxes.append(_output_box(name, forward, gradient))
    arrow = Arrow(len(boxes) - 2, len(boxes) - 1, forward.lines, gradient.lines, boxes[-1].title)
    return Diagram(heading, boxes, [arrow])


def tape_diagram(
    heading: str, name: str, end: ExploredNode, seed: Any, leaves: list[Leaf]
) -> Diagram:
    """Describe all that ``end`` was computed from, and the gradients that ``seed`` gives.

    Raises:
        RuntimeError: part of the tape was freed.
    """
    nodes = oldest_first([end])
    found = propagate({end: seed}, retain=True, keep_all=True)
    known = {leaf.node: leaf for leaf in leaves}
    boxes = [_unused(leaf) for leaf in leaves if leaf.node not in found]
    places = {node: len(boxes) + i for i, node in enumerate(nodes)}
    arrows = []
    for node in nodes:
        if not node.edges:
            boxes.append(_leaf_box(known.get(node) or Leaf(node, node.name or "tensor", False), found))
            continue
        uses = [_describe_use(node, position, found[node]) for position in range(len(node.edges))]
        boxes.append(_op_box(node, uses, found))
        arrows += [_arrow(use, places) for use in uses]
        arrows[-len(uses) :] = [_to(arrow, places[node]) for arrow in arrows[-len(uses) :]]
    return _with_output(Diagram(heading, boxes, arrows), name, end, places[end], found)
