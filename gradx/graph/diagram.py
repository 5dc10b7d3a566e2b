"""From a tape to what a drawing of it shows: boxes, arrows, and the words at each.

A box is a leaf, an op or the result; an arrow is one use of a value by an op.
Above an arrow stands the value that went forward, below it the gradient that
came back along it. A value used twice receives the sum of both.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from gradx.graph.frames import Call, Frame, below, framed
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
    name: str  # of the op, or the whole path of a parameter
    value: Summary
    gradient: Summary  # the sum over all uses
    total: tuple[str, ...] = ()  # the gradient, where no single arrow shows it
    frame: int | None = None
    called: str = ""  # what the user calls the output of an op


@dataclass
class Arrow:
    """One use of a value: indices of boxes, and what is written above and below."""

    source: int
    target: int
    forward: tuple[str, ...]
    gradient: tuple[str, ...]
    title: str
    downstream: Summary
    place: int = 0  # among the inputs of an op, from 1
    local: Summary | None = None  # ``None`` where a linear map does more than to multiply
    is_summed: bool = False  # over axes along which the input was broadcast


@dataclass
class Diagram:
    """All that a drawing shows, in words. A box comes after those it depends on."""

    heading: str
    boxes: list[Box]
    arrows: list[Arrow]
    frames: list[Frame] = field(default_factory=list)
    # What comes back out of a frame to a box that several arrows in it lead to: the sum.
    sums: dict[tuple[int, int], Summary] = field(default_factory=dict)

    def around(self, frame: int | None) -> list[int]:
        """Return a frame and those around it, from within."""
        frames = []
        while frame is not None:
            frames.append(frame)
            frame = self.frames[frame].parent
        return frames


class Walk(NamedTuple):
    """A tape read backwards: the cotangent of each node, and summaries of it and of the value."""

    found: dict[ExploredNode, Any]
    leaves: dict[ExploredNode, Leaf]
    values: dict[ExploredNode, Summary]
    gradients: dict[ExploredNode, Summary]


def constant_diagram(heading: str, name: str, value: Any, seed: Any, leaves: list[Leaf]) -> Diagram:
    """Describe a result that depends on no leaf."""
    boxes = [_unused(leaf) for leaf in leaves]
    constant, gradient = summarize(value), gradient_summary(seed)
    title = f"a constant = {constant.sentence}"
    boxes.append(Box("constant", "constant", title, "constant", constant, gradient))
    diagram = Diagram(heading, boxes, [])
    _add_output(diagram, len(boxes) - 1, name, value, seed)
    return diagram


def tape_diagram(
    heading: str,
    name: str,
    end: ExploredNode,
    seed: Any,
    leaves: list[Leaf],
    calls: Sequence[Call] = (),
) -> Diagram:
    """Describe what ``end`` was computed from, and the gradients that ``seed`` gives.

    ``leaves`` are shown even where ``end`` does not depend on them, ``calls`` of modules as
    frames.

    Raises:
        RuntimeError: part of the tape was freed.
    """
    nodes = oldest_first([end])
    found = propagate({end: seed}, retain=True, keep_all=True)
    walk = Walk(
        found,
        {leaf.node: leaf for leaf in leaves},
        {node: summarize(node.value) for node in nodes},
        {node: gradient_summary(found[node]) for node in nodes},
    )
    unused = [leaf for leaf in leaves if leaf.node not in found]
    boxes = [_unused(leaf) for leaf in unused]
    places = {node: place for place, node in enumerate(nodes, start=len(boxes))}
    into = {node: list(_arrows_into(node, walk, places)) for node in nodes}
    parts = [pair for group in into.values() for pair in group]
    arrows = [arrow for arrow, _ in parts]
    uses = Counter([places[end], *[arrow.source for arrow in arrows]])
    boxes += [_box(node, walk, into[node], uses[places[node]]) for node in nodes]
    diagram = Diagram(heading, boxes, arrows)
    _add_frames(diagram, [leaf.node for leaf in unused] + nodes, calls)
    _add_sums(diagram, parts)
    _add_output(diagram, places[end], name, end.value, seed)
    return diagram


def _add_frames(diagram, nodes, calls):
    """Say which frame holds each box; a parameter in one is called by the rest of its path."""
    first_uses = {a.source: nodes[a.target].serial for a in reversed(diagram.arrows)}
    leaves = {i: box for i, box in enumerate(diagram.boxes) if box.kind == "parameter"}
    ops = {i: nodes[i].serial for i, box in enumerate(diagram.boxes) if box.kind == "op"}
    uses = [(box.name, first_uses.get(i, float("inf"))) for i, box in leaves.items()]
    diagram.frames, of_ops, of_leaves = framed(calls, ops.values(), uses)
    for i, frame in zip([*ops, *leaves], [*of_ops, *of_leaves], strict=True):
        diagram.boxes[i].frame = frame
        if i in leaves and frame is not None:
            leaves[i].label = below(diagram.frames[frame].path, leaves[i].name)


def _add_sums(diagram, parts):
    """Add up what comes back out of each frame to one box outside it."""
    groups: dict[tuple[int, int], list[Any]] = {}
    for arrow, downstream in parts:
        around = diagram.around(diagram.boxes[arrow.source].frame)
        for frame in diagram.around(diagram.boxes[arrow.target].frame):
            if frame not in around:
                groups.setdefault((arrow.source, frame), []).append(downstream)
    for key, (first, *others) in groups.items():
        if others:
            diagram.sums[key] = gradient_summary(sum(others, start=first))


def _box(node, walk, into, uses):
    if not node.edges:
        leaf = walk.leaves.get(node) or Leaf(node, node.name or "tensor", False)
        return _leaf_box(leaf, walk.values[node], walk.gradients[node], uses)
    op, value, gradient = node.op.name, walk.values[node], walk.gradients[node]
    title = [
        op,
        f"output {_named(node)}{value.sentence}",
        f"upstream gradient {gradient.sentence}",
        *[arrow.title for arrow, _ in into],
    ]
    return Box(
        "op",
        SYMBOLS.get(op, op),
        "\n".join(title),
        op,
        value,
        gradient,
        _total(gradient, uses),
        called=node.name or "",
    )


def _unused(leaf):
    gradient = gradient_summary(zeros_like(leaf.node.value))
    return _leaf_box(leaf, summarize(leaf.node.value), gradient, uses=0)


def _leaf_box(leaf, value, gradient, uses):
    title = f"{leaf.name} = {value.sentence}\ngradient {gradient.sentence}"
    if uses != 1:
        title += f" (sum over {uses} uses)"
    kind = "parameter" if leaf.in_a_tree else "input"
    total = _total(gradient, uses)
    return Box(kind, leaf.name, title, leaf.name, value, gradient, total)


def _total(gradient, uses):
    return () if uses == 1 else (f"total {gradient.lines[0]}", *gradient.lines[1:])


def _named(node):
    return f"{node.name} = " if node.name else ""


def _arrows_into(node, walk, places):
    """Describe each input of an op, where downstream = upstream x local; give that array too."""
    for number, (parent, rule, saved) in enumerate(node.edges, start=1):
        upstream = walk.found[node]
        part = rule.apply(upstream, *saved)
        downstream = conform(part, parent.shape, parent.dtype)
        local = local_derivative(node, rule, saved)
        is_summed = prod(part.shape) > prod(parent.shape)
        forward, gradient = walk.values[parent], gradient_summary(downstream)
        place = next((i for i, r in enumerate(node.op.vjp, start=1) if r is rule), number)
        place = place if len(node.op.vjp) > 1 else number
        title = (
            f"input {place}: {_named(parent)}{forward.sentence}\n"
            f"  upstream {walk.gradients[node].sentence}"
            f"{_through(local)}{', summed' if is_summed else ''}"
            f" = downstream {gradient.sentence}"
        )
        above = _above(forward, parent.name if parent.edges else None)
        arrow = Arrow(
            places[parent],
            places[node],
            above,
            gradient.lines,
            title,
            gradient,
            place,
            local,
            is_summed,
        )
        yield arrow, downstream


def _above(forward, name):
    """Return the lines above an arrow; an op's output shows its name there, if it has one."""
    lines = (*forward.shape, *forward.lines)
    return (f"{name} = {lines[0]}", *lines[1:]) if name else lines


def _through(local: Summary | None) -> str:
    return " through a linear map" if local is None else f" × local {local.sentence}"


def _add_output(diagram, place, name, value, seed):
    forward, gradient = summarize(value), gradient_summary(seed)
    title = f"{name} = {forward.sentence}\ngradient {gradient.sentence}, where the way back begins"
    diagram.boxes.append(Box("output", name, title, name, forward, gradient))
    above, end = _above(forward, None), len(diagram.boxes) - 1
    diagram.arrows.append(Arrow(place, end, above, gradient.lines, title, gradient))
