"""Several ops for which there is one kernel: a pass that makes calls of them.

The derivative of the cross entropy of labels, and dropout in both directions, whose mask is
made again from the key and never written.
"""

from dataclasses import replace
from math import prod
from typing import Any

from gradx.backends.cuda_kernels.dropout import dropped
from gradx.backends.cuda_kernels.prelude import REALS
from gradx.backends.cuda_kernels.softmax_cross_entropy import softmax_cross_entropy_backward
from gradx.graph.cuda.calls import call
from gradx.graph.cuda.templates import cross_entropy_backward, find
from gradx.graph.equations import Equation, Variable
from gradx.graph.ir import Graph
from gradx.graph.passes.dead import without_dead
from gradx.graph.rewriting import read_by, written_by

Writers = dict[Variable, Equation]


def with_kernels(graph: Graph) -> Graph:
    """Replace equations by calls of kernels that do more than one op."""
    writers = written_by(graph)
    changed = replace(graph, equations=tuple([_simpler(e, writers) for e in graph.equations]))
    return _with_dropout(without_dead(changed))


def _simpler(equation: Equation, writers: Writers) -> Equation:
    if equation.op.name != "multiply" or equation.outputs[0].dtype not in REALS:
        return equation
    found = find(cross_entropy_backward(), equation, writers)
    if found is None:
        return equation
    g, logits, labels = found.inputs
    (out,) = equation.outputs
    one_each = prod(g.shape) == prod(labels.shape)  # type: ignore[union-attr]
    if not one_each or {g.dtype, logits.dtype} != {out.dtype}:  # type: ignore[union-attr]
        return equation
    return call(_cross_entropy_backward, found.inputs, (out,), equation.line)


def _cross_entropy_backward(xp: Any, *arrays: Any) -> tuple[Any, ...]:
    return (softmax_cross_entropy_backward(xp, *arrays),)


def _dropped(xp: Any, x: Any, key: Any, /, **params: Any) -> tuple[Any, ...]:
    return (dropped(xp, x, key, **params),)


def _with_dropout(graph: Graph) -> Graph:
    """Make a mask again wherever it chooses between values and 0, if it does nothing else."""
    writers, readers = written_by(graph), read_by(graph)
    calls: dict[Equation, Equation] = {}
    for mask in graph.equations:
        if mask.op.name != "random_numbers" or mask.params["law"] != "bernoulli":
            continue
        choices = readers.get(mask.outputs[0], [])
        if mask.outputs[0] not in graph.outputs and all(_drops(e, mask) for e in choices):
            calls |= {e: _dropout(e, mask, writers) for e in choices}
    return without_dead(replace(graph, equations=tuple([calls.get(e, e) for e in graph.equations])))


def _drops(choice: Equation, mask: Equation) -> bool:
    """Tell whether an equation is ``where(mask, x, 0.0)``, for arrays of one shape."""
    if choice.op.name != "where" or choice.inputs[0] is not mask.outputs[0]:
        return False
    _, x, otherwise = choice.inputs
    alike = type(x) is Variable and x.shape == mask.outputs[0].shape and x.dtype in REALS
    return alike and type(otherwise) is float and otherwise == 0


def _dropout(choice: Equation, mask: Equation, writers: Writers) -> Equation:
    x, scale = choice.inputs[1], 1.0
    inner = writers.get(x)  # type: ignore[arg-type]
    if inner is not None and inner.op.name == "multiply" and type(inner.inputs[1]) is float:
        x, scale = inner.inputs[0], inner.inputs[1]
    (limit,) = mask.params["numbers"]
    (key,) = mask.inputs
    return call(_dropped, (x, key), choice.outputs, choice.line, limit=limit, scale=scale)


# What they are called where a graph is printed.
_cross_entropy_backward.__name__ = "softmax_cross_entropy_backward"
_dropped.__name__ = "dropped"
