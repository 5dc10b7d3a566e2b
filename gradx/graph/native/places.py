"""Views read and parts written where they lie: an offset and strides instead of a copy.

In the graph of a group, slices and permutations of an input are inputs themselves, which lie
somewhere in its memory; and what is joined side by side to an output are outputs, each of which
lies somewhere in that one's. ``resolved`` returns the graph so, and where each of them lies.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradx.core.op import OPS
from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph
from gradx.graph.native.operations import UnsupportedError, read_by


class Place(NamedTuple):
    """Where a value lies in another's memory, counted in elements.

    ``outline`` is an array of no memory with the value's shape, whose strides are the
    value's: NumPy knows best which views there are, and what they are of each other.
    """

    base: Variable
    offset: int
    outline: Any

    def along(self, lengths: tuple[int, ...]) -> tuple[int, ...]:
        """Return the strides of the value in another shape, 0 along axes of length 1."""
        try:
            strides = np.reshape(self.outline, lengths, copy=False).strides
        except ValueError as error:
            raise UnsupportedError(f"a view as {lengths}") from error
        return tuple([s if n > 1 else 0 for s, n in zip(strides, lengths, strict=True)])


_NOTHING = np.empty((), np.int8)
Cut = Callable[[Any, Equation], Any]  # from the outline of an array to that of a view of it


def _with_rest(key: Any) -> tuple[Any, ...]:
    """Return a key with ``...``, for which NumPy returns a view even of a single element."""
    parts = key if isinstance(key, tuple) else (key,)
    return parts if Ellipsis in parts else (*parts, ...)


# Ops whose results are views that only a loop with strides can read where they lie.
MOVED: dict[str, Cut] = {
    "getitem": lambda x, equation: x[_with_rest(equation.params["key"])],
    "matrix_transpose": lambda x, equation: x.mT,
    "permute_dims": lambda x, equation: x.transpose(equation.params["axes"]),
}
# Whose results lie as their operands do, where those are in one piece.
RESHAPED: dict[str, Cut] = dict.fromkeys(
    ("reshape", "expand_dims", "squeeze"),
    lambda x, equation: np.reshape(x, equation.outputs[0].shape, copy=False),
)


def whole(variable: Variable) -> Place:
    """Return the place of a value that has memory of its own, in row-major order."""
    shape = variable.shape
    strides = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return Place(variable, 0, as_strided(_NOTHING, shape, strides))


def resolved(graph: Graph) -> tuple[Graph, dict[Variable, Place]]:
    """Return the graph of a group without views and joins, and where their parts lie.

    Raises:
        UnsupportedError: a view is of what the group computes, or a join is read in it.
    """
    if not any(e.op.name in MOVED or e.op.name == "concat" for e in graph.equations):
        return graph, {}
    resolving = _Resolving(graph)
    for equation in graph.equations:
        resolving.add(equation)
    return resolving.result()


class _Resolving:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.places = {x: whole(x) for x in graph.inputs}  # of inputs, and of views of them
        self.joins: dict[Variable, list[Variable]] = {}
        self.parts: dict[Variable, Place] = {}
        self.equations: list[Equation] = []

    def add(self, equation: Equation) -> None:
        """Take one equation, the next in order."""
        if any(x in self.joins for x in equation.variables):
            raise UnsupportedError("a join that is read in the same loop")
        name = equation.op.name
        if name == "concat":
            self._join(equation)
        elif name in MOVED:
            self._view(equation, MOVED[name])
        else:
            self.equations.append(equation)
            if name in RESHAPED:
                self._reshape(equation)

    def _view(self, equation: Equation, cut: Cut) -> None:
        place = self.places.get(next(equation.variables))
        if place is None:
            raise UnsupportedError("a view of what the loop computes")
        self.places[equation.outputs[0]] = _at(place, cut(place.outline, equation))

    def _reshape(self, equation: Equation) -> None:
        place = self.places.get(next(equation.variables))
        if place and place.outline.flags.c_contiguous:
            self.places[equation.outputs[0]] = _at(
                place, RESHAPED[equation.op.name](place.outline, equation)
            )

    def _join(self, equation: Equation) -> None:
        """Make an output of each part, which lies in the join."""
        (out,), axis, start = equation.outputs, equation.params["axis"], 0
        if axis is None:
            raise UnsupportedError("a join of flattened arrays")
        memory, axis = whole(out), axis % len(out.shape)
        self.joins[out] = []
        for x in equation.variables:
            if x.dtype != out.dtype:
                raise UnsupportedError(f"{x.dtype} joined to {out.dtype}")
            part = replace(x, name="")
            self.equations.append(Equation(OPS["positive"], (x,), {}, (part,), equation.line))
            stop = start + x.shape[axis]
            part_of = memory.outline[(slice(None),) * axis + (slice(start, stop),)]
            self.parts[part] = _at(memory, part_of)
            self.joins[out].append(part)
            start = stop

    def result(self) -> tuple[Graph, dict[Variable, Place]]:
        """Return the graph of what is computed, and the places of its inputs and outputs."""
        outputs: list[Variable] = []
        for x in self.graph.outputs:
            if type(x) is not Variable:
                raise UnsupportedError("a number as an output")
            outputs += self.joins.get(x, [x])
        equations, needed = [], set(outputs)
        for equation in reversed(self.equations):
            if not needed.isdisjoint(equation.outputs):
                equations.append(equation)
                needed.update(read_by(equation))
        made = {out for equation in equations for out in equation.outputs}
        inputs = [x for x in self.places if x in needed and x not in made]
        if not made.issuperset(outputs):
            raise UnsupportedError("a view as an output")
        views = {x: self.places[x] for x in inputs if self.places[x].base is not x}
        reduced = replace(
            self.graph,
            inputs=tuple(inputs),
            equations=tuple(reversed(equations)),
            outputs=tuple(outputs),
        )
        return reduced, views | {x: self.parts[x] for x in outputs if x in self.parts}


def _at(place: Place, view: Any) -> Place:
    """Return the place of a view of an outline."""
    return Place(place.base, place.offset + _address(view) - _address(place.outline), view)


def _address(array: Any) -> int:
    return array.__array_interface__["data"][0]
