"""A diagram as SVG, written without help: static, self-contained, one element a line.

Attributes stand on the elements, not in a style sheet, which would leak into
the page that a notebook puts the picture in.
"""

import html
import math
import unicodedata

from gradx.graph.diagram import Arrow, Box, Diagram
from gradx.graph.frames import Frame
from gradx.graph.layout import Item, Layout, arrange
from gradx.graph.text import GREEN, INK, RED, printable

PALE = "#f6f8fa"
NAME_SIZE, LABEL_SIZE, LINE = 14, 11, 13
RADIUS = 16.0
MARGIN = 14.0
TOP = 46.0  # room for the heading
FAMILY = "DejaVu Sans, Verdana, sans-serif"


def to_svg(diagram: Diagram) -> str:
    """Draw a diagram: forward values in green above the arrows, gradients in red below."""
    layout = placed(diagram)
    heading, heading_width = _heading(diagram)
    width = math.ceil(max(layout.width, heading_width) + 2 * MARGIN)
    height = math.ceil(layout.height + TOP + MARGIN)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{FAMILY}" font-size="{NAME_SIZE}">',
        f"<title>{escape(diagram.heading)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        heading,
        f'<g transform="translate({MARGIN:g} {TOP:g})">',
    ]
    for frame, item in zip(diagram.frames, layout.frames, strict=True):
        lines += _frame(frame, item)
    ports = _ports(layout.paths)
    for arrow, label, path, port in zip(
        diagram.arrows, layout.labels, layout.paths, ports, strict=True
    ):
        start = path[0].x + _half_width(diagram.boxes[arrow.source])
        end, last = path[-1].x - _half_width(diagram.boxes[arrow.target], port), path[-1].y + port
        lines += _arrow(arrow, label, _line(path, start, end, last), _head(end, last))
    for box, item in zip(diagram.boxes, layout.boxes, strict=True):
        lines += _box(box, item)
    return "\n".join([*lines, "</g>", "</svg>", ""])


def placed(diagram: Diagram) -> Layout:
    """Find the places of all that a diagram has, for the sizes that texts take."""
    return arrange(
        [_box_size(box) for box in diagram.boxes],
        [(arrow.source, arrow.target) for arrow in diagram.arrows],
        [_label_size(arrow) for arrow in diagram.arrows],
        [(frame.parent, text_width(frame.label, LABEL_SIZE) + 20) for frame in diagram.frames],
        [box.frame for box in diagram.boxes],
    )


def escape(text: str) -> str:
    """Make any text safe in XML."""
    return html.escape(printable(text))


def text_width(text: str, size: float) -> float:
    """Estimate how wide a text is in a wide font: rather too much than too little."""
    return size * sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.64 for c in text)


def _is_round(box):
    return box.kind == "op" and len(box.label) == 1


def _box_size(box: Box) -> tuple[float, float]:
    width = 2 * _half_width(box)
    # As much room above as below, since arrows aim at the middle.
    height = 2 * RADIUS + 2 * LINE * len(box.total)
    return max(width, _widest(box.total)), height


def _half_width(box: Box, height: float = 0.0) -> float:
    """Return how far from its middle a box is left or entered, ``height`` below the middle."""
    if _is_round(box):
        return math.sqrt(RADIUS**2 - height**2)
    return text_width(box.label, NAME_SIZE) / 2 + (6 if box.kind in ("input", "output") else 8)


def _label_size(arrow: Arrow) -> tuple[float, float]:
    width = _widest((*arrow.forward, *arrow.gradient))
    return width + 8, 2 * LINE * max(len(arrow.forward), len(arrow.gradient)) + 10


def _widest(lines):
    return max((text_width(line, LABEL_SIZE) for line in lines), default=0.0)


