"""A diagram as text for other programs: DOT for Graphviz, and Mermaid for Markdown."""

import html

from gradx.graph.diagram import Arrow, Box, Diagram

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
    lines += [f"  n{i} [{_dot_box(box)}]" for i, box in enumerate(diagram.boxes)]
    lines += [f"  n{a.source} -> n{a.target} [{_dot_arrow(a)}]" for a in diagram.arrows]
    return "\n".join([*lines, "}", ""])


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
    for i, box in enumerate(diagram.boxes):
        shape = '(("{}"))' if box.kind == "op" and len(box.label) == 1 else MERMAID_SHAPES[box.kind]
        label = "\n".join([box.label, *box.total])
        lines.append(f"  n{i}{shape.format(_in_mermaid(label))}")
    for arrow in diagram.arrows:
        label = "\n".join([*arrow.forward, f"grad {arrow.gradient[0]}", *arrow.gradient[1:]])
        lines.append(f'  n{arrow.source} -->|"{_in_mermaid(label)}"| n{arrow.target}')
    return "\n".join([*lines, ""])


def _in_mermaid(text):
    """Replace what Mermaid would read as its own signs by its entities."""
    entities = {sign: f"#{ord(sign)};" for sign in '#"<>&`\\'} | {"\n": "<br/>"}
    return "".join(entities.get(c, c) for c in printable(text))
