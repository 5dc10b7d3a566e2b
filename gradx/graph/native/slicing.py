"""Slices taken before elementwise ops instead of after them, and joins after instead of before.

Where gates are cut from one sum of products, the sum is made of the parts of the products that
each gate reads, in the loop of the gates. And where a cotangent is joined from parts, what is
computed with it element by element, or added up along other axes, is computed with the parts.
No element is computed more than once, and each by the same operations.
"""

from dataclasses import replace
from math import prod
from types import NoneType
from typing import Any

from gradx.core.op import OPS
from gradx.graph.equations import Equation, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.native.analysis import axes_of
from gradx.graph.rewriting import in_order, read_by
from gradx.ops.slicing import expanded, read_shape

Key = tuple[Any, ...]  # an integer or a slice for each axis


def sliced(graph: Graph) -> Graph:
    """Move slices towards the inputs and joins towards the outputs, past elementwise ops."""
    names = {equation.op.name for equation in graph.equations}
    for moved, rewriting in (("concat", _Joining), ("getitem", _Slicing)):
        if moved in names:
            graph = rewriting(graph).result()
    return graph


class _Rewriting:
    """The equations of a graph while some are replaced, and which of them read each value."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kept = dict.fromkeys(graph.equations)
        self.readers = read_by(graph)
        self.returned = {x for x in graph.outputs if type(x) is Variable}

    def replace(self, old: list[Equation], new: list[Equation]) -> None:
        """Put equations in the place of others."""
        for equation in old:
            del self.kept[equation]
            for x in equation.variables:
                self.readers[x].remove(equation)
        for equation in new:
            self.kept[equation] = None
            for x in equation.variables:
                self.readers.setdefault(x, []).append(equation)

    def ordered(self) -> Graph:
        """Return the graph as it is now."""
        return replace(self.graph, equations=tuple(in_order(self.kept)))


def _is_elementwise(equation: Equation) -> bool:
    (out, *others) = equation.outputs
    return not others and equation.op.elementwise and not out.weak and bool(out.shape)


class _Slicing(_Rewriting):
    """From the last equation to the first, as those before are asked of slices made on the way."""

    def result(self) -> Graph:
        """Return the graph with its slices moved."""
        for equation in reversed(self.graph.equations):
            out = equation.outputs[0]
            cuts = self.readers.get(out, [])
            if _is_elementwise(equation) and out not in self.returned and _may_cut(out, cuts):
                made = [one for cut in cuts for one in self._on_slices(equation, cut)]
                self.replace([equation, *cuts], made)
        return self.ordered()

    def _on_slices(self, equation: Equation, cut: Equation) -> list[Equation]:
        """Return what computes a slice of the result of ``equation``."""
        shape = equation.outputs[0].shape
        key = expanded(cut.params["key"], len(shape))
        slices: dict[Variable, Equation] = {}
        for x in equation.variables:
            own = _key_of(x.shape, key, shape)
            if any(part != slice(None) for part in own):
                part = replace(x, shape=read_shape(own, x.shape), name="", donated=False)
                slices[x] = Equation(OPS["getitem"], (x,), {"key": own}, (part,), cut.line)
        inputs: tuple[Input, ...] = tuple(
            [slices[x].outputs[0] if x in slices else x for x in equation.inputs]
        )
        return [*slices.values(), replace(equation, inputs=inputs, outputs=cut.outputs)]


def _may_cut(out: Variable, readers: list[Equation]) -> bool:
    """Tell whether all that is read of a value is slices, no element twice."""
    if not readers or any(reader.op.name != "getitem" for reader in readers):
        return False
    keys = [reader.params["key"] for reader in readers]
    if any(NoneType in map(type, expanded(key, len(out.shape))) for key in keys):
        return False
    return sum(prod(reader.outputs[0].shape) for reader in readers) <= prod(out.shape)


def _key_of(shape: tuple[int, ...], key: Key, around: tuple[int, ...]) -> Key:
    """Return what a key of the whole is for an operand, which is broadcast."""
    if not shape:
        return ()
    parts = []
    for part, length, whole in zip(key[-len(shape) :], shape, around[-len(shape) :], strict=True):
        if length == whole:
            parts.append(slice(None) if part == slice(0, whole, None) else part)
        else:  # its one element is for all
            parts.append(slice(None) if isinstance(part, slice) else 0)
    return tuple(parts)


class _Joining(_Rewriting):
    """From the first equation to the last, as those after read joins made on the way."""

    def result(self) -> Graph:
        """Return the graph with its joins moved."""
        self.joins = {}
        for equation in self.graph.equations:
            if equation.op.name == "concat" and equation.params["axis"] is not None:
                self.joins[equation.outputs[0]] = equation
                continue
            found = self._on_parts(equation)
            if found:
                *_, join = found
                self.replace([equation], found)
                self.joins[join.outputs[0]] = join
        return self._without_unread()

    def _on_parts(self, equation: Equation) -> list[Equation]:
        """Return the equations of each part, and their join; none where there is no such way."""
        wholes = [x for x in equation.variables if x.shape]
        if len(wholes) != 1 or wholes[0] not in self.joins or len(equation.outputs) != 1:
            return []
        (x,) = wholes
        join, out = self.joins[x], equation.outputs[0]
        before = join.params["axis"] % len(x.shape)
        axis: int | None = before
        if _is_elementwise(equation) and x.shape == out.shape:
            # Of one that others read too, each element would be computed twice.
            axis = axis if self.readers[x] == [equation] and x not in self.returned else None
        else:
            axis = _axis_after(equation, before)
        if axis is None:
            return []
        made = [self._on_part(equation, x, part, axis) for part in join.variables]
        parts = tuple([one.outputs[0] for one in made])
        return [*made, Equation(OPS["concat"], parts, {"axis": axis}, (out,), equation.line)]

    def _on_part(self, equation: Equation, x: Variable, part: Variable, axis: int) -> Equation:
        out = equation.outputs[0]
        before = self.joins[x].params["axis"] % len(x.shape)
        shape = (*out.shape[:axis], part.shape[before], *out.shape[axis + 1 :])
        inputs = tuple([part if one is x else one for one in equation.inputs])
        return replace(equation, inputs=inputs, outputs=(replace(out, shape=shape, name=""),))

    def _without_unread(self) -> Graph:
        for join in reversed(list(self.joins.values())):
            out = join.outputs[0]
            if out not in self.returned and not self.readers.get(out):
                self.replace([join], [])
        return self.ordered()


def _axis_after(equation: Equation, axis: int) -> int | None:
    """Return where the axis of a join is after a sum over others; None of anything else."""
    if equation.op.name != "sum" or equation.params["dtype"] is not None:
        return None
    over = axes_of(equation)
    if axis in over or not equation.outputs[0].shape:
        return None
    return axis if equation.params["keepdims"] else axis - sum(a < axis for a in over)