def _heading(diagram):
    name_width = text_width(diagram.heading, NAME_SIZE) * 1.1  # It is bold.
    line = (
        f'<text y="26" x="{MARGIN:g}" fill="{INK}">'
        f'<tspan font-weight="bold">{escape(diagram.heading)}</tspan>'
        f'<tspan dx="12" fill="{GREEN}">forward value</tspan> above, '
        f'<tspan fill="{RED}">gradient</tspan> below</text>'
    )
    return line, name_width + 12 + text_width("forward value above, gradient below", NAME_SIZE)


def _text(x, y, text, size=NAME_SIZE, fill=INK):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{size}" '
        f'fill="{fill}">{escape(text)}</text>'
    )


def _stack(x, y, lines, fill):
    return [_text(x, y + LINE * i, words, LABEL_SIZE, fill) for i, words in enumerate(lines)]


def _box(box: Box, item: Item) -> list[str]:
    lines = [f'<g class="{box.kind}"><title>{escape(box.title)}</title>']
    if _is_round(box):
        lines.append(
            f'<circle cx="{item.x:.1f}" cy="{item.y:.1f}" r="{RADIUS:g}" '
            f'fill="{PALE}" stroke="{INK}"/>'
        )
    elif box.kind in ("op", "parameter", "constant"):
        width = text_width(box.label, NAME_SIZE) + 16
        dashes = ' stroke-dasharray="4 3"' if box.kind == "parameter" else ""
        lines.append(
            f'<rect x="{item.x - width / 2:.1f}" y="{item.y - 13:.1f}" width="{width:.1f}" '
            f'height="26" rx="6" fill="{PALE}" stroke="{INK}"{dashes}/>'
        )
    lines.append(_text(item.x, item.y + 5, box.label))
    lines += _stack(item.x, item.y + RADIUS + LINE - 2, box.total, RED)
    return [*lines, "</g>"]


def _frame(frame: Frame, item: Item) -> list[str]:
    left, top = item.x - item.width / 2, item.y - item.height / 2
    return [
        f'<g class="frame"><title>{escape(frame.path or frame.label)}</title>',
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{item.width:.1f}" height="{item.height:.1f}" '
        f'rx="8" fill="{INK}" fill-opacity="0.03" stroke="{INK}" stroke-opacity="0.3"/>',
        f'<text x="{left + 10:.1f}" y="{top + 17:.1f}" font-size="{LABEL_SIZE}" '
        f'fill="{INK}">{escape(frame.label)}</text>',
        "</g>",
    ]


def _ports(paths: list[list[Item]]) -> list[float]:
    """Choose how far from its target's middle each arrow ends, so that they do not merge."""
    into: dict[Item, list[Item]] = {}
    for *_, last, target in sorted(paths, key=lambda path: path[-2].y):
        into.setdefault(target, []).append(last)
    ports = []
    for *_, last, target in paths:
        count = len(into[target])
        step = min(10.0, 2 * 10.0 / max(count - 1, 1))
        ports.append((into[target].index(last) - (count - 1) / 2) * step)
    return ports


def _line(path, start, end, last):
    """Return path data: level within the layers, curved in the gaps between them."""
    x, y = path[0].right, path[0].y
    data = [f"M{start:.1f} {y:.1f}H{x:.1f}"]
    for item in path[1:]:
        stop = last if item is path[-1] else item.y
        middle = (x + item.left) / 2
        data.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {stop:.1f} {item.left:.1f} {stop:.1f}")
        x, y = item.right, stop
        data.append(f"H{end if item is path[-1] else x:.1f}")
    return "".join(data)


def _head(x, y):
    return f"M{x:.1f} {y:.1f}l-7 -3.5v7z"


def _arrow(arrow: Arrow, label: Item, line: str, head: str) -> list[str]:
    top = label.y - 4 - LINE * (len(arrow.forward) - 1)
    return [
        f'<g class="arrow"><title>{escape(arrow.title)}</title>',
        f'<path d="{line}" fill="none" stroke="{INK}"/>',
        f'<path d="{head}" fill="{INK}"/>',
        *_stack(label.x, top, arrow.forward, GREEN),
        *_stack(label.x, label.y + 12, arrow.gradient, RED),
        "</g>",
    ]
