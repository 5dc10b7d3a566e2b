"""A transposed second factor of several products is copied, once: BLAS copies rows more quickly.

The gradient with respect to the state of a sequence's steps multiplies by one at each step.
"""

from dataclasses import replace

from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph
from gradx.graph.products.common import factors, is_product, join
from gradx.graph.rewriting import read_by, renamed

FEWEST = 4  # products: to copy takes as long as three of them lose


def with_copied_transposes(graph: Graph) -> Graph:
    """Lay transposes that several products have second in memory in their own order."""
    readers = read_by(graph)
    copies: dict[Variable, Variable] = {}
    kept: list[Equation] = []
    for equation in graph.equations:
        if is_product(equation):
            right = factors(equation)[1]
            equation = renamed(equation, {right: copies.get(right, right)})
        kept.append(equation)
        out = equation.outputs[0]
        if equation.op.name == "matrix_transpose" and _are_many(out, readers.get(out, [])):
            copy = join([out], 0, equation.line)
            copies[out] = copy.outputs[0]
            kept.append(copy)
    return replace(graph, equations=tuple(kept))


def _are_many(x: Variable, readers: list[Equation]) -> bool:
    products = [e for e in readers if is_product(e) and factors(e)[1] is x]
    return len(products) >= FEWEST
