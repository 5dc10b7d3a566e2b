"""What is seen of a model while it is called: what each layer returns, and how much it computes.

A multiplication and an addition are two operations, and any other function of a number is one.
What only moves numbers is none.
"""

from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

from gradx.core import tree
from gradx.core.op import OPS
from gradx.graph.capture import Capture
from gradx.graph.equations import Equation, Variable

REDUCTIONS = {"log_softmax", "logsumexp", "max", "mean", "min", "prod", "softmax", "std", "sum"}
MOVING = {"astype", "number_as_array", "positive", "stop_gradient", "where"}


class Count:
    """Makes the calls of layers and notes them; ``trace`` records what is computed, if it can."""

    def __init__(self, trace: Capture | None) -> None:
        self.trace = trace
        self.outputs: dict[int, str] = {}  # by the identity of a layer
        self.operations: Counter[int] = Counter()  # of a layer, without those of layers inside it
        self._open: list[int] = []
        self._counted = 0

    def __call__(self, module: Any, call: Callable[[], Any]) -> Any:
        """Make a call of a layer."""
        self._count()
        self._open.append(id(module))
        out = call()
        self._count()
        self._open.pop()
        self.outputs[id(module)] = _shapes_of(out)
        return out

    def _count(self) -> None:
        """Give what was computed since the last event to the innermost layer."""
        if self.trace is None:
            return
        new = self.trace.equations[self._counted :]
        self._counted += len(new)
        if self._open:
            self.operations[self._open[-1]] += sum(map(operations_of, new))


def operations_of(equation: Equation) -> int:
    """Return how many operations on floating-point numbers a call takes."""
    name, (out, *_) = equation.op.name, equation.outputs
    shapes = [x.shape if type(x) is Variable else () for x in equation.inputs]
    if not out.dtype.startswith(("float", "complex")):
        return 0
    if name == "matmul":
        return 2 * prod(out.shape) * shapes[0][-1]
    if name == "convolution":
        return 2 * prod(out.shape) * prod(shapes[1][1:])
    if name == "convolution_transpose":
        return 2 * prod(shapes[0]) * prod(shapes[1][1:])
    if name in REDUCTIONS:
        return prod(shapes[0])
    return prod(out.shape) if OPS[name].elementwise and name not in MOVING else 0


def _shapes_of(out: Any) -> str:
    return ", ".join(str(tuple(x.shape)) for x in tree.leaves(out) if hasattr(x, "shape"))
