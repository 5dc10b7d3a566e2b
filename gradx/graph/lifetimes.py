"""Lifetimes: which values may lie in memory that is used again, and how long each is needed.

A value's memory is free after the last equation that reads it, or reads anything that may
be a view of it. What is returned lies in memory of its own. ``arena.py`` says where others lie.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from gradx.graph.equations import Equation, Group, Variable
from gradx.graph.ir import Graph
from gradx.transforms.structural import names

# Ops whose results are never views: of others it is assumed.
FRESH = names(
    """
    add_at argmax argmin class_mask concat convolution convolution_kernel convolution_transpose
    cumulative_sum log_softmax logsumexp matmul max maximum_of_windows mean min prod
    random_numbers setitem scatter softmax softmax_cross_entropy spread_to_maxima sum take
    take_along_axis var where
    """
)
# Ops whose results are views of other elements than those that lie at the same places.
MOVING = names("getitem matrix_transpose permute_dims")


@dataclass
class Layout:
    """Which values share memory: each has a slot, and a slot a size and a time of its own."""

    slots: dict[Variable, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)  # in bytes
    spans: list[tuple[int, int]] = field(default_factory=list)  # first and last equation


def plan(graph: Graph, may_write: Callable[[Equation], bool]) -> Layout:
    """Give a slot to each output of an equation that ``may_write`` into memory it is given.

    It is the slot of an input that is read for the last time, where the equation may write
    over that.
    """
    layout = Layout()
    roots = roots_of(graph)
    last = last_reads(graph, roots)
    returned = {root for x in graph.outputs if type(x) is Variable for root in roots.get(x, {x})}
    for position, equation in enumerate(graph.equations):
        if not may_write(equation):
            continue
        ending = [
            x
            for x in dict.fromkeys(equation.variables)
            if x in layout.slots and last[x] == position
        ]
        for out in equation.outputs:
            if out in returned or not bytes_of(out):
                continue
            holder = _holder(equation, ending, out, roots)
            end = last.get(out, position)
            if holder is None:
                layout.slots[out] = len(layout.sizes)
                layout.sizes.append(bytes_of(out))
                layout.spans.append((position, end))
                continue
            ending.remove(holder)
            slot = layout.slots[out] = layout.slots[holder]
            layout.spans[slot] = (layout.spans[slot][0], end)
    return layout


def bytes_of(variable: Variable) -> int:
    """Return how much memory a value takes."""
    return 0 if variable.weak else prod(variable.shape) * np.dtype(variable.dtype).itemsize


def _may_be_overwritten(equation: Equation, x: Variable) -> bool:
    """Tell whether an elementwise equation may write where it reads ``x``."""
    out = equation.outputs[0]
    return (
        type(equation.op) is not Group
        and equation.op.elementwise
        and (x.shape, x.dtype) == (out.shape, out.dtype)
        and equation.op.name != "where"
    )


def _holder(
    equation: Equation,
    ending: list[Variable],
    out: Variable,
    roots: dict[Variable, set[Variable]],
) -> Variable | None:
    """Return an input in whose memory an output may lie.

    Of a group only one of the largest: what is smaller, other elements may have to read again.
    """
    if type(equation.op) is Group:
        inside = [y for one in equation.op.graph.equations for y in (*one.variables, *one.outputs)]
        if bytes_of(out) < max(map(bytes_of, inside)):
            return None
    for x in ending:
        same = (x.shape, x.dtype) == (out.shape, out.dtype)
        if same and _may_hold(equation, x, out, roots):
            return x
    return None


def roots_of(graph: Graph) -> dict[Variable, set[Variable]]:
    """Return of each value the values whose memory it may lie in, itself among them."""
    roots: dict[Variable, set[Variable]] = {}
    for equation in graph.equations:
        shared: set[Variable] = set()
        if not _is_fresh(equation):
            shared = shared.union(*[roots.get(x, {x}) for x in equation.variables])
        for out in equation.outputs:
            roots[out] = {out, *shared}
    return roots


def _is_fresh(equation: Equation) -> bool:
    """Tell whether no result is a view of what the equation reads."""
    op = equation.op
    if getattr(op, "fresh", False) or op.name in FRESH:
        return True
    return op.elementwise and op.name not in ("stop_gradient", "real", "imag")


def last_reads(graph: Graph, roots: dict[Variable, set[Variable]]) -> dict[Variable, int]:
    """Return where the memory of each value is read for the last time: outputs at the end."""
    last: dict[Variable, int] = {}
    for position, equation in enumerate(graph.equations):
        for x in equation.variables:
            for root in roots.get(x, {x}):
                last[root] = position
    for out in graph.outputs:
        if type(out) is Variable:
            last.update(dict.fromkeys(roots.get(out, {out}), len(graph.equations)))
    return last


def donations(graph: Graph, may_write: Callable[[Equation], bool]) -> dict[Variable, Variable]:
    """Return which outputs of the graph may lie in the memory of which donated inputs."""
    roots = roots_of(graph)
    last = last_reads(graph, roots)
    waiting = [x for x in graph.inputs if x.donated and x.shape and bytes_of(x)]
    given: dict[Variable, Variable] = {}
    for position, equation in enumerate(graph.equations):
        if not may_write(equation):
            continue
        for out in equation.outputs:
            if out not in graph.outputs:
                continue
            for x in waiting:
                read = last.get(x, -1)
                free = read < position or (read == position and _may_hold(equation, x, out, roots))
                if free and (x.shape, x.dtype) == (out.shape, out.dtype):
                    given[out] = x
                    waiting.remove(x)
                    break
    return given


def _may_hold(
    equation: Equation, x: Variable, out: Variable, roots: dict[Variable, set[Variable]]
) -> bool:
    """Tell whether an equation that reads ``x`` may write ``out`` to the same memory."""
    if x not in equation.inputs:  # it reads a view of it
        return False
    if any(y is not x and x in roots.get(y, ()) for y in equation.variables):
        return False
    if type(equation.op) is not Group:
        return _may_be_overwritten(equation, x)
    inner = equation.op.graph
    inside = dict(zip(equation.inputs, inner.inputs, strict=True))[x]
    target = dict(zip(equation.outputs, inner.outputs, strict=True))[out]
    reads = [i for i, one in enumerate(inner.equations) if inside in one.inputs]
    (write,) = [i for i, one in enumerate(inner.equations) if target in one.outputs]
    # A view is read, and a join is written, at another place than its memory's.
    if inner.equations[write].op.name == "concat" or any(
        inner.equations[i].op.name in MOVING for i in reads
    ):
        return False
    if not reads or reads[-1] < write:
        return True
    return reads[-1] == write and inner.equations[write].op.name != "where"
