"""Order and height within the layers of a drawing: few crossings, straight lines.

Sorting each layer by the mean place of its neighbours, back and forth, is the
method of K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding
of hierarchical system structures", IEEE Trans. SMC 11 (1981).
"""

from bisect import bisect_right, insort
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

APART = 9.0  # between items of a layer
ROUNDS = 24


def place_in_order(layers: list[list[Any]], sweeps: int) -> None:
    """Reorder each layer in place so that few arrows cross, and set each item's ``index``."""
    _number(layers)
    best, least = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(sweeps):
        if least == 0:
            break
        side = "before" if sweep % 2 == 0 else "after"
        for layer in layers if side == "before" else reversed(layers):
            layer.sort(key=lambda item: _mean_index(item, side))
            _number([layer])
        count = _crossings(layers)
        if count < least:
            best, least = [list(layer) for layer in layers], count
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order
    _number(layers)


def _number(layers):
    for layer in layers:
        for index, item in enumerate(layer):
            item.index = index


def _mean_index(item, side):
    neighbours = getattr(item, side)
    if not neighbours:
        return item.index
    return sum(_rank(n, item) for n in neighbours) / len(neighbours)


def _rank(item, neighbour):
    """Return the place of an item in its layer, for one that is joined to a port of it."""
    port = item.ports.get(neighbour)
    return item.index if port is None else item.index + port / (item.height + 1)


def _crossings(layers):
    return sum(_crossings_after(layer) for layer in layers)


def _crossings_after(layer):
    """Count pairs of lines that end in the opposite order to the one they start in."""
    lines = sorted((_rank(item, n), _rank(n, item)) for item in layer for n in item.after)
    ends: list[float] = []
    crossings = 0
    for _, group in groupby(lines, key=itemgetter(0)):  # Lines from one place do not cross.
        targets = [end for _, end in group]
        crossings += sum(len(ends) - bisect_right(ends, target) for target in targets)
        for target in targets:
            insort(ends, target)
    return crossings


def place_rows(layers: list[list[Any]]) -> None:
    """Set ``y`` of each item: in order, apart, and near its neighbours; the top is 0."""
    for layer in layers:
        _settle(layer, [0.0] * len(layer))
    for round_ in range(ROUNDS):
        sides = (("before",), ("after",), ("before", "after"))[round_ % 3]
        for layer in reversed(layers) if sides == ("after",) else layers:
            _settle(layer, [_wanted(item, sides) for item in layer])
    for layer in layers:  # What bends are left go to the ends of lines.
        _settle(layer, [item.y if item.is_box else _wanted(item, ("before",)) for item in layer])
    top = min(item.y - item.height / 2 for layer in layers for item in layer)
    for layer in layers:
        for item in layer:
            item.y -= top


def _wanted(item, sides):
    """Return the mean height of the neighbours; long lines pull hardest, to be straight."""
    pulls = [
        (n.y + n.ports.get(item, 0.0) - item.ports.get(n, 0.0), _stiffness(item, n))
        for side in sides
        for n in getattr(item, side)
    ]
    weight = sum(w for _, w in pulls)
    return sum(y * w for y, w in pulls) / weight if weight else item.y


def _stiffness(item, neighbour):
    return (1.0, 3.0, 9.0)[(not item.is_box) + (not neighbour.is_box)]


def _settle(layer, wanted):
    """Move items as near as they can be to where they want to be, by least squares.

    With the distances taken off, it is isotonic regression: neighbours in the
    wrong order are pooled and share their mean.
    """
    pools: list[list[float]] = []  # [sum, count] of each run of items that touch
    offsets = _offsets(layer)
    for y, offset in zip(wanted, offsets, strict=True):
        pools.append([y - offset, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    heights = [total / count for total, count in pools for _ in range(int(count))]
    for item, height, offset in zip(layer, heights, offsets, strict=True):
        item.y = height + offset


def _offsets(layer):
    offsets = [0.0]
    for above, below in pairwise(layer):
        offsets.append(offsets[-1] + (above.height + below.height) / 2 + APART)
    return offsets[: len(layer)]
