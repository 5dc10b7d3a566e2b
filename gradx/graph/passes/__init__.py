"""Passes: functions from a graph to a graph that computes the same with less.

Each is a module of its own and is tested alone; ``optimized`` applies them in order.
"""

from gradx.graph.ir import Graph
from gradx.graph.passes.algebra import simplified
from gradx.graph.passes.common import without_common
from gradx.graph.passes.dead import without_dead
from gradx.graph.passes.folding import folded
from gradx.graph.passes.joining import joined
from gradx.graph.passes.summing import summed


def optimized(graph: Graph) -> Graph:
    """Apply all passes that are right on every array library."""
    for improve in PASSES:
        graph = improve(graph)
    return graph


PASSES = (
    without_common,
    simplified,
    folded,
    simplified,
    joined,
    summed,
    without_common,
    without_dead,
)
