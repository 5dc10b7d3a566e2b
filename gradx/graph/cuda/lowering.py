"""From the graph of a function to that of its launches: the passes of the GPU, in order.

Each is a function from a graph to a graph, which can be printed before and after. Products take
what follows them first, as nothing else can; what is left in between becomes groups, and groups
that are alike one kernel.
"""

from dataclasses import replace
from typing import Any

from gradx.core.op import Op
from gradx.graph.cuda.epilogues import with_epilogues
from gradx.graph.cuda.expressions import is_known
from gradx.graph.cuda.group import REDUCTIONS, has_kernel
from gradx.graph.cuda.packing import packed
from gradx.graph.cuda.rules import with_kernels
from gradx.graph.equations import Equation, Group
from gradx.graph.ir import Graph
from gradx.graph.native.grouping import FREE, Loops, in_loops


def lowered(graph: Graph) -> Graph:
    """Return the graph with each of its equations a call of a library or one kernel."""
    for improve in (with_epilogues, with_kernels, grouped, alone_in_groups, packed):
        graph = improve(graph)
    return graph


def grouped(graph: Graph) -> Graph:
    """Make groups of the equations that are one kernel together."""
    return in_loops(graph, Loops(_computes, has_kernel, alone=lambda equation: False))


def alone_in_groups(graph: Graph) -> Graph:
    """Make what is left of elementwise equations a group each: it reads Python numbers too."""
    return replace(graph, equations=tuple(map(_in_group, graph.equations)))


def _in_group(equation: Equation) -> Equation:
    op = equation.op
    if type(op) is not Op or op.name in REDUCTIONS or not _computes(equation):
        return equation
    inputs: tuple[Any, ...] = tuple(dict.fromkeys(equation.variables))
    inner = Graph(inputs, (), (equation,), equation.outputs, name="group")
    if not has_kernel(inner):
        return equation
    return Equation(Group(inner), inputs, {}, equation.outputs, equation.line)


def _computes(equation: Equation) -> bool:
    (out, *others) = equation.outputs
    name = equation.op.name
    return (
        not others and not out.weak and name not in FREE and (is_known(name) or name in REDUCTIONS)
    )
