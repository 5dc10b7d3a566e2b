"""Ops over the last axes, as the elementwise ops and reductions that they are made of.

Losses of labels are among them: a class's number along the last axis is a constant array.

By themselves these are calls that go over their array several times; as equations they join
the loop of what is around them.
"""

import math
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np

from gradx.core.op import OPS
from gradx.graph.equations import Constant, Equation, Input, Variable
from gradx.graph.ir import Graph
from gradx.graph.passes.common import without_common


class _Writer:
    """Equations in place of one."""

    def __init__(self, equation: Equation, known: dict[Hashable, Any]) -> None:
        self.whole, self.written = equation, list[Equation]()
        self.known = known  # labels that were checked, and the numbers of classes
        self.axes = axes_of(equation)

    def call(self, name: str, *inputs: Input, **params: Any) -> Variable:
        """Add an equation, and return its result: as large as its largest input."""
        known = [x for x in inputs if type(x) is Variable]
        shape = max((x.shape for x in known), key=math.prod)
        return self.add(name, inputs, params, replace(known[0], shape=shape, name=""))

    def reduce(self, name: str, x: Variable) -> Variable:
        """Add a reduction over the axes of the op, which stay with length 1."""
        shape = tuple(1 if i in self.axes else n for i, n in enumerate(x.shape))
        params: dict[str, Any] = {"axis": self.axes, "keepdims": True}
        if name == "sum":
            params["dtype"] = None
        return self.add(name, (x,), params, replace(x, shape=shape, name=""))

    def add(
        self, name: str, inputs: tuple[Input, ...], params: dict[str, Any], out: Variable
    ) -> Variable:
        """Add an equation whose result is ``out``."""
        self.written.append(Equation(OPS[name], inputs, params, (out,), self.whole.line))
        return out

    def ending(self, name: str, *inputs: Input, **params: Any) -> list[Equation]:
        """Add the last equation, which writes the result of the op."""
        self.add(name, inputs, params, self.whole.outputs[0])
        return self.written


def axes_of(equation: Equation) -> tuple[int, ...]:
    """Return the axes that an op works along, from the front."""
    rank = len(next(equation.variables).shape)
    axis = equation.params.get("axis", -1)
    if rank == 0:
        return ()  # NumPy takes 0 and -1 for an axis of a number
    axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(a % rank for a in axes))


def _softmax(write: _Writer, x: Variable) -> list[Equation]:
    powers = write.call("exp", write.call("subtract", x, write.reduce("max", x)))
    return write.ending("divide", powers, write.reduce("sum", powers))


def _log_softmax(write: _Writer, x: Variable) -> list[Equation]:
    shifted = write.call("subtract", x, write.reduce("max", x))
    total = write.reduce("sum", write.call("exp", shifted))
    return write.ending("subtract", shifted, write.call("log", total))


def _var(write: _Writer, x: Variable) -> list[Equation]:
    deviations = write.call("subtract", x, write.reduce("mean", x))
    total = write.reduce("sum", write.call("square", deviations))
    variance = write.call("divide", total, _degrees(write.whole))
    return write.ending("reshape", variance, shape=write.whole.outputs[0].shape, copy=None)


def _degrees(equation: Equation) -> float:
    shape = next(equation.variables).shape
    return math.prod(shape[a] for a in axes_of(equation)) - equation.params["correction"]


def _class_mask(write: _Writer, labels: Variable) -> list[Equation]:
    (out,) = write.whole.outputs
    _mask(write, write.known.get(labels, labels), out)
    return write.written


def _mask(write: _Writer, labels: Variable, out: Variable) -> Variable:
    """Compare labels with the numbers of the classes."""
    classes = out.shape[-1]
    column = replace(labels, shape=(*labels.shape, 1), name="")
    write.add("expand_dims", (labels,), {"axis": -1}, column)
    numbers = replace(labels, shape=(classes,), name="", donated=False)
    numbers = write.known.setdefault((classes, labels.dtype), numbers)
    return write.add("equal", (column, numbers), {}, out)


def _softmax_cross_entropy(write: _Writer, logits: Variable) -> list[Equation]:
    labels: Any = write.whole.inputs[1]
    checked = write.known[labels] = replace(labels, name="", donated=False)
    write.add("checked_labels", (labels,), {"classes": logits.shape[-1]}, checked)
    shifted = write.call("subtract", logits, write.reduce("max", logits))
    total = write.reduce("sum", write.call("exp", shifted))
    mask = _mask(write, checked, replace(logits, dtype="bool", name="", donated=False))
    alone = write.add("where", (mask, shifted, 0.0), {}, replace(shifted))
    chosen = write.reduce("sum", alone)
    losses = write.call("subtract", write.call("log", total), chosen)
    return write.ending("reshape", losses, shape=write.whole.outputs[0].shape, copy=None)


# Not std and norms: they do not square what would leave the range, as their own calls see to.
EXPANSIONS: dict[str, Callable[[_Writer, Variable], list[Equation]]] = {
    "class_mask": _class_mask,
    "softmax": _softmax,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "log_softmax": _log_softmax,
    "var": _var,
}


def expanded(graph: Graph) -> Graph:
    """Replace ops over the last axes of real numbers by what they are made of."""
    known: dict[Hashable, Any] = {}
    equations = list[Equation]()
    for equation in graph.equations:
        if equation.op.name in EXPANSIONS and _may_be_expanded(equation):
            write = _Writer(equation, known)
            equations += EXPANSIONS[equation.op.name](write, next(equation.variables))
        else:
            equations.append(equation)
    numbers = [Constant(x, _numbers(*key)) for key, x in known.items() if type(key) is tuple]
    constants = (*graph.constants, *numbers)
    return without_common(replace(graph, equations=tuple(equations), constants=constants))


def _numbers(classes: int, dtype: str) -> Any:
    return np.arange(classes, dtype=dtype)


def _may_be_expanded(equation: Equation) -> bool:
    variables = list(equation.variables)
    x, last = variables[0], variables[-1]
    if equation.op.name == "class_mask":
        return bool(x.shape) and x.dtype != "bool"
    is_real = x.dtype in ("float32", "float64") and 0 not in x.shape
    return is_real and bool(last.shape) and _is_over_last_axes(equation)


def _is_over_last_axes(equation: Equation) -> bool:
    x = next(equation.variables)
    axes = axes_of(equation)
    last = axes == tuple(range(len(x.shape) - len(axes), len(x.shape)))
    enough = "correction" not in equation.params or _degrees(equation) > 0
    return bool(axes) and last and enough
