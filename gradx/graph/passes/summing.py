"""Summing: a sum of products is one product, of the factors side by side.

The gradient of a weight that is used in every step of a loop is a sum of products. Each of them
would write, and each addition read and write, a matrix of the weight's size. On a processor a long
sum is multiplied in portions, each as soon as its factors are there: few are kept, in the cache.
"""

from dataclasses import dataclass, field, replace
from math import inf, prod
from typing import Any

from gradx.core.op import OPS
from gradx.graph.equations import Equation, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.rewriting import read_by, renamed, substituted, written_by

FLOATS = ("float32", "float64")
FEWEST = 4  # products that are worth the copies of their factors
# Library -> rows of factors one below the other, of which more are multiplied no more quickly.
MOST = {"numpy": 256}


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

    def portions(self, most: float) -> list[list[Equation]]:
        """Return the products in portions of ``most`` rows, each of which is multiplied at once."""
        found: list[list[Equation]] = [[]]
        for equation in self.products:
            if found[-1] and sum(map(_length, found[-1])) + _length(equation) > most:
                found.append([])
            found[-1].append(equation)
        return found


def summed(graph: Graph) -> Graph:
    """Multiply once, or a few times, instead of adding many products up."""
    written = written_by(graph)
    sums = _sums(graph, written)
    gone = {part for terms in sums.values() for part in terms.parts}
    totals = {root: _Total(root, written) for root in sums}
    due = _due(graph, sums)
    equations: list[Equation] = []
    for equation in graph.equations:
        if equation in due:
            root, portion = due[equation]
            equations += totals[root].with_products(portion)
        if equation in sums:
            equations += totals[equation].with_others(sums[equation].others)
        elif equation not in gone:
            equations.append(equation)
    renames = {root.outputs[0]: total.value for root, total in totals.items()}
    return replace(
        graph,
        equations=tuple([renamed(equation, renames) for equation in equations]),
        outputs=substituted(graph.outputs, renames),
    )


def _sums(graph: Graph, written: dict[Variable, Equation]) -> dict[Equation, Sum]:
    """Return the sums of products that are worth it, by the last addition of each."""
    once = {x for x, found in read_by(graph).items() if len(found) == 1} - set(graph.outputs)
    sums: dict[Equation, Sum] = {}
    inner: set[Equation] = set()
    for equation in reversed(graph.equations):
        if equation not in inner and _adds_matrices(equation):
            sums[equation] = _terms(equation, written, once)
            inner |= sums[equation].parts
    return {equation: terms for equation, terms in sums.items() if terms.is_worth_it}


def _due(
    graph: Graph, sums: dict[Equation, Sum]
) -> dict[Equation, tuple[Equation, list[Equation]]]:
    """Return the portions of products, each with its sum, by the last product of each."""
    places = {equation: place for place, equation in enumerate(graph.equations)}
    most = MOST.get(graph.backend.name, inf)
    due = {}
    for root, terms in sums.items():
        terms.products.sort(key=places.__getitem__)
        due.update({portion[-1]: (root, portion) for portion in terms.portions(most)})
    return due


def _length(product: Equation) -> int:
    """Return how many rows a factor has, one below the other."""
    return next(product.variables).shape[1]


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


class _Total:
    """What of a sum was added up so far."""

    def __init__(self, root: Equation, written: dict[Variable, Equation]) -> None:
        self.root, self.written = root, written
        self.value: Input = None
        self.made: list[Equation] = []

    def with_products(self, portion: list[Equation]) -> list[Equation]:
        """Return equations that add a portion of products."""
        self.made = []
        (rows, columns) = self.root.outputs[0].shape
        left, right = zip(*[equation.variables for equation in portion], strict=True)
        length = sum(y.shape[0] for y in right)
        # One below the other they are copied in one piece each; a product reads either way.
        upright = self._make("concat", *map(self._turned, left), shape=(length, rows), axis=0)
        x = self._make("matrix_transpose", upright, shape=(rows, length))
        y = self._make("concat", *right, shape=(length, columns), axis=0)
        self._add(self._make("matmul", x, y, shape=(rows, columns)))
        return self.made

    def with_others(self, others: list[Input]) -> list[Equation]:
        """Return equations that add what is no product."""
        self.made = []
        for x in others:
            self._add(x)
        return self.made

    def _add(self, x: Input) -> None:
        shape = self.root.outputs[0].shape
        self.value = x if self.value is None else self._make("add", self.value, x, shape=shape)

    def _make(self, op: str, *inputs: Input, shape: tuple[int, ...], **params: Any) -> Variable:
        out = replace(self.root.outputs[0], shape=shape, name="")
        self.made.append(
            replace(self.root, op=OPS[op], inputs=inputs, params=params, outputs=(out,))
        )
        return out

    def _turned(self, x: Variable) -> Variable:
        equation = self.written.get(x)
        if equation is not None and equation.op.name == "matrix_transpose":
            return next(equation.variables)
        return self._make("matrix_transpose", x, shape=x.shape[::-1])
