"""Constants: what depends on no input is computed once.

Only on what the graph itself made, such as ones like an input: an array from outside is
held by reference, and its numbers may change.
"""

from dataclasses import replace
from math import prod

from gradx.backends import backend_for_device
from gradx.core.op import OPS
from gradx.graph.equations import Constant, Equation, Group, Variable
from gradx.graph.ir import Graph

FILLS = {"ones_like": 1, "zeros_like": 0}
SMALL = 4096  # elements: no larger array is kept
# Which are not functions of their arguments alone, or return what they are given.
EXCEPT = {"empty_like", "stop_gradient"}


def folded(graph: Graph) -> Graph:
    """Compute equations of constants; ones and zeros become broadcasts of one element."""
    known: dict[Variable, Constant] = {}
    kept = []
    for equation in graph.equations:
        if equation.op.name in FILLS and not equation.outputs[0].weak:
            equation = _as_broadcast(equation, known)
        if not _can_be_computed(equation, known):
            kept.append(equation)
            continue
        values = [known[x].value if type(x) is Variable else x for x in equation.inputs]
        backend = backend_for_device(equation.device)[0]
        with backend.quiet():
            value = equation.op.on(backend)(*values, **equation.params)
        known[equation.outputs[0]] = Constant(equation.outputs[0], value)
    return replace(graph, equations=tuple(kept), constants=(*graph.constants, *known.values()))


def _as_broadcast(equation: Equation, known: dict[Variable, Constant]) -> Equation:
    out = equation.outputs[0]
    backend, device = backend_for_device(out.device)
    dtype = getattr(backend.xp, out.dtype)
    element = backend.xp.asarray(FILLS[equation.op.name], dtype=dtype, device=device)
    variable = replace(out, shape=())
    known[variable] = Constant(variable, element)
    return replace(
        equation, op=OPS["broadcast_to"], inputs=(variable,), params={"shape": out.shape}
    )


def _can_be_computed(equation: Equation, known: dict[Variable, Constant]) -> bool:
    if type(equation.op) is Group or equation.op.results or equation.op.name in EXCEPT:
        return False
    variables = list(equation.variables)
    return (
        bool(variables)
        and all(x in known for x in variables)
        and prod(equation.outputs[0].shape) <= SMALL
        and not equation.outputs[0].weak
    )
