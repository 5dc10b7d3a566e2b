"""Python numbers in a graph: what Python would have computed with them, Python computes.

A number that is an argument of a captured function stays a number: beside a float32
array it leaves the result float32, and arithmetic on numbers alone has Python's own
rules and bits.
"""

import operator
from collections.abc import Callable
from typing import Any

from gradx.graph.equations import Equation

# Op -> what Python does where all operands are numbers. The result is again a number.
OPERATORS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "add": operator.add,
    "bitwise_and": operator.and_,
    "bitwise_invert": operator.invert,
    "bitwise_left_shift": operator.lshift,
    "bitwise_or": operator.or_,
    "bitwise_right_shift": operator.rshift,
    "bitwise_xor": operator.xor,
    "divide": operator.truediv,
    "equal": operator.eq,
    "floor_divide": operator.floordiv,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "multiply": operator.mul,
    "negative": operator.neg,
    "not_equal": operator.ne,
    "positive": operator.pos,
    "pow": operator.pow,
    "remainder": operator.mod,
    "subtract": operator.sub,
}

DTYPES = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}


def computed_by_python(equation: Equation) -> bool:
    """Tell whether an equation is arithmetic on numbers alone."""
    return equation.op.name in OPERATORS and all(out.weak for out in equation.outputs)
