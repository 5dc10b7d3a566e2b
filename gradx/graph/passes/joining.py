"""Joining: a sum of pieces, each amid zeros, is the pieces side by side.

Where a function cuts an array into parts, as gates are cut from one product and steps from a
sequence, its derivative puts each part's cotangent into zeros and adds them all up.
"""

from collections.abc import Generator, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from gradx.core.op import OPS
from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph

FLOATS = ("float32", "float64")


class Pieces(NamedTuple):
    """What a value is made of along one axis, the rest being zeros."""

    axis: int
    at: dict[tuple[int, int], Variable]  # by where each begins and ends


def joined(graph: Graph) -> Graph:
    """Put pieces side by side instead of adding them up, where they fill an axis."""
    known: dict[Variable, Pieces] = {}
    return replace(graph, equations=tuple(_joined(graph.equations, known)))


def _joined(equations: tuple[Equation, ...], known: dict[Variable, Pieces]) -> Iterator[Equation]:
    for equation in equations:
        found = _pieces(equation, known)
        if found is None:
            yield equation
            continue
        (out,) = equation.outputs
        known[out] = found
        if equation.op.name == "scatter" or not _fills(found, out.shape[found.axis]):
            yield equation
            continue
        parts = []
        for _, x in sorted(found.at.items()):
            if len(x.shape) < len(out.shape):  # put at an index, not along a slice
                x = yield from _expanded(x, found.axis, equation.line)
            parts.append(x)
        whole, inputs, params = replace(out, name=""), tuple(parts), {"axis": found.axis}
        yield replace(equation, op=OPS["concat"], inputs=inputs, params=params, outputs=(whole,))
        # -0.0 beside the zeros of the others is 0.0.
        yield replace(equation, inputs=(whole, 0.0))


def _expanded(x: Variable, axis: int, line: str) -> Generator[Equation, None, Variable]:
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    wide = replace(x, shape=shape, name="", donated=False)
    yield Equation(OPS["expand_dims"], (x,), {"axis": axis}, (wide,), line)
    return wide


def _pieces(equation: Equation, known: dict[Variable, Pieces]) -> Pieces | None:
    if equation.op.name == "scatter":
        return _piece(equation)
    if equation.op.name != "add":
        return None
    x, y = [known.get(x) if type(x) is Variable else None for x in equation.inputs]
    if x is None or y is None or x.axis != y.axis:
        return None
    return Pieces(x.axis, x.at | y.at) if _are_apart([*x.at, *y.at]) else None


def _piece(equation: Equation) -> Pieces | None:
    """Return the piece of one scatter that fills all axes but one."""
    (out,), (x,), key = equation.outputs, equation.inputs, equation.params["key"]
    if out.dtype not in FLOATS or type(x) is not Variable or x.weak or x.dtype != out.dtype:
        return None
    parts = key if isinstance(key, tuple) else (key,)
    if any(type(k) not in (int, slice) for k in parts):
        return None
    bounds = [_bounds(k, n) for k, n in zip(parts, out.shape, strict=False)]
    cut = [a for a, k in enumerate(parts) if type(k) is int or bounds[a] != (0, out.shape[a], 1)]
    if len(cut) != 1 or bounds[cut[0]][2] != 1:
        return None
    start, stop, _ = bounds[cut[0]]
    return Pieces(cut[0], {(start, stop): x}) if start < stop else None


def _bounds(k: int | slice, length: int) -> tuple[int, int, int]:
    """Return where a key begins and ends along an axis, and its step."""
    if isinstance(k, slice):
        return k.indices(length)
    return k % length, k % length + 1, 1


def _are_apart(places: list[tuple[int, int]]) -> bool:
    ordered = sorted(places)
    return all(one[1] <= other[0] for one, other in pairwise(ordered))


def _fills(pieces: Pieces, length: int) -> bool:
    return sum(stop - start for start, stop in pieces.at) == length
