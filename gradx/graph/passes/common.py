"""Common subexpressions: what is computed twice from the same is computed once."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from gradx.graph.equations import Equation, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.rewriting import renamed, substituted


def without_common(graph: Graph) -> Graph:
    """Let equal equations share one result: ops are pure functions."""
    known: dict[Hashable, Equation] = {}
    renames: dict[Variable, Input] = {}
    kept = []
    for equation in graph.equations:
        equation = renamed(equation, renames)
        key = call_key(equation)
        first = equation if key is None else known.setdefault(key, equation)
        if first is equation:
            kept.append(equation)
        else:
            renames.update(zip(equation.outputs, first.outputs, strict=True))
    return replace(graph, equations=tuple(kept), outputs=substituted(graph.outputs, renames))


def call_key(equation: Equation) -> Hashable:
    """Return what two equations must share to be the same call; None if that is unknown."""
    try:
        key = (
            id(equation.op),
            tuple(map(exact, equation.inputs)),
            tuple([(name, exact(value)) for name, value in sorted(equation.params.items())]),
        )
        hash(key)
    except TypeError:  # a list or an array among the parameters
        return None
    return key


def exact(value: Any) -> Hashable:
    """Return what two arguments share if and only if a program cannot tell them apart."""
    # 1, 1.0 and True are equal, and 0.0 and -0.0; they are not the same argument. A slice has no
    # hash before Python 3.12.
    if isinstance(value, tuple):
        return tuple(map(exact, value))
    if isinstance(value, slice):
        return (slice, value.start, value.stop, value.step)
    return (type(value), repr(value)) if type(value) in (float, complex) else (type(value), value)
