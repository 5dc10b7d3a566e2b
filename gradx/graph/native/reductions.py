"""Reductions in machine code: a state of vectors, a step for each vector, a result.

A sum of float32 is kept in float64. One of float64 keeps what rounding loses, by Knuth's
two-sum, so it is right to the last digits whatever its length (Neumaier). The order is
fixed by the shape alone: the number of threads does not change a bit.
"""

import math
from typing import NamedTuple

import numpy as np

from gradx.backends.native.values import Code, Value, magnitude
from gradx.graph.equations import Equation
from gradx.graph.native.operations import OPERATIONS

State = tuple[Value, ...]


def two_sum(x: Value, y: Value) -> tuple[Value, Value]:
    """Return ``x + y`` and what its rounding lost."""
    total = x + y
    y_rounded = total - x
    return total, (x - (total - y_rounded)) + (y - y_rounded)


class Reduction(NamedTuple):
    """One reduction: in which dtype it is kept, and how."""

    name: str  # sum, max or min
    dtype: str  # of the state
    width: int  # vectors in the state
    divisor: int  # of a sum

    @property
    def identity(self) -> float:
        """The number that changes nothing."""
        if self.name == "sum":
            return 0
        if self.dtype.startswith("float"):
            return -math.inf if self.name == "max" else math.inf
        limits = np.iinfo(self.dtype)
        return int(limits.min if self.name == "max" else limits.max)

    def start(self, code: Code) -> State:
        """Return the state of nothing."""
        first = code.constant(self.dtype, self.identity)
        return (first, *[code.constant(self.dtype, 0.0)] * (self.width - 1))

    def combine(self, state: State, other: State) -> State:
        """Join the states of two parts."""
        if self.name != "sum":
            larger = OPERATIONS["maximum" if self.name == "max" else "minimum"].emit
            return (larger(state[0], other[0]),)
        if self.width == 1:
            return (state[0] + other[0],)
        total, lost = two_sum(state[0], other[0])
        return total, (state[1] + other[1]) + lost

    def step(self, state: State, x: Value) -> State:
        """Add a vector to a state."""
        x = x.to(self.dtype)
        if self.width == 1:
            return self.combine(state, (x,))
        total, lost = two_sum(state[0], x)
        return total, state[1] + lost

    def across(self, state: State) -> State:
        """Join the elements of each vector: all of them become the result."""
        code = state[0].code
        distance = code.lanes // 2
        while distance:
            state = self.combine(state, tuple(_rotated(x, distance) for x in state))
            distance //= 2
        return state

    def result(self, state: State, dtype: str) -> Value:
        """Return what the reduction gives, in the dtype of its output."""
        total = state[0]
        if self.width > 1:
            # Of an infinite sum what was lost is NaN.
            total = (magnitude(total) < math.inf).where(total + state[1], total)
        if self.divisor > 1:
            total = total / float(self.divisor)
        return total.to(dtype)


def reduction_of(equation: Equation) -> Reduction:
    """Return how an equation's reduction is computed."""
    (x,), (out,) = equation.variables, equation.outputs
    name = equation.op.name
    divisor = math.prod(x.shape) // math.prod(out.shape) if name == "mean" else 1
    if name in ("max", "min"):
        return Reduction(name, x.dtype, 1, 1)
    if out.dtype.startswith("float"):
        return Reduction("sum", "float64", 2 if x.dtype == "float64" else 1, divisor)
    return Reduction("sum", "int64", 1, 1)


def column_reduction(equation: Equation) -> Reduction:
    """Return how a reduction over rows is computed: in memory, one word for each column."""
    reduction = reduction_of(equation)
    kind = reduction.dtype.rstrip("0123456789")
    return reduction._replace(width=1, dtype=f"{kind}64")


def _rotated(x: Value, distance: int) -> Value:
    lanes = x.code.lanes
    places = ", ".join(f"i32 {(i + distance) % lanes}" for i in range(lanes))
    vector = x.code.vector(x.dtype)
    return x.code.emit(
        x.dtype, f"shufflevector {vector} {x.name}, {vector} poison, <{lanes} x i32> <{places}>"
    )
