"""Where things go: a layered layout, from left to right, of boxes in frames.

Boxes stand in every other layer, as far left as what they depend on allows
(leaves beside their first use). In the layers between stand the labels, each
just before its arrow's target, and an arrow that passes through a layer has a
place of its own there. So nothing can overlap: slanted lines run only in the
gaps between layers. Arrows from one box share a trunk until they part.

A frame is laid out by itself and is one box for what is around it, so a frame
that folds changes its size and nothing else. Arrows cross its sides at ports.
An arrow's label stands in the innermost frame that holds both of its ends: it
is seen whenever the arrow is.

Within a layer the order is found by sweeping barycentres, the positions by
pulling everything towards its neighbours. There is no chance in it: one
diagram has one drawing.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from gradx.graph.spacing import place_in_order, place_rows

GAP_LEAST, GAP_MOST = 22.0, 70.0
SWEEPS = 12
TITLE, PADDING = 26.0, 10.0  # of a frame: room above what is in it, and on the other sides


@dataclass(eq=False)
class Item:
    """A box, a frame, a label, a port or the place where an arrow passes, in one layer."""

    layer: int = 0
    width: float = 0.0
    height: float = 10.0
    is_box: bool = False
    x: float = 0.0  # of the centre
    y: float = 0.0
    index: int = 0  # within its layer, from the top
    frame: int | None = None  # that holds it
    left: float = 0.0  # where lines arrive: of its layer, but for ports
    right: float = 0.0
    before: list["Item"] = field(default_factory=list)
    after: list["Item"] = field(default_factory=list)
    # Where neighbours are joined to a frame, from its middle.
    ports: dict["Item", float] = field(default_factory=dict)


@dataclass
class Layout:
    """Items with their places: ``paths`` has each arrow's items from source to target."""

    boxes: list[Item]
    frames: list[Item]
    labels: list[Item]
    paths: list[list[Item]]
    width: float
    height: float


class Line(NamedTuple):
    """A part of an arrow within one plan; a port is where it crosses the side of a frame."""

    source: Item
    target: Item
    trunk: Item  # what lines with a common trunk come from
    label: Item
    source_port: Item | None = None
    target_port: Item | None = None


@dataclass
class Plan:
    """The layers of a frame, or of the whole."""

    frame: int | None
    members: list[Item] = field(default_factory=list)  # in an order of computation
    entries: list[Item] = field(default_factory=list)  # ports at its left side, and at its right
    exits: dict[Item, Line] = field(default_factory=dict)  # by the box that the value is from
    lines: list[Line] = field(default_factory=list)
    paths: dict[Item, list[Item]] = field(default_factory=dict)  # by label
    columns: list[tuple[float, float]] = field(default_factory=list)
    height: float = 0.0


def arrange(
    boxes: list[tuple[float, float]],
    arrows: list[tuple[int, int]],
    labels: list[tuple[float, float]],
    frames: list[tuple[int | None, float]] | None = None,
    inside: list[int | None] | None = None,
) -> Layout:
    """Lay out boxes of the given sizes, with arrows between them that have labels.

    ``arrows`` are (source, target) pairs; a target comes after its sources.
    ``frames`` are (parent, least width) pairs, outer ones first, and ``inside``
    says which frame holds each box.
    """
    frames, inside = frames or [], inside or [None] * len(boxes)
    items = [Item(width=w, height=h, is_box=True, frame=f)
             for (w, h), f in zip(boxes, inside, strict=True)]  # fmt: skip
    rims = [Item(width=width, is_box=True, frame=parent) for parent, width in frames]
    plans = _plans(items, rims)
    marks = [Item(width=width, height=height) for width, height in labels]
    routes = [
        _route(items[source], items[target], mark, rims, plans)
        for (source, target), mark in zip(arrows, marks, strict=True)
    ]
    for frame, rim in reversed(list(enumerate(rims))):
        _fit(rim, _settled(plans[frame]))
    whole = _settled(plans[None])
    for frame, rim in enumerate(rims):
        _move_into(plans[frame], rim)
    paths = [[item for plan, label in route for item in plan.paths[label]] for route in routes]
    return Layout(items, rims, marks, paths, whole.columns[-1][1], whole.height)


def _plans(items, rims):
    """Make a plan for each frame and the whole; a frame takes its turn with the last box in it."""
    plans = {frame: Plan(frame) for frame in [None, *range(len(rims))]}
    placed = set()
    for item in reversed(items):
        while item not in placed:
            placed.add(item)
            plans[item.frame].members.append(item)
            item = item if item.frame is None else rims[item.frame]
    for plan in plans.values():
        plan.members.reverse()
    return plans


