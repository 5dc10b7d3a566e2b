"""A diagram as one HTML file that needs nothing else: to step through, hover, fold and zoom.

Python says what is there and where; ``page.js`` draws it. Numbers go into the
page once, as texts in a JSON block that no browser runs, and come out of it as
texts only: a name can be anything. The page allows itself its own script, by
its checksum, and nothing from elsewhere.
"""

import base64
import hashlib
import json
from importlib.resources import files
from string import Template
from typing import Any

from gradx.graph.diagram import Arrow, Box, Diagram
from gradx.graph.layout import Item
from gradx.graph.summary import Summary
from gradx.graph.svg import escape, placed

MANY = 150  # boxes: a graph of more is folded at first
SOME = 40  # that may then be seen, if folding goes that far
SCRIPTS = ("places.js", "scene.js", "cards.js", "player.js")


def to_html(diagram: Diagram) -> str:
    """Write a diagram as a page."""
    script = "".join(_stripped(_read(name)) for name in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Template(_read("page.html")).substitute(
        title=escape(diagram.heading),
        style=_read("page.css"),
        digest=digest,
        content=_in_html(json.dumps(content(diagram), separators=(",", ":"))),
        script=script,
    )


def _read(name):
    return (files("gradx.graph.page") / name).read_text(encoding="utf-8")


def _stripped(script):
    """Leave out comments, of which each is a line of its own, and indentation."""
    lines = [line.strip() for line in script.splitlines()]
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def _in_html(text):
    """Make JSON safe in a script element, which ends at ``</script>`` even inside a string."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def content(diagram: Diagram) -> dict[str, Any]:
    """Return what the page shows, as JSON has it. ``places.js`` names the parts of each row."""
    layout = placed(diagram)
    summaries = _Summaries()
    folded = folded_at_first(diagram)
    boxes = [_box(box, item, summaries)
             for box, item in zip(diagram.boxes, layout.boxes, strict=True)]  # fmt: skip
    arrows = [
        _arrow(arrow, label, path, summaries)
        for arrow, label, path in zip(diagram.arrows, layout.labels, layout.paths, strict=True)
    ]
    frames = [
        [frame.label, frame.path or "", int(number in folded), *_place(item)]
        for number, (frame, item) in enumerate(zip(diagram.frames, layout.frames, strict=True))
    ]
    return {
        "frames": frames,
        "boxes": boxes,
        "arrows": arrows,
        "sums": [[*key, summaries.number(sum_)] for key, sum_ in diagram.sums.items()],
        "summaries": list(summaries.numbers),
    }


def folded_at_first(diagram: Diagram) -> set[int]:
    """Return the frames that are folded when the page opens: none if there are few boxes.

    Of many, the outer frames are opened, a level at a time, while few boxes are seen.
    """
    if len(diagram.boxes) <= MANY:
        return set()
    closed = set(range(len(diagram.frames)))
    while closed:
        opened = {n for n in closed if diagram.frames[n].parent not in closed}
        if _seen(diagram, closed - opened) > SOME:
            return closed
        closed -= opened
    return closed


def _seen(diagram, folded):
    """Count boxes that lie in no folded frame, and folded frames likewise."""
    parents = [box.frame for box in diagram.boxes] + [diagram.frames[n].parent for n in folded]
    return sum(folded.isdisjoint(diagram.around(frame)) for frame in parents)


class _Summaries:
    """Summaries as texts, each kept once: sums and reshapes hand many on as they are."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, summary: Summary | None) -> int:
        """Return the number of a text; -1 stands for no summary."""
        if summary is None:
            return -1
        return self.numbers.setdefault("|".join(_parts(summary)), len(self.numbers))


def _parts(summary):
    if not summary.statistics:
        line = summary.lines[0]
        return (line,) if line == summary.sentence else (line, summary.sentence)
    parts = (*summary.shape, *summary.statistics, summary.histogram)
    return parts if summary.sentence.startswith(summary.shape) else (*parts, summary.sentence)


def _box(box: Box, item: Item, summaries: _Summaries) -> list[Any]:
    numbers = [summaries.number(box.value), summaries.number(box.gradient)]
    return [box.kind, box.label, box.name, box.called, *_place(item), *numbers]


def _arrow(arrow: Arrow, label: Item, path: list[Item], summaries: _Summaries) -> list[Any]:
    between = path[1:-1]
    return [
        arrow.source,
        arrow.target,
        arrow.place,
        summaries.number(arrow.local),
        summaries.number(arrow.downstream),
        int(arrow.is_summed),
        between.index(label),
        [number for item in between for number in _place(item)],
    ]


def _place(item: Item) -> list[int]:
    """Return the frame of an item, its layer there, and its place in the layer."""
    return [-1 if item.frame is None else item.frame, item.layer, item.index]
