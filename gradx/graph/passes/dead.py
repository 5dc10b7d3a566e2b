"""Dead equations: what no output needs is not computed."""

from dataclasses import replace

from gradx.graph.equations import Variable
from gradx.graph.ir import Graph


def without_dead(graph: Graph) -> Graph:
    """Drop equations and constants that no output depends on.

    A check that an op makes of its arguments goes with it.
    """
    needed = {x for x in graph.outputs if type(x) is Variable}
    kept = []
    for equation in reversed(graph.equations):
        if needed.isdisjoint(equation.outputs):
            continue
        needed.update(equation.variables)
        kept.append(equation)
    constants = tuple([constant for constant in graph.constants if constant.variable in needed])
    return replace(graph, equations=tuple(reversed(kept)), constants=constants)
