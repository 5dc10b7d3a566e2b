"""Products with what follows them: a pass that makes calls of cuBLASLt's epilogues.

A bias, an activation and their derivatives become part of the product that they follow, and the
derivative of a bias part of one that reads the same rows. Where something between is read by
others too it stays as it is. What the library lacks for a shape it says when it runs
(``gradx.backends.cuda_products``).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from gradx.backends.cublaslt import DATA, auxiliary_type
from gradx.backends.cuda_products import (
    affine,
    affine_activated,
    product_pulled_back,
    product_summed,
)
from gradx.graph.cuda.calls import call
from gradx.graph.cuda.templates import find, gelu_backward
from gradx.graph.equations import Equation, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.passes.dead import without_dead
from gradx.graph.rewriting import in_order, read_by, written_by

OVER_ROWS = [{"axis": axis, "dtype": None, "keepdims": False} for axis in (0, (0,))]


class Affine(NamedTuple):
    """An equation ``x @ weight + bias``."""

    x: Variable
    weight: Variable
    bias: Variable
    out: Variable
    line: str


class Pulled(NamedTuple):
    """An equation that pulls a product back through an activation."""

    g: Variable
    weight: Variable
    out: Variable
    line: str


class View:
    """A graph, and who writes and reads each of its variables."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.equations = graph, set(graph.equations)
        self.writers, self.readers = written_by(graph), read_by(graph)
        self.returned = {x for x in graph.outputs if type(x) is Variable}

    def product(self, x: Input) -> Equation | None:
        """Return the product of two matrices that makes ``x``, if nobody else reads it."""
        if type(x) is not Variable or x in self.returned or len(self.readers.get(x, ())) != 1:
            return None
        equation = self.writers.get(x)
        return equation if equation is not None and is_product(equation) else None

    def sums_over_rows(self, x: Variable) -> Equation | None:
        """Return the equation that adds up the rows of a matrix."""
        for equation in self.readers.get(x, ()):
            plain = {"axis": equation.params.get("axis"), "dtype": None, "keepdims": False}
            if (
                equation.op.name == "sum"
                and equation.params == plain
                and plain["axis"] in (0, (0,))
            ):
                return equation
        return None


def is_product(equation: Equation) -> bool:
    """Tell whether an equation is a product of two matrices that cuBLASLt can make."""
    if equation.op.name != "matmul":
        return False
    types = {(len(x.shape), x.dtype) for x in equation.variables}
    sizes = [n for x in (*equation.variables, *equation.outputs) for n in x.shape]
    return len(types) == 1 and types <= {(2, dtype) for dtype in DATA} and 0 not in sizes


def with_epilogues(graph: Graph) -> Graph:
    """Make products, and what follows them, one call each."""
    for rule in (_activations, _biases, _sums):
        view = View(graph)
        for equation in graph.equations:
            changed = rule(view, equation) if equation in view.equations else None
            view = view if changed is None else View(changed)
        graph = view.graph
    return graph


def _rewritten(graph: Graph, dropped: Iterable[Equation], added: Iterable[Equation]) -> Graph:
    gone = set(dropped)
    kept = [e for e in graph.equations if e not in gone]
    return without_dead(replace(graph, equations=tuple(in_order([*kept, *added]))))


def _affine(view: View, equation: Equation) -> Affine | None:
    if equation.op.name != "add":
        return None
    for first, bias in (equation.inputs, equation.inputs[::-1]):
        product, out = view.product(first), equation.outputs[0]
        if product is None or type(bias) is not Variable or bias.weak:
            continue
        if (bias.shape, bias.dtype, out.dtype) == (out.shape[1:], *[product.outputs[0].dtype] * 2):
            x, weight = product.variables
            return Affine(x, weight, bias, out, equation.line)
    return None


def _biases(view: View, equation: Equation) -> Graph | None:
    found = _affine(view, equation)
    if found is None:
        return None
    inputs = (found.x, found.weight, found.bias)
    return _rewritten(view.graph, [equation], [call(affine, inputs, (found.out,), found.line)])


