"""Results in the memory of arguments that the caller gave up: what updates are.

The kernel of an elementwise group reads an element and then writes it, in one thread, so a
result may lie where such an argument does. The next step, which is given it again in the same
place, then has nothing to copy.
"""

from gradx.graph.cuda.group import REDUCTIONS, has_kernel
from gradx.graph.cuda.packing import Pack
from gradx.graph.equations import Equation, Group, Variable
from gradx.graph.ir import Graph
from gradx.graph.lifetimes import bytes_of, last_reads, roots_of


def results_in_place(graph: Graph) -> dict[Variable, Variable]:
    """Return which results of a lowered graph are written over which donated inputs.

    Of arrays of one kind the first result goes to the first input, and so on: a step returns
    parameters and state in the order in which it takes them.
    """
    roots = roots_of(graph)
    last = last_reads(graph, roots)
    writers = {out: (i, e) for i, e in enumerate(graph.equations) for out in e.outputs}
    waiting = [x for x in graph.inputs if x.donated and bytes_of(x)]
    given: dict[Variable, Variable] = {}
    for out in graph.outputs:
        if type(out) is not Variable or out not in writers or graph.outputs.count(out) > 1:
            continue
        position, equation = writers[out]
        alike = [x for x in waiting if (x.shape, x.dtype) == (out.shape, out.dtype)]
        for x in alike[:1] if _has_kernel(equation) else ():
            read = last.get(x, -1)
            views = [y for y in equation.variables if y is not x and x in roots.get(y, ())]
            if read < position or (read == position and not views and _alone(equation, x, out)):
                given[out] = x
                waiting.remove(x)
    return given


def _has_kernel(equation: Equation) -> bool:
    return type(equation.op) is Pack or (
        type(equation.op) is Group and has_kernel(equation.op.graph)
    )


def _alone(equation: Equation, x: Variable, out: Variable) -> bool:
    """Tell whether only the thread that writes an element of ``out`` reads that of ``x``."""
    if equation.inputs.count(x) != 1:
        return False
    if type(equation.op) is Pack:
        count = len(equation.op.groups)
        ins, outs = len(equation.inputs) // count, len(equation.outputs) // count
        return equation.inputs.index(x) // ins == equation.outputs.index(out) // outs
    # A row is read once for each of what it is reduced to.
    return not any(e.op.name in REDUCTIONS for e in equation.op.graph.equations)
