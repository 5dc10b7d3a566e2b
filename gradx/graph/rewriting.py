"""What passes share: replacing variables, and asking what reads them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gradx.errors import ShapeError
from gradx.graph.equations import Equation, Input, Variable


def renamed(equation: Equation, renames: Mapping[Variable, Input]) -> Equation:
    """Return the equation with some of its inputs replaced."""
    if not any(x in renames for x in equation.variables):
        return equation
    return replace(equation, inputs=substituted(equation.inputs, renames))


def substituted(inputs: Iterable[Input], renames: Mapping[Variable, Input]) -> tuple[Input, ...]:
    """Return ``inputs`` with variables replaced."""
    return tuple([renames.get(x, x) if type(x) is Variable else x for x in inputs])


def read_by(graph: Any) -> dict[Variable, list[Equation]]:
    """Return the equations that read each variable, once for each time that they do."""
    readers: dict[Variable, list[Equation]] = {}
    for equation in graph.equations:
        for x in equation.variables:
            readers.setdefault(x, []).append(equation)
    return readers


def written_by(graph: Any) -> dict[Variable, Equation]:
    """Return the equation that writes each variable."""
    return {out: equation for equation in graph.equations for out in equation.outputs}


def in_order(equations: Iterable[Equation]) -> list[Equation]:
    """Sort so that each comes after what it reads, otherwise as they are.

    Raises:
        ValueError: one reads, through others, what is made of it: a pass is wrong.
    """
    equations = list(equations)
    made_by = {out: e for e in equations for out in e.outputs}
    ordered: list[Equation] = []
    done: set[Equation] = set()
    waiting: set[Equation] = set()
    for equation in equations:
        pending = [equation]
        while pending:
            last = pending[-1]
            missing = [
                made_by[x] for x in last.variables if x in made_by and made_by[x] not in done
            ]
            if missing and last not in done:
                if last in waiting:
                    raise ShapeError(f"graph: {last.op} reads what is made of its own outputs")
                waiting.add(last)
                pending += missing
                continue
            pending.pop()
            if last not in done:
                done.add(last)
                ordered.append(last)
    return ordered
