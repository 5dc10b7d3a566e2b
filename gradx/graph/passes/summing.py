"""Summing: a sum of products is one product, of the factors side by side.

The gradient of a weight that is used in every step of a loop is a sum of products. Each of them
would write, and each addition read and write, a matrix of the weight's size.
"""

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from gradx.core.op import OPS
from gradx.graph.equations import Equation, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.rewriting import read_by, written_by

FLOATS = ("float32", "float64")
FEWEST = 4  # products that are worth the copies of their factors


@dataclass(slots=True)
class Sum:
    """What a tree of additions adds up, first to last, and the equations that it is made of."""

    products: list[Equation] = field(default_factory=list)
    others: list[Input] = field(default_factory=list)
    parts: set[Equation] = field(default_factory=set)

    @property
    def is_worth_it(self) -> bool:
        """Tell whether there are many products, of factors that are small beside the result."""
        copied = sum(prod(x.shape) for equation in self.products for x in equation.variables)
        written = sum(prod(x.shape) for equation in self.products for x in equation.outputs)
        return len(self.products) >= FEWEST and copied <= written


def summed(graph: Graph) -> Graph:
    """Multiply once instead of adding many products up."""
    written = written_by(graph)
    once = {x for x, found in read_by(graph).items() if len(found) == 1} - set(graph.outputs)
    sums: dict[Equation, Sum] = {}
    inner: set[Equation] = set()
    for equation in reversed(graph.equations):
        if equation not in inner and _adds_matrices(equation):
            sums[equation] = _terms(equation, written, once)
            inner |= sums[equation].parts
    sums = {equation: terms for equation, terms in sums.items() if terms.is_worth_it}
    gone = {part for terms in sums.values() for part in terms.parts}
    equations: list[Equation] = []
    for equation in graph.equations:
        if equation in sums:
            equations += _as_product(equation, sums[equation], written)
        elif equation not in gone:
            equations.append(equation)
    return replace(graph, equations=tuple(equations))


def _adds_matrices(equation: Equation) -> bool:
    (out, *_) = equation.outputs
    return equation.op.name == "add" and len(out.shape) == 2 and out.dtype in FLOATS


def _terms(root: Equation, written: dict[Variable, Equation], once: set[Variable]) -> Sum:
    found, (out,) = Sum(), root.outputs
    waiting: list[Input] = [*reversed(root.inputs)]
    while waiting:
        x = waiting.pop()
        equation = written.get(x) if type(x) is Variable and x in once else None
        if equation is None or not _is_alike(equation.outputs[0], out):
            found.others.append(x)
        elif _adds_matrices(equation):
            found.parts.add(equation)
            waiting += reversed(equation.inputs)
        elif _multiplies_matrices(equation):
            found.parts.add(equation)
            found.products.append(equation)
        else:
            found.others.append(x)
    return found


def _is_alike(x: Variable, out: Variable) -> bool:
    return (x.shape, x.dtype) == (out.shape, out.dtype)


def _multiplies_matrices(equation: Equation) -> bool:
    (out, *_) = equation.outputs
    if equation.op.name != "matmul":
        return False
    factors = [x for x in equation.variables if (len(x.shape), x.dtype) == (2, out.dtype)]
    return len(factors) == 2


def _as_product(root: Equation, terms: Sum, written: dict[Variable, Equation]) -> list[Equation]:
    """Return equations that write what ``root`` did."""
    (out,) = root.outputs
    made: list[Equation] = []

    def make(op: str, *inputs: Input, shape: tuple[int, ...], **params: Any) -> Variable:
        result = replace(out, shape=shape, name="")
        made.append(replace(root, op=OPS[op], inputs=inputs, params=params, outputs=(result,)))
        return result

    def turned(x: Variable) -> Variable:
        equation = written.get(x)
        if equation is not None and equation.op.name == "matrix_transpose":
            return next(equation.variables)
        return make("matrix_transpose", x, shape=x.shape[::-1])

    left, right = zip(*[equation.variables for equation in terms.products], strict=True)
    (rows, columns), length = out.shape, sum(y.shape[0] for y in right)
    # One below the other they are copied in one piece each; a product reads either way.
    upright = make("concat", *map(turned, left), shape=(length, rows), axis=0)
    x = make("matrix_transpose", upright, shape=(rows, length))
    y = make("concat", *right, shape=(length, columns), axis=0)
    total = make("matmul", x, y, shape=out.shape)
    for other in terms.others:
        total = make("add", total, other, shape=out.shape)
    return [*made[:-1], replace(made[-1], outputs=root.outputs)]
