"""A diagram as text for other programs: DOT for Graphviz, and Mermaid for Markdown."""

import html

from gradx.graph.diagram import Arrow, Box, Diagram

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


def to_dot(diagram: Diagram) -> str:
    """Write a diagram as a Graphviz digraph, with tooltips."""
    lines = [
        "digraph {",
        f"  label={_quoted(diagram.heading)} labelloc=t rankdir=LR",
        '  edge [fontsize=10 color="#30363d"]',
    ]
    lines += [f"  n{i} [{_dot_box(box)}]" for i, box in enumerate(diagram.boxes)]
    lines += [f"  n{a.source} -> n{a.target} [{_dot_arrow(a)}]" for a in diagram.arrows]
    return "\n".join([*lines, "}", ""])


def _dot_box(box: Box) -> str:
    shape = "shape=circle" if box.kind == "op" and len(box.label) == 1 else DOT_SHAPES[box.kind]
    label = "\n".join([box.label, *box.total])
    return f"label={_quoted(label)} {shape} tooltip={_quoted(box.title)}"


def _dot_arrow(arrow: Arrow) -> str:
    lines = [f'<font color="#18752f">{html.escape(line)}</font>' for line in arrow.forward]
    lines += [f'<font color="#c4122f">{html.escape(line)}</font>' for line in arrow.gradient]
    return f"label=<{'<br/>'.join(lines)}> tooltip={_quoted(arrow.title)}"


def _quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
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
    signs = {"\n": "<br/>"}
    return "".join(
        signs.get(c) or (f"#{ord(c)};" if c in '#"<>&`\\' or not c.isprintable() else c) for c in text
    )
