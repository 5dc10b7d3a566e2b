"""Run a graph on NumPy: into planned memory, with long elementwise chains in blocks.

What is returned is new memory at every call; everything else lies in buffers that are
used again, one set for each call that runs at the same time.
"""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from gradx.graph.arena import arranged, memory_of
from gradx.graph.equations import Equation, Group, Variable
from gradx.graph.executors.blocks import compile_blocks, is_worth_it
from gradx.graph.executors.by_op import emit, finish
from gradx.graph.executors.source import Source, last_uses
from gradx.graph.executors.writing import writer_of, written
from gradx.graph.ir import Graph, Program
from gradx.graph.lifetimes import Layout, bytes_of, donations, plan
from gradx.graph.native.grouping import grouped as loops_of
from gradx.graph.native.optional import group_compiler
from gradx.graph.passes.grouping import grouped
from gradx.graph.products import stacked

# 0-d floats: Python's operators on NumPy's scalars take a fifth of the time of ufuncs.
INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
FLOATS = ("float32", "float64")


def compile_numpy(graph: Graph) -> Program:
    """Return a program for NumPy arrays."""
    graph = in_groups(graph)
    layout = plan(graph, _may_write)
    given = donations(graph, _may_write)
    source = Source()
    source.names.update({out: source.name(x) for out, x in given.items()})
    source.fresh.update(given)
    for variable, value in graph.constants:
        source.scope[source.name(variable)] = value
    views = [x for equation in graph.equations for x in equation.outputs if x in layout.slots]
    if views:
        source.add(f"{', '.join(map(source.name, views))}, = buffers")
    kept = [
        *graph.outputs,
        *views,
        *given.values(),
        *(constant.variable for constant in graph.constants),
    ]
    for equation, dead in zip(graph.equations, last_uses(graph.equations, kept), strict=True):
        _emit(source, equation, {*layout.slots, *given})
        if dead:
            source.add(f"del {', '.join(map(source.name, dead))}")
    return finish(source, graph, make_buffers=lambda: _buffers(views, layout))


def in_groups(graph: Graph) -> Graph:
    """Return the graph with what runs as one loop, or in blocks, as groups."""
    graph = stacked(graph)
    return grouped(graph, _may_join) if group_compiler() is None else loops_of(graph)


def _may_join(equation: Equation) -> bool:
    (out, *others) = equation.outputs
    return not others and bool(out.shape) and is_worth_it(out.shape) and _is_written(equation)


def _is_written(equation: Equation) -> bool:
    return writer_of(equation) is not None and equation.op.elementwise


def _may_write(equation: Equation) -> bool:
    if type(equation.op) is Group:
        return True
    return bool(equation.outputs[0].shape) and writer_of(equation) is not None


def _emit(source: Source, equation: Equation, placed: set[Variable]) -> None:
    """Add the lines of an equation; what is ``placed`` has memory already."""
    if type(equation.op) is Group:
        _emit_group(source, equation, placed)
        return
    if equation.outputs[0] in placed:
        source.add(written(source, equation), equation)
        return
    if equation.op.name == "matmul" and writer_of(equation) is not np.matmul:
        _allocate(source, equation)
        source.add(written(source, equation), equation)
        return
    short = SHORT.get(equation.op.name)
    text = None if short is None else short(source, equation)
    if text is None:
        emit(source, equation)
    else:
        source.assign(equation, text)


def _emit_group(source: Source, equation: Equation, placed: set[Variable]) -> None:
    function = (group_compiler() or compile_blocks)(equation.op.graph)
    if function is None:
        emit(source, equation)
        return
    _allocate(source, equation, placed)
    kernel = source.bind(function)
    arguments = [source.name(x) for x in (*equation.inputs, *equation.outputs)]
    source.add(f"{kernel}({', '.join(arguments)})", equation)


def _allocate(source: Source, equation: Equation, placed: Collection[Variable] = ()) -> None:
    """Make new memory for outputs that have none."""
    for out in equation.outputs:
        if out not in placed:
            shape, dtype = source.bind(out.shape), source.bind(np.dtype(out.dtype))
            source.add(f"{source.name(out)} = {source.bind(np.empty)}({shape}, {dtype})")
            source.fresh.add(out)


def _buffers(views: list[Variable], layout: Layout) -> list[Any]:
    starts, size = arranged(layout.sizes, layout.spans)
    memory = memory_of(size)
    return [_view(memory, starts[layout.slots[x]], x) for x in views]


def _view(memory: Any, start: int, x: Variable) -> Any:
    return memory[start : start + bytes_of(x)].view(x.dtype).reshape(x.shape)


def _sum(source: Source, equation: Equation) -> str | None:
    if equation.params["dtype"] is not None:
        return None
    axis, keepdims = equation.params["axis"], equation.params["keepdims"]
    reduce = source.bind(np.add.reduce)
    x = source.name(equation.inputs[0])
    return f"{reduce}({x}, axis={source.bind(axis)}, keepdims={keepdims})"


def _reshape(source: Source, equation: Equation) -> str | None:
    if equation.params.get("copy") is not None:
        return None
    shape = source.bind(equation.outputs[0].shape)
    return f"{source.name(equation.inputs[0])}.reshape({shape})"


def _astype(source: Source, equation: Equation) -> str | None:
    if not equation.params["copy"]:
        return None
    dtype = source.bind(np.dtype(equation.outputs[0].dtype))
    return f"{source.name(equation.inputs[0])}.astype({dtype})"


def _scalars(source: Source, equation: Equation) -> str | None:
    if equation.outputs[0].shape or equation.outputs[0].dtype not in FLOATS:
        return None
    x, y = map(source.name, equation.inputs)
    return f"{x} {INFIX[equation.op.name]} {y}"


# Op -> Python source that does the same, with less between it and NumPy's C.
SHORT: dict[str, Callable[[Source, Equation], str | None]] = {
    "astype": _astype,
    "matrix_transpose": lambda source, equation: f"{source.name(equation.inputs[0])}.mT",
    "reshape": _reshape,
    "expand_dims": _reshape,
    "squeeze": _reshape,
    "sum": _sum,
    **dict.fromkeys(INFIX, _scalars),
}
