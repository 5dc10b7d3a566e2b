"""Two captures of one function, with different numbers of rows: what differs follows the rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradx.core.arrays import backend_for, is_array
from gradx.core.explain import describe
from gradx.errors import DTypeError, ShapeError
from gradx.graph.capture import capture
from gradx.graph.equations import Constant, Variable
from gradx.graph.ir import Graph
from gradx.onnx.nodes import ExportError

FIXED = "dynamic=False exports it for the examples' shapes"


class Pair(NamedTuple):
    """The same graph for two numbers of rows; twice the same one if all sizes are fixed."""

    graph: Graph
    other: Graph
    rows: tuple[int, int]


def captured(f: Callable[..., Any], examples: tuple[Any, ...], dynamic: bool) -> Pair:
    """Capture ``f`` for two and for three rows, or once as the examples are."""
    for place, example in enumerate(examples):
        if not is_array(example):
            raise DTypeError(f"onnx.export: example {place} is {describe(example)}, not an array")
    if not dynamic:
        graph = capture(f)(*examples)
        return Pair(graph, graph, (1, 1))
    graph, other = (capture(f)(*[_with_rows(x, n) for x in examples]) for n in (2, 3))
    _require_same(graph, other)
    return Pair(graph, other, (2, 3))


def _with_rows(example: Any, count: int) -> Any:
    if not example.shape:
        return example
    if not example.shape[0]:
        raise ShapeError(f"onnx.export: an example of no rows, {describe(example)}")
    backend = backend_for(example)
    xp, device = backend.xp, backend.device_of(example)
    places = [place % example.shape[0] for place in range(count)]
    return xp.take(example, xp.asarray(places, device=device), axis=0)


def _require_same(graph: Graph, other: Graph) -> None:
    names = [[equation.op.name for equation in g.equations] for g in (graph, other)]
    if names[0] != names[1] or len(graph.constants) != len(other.constants):
        raise ExportError(
            f"onnx.export: {graph.name} calls other ops for 2 rows than for 3: {FIXED}"
        )
    for one, two in zip(graph.equations, other.equations, strict=True):
        literals = [[x for x in e.inputs if type(x) is not Variable] for e in (one, two)]
        if repr(literals[0]) != repr(literals[1]):  # a NaN is itself
            raise ExportError(
                f"{one.op.name}: a number depends on how many rows there are: "
                f"{literals[0]} and {literals[1]}: {FIXED}, at {one.line}"
            )


def constant_of(one: Constant, two: Constant) -> np.ndarray:
    """Return a constant; one that has an axis for the rows, equal along it, with length 1 there.

    Raises:
        ExportError: it depends on the rows in another way.
    """
    array, other = (np.asarray(backend_for(c.value).to_numpy(c.value)) for c in (one, two))
    for axis, lengths in enumerate(zip(array.shape, other.shape, strict=False)):
        if lengths[0] != lengths[1]:
            array, other = (a[(slice(None),) * axis + (slice(1),)] for a in (array, other))
    full = np.broadcast_to(array, one.variable.shape)
    if full.shape != one.variable.shape or not _equal(full, one) or not _equal(other, two):
        raise ExportError(
            f"onnx.export: a constant, {describe(one.value)}, depends on the number of rows: "
            + FIXED
        )
    return array


def _equal(array: np.ndarray, constant: Constant) -> bool:
    value = np.asarray(backend_for(constant.value).to_numpy(constant.value))
    return np.array_equal(
        np.broadcast_to(array, value.shape), value, equal_nan=value.dtype.kind in "fc"
    )
