"""Products with one second factor are rows of a product: ``a @ w, b @ w = split([a; b] @ w)``.

So are the inputs of a sequence's steps, as far as no step needs what another's product gives.
"""

from dataclasses import replace

from gradx.core.op import OPS
from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph
from gradx.graph.products.common import Matrices, factors, is_product
from gradx.graph.rewriting import in_order

MOST = 256  # rows of one product: more at once are multiplied no more quickly


def with_stacked_rows(graph: Graph) -> Graph:
    """Compute products of few rows with one matrix in portions, each by one product."""
    # One after another, as what is one product now may have come before and after another.
    for right in _second_factors(graph):
        graph = _with_stacked(graph, right)
    return graph


def _second_factors(graph: Graph) -> list[Variable]:
    """Return the matrices that several products with few rows have second."""
    times: dict[Variable, int] = {}
    for equation in graph.equations:
        if _has_few_rows(equation):
            right = factors(equation)[1]
            times[right] = times.get(right, 0) + 1
    return [right for right, count in times.items() if count > 1]


def _has_few_rows(equation: Equation) -> bool:
    """Tell whether a product's first factor is smaller than the second."""
    return is_product(equation) and equation.outputs[0].shape[0] < equation.outputs[0].shape[1]


def _with_stacked(graph: Graph, right: Variable) -> Graph:
    found = _portions(_independent(graph, right))
    if not found:
        return graph
    matrices = Matrices(graph)
    new = {portion[0]: _one(portion, right, matrices) for portion in found}
    gone = {product for portion in found for product in portion}
    kept: list[Equation] = []
    for equation in graph.equations:
        kept += new.get(equation, [] if equation in gone else [equation])
    return replace(graph, equations=tuple(in_order(kept)))


def _independent(graph: Graph, right: Variable) -> list[Equation]:
    """Return the products with a second factor whose first needs no product with that one."""
    products, behind = [], set[Variable]()
    for equation in graph.equations:
        needs_one = not behind.isdisjoint(equation.variables)
        if _has_few_rows(equation) and factors(equation)[1] is right:
            products += [] if needs_one else [equation]
            needs_one = True
        if needs_one:
            behind.update(equation.outputs)
    return products


def _portions(products: list[Equation]) -> list[list[Equation]]:
    """Divide products among portions, each of which is one product; not one that is alone."""
    found: list[list[Equation]] = [[]]
    rows = 0
    for product in products:
        rows += product.outputs[0].shape[0]
        if rows > MOST:
            found.append([])
            rows = product.outputs[0].shape[0]
        found[-1].append(product)
    return [portion for portion in found if len(portion) > 1]


def _one(portion: list[Equation], right: Variable, matrices: Matrices) -> list[Equation]:
    """Return one product in the place of several, and what cuts their results from it."""
    first = portion[0]
    left = matrices.side_by_side([factors(one)[0] for one in portion], 0, first.line)
    rows = left[-1].outputs[0].shape[0]
    whole = replace(first.outputs[0], shape=(rows, right.shape[1]), name="")
    product = replace(first, inputs=(left[-1].outputs[0], right), outputs=(whole,))
    made, start = [*left, product], 0
    for one in portion:
        stop = start + one.outputs[0].shape[0]
        params = {"key": (slice(start, stop),)}
        made.append(Equation(OPS["getitem"], (whole,), params, one.outputs, one.line))
        start = stop
    return made