def _route(box, target, mark, rims, plans):
    """Enter an arrow into each plan that it runs through: return those, with its label there."""
    source, source_port, way_out = box, None, []
    within = _frames_around(target, rims)
    while source.frame not in within:
        plan = plans[source.frame]
        if box not in plan.exits:
            plan.exits[box] = Line(source, Item(), box, Item(), source_port)
            plan.lines.append(plan.exits[box])
        way_out.append((plan, plan.exits[box].label))
        source, source_port = rims[source.frame], plan.exits[box].target
    target_port, way_in = None, []
    while target.frame != source.frame:
        plan, entry = plans[target.frame], Item()
        plan.entries.append(entry)
        plan.lines.append(Line(entry, target, entry, Item(), None, target_port))
        way_in.append((plan, plan.lines[-1].label))
        target, target_port = rims[target.frame], entry
    plan = plans[source.frame]
    plan.lines.append(Line(source, target, box, mark, source_port, target_port))
    return [*way_out, (plan, mark), *reversed(way_in)]


def _frames_around(item, rims):
    around = [item.frame]
    while around[-1] is not None:
        around.append(rims[around[-1]].frame)
    return around


def _settled(plan):
    """Find the places of everything in a plan, once the sizes are known."""
    exits = [line.target for line in plan.exits.values()]
    items = [*plan.entries, *plan.members, *exits]
    _set_layers(plan, exits)
    trunks: dict[tuple[Item, int], Item] = {}
    for line in plan.lines:
        _draw_line(plan, line, trunks)
    layers = _in_layers(items)
    place_in_order(layers, SWEEPS)
    place_rows(layers)
    plan.columns = _place_columns(layers)
    plan.height = max(item.y + item.height / 2 for layer in layers for item in layer)
    for layer, (left, right) in zip(layers, plan.columns, strict=True):
        for item in layer:
            item.frame, item.left, item.right = plan.frame, left, right
    return plan


def _set_layers(plan, exits):
    """Set the layer of each member: after what it depends on, leaves beside their first use."""
    into: dict[Item, list[Item]] = {}
    for line in plan.lines:
        into.setdefault(line.target, []).append(line.source)
    for member in plan.members:
        sources = into.get(member, ())
        member.layer = max((source.layer + 2 for source in sources), default=0)
    first_uses: dict[Item, int] = {}
    for line in plan.lines:
        if line.target.layer:  # An exit has none yet.
            use = first_uses.get(line.source, line.target.layer)
            first_uses[line.source] = min(line.target.layer, use)
    for member in plan.members:
        if member not in into and member in first_uses:
            member.layer = first_uses[member] - 2
    last = max(member.layer for member in plan.members)
    for item in exits:
        item.layer = last + 2


def _draw_line(plan, line, trunks):
    """Make the items that a line runs through, from its source to its target."""
    path = [line.source]
    for layer in range(line.source.layer + 1, line.target.layer - 1):
        if (line.trunk, layer) not in trunks:
            trunks[line.trunk, layer] = Item(layer)
            _join(path[-1], trunks[line.trunk, layer])
        path.append(trunks[line.trunk, layer])
    line.label.layer = line.target.layer - 1
    _join(path[-1], line.label)
    _join(line.label, line.target)
    path += [line.label, line.target]
    if line.source_port:
        line.source.ports[path[1]] = _from_middle(line.source, line.source_port)
        path = path[1:]  # The port is the end of another plan's path.
    if line.target_port:
        line.target.ports[line.label] = _from_middle(line.target, line.target_port)
        path = path[:-1]
    plan.paths[line.label] = path


def _join(left, right):
    left.after.append(right)
    right.before.append(left)


def _from_middle(rim, port):
    return TITLE + port.y - rim.height / 2


def _in_layers(items):
    """Sort items into layers, in the order of a walk from the last box backwards."""
    layers: list[list[Item]] = [[] for _ in range(max(item.layer for item in items) + 1)]
    seen = set()
    *others, result = items
    stack = [*reversed(others), result]
    while stack:
        item = stack.pop()
        if item in seen:
            continue
        seen.add(item)
        layers[item.layer].append(item)
        stack.extend(reversed(item.before))
    return layers


def _place_columns(layers):
    columns = []
    left = 0.0
    for layer in layers:
        width = max((item.width for item in layer), default=0.0)
        columns.append((left, left + width))
        for item in layer:
            item.x = left + width / 2
        slant = max((_slant(item, after) for item in layer for after in item.after), default=0.0)
        left += width + min(max(GAP_LEAST, 0.35 * slant), GAP_MOST)
    return columns


def _slant(item, after):
    return abs(item.y + item.ports.get(after, 0.0) - after.y - after.ports.get(item, 0.0))


def _fit(rim, plan):
    """Give a frame the size that what is in it takes."""
    rim.width = max(rim.width, plan.columns[-1][1] + 2 * PADDING)
    rim.height = TITLE + plan.height + PADDING


def _move_into(plan, rim):
    """Turn places in a frame into places in the picture."""
    across = rim.x - (plan.columns[-1][1]) / 2
    down = rim.y - rim.height / 2 + TITLE
    items = {item for path in plan.paths.values() for item in path} | set(plan.members)
    for item in items:
        item.x, item.y = item.x + across, item.y + down
        item.left, item.right = item.left + across, item.right + across
    # Between its layer's side and its own a frame is crossed at the height of the port.
    for entry in plan.entries:
        entry.left = rim.left
    for line in plan.exits.values():
        line.target.right = rim.right
