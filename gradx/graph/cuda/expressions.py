"""Elementwise ops as expressions in CUDA C, on values in registers.

``{T}`` is the type that an op computes in, ``{0}`` and ``{1}`` are its operands in that type.
What is not in the table runs as an op of its own.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from gradx.backends.cuda_kernels import elementwise
from gradx.backends.cuda_kernels.prelude import INTEGERS, REALS
from gradx.ops.neural import TANH_CUBIC, TANH_SCALE

# Dtype -> how it is stored, and what it is computed in.
STORED = {name: number.stored for name, number in (REALS | INTEGERS).items()} | {"bool": "bool"}
COMPUTED = {name: number.real for name, number in (REALS | INTEGERS).items()} | {"bool": "bool"}

_FUNCTIONS = (
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "erf", "erfc", "exp"),
    *("expm1", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh"),
)
_BINARY_FUNCTIONS = ("atan2", "copysign", "hypot", "nextafter")

TEMPLATES = {
    **elementwise.FORMULAS,
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "quotient": "{0} / {1}",
    "negative": "-{0}",
    "positive": "{0}",
    "reciprocal": "1 / {0}",
    "square": "{0} * {0}",
    "abs": "absolute({0})",
    "sign": "sign_of({0})",
    "maximum": "larger({0}, {1})",
    "minimum": "smaller({0}, {1})",
    "relu": "larger({0}, ({T})0)",
    "one_minus_square": "(1 - {0}) * (1 + {0})",
    "direction": "direction_of({0}, {1})",
    "logaddexp": "log_of_sum({0}, {1})",
    "floor": "floor({0})",
    "ceil": "ceil({0})",
    "trunc": "trunc({0})",
    "round": "rint({0})",
    "pow": "pow({0}, {1})",
    "quiet_pow": "pow({0}, {1})",
    "stop_gradient": "{0}",
    "real": "{0}",
    "conj": "{0}",
    "broadcast_to": "{0}",
    "astype": "{0}",
    "number_as_array": "{0}",
    "zeros_like": "({T})0",
    "ones_like": "({T})1",
    **{name: f"{name}({{0}})" for name in _FUNCTIONS},
    **{name: f"{name}({{0}}, {{1}})" for name in _BINARY_FUNCTIONS},
}
# Of any numbers, and the result is a truth value.
COMPARISONS = {
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "isnan": "{0} != {0}",
    "isinf": "{0} == {0} && {0} - {0} != {0} - {0}",
    "isfinite": "{0} - {0} == {0} - {0}",
    "logical_and": "({0} != 0) && ({1} != 0)",
    "logical_or": "({0} != 0) || ({1} != 0)",
    "logical_xor": "({0} != 0) != ({1} != 0)",
    "logical_not": "{0} == 0",
}
# Functions of one type alone: of integers NumPy would compute otherwise.
ONLY_REAL = {*_FUNCTIONS, *_BINARY_FUNCTIONS, "pow", "quiet_pow", "sigmoid", "softplus"} | {
    *("logaddexp", "floor", "ceil", "trunc", "round", "reciprocal", "divide", "quotient"),
    *("isinf", "isfinite", "isnan", "sigmoid_slope", "sech_squared", "normal_probability"),
    *("direction", "one_minus_square", "checked_targets"),
}


def literal(value: Any) -> str:
    """Return a Python number in C."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}ll"
    if math.isnan(value):
        return "not_a_number()"
    if math.isinf(value):
        return "infinity()" if value > 0 else "-infinity()"
    return repr(value)


def _gelu(params: dict[str, Any], type_name: str, operands: Sequence[str]) -> str:
    x = operands[0]
    if params.get("approximate", "none") == "none":
        return f"({type_name})0.5 * {x} * erfc(({type_name}){-elementwise.ROOT_HALF!r} * {x})"
    cubic = f"{x} + ({type_name}){TANH_CUBIC!r} * {x} * {x} * {x}"
    return f"{x} / (1 + exp(({type_name}){-2 * TANH_SCALE!r} * ({cubic})))"


def _where(params: dict[str, Any], type_name: str, operands: Sequence[str]) -> str:
    condition, x, y = operands
    return f"{condition} ? {x} : {y}"


def _clip(params: dict[str, Any], type_name: str, operands: Sequence[str]) -> str:
    x, low, high = operands
    if low:
        x = f"larger({x}, {low})"
    return f"smaller({x}, {high})" if high else x


LAWS = {
    "probability": "{0} >= 0 && {0} <= 1",
    "sign": "{0} == 1 || {0} == -1",
    "class": "{0} >= 0 && {0} < {classes}",
}


def _checked_targets(params: dict[str, Any], type_name: str, operands: Sequence[str]) -> str:
    # A kernel cannot raise: what breaks the law makes a loss that is not finite.
    holds = LAWS[params["law"]].format(operands[0], classes=params.get("classes", 0))
    return f"({holds}) ? {operands[0]} : ({type_name})not_a_number()"


SPECIAL: dict[str, Callable[[dict[str, Any], str, Sequence[str]], str]] = {
    "checked_targets": _checked_targets,
    "gelu": _gelu,
    "where": _where,
    "clip_between": _clip,
}


def expression(name: str, params: dict[str, Any], type_name: str, operands: Sequence[str]) -> str:
    """Return what op ``name`` computes of ``operands``, all of type ``type_name``."""
    if name in SPECIAL:
        return SPECIAL[name](params, type_name, operands)
    return (TEMPLATES | COMPARISONS)[name].format(*operands, T=type_name)


def is_known(name: str) -> bool:
    """Tell whether an op is an expression."""
    return name in TEMPLATES or name in COMPARISONS or name in SPECIAL