def _sums(view: View, equation: Equation) -> Graph | None:
    """Add up the rows of what a product reads: the derivatives of a weight and its bias."""
    if not is_product(equation):
        return None
    x, y = equation.variables
    total = view.sums_over_rows(y)
    if total is None:
        return None
    outputs = (equation.outputs[0], total.outputs[0])
    both = call(product_summed, (x, y), outputs, equation.line)
    return _rewritten(view.graph, [equation, total], [both])


def _activations(view: View, equation: Equation) -> Graph | None:
    """Find an activation of an affine map, and what pulls back through it."""
    for name, rule in ACTIVATIONS.items():
        found = _affine(view, equation)
        if found is None:
            return None
        reading = [e for e in view.readers.get(found.out, ()) if e.op.name == name]
        if len(reading) == 1 and found.out not in view.returned and rule.fits(reading[0]):
            return _activated(view, found, name, reading[0], list(rule.backward(view, reading[0])))
    return None


def _activated(
    view: View, found: Affine, name: str, forward: Equation, backward: list[tuple[Equation, Pulled]]
) -> Graph | None:
    """Put both into products; not if what the activation is of is needed by others."""
    (out,) = forward.outputs
    inputs = (found.x, found.weight, found.bias)
    dropped = [forward, *[equation for equation, _ in backward]]
    if not backward:
        ahead = call(affine_activated, inputs, (out,), found.line, activation=name, keeps=False)
        changed = _rewritten(view.graph, dropped, [ahead])
        return changed if found.out not in read_by(changed) else None
    shape, dtype = auxiliary_type(name, out.shape, out.dtype)
    kept = replace(out, shape=shape, dtype=dtype)
    ahead = call(affine_activated, inputs, (out, kept), found.line, activation=name, keeps=True)
    added = [ahead]
    for equation, pulled in backward:
        results, total = equation.outputs, view.sums_over_rows(equation.outputs[0])
        if total is not None:
            dropped.append(total)
            results = (*results, *total.outputs)
        operands = (pulled.g, pulled.weight, kept, out)
        settings = {"activation": name, "sums": total is not None}
        added.append(call(product_pulled_back, operands, results, pulled.line, **settings))
    changed = _rewritten(view.graph, dropped, added)
    return changed if found.out not in read_by(changed) else None


def _relu_backward(view: View, forward: Equation) -> Iterator[tuple[Equation, Pulled]]:
    """Find ``where(out > 0, g @ weight, 0)``."""
    (out,) = forward.outputs
    for mask in view.readers.get(out, ()):
        if mask.op.name != "greater" or mask.inputs[0] is not out or mask.inputs[1] != 0:
            continue
        for choice in view.readers.get(mask.outputs[0], ()):
            product = view.product(choice.inputs[1]) if choice.op.name == "where" else None
            if product is not None and type(choice.inputs[2]) is float and choice.inputs[2] == 0:
                g, weight = product.variables
                yield choice, Pulled(g, weight, out, product.line)


def _gelu_backward(view: View, forward: Equation) -> Iterator[tuple[Equation, Pulled]]:
    for equation in view.graph.equations:
        if equation.op.name != "multiply":
            continue
        found = find(gelu_backward(), equation, view.writers)
        if found is not None and found.inputs[1] is forward.inputs[0]:
            product = view.product(found.inputs[0])
            if product is not None:
                g, weight = product.variables
                yield equation, Pulled(g, weight, forward.outputs[0], product.line)


class Rule(NamedTuple):
    """Which equations are the activation that the library has, and what pulls back through it."""

    fits: Callable[[Equation], bool]
    backward: Callable[[View, Equation], Iterator[tuple[Equation, Pulled]]]


ACTIVATIONS = {
    "relu": Rule(lambda equation: True, _relu_backward),
    "gelu": Rule(lambda equation: equation.params["approximate"] == "tanh", _gelu_backward),
}
