"""Groups that are the same but for which values they read: one answer, and one kernel, for all.

The steps of an unrolled loop give the same group again and again.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar

from gradx.graph.equations import Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.passes.common import exact

MOST = 1024  # answers that are kept: then all are forgotten

Answer = TypeVar("Answer")


def remembering_likes(question: Callable[[Graph], Answer]) -> Callable[[Graph], Answer]:
    """Return ``question``, asked once of groups that are alike."""
    known: dict[Hashable, Answer] = {}

    @wraps(question)
    def asked(graph: Graph) -> Answer:
        likeness = likeness_of(graph)
        if likeness is None:
            return question(graph)
        if likeness not in known:
            if len(known) >= MOST:
                known.clear()
            known[likeness] = question(graph)
        return known[likeness]

    return asked


def likeness_of(graph: Graph) -> Hashable | None:
    """Return what is equal for groups that are alike; None where a parameter has no hash."""
    numbers: dict[Variable, int] = {}
    for x in graph.inputs:
        numbers[x] = len(numbers)
    equations = []
    for equation in graph.equations:
        inputs = tuple([_numbered(x, numbers) for x in equation.inputs])
        params = tuple([(name, exact(value)) for name, value in equation.params.items()])
        for out in equation.outputs:
            numbers[out] = len(numbers)
        equations.append((equation.op.name, inputs, params))
    values = tuple([(x.shape, x.dtype, x.weak) for x in numbers])
    likeness = (tuple(equations), values, tuple([_numbered(x, numbers) for x in graph.outputs]))
    try:
        hash(likeness)
    except TypeError:
        return None
    return likeness


def _numbered(x: Input, numbers: dict[Variable, int]) -> Hashable:
    return (Variable, numbers[x]) if type(x) is Variable else exact(x)
