"""Constants: what depends on no input is computed once.

Only on what the graph itself made, such as ones like an input: an array from outside is
held by reference, and its numbers may change.
"""

from dataclasses import replace
from math import prod
from typing import Any

from gradx.backends import backend_for_device
from gradx.graph.equations import Constant, Equation, Group, Variable
from gradx.graph.ir import Graph

SMALL = 4096  # elements: no larger array is kept
# Ops whose result depends on the shape of their argument alone.
FILLS = {"ones_like": 1, "zeros_like": 0}
# Which are not functions of their arguments alone, or return what they are given.
EXCEPT = {"empty_like", "stop_gradient"}


def folded(graph: Graph) -> Graph:
    """Compute equations of constants that the graph itself made."""
    known: dict[Variable, Constant] = {}
    kept = []
    for equation in graph.equations:
        out = equation.outputs[0]
        if not _can_be_computed(equation, known):
            kept.append(equation)
        elif equation.op.name in FILLS:
            known[out] = Constant(out, filled(out, equation, out.shape))
        else:
            values = [known[x].value if type(x) is Variable else x for x in equation.inputs]
            backend = backend_for_device(equation.device)[0]
            with backend.quiet():
                value = equation.op.on(backend)(*values, **equation.params)
            # As loops read it, which would copy what was broadcast at each call.
            known[out] = Constant(out, backend.row_major(value) if out.shape else value)
    return replace(graph, equations=tuple(kept), constants=(*graph.constants, *known.values()))


def filled(out: Variable, equation: Equation, shape: tuple[int, ...]) -> Any:
    """Return an array of what fills the output of an equation, of any shape."""
    backend, device = backend_for_device(out.device)
    dtype = getattr(backend.xp, out.dtype)
    return backend.xp.full(shape, FILLS[equation.op.name], dtype=dtype, device=device)


def _can_be_computed(equation: Equation, known: dict[Variable, Constant]) -> bool:
    if type(equation.op) is Group or equation.op.results or equation.op.name in EXCEPT:
        return False
    variables = list(equation.variables)
    is_constant = bool(variables) and all(x in known for x in variables)
    out = equation.outputs[0]
    return (is_constant or equation.op.name in FILLS) and prod(out.shape) <= SMALL and not out.weak
