"""Templates: what gradx's own rules make of an op, found again in a graph.

A template is captured from the rule itself, so that the two cannot drift apart. It is compared
equation by equation, from its result back to its inputs: ops, parameters and numbers must be
the same, shapes and dtypes may be any.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradx.graph.capture import capture
from gradx.graph.equations import Equation, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.passes import optimized
from gradx.graph.passes.common import call_key
from gradx.graph.rewriting import written_by
from gradx.ops.arithmetic import multiply
from gradx.ops.neural import gelu_partial, surplus

# Parameters that shapes decide.
OF_SHAPES = {"classes", "shape"}


class Found(NamedTuple):
    """A place where a graph computes what a template does."""

    inputs: tuple[Input, ...]
    equations: frozenset[Equation]


def find(template: Graph, root: Equation, writers: Mapping[Variable, Equation]) -> Found | None:
    """Tell whether ``root`` computes the result of ``template``, and of what."""
    made = written_by(template)
    known: dict[Variable, Input] = {}
    seen: set[Equation] = set()

    def same(pattern: Input, x: Input) -> bool:
        if type(pattern) is not Variable:
            return type(x) is type(pattern) and x == pattern
        if pattern in known:
            return known[pattern] is x
        known[pattern] = x
        if pattern not in made:
            return type(x) is Variable
        equation = writers.get(x) if type(x) is Variable else None
        return equation is not None and same_call(made[pattern], equation)

    def same_call(pattern: Equation, equation: Equation) -> bool:
        seen.add(equation)
        pairs = zip(pattern.inputs, equation.inputs, strict=False)
        return (
            pattern.op is equation.op
            and _settings(pattern) == _settings(equation)
            and len(pattern.inputs) == len(equation.inputs)
            and all(same(one, other) for one, other in pairs)
        )

    (out,) = template.outputs
    if not same(out, root.outputs[0]):
        return None
    return Found(tuple([known[x] for x in template.inputs]), frozenset(seen))


def _settings(equation: Equation) -> Any:
    kept = {name: value for name, value in equation.params.items() if name not in OF_SHAPES}
    return call_key(Equation(equation.op, (), kept, equation.outputs))


def template(f: Callable[..., Any], *examples: Any) -> Graph:
    """Return the template of what ``f`` computes."""
    return optimized(capture(f)(*examples))


@cache
def gelu_backward() -> Graph:
    """Return what pulls ``g`` back through GELU by the formula with tanh, of (g, x)."""
    x = np.full((2, 3), 0.5)
    return template(lambda g, x: multiply(g, gelu_partial(x, "tanh")), x, x)


@cache
def cross_entropy_backward() -> Graph:
    """Return what pulls a column of ``g`` back to logits, of (g, logits, labels)."""
    labels = np.zeros(2, dtype=np.int64)
    rule = lambda g, logits, labels: multiply(g, surplus(logits, labels))
    return template(rule, np.ones((2, 1)), np.ones((2, 3)), labels)
