"""Run a graph through gradx's ops: on Tensors too, so that it is differentiated like a function."""

from collections.abc import Iterable
from typing import Any

from gradx.backends import default_device
from gradx.graph.equations import Group, Variable
from gradx.graph.weak import OPERATORS, computed_by_python
from gradx.ops.creation import ones_like
from gradx.transforms.boundary import as_array
from gradx.transforms.honesty import is_differentiated


def interpret(graph: Any, arrays: Iterable[Any]) -> tuple[Any, ...]:
    """Run ``graph`` through gradx's ops: on Tensors too, whose transforms see every op."""
    known: dict[Any, Any] = dict(zip(graph.inputs, arrays, strict=True))
    known |= {constant.variable: constant.value for constant in graph.constants}
    for equation in graph.equations:
        values = tuple([known[x] if type(x) is Variable else x for x in equation.inputs])
        known.update(zip(equation.outputs, _interpret_one(equation, values), strict=True))
    return tuple([known[x] if type(x) is Variable else x for x in graph.outputs])


def _interpret_one(equation, values):
    if type(equation.op) is Group:
        return interpret(equation.op.graph, values)
    if computed_by_python(equation):
        return (OPERATORS[equation.op.name](*values),)
    if equation.op.name == "taken_as_constant" and is_differentiated(values[0]):
        return (ones_like(values[0]),)  # it varies now, so a zero is a value like others
    if equation.op.name == "number_as_array":
        with default_device(equation.device):
            return (as_array(values[0]),)
    out = equation.op.run(values, equation.params)
    return tuple(out) if equation.op.results else (out,)
