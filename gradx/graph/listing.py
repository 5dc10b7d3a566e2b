"""A graph as text that reads like a program: one line an equation, with types and lines."""

from collections.abc import Iterator
from itertools import product
from string import ascii_lowercase
from typing import Any

from gradx.graph.equations import Equation, Group, Input, Variable

INDENT = "    "


def short_names() -> Iterator[str]:
    """Yield a, b, ..., z, aa, ab, ..."""
    length = 1
    while True:
        yield from map("".join, product(ascii_lowercase, repeat=length))
        length += 1


class Names:
    """What each variable of a graph is called: by first appearance."""

    def __init__(self) -> None:
        self.known: dict[Variable, str] = {}
        self.fresh = short_names()

    def of(self, x: Input) -> str:
        """Return the name of a variable, a literal as Python writes it."""
        if type(x) is not Variable:
            return repr(x)
        if x not in self.known:
            self.known[x] = next(self.fresh)
        return self.known[x]


def list_graph(graph: Any) -> str:
    """Write a graph as text."""
    return "\n".join(_lines(graph, Names()))


def _lines(graph: Any, names: Names) -> Iterator[str]:
    yield f"{graph.name}("
    for variable in graph.inputs:
        hint = f"  # {variable.name}" if variable.name else ""
        yield f"{INDENT}{names.of(variable)}: {variable.type},{hint}"
    yield "):"
    for variable, _ in graph.constants:
        yield f"{INDENT}{names.of(variable)}: {variable.type} = constant"
    for equation in graph.equations:
        yield from _equation_lines(equation, names)
    yield f"{INDENT}return {', '.join(map(names.of, graph.outputs))}"


def _equation_lines(equation: Equation, names: Names) -> Iterator[str]:
    arguments = [names.of(x) for x in equation.inputs]
    defaults = getattr(equation.op, "defaults", {})
    for name, value in equation.params.items():
        default = defaults.get(f"_{name}", defaults)
        if type(value) is not type(default) or value != default:
            arguments.append(f"{name}={value!r}")
    results = ", ".join(f"{names.of(out)}: {out.type}" for out in equation.outputs)
    line = f"  # {equation.line}" if equation.line else ""
    yield f"{INDENT}{results} = {equation.op.name}({', '.join(arguments)}){line}"
    if type(equation.op) is Group:
        inner = equation.op.graph
        inside = Names()
        inside.fresh = names.fresh
        inside.known |= {v: names.of(x) for v, x in zip(inner.inputs, equation.inputs, strict=True)}
        inside.known |= {
            v: names.of(x)
            for v, x in zip(inner.outputs, equation.outputs, strict=True)
            if v not in inside.known
        }
        for one in inner.equations:
            for text in _equation_lines(one, inside):
                yield INDENT + text
