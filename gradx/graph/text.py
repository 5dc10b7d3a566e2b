"""A diagram as text for other programs: DOT for Graphviz, and Mermaid for Markdown."""

import html
from collections.abc import Callable

from gradx.graph.diagram import Arrow, Box, Diagram
from gradx.graph.frames import Frame

GREEN, RED, INK = "#18752f", "#c4122f", "#30363d"
DOT_SHAPES = {
    "input": "shape=plaintext",
    "output": "shape=plaintext",
    "parameter": 'shape=box style="rounded,dashed"',
    "constant": 'shape=box style="rounded"',
    "op": 'shape=box style="rounded"',
}
MERMAID_SHAPES = {
    "input": '["{}"]',
    "output": '["{}"]',
    "parameter": '[["{}"]]',
    "constant": '("{}")',
    "op": '("{}")',
}


def printable(text: str) -> str:
    """Replace control characters, which neither XML nor DOT can hold; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def to_dot(diagram: Diagram) -> str:
    """Write a diagram as a Graphviz digraph, with tooltips."""
    lines = [
        "digraph {",
        f"  label={_quoted(diagram.heading)} labelloc=t rankdir=LR",
        f'  edge [fontsize=10 color="{INK}"]',
    ]
    lines += _nested(
        diagram,
        lambda i, box: f"n{i} [{_dot_box(box)}]",
        lambda i, frame: f"subgraph cluster_{i} {{ label={_quoted(frame.label)}",
        "}",
    )
    lines += [f"  n{a.source} -> n{a.target} [{_dot_arrow(a)}]" for a in diagram.arrows]
    return "\n".join([*lines, "}", ""])


def _nested(
    diagram: Diagram,
    box_line: Callable[[int, Box], str],
    frame_line: Callable[[int, Frame], str],
    end: str,
    parent: int | None = None,
    indent: str = "  ",
) -> list[str]:
    """Write the boxes, and the frames with what is in them, that a frame or the whole holds."""
    boxes = [(i, box) for i, box in enumerate(diagram.boxes) if box.frame == parent]
    lines = [f"{indent}{box_line(i, box)}" for i, box in boxes]
    for i, frame in enumerate(diagram.frames):
        if frame.parent == parent:
            inside = _nested(diagram, box_line, frame_line, end, i, indent + "  ")
            lines += [f"{indent}{frame_line(i, frame)}", *inside, f"{indent}{end}"]
    return lines


def _dot_box(box: Box) -> str:
    shape = "shape=circle" if box.kind == "op" and len(box.label) == 1 else DOT_SHAPES[box.kind]
    label = "\n".join([box.label, *box.total])
    return f"label={_quoted(label)} {shape} tooltip={_quoted(box.title)}"


def _dot_arrow(arrow: Arrow) -> str:
    lines = [(GREEN, line) for line in arrow.forward] + [(RED, line) for line in arrow.gradient]
    label = "<br/>".join(
        f'<font color="{colour}">{html.escape(printable(line))}</font>' for colour, line in lines
    )
    return f"label=<{label}> tooltip={_quoted(arrow.title)}"


def _quoted(text):
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_mermaid(diagram: Diagram) -> str:
    """Write a diagram as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    lines += _nested(
        diagram,
        lambda i, box: f"n{i}{_mermaid_box(box)}",
        lambda i, frame: f'subgraph m{i}["{_in_mermaid(frame.label)}"]',
        "end",
    )
    for arrow in diagram.arrows:
        label = "\n".join([*arrow.forward, f"grad {arrow.gradient[0]}", *arrow.gradient[1:]])
        lines.append(f'  n{arrow.source} -->|"{_in_mermaid(label)}"| n{arrow.target}')
    return "\n".join([*lines, ""])


def _mermaid_box(box):
    shape = '(("{}"))' if box.kind == "op" and len(box.label) == 1 else MERMAID_SHAPES[box.kind]
    return shape.format(_in_mermaid("\n".join([box.label, *box.total])))


def _in_mermaid(text):
    """Replace what Mermaid would read as its own signs by its entities."""
    entities = {sign: f"#{ord(sign)};" for sign in '#"<>&`\\'} | {"\n": "<br/>"}
    return "".join(entities.get(c, c) for c in printable(text))
