"""Where things go: a layered layout, from left to right.

Boxes stand in every other layer, as far left as what they depend on allows
(leaves beside their first use). In the layers between stand the labels, each
just before its arrow's target, and an arrow that passes through a layer has a
place of its own there. So nothing can overlap: slanted lines run only in the
gaps between layers. Arrows from one box share a trunk until they part.

Within a layer the order is found by sweeping barycentres, the positions by
pulling everything towards its neighbours. There is no chance in it: one
diagram has one drawing.
"""

from dataclasses import dataclass, field

from gradx.graph.spacing import place_in_order, place_rows

GAP_LEAST, GAP_MOST = 22.0, 70.0
SWEEPS = 12


@dataclass(eq=False)
class Item:
    """A box, a label or the place where an arrow passes, in one layer."""

    layer: int
    width: float = 0.0
    height: float = 10.0
    is_box: bool = False
    x: float = 0.0  # of the centre
    y: float = 0.0
    index: int = 0  # within its layer, from the top
    before: list["Item"] = field(default_factory=list)
    after: list["Item"] = field(default_factory=list)


@dataclass
class Layout:
    """Items with their places: ``paths`` has each arrow's items from source to target."""

    boxes: list[Item]
    labels: list[Item]
    paths: list[list[Item]]
    columns: list[tuple[float, float]]  # left and right of each layer
    width: float
    height: float


def arrange(
    boxes: list[tuple[float, float]],
    arrows: list[tuple[int, int]],
    labels: list[tuple[float, float]],
) -> Layout:
    """Lay out boxes of the given sizes, with arrows between them that have labels.

    ``arrows`` are (source, target) pairs; a target comes after its sources.
    """
    ranks = _ranks(len(boxes), arrows)
    items = [
        Item(2 * rank, width, height, is_box=True)
        for rank, (width, height) in zip(ranks, boxes, strict=True)
    ]
    trunks: dict[tuple[int, int], Item] = {}
    paths = []
    for (source, target), (width, height) in zip(arrows, labels, strict=True):
        path = _trunk(trunks, items, source, items[target].layer - 1)
        label = Item(items[target].layer - 1, width, height)
        _join(path[-1], label)
        _join(label, items[target])
        paths.append([*path, label, items[target]])
    layers = _layers(items, paths)
    place_in_order(layers, SWEEPS)
    place_rows(layers)
    columns = _place_columns(layers)
    bottom = max(item.y + item.height / 2 for layer in layers for item in layer)
    return Layout(items, [path[-2] for path in paths], paths, columns, columns[-1][1], bottom)


def _ranks(count, arrows):
    ranks, computed = [0] * count, set()
    for source, target in sorted(arrows, key=lambda arrow: arrow[1]):
        ranks[target] = max(ranks[target], ranks[source] + 1)
        computed.add(target)
    first_uses: dict[int, int] = {}
    for source, target in arrows:
        first_uses[source] = min(ranks[target], first_uses.get(source, ranks[target]))
    for box, use in first_uses.items():
        if box not in computed:
            ranks[box] = use - 1
    return ranks


def _trunk(trunks, items, source, end):
    """Return the items from a box to the layer before ``end``, made where they are new."""
    path = [items[source]]
    for layer in range(path[0].layer + 1, end):
        if (source, layer) not in trunks:
            trunks[source, layer] = Item(layer)
            _join(path[-1], trunks[source, layer])
        path.append(trunks[source, layer])
    return path


def _join(left, right):
    left.after.append(right)
    right.before.append(left)


def _layers(items, paths):
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
        slant = max((abs(item.y - b.y) for item in layer for b in item.after), default=0.0)
        left += width + min(max(GAP_LEAST, 0.35 * slant), GAP_MOST)
    return columns
