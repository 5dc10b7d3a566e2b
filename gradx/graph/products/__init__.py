"""Passes for BLAS: small products of matrices as fewer that are larger, from graph to graph.

Before it multiplies, BLAS copies the second matrix into blocks, which for a product with few rows
takes as long as the product: and the steps of a sequence are many such, with one weight.
"""

from gradx.graph.ir import Graph
from gradx.graph.passes.algebra import simplified
from gradx.graph.passes.dead import without_dead
from gradx.graph.products.copies import with_shared_copies
from gradx.graph.products.rows import with_stacked_rows
from gradx.graph.products.transposes import with_copied_transposes


def stacked(graph: Graph) -> Graph:
    """Let products share what is done for a matrix before it is multiplied."""
    graph = simplified(with_stacked_rows(graph))  # without transposes of transposes
    return without_dead(with_shared_copies(with_copied_transposes(graph)))
