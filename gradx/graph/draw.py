"""``gx.draw``: pictures of how a value was computed, and of the gradient that comes back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradx.core import tree
from gradx.core.arrays import is_array, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.graph.diagram import Diagram, Leaf, constant_diagram, tape_diagram
from gradx.graph.frames import Calls
from gradx.graph.naming import parameter_names
from gradx.graph.page import to_html
from gradx.graph.svg import to_svg
from gradx.graph.text import to_dot, to_mermaid
from gradx.nn.watching import watching
from gradx.ops.creation import ones_like
from gradx.saving.trees import as_path
from gradx.transforms.boundary import (
    as_array,
    is_differentiable,
    leave,
    name_of,
    require_match,
)
from gradx.transforms.explore import Explore, node_of, watch_named


class Picture:
    """A drawing of a graph. In a notebook it shows itself."""

    def __init__(self, diagram: Diagram) -> None:
        self.diagram = diagram

    def to_svg(self) -> str:
        """Return an SVG image: hover over a node to read its derivatives."""
        return to_svg(self.diagram)

    def to_html(self) -> str:
        """Return a page that plays both passes step by step, and needs no network.

        Hovering over an op, or moving to it with the Tab key, shows for each of its inputs how
        ``downstream = upstream x local``; a click on the frame of a module folds it. Graphs of
        more than 150 nodes open folded.
        """
        return to_html(self.diagram)

    def to_dot(self) -> str:
        """Return text for Graphviz."""
        return to_dot(self.diagram)

    def to_mermaid(self) -> str:
        """Return a Mermaid flowchart, which Markdown on many sites shows."""
        return to_mermaid(self.diagram)

    def save(self, path: str | Path) -> None:
        """Write the picture to a file whose suffix says how: ``.html``, ``.svg`` or ``.dot``.

        Raises:
            ValueError: the suffix is another one.
        """
        path = as_path("save", path)
        writers = {".html": self.to_html, ".svg": self.to_svg, ".dot": self.to_dot}
        if path.suffix.lower() not in writers:
            raise ShapeError(f"save: {str(path)!r} must end in one of {', '.join(writers)}")
        path.write_text(writers[path.suffix.lower()](), encoding="utf-8")

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __repr__(self) -> str:
        ops = sum(box.kind == "op" for box in self.diagram.boxes)
        return (
            f"<Picture of {self.diagram.heading}: {ops} ops; .save(...) writes .html, .svg or .dot>"
        )


def draw(f: Callable[..., Any] | Tensor, *args: Any, seed: Any = None) -> Picture:
    """Draw how a tensor, or the result of ``f(*args)``, was computed, with all gradients.

    Above each arrow stands the value that went forward, below it the gradient
    that came back along it; the title of each op says for each of its inputs
    how ``downstream = upstream x local``. Floating-point arrays in ``args``,
    which may be trees, are the leaves; those inside trees are drawn as
    parameters. What a call of a module computes stands in a frame. Arrays of
    more than a few numbers appear as shape, mean, least and greatest. What no
    gradient reaches, such as a constant factor, is not drawn. Nothing changes:
    ``.grad`` is left alone and the tape is kept.

    ``seed`` is the gradient to start from, of the result's shape; a scalar
    needs none.

    Raises:
        ValueError: the result is not a scalar and there is no seed, or its shape differs.
        TypeError: ``f`` is neither, or returns something else than one array.
        RuntimeError: the tensor's tape was freed by ``backward()``.

    >>> import gradx as gx
    >>> x, y = gx.tensor(3.0, name="x"), gx.tensor(2.0, name="y")
    >>> print(gx.draw(x * y).to_mermaid())
    flowchart LR
      n0["x"]
      n1["y"]
      n2(("×"))
      n3["out"]
      n0 -->|"3<br/>grad 2"| n2
      n1 -->|"2<br/>grad 3"| n2
      n2 -->|"6<br/>grad 1"| n3
    <BLANKLINE>
    """
    if type(f) is not Tensor and callable(f):
        return Picture(_diagram_of_call(f, args, seed))
    if type(f) is not Tensor or args:
        given = ", ".join(describe(value) for value in (f, *args))
        raise DTypeError(f"draw takes one gx.tensor, or a function and its arguments, got {given}")
    node = node_of(f)
    name = node.name or "out"
    seed = _start(f.value, seed, "draw")
    return Picture(tape_diagram(name, name, node, seed, []))


def _diagram_of_call(f, args, seed):
    name = name_of(f).replace("<lambda>", "f")
    label = f"draw of {name}"
    trace = Explore(label)
    values, structure = tree.flatten((f, *args))
    watched = [_watch(trace, *named) for named in zip(values, _names(f, args), strict=True)]
    leaves = [leaf for _, leaf in watched if leaf is not None]
    if not leaves:
        raise DTypeError(
            f"{label}: no argument is a floating-point number or array, which gradients belong to: "
            f"got {', '.join(map(describe, args)) or 'none'}; write 2.0 for 2"
        )
    function, *arguments = tree.unflatten(structure, [value for value, _ in watched])
    names = ["", *parameter_names(f, args)]
    calls = Calls(list(zip(names, [function, *arguments], strict=True)))
    try:
        with watching(calls.watch):
            value, node = leave(trace, function(*arguments))
    finally:
        trace.end()
    if type(value) not in (bool, int, float, complex) and not is_array(value):
        raise DTypeError(f"{label}: it must return one array, got {type(value).__name__}")
    value = untracked(as_array(value))
    heading = f"{name}({', '.join(names[1:])})"
    seed = _start(value, seed, label)
    if node is None:
        return constant_diagram(heading, name, value, seed, leaves)
    return tape_diagram(heading, name, node, seed, leaves, calls.made)


def _watch(trace, value, name):
    """Watch a leaf if it can have a gradient: return what to pass on, and its entry."""
    if not is_differentiable(value):
        return value, None
    bare, in_a_tree = name
    tensor = watch_named(trace, as_array(untracked(value)), bare)
    return tensor, Leaf(tensor.payload, bare, in_a_tree)


def _start(value, seed, label):
    """Return the cotangent to begin with."""
    if seed is not None:
        return as_array(require_match(seed, value, f"{label}: the seed"))
    if value.shape != ():
        raise ShapeError(
            f"{label}: {describe(value)} is not a scalar: reduce it, as in gx.sum(...), "
            "or pass seed=, the cotangent to start from"
        )
    return ones_like(value)


def _names(f, args):
    """Name every leaf of ``f`` and ``args``; also tell whether it is a tree's."""
    names = [(path.lstrip("."), True) for path in tree.paths(f)]
    for argument, value in zip(parameter_names(f, args), args, strict=True):
        names += [(f"{argument}{path}", path != "") for path in tree.paths(value)]
    return names
