"""Ops over the last axes, as the elementwise ops and reductions that they are made of.

By themselves these are calls that go over their array several times; as equations they join
the loop of what is around them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from gradx.core.op import OPS
from gradx.graph.equations import Equation, Input, Variable
from gradx.graph.ir import Graph


class _Writer:
    """Equations in place of one."""

    def __init__(self, equation: Equation) -> None:
        self.whole, self.written = equation, list[Equation]()

    def call(self, name: str, *inputs: Input, **params: Any) -> Variable:
        """Add an equation, and return its result: as large as its largest input."""
        known = [x for x in inputs if type(x) is Variable]
        shape = max((x.shape for x in known), key=math.prod)
        return self._add(name, inputs, params, replace(known[0], shape=shape, name=""))

    def reduce(self, name: str, x: Variable) -> Variable:
        """Add a reduction over the axes of the op, which stay with length 1."""
        axes = axes_of(self.whole)
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        params: dict[str, Any] = {"axis": axes, "keepdims": True}
        if name == "sum":
            params["dtype"] = None
        return self._add(name, (x,), params, replace(x, shape=shape, name=""))

    def _add(self, name, inputs, params, out) -> Variable:
        self.written.append(Equation(OPS[name], inputs, params, (out,), self.whole.line))
        return out

    def ending(self, name: str, *inputs: Input, **params: Any) -> list[Equation]:
        """Add the last equation, which writes the result of the op."""
        self._add(name, inputs, params, self.whole.outputs[0])
        return self.written


def axes_of(equation: Equation) -> tuple[int, ...]:
    """Return the axes that an op works along, from the front."""
    rank = len(next(equation.variables).shape)
    axis = equation.params["axis"]
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


# Not std and norms: they do not square what would leave the range, as their own calls see to.
EXPANSIONS: dict[str, Callable[[_Writer, Variable], list[Equation]]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "var": _var,
}


def expanded(graph: Graph) -> Graph:
    """Replace ops over the last axes of real numbers by what they are made of."""
    return replace(graph, equations=tuple(_expand(graph.equations)))


def _expand(equations: tuple[Equation, ...]) -> Iterator[Equation]:
    for equation in equations:
        if equation.op.name in EXPANSIONS and _is_over_last_axes(equation):
            x = next(equation.variables)
            yield from EXPANSIONS[equation.op.name](_Writer(equation), x)
        else:
            yield equation


def _is_over_last_axes(equation: Equation) -> bool:
    x = next(equation.variables)
    axes = axes_of(equation)
    last = axes == tuple(range(len(x.shape) - len(axes), len(x.shape)))
    enough = "correction" not in equation.params or _degrees(equation) > 0
    return x.dtype in ("float32", "float64") and 0 not in x.shape and bool(axes) and last and enough
