"""An array whose axes were permuted is copied once for all that join axes of it.

NumPy's ``reshape`` copies what does not lie in order, each time, in one thread and to new memory;
and so does a loop that needs it in order. As an equation the copy has memory that is used again,
and may be part of the loop around it.
"""

from dataclasses import replace

from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph
from gradx.graph.products.common import join
from gradx.graph.rewriting import read_by, renamed


def with_shared_copies(graph: Graph) -> Graph:
    """Let reshapes of a permuted array read a copy of it."""
    readers = read_by(graph)
    copies: dict[Variable, Variable] = {}
    kept: list[Equation] = []
    for equation in graph.equations:
        if equation.op.name == "reshape":
            equation = renamed(equation, copies)
        kept.append(equation)
        out = equation.outputs[0]
        if equation.op.name == "permute_dims" and any(map(_joins_axes, readers.get(out, []))):
            copy = join([out], 0, equation.line)
            copies[out] = copy.outputs[0]
            kept.append(copy)
    return replace(graph, equations=tuple(kept))


def _joins_axes(equation: Equation) -> bool:
    return equation.op.name == "reshape" and len(equation.outputs[0].shape) < len(
        next(equation.variables).shape
    )
