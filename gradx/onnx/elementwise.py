"""Elementwise ops: most have a counterpart in ONNX, the rest are a few nodes."""

import math

import numpy as np

from gradx.graph.equations import Variable
from gradx.onnx.nodes import Call, ExportError, Writer

# Of one dtype in and out.
SAME = {
    "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "add": "Add", "asin": "Asin",
    "asinh": "Asinh", "atan": "Atan", "atanh": "Atanh", "ceil": "Ceil", "cos": "Cos",
    "cosh": "Cosh", "divide": "Div", "erf": "Erf", "exp": "Exp", "floor": "Floor",
    "log": "Log", "maximum": "Max", "minimum": "Min", "multiply": "Mul", "negative": "Neg",
    "pow": "Pow", "quotient": "Div", "quiet_pow": "Pow", "reciprocal": "Reciprocal",
    "relu": "Relu", "round": "Round", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin",
    "sinh": "Sinh", "softplus": "Softplus", "sqrt": "Sqrt", "subtract": "Sub", "tan": "Tan",
    "tanh": "Tanh",
}  # fmt: skip
# Of two numbers of one dtype; what they say is a truth value.
COMPARISONS = {
    "equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less",
    "less_equal": "LessOrEqual",
}  # fmt: skip
# Of truth values, or of floating-point numbers as they are.
PLAIN = {
    "isnan": "IsNaN", "isinf": "IsInf", "logical_and": "And", "logical_not": "Not",
    "logical_or": "Or", "logical_xor": "Xor", "positive": "Identity", "stop_gradient": "Identity",
    "number_as_array": "Identity",
    "taken_as_constant": "Identity",
}  # fmt: skip


def _same(kind: str) -> Writer:
    return lambda call: call.add(kind, *call.aligned(call.dtype))


def _comparison(kind: str) -> Writer:
    return lambda call: call.add(kind, *call.aligned(common_dtype(call)))


def common_dtype(call: Call) -> str:
    """Return the dtype that the inputs are compared in: Python numbers do not decide."""
    dtypes = [np.dtype(x.dtype) for x in call.equation.inputs if type(x) is Variable]
    return np.result_type(*dtypes).name


def _plain(kind: str) -> Writer:
    return lambda call: call.add(kind)


def _square(call: Call) -> str:
    return call.add("Mul", *call.inputs, *call.inputs)


def _expm1(call: Call) -> str:
    # exp(x) - 1 loses digits near 0, where it is 2 * sinh(x / 2) * exp(x / 2) to all of them.
    half = call.add("Mul", *call.inputs, call.nodes.constant(0.5, call.dtype))
    product = call.add("Mul", call.add("Sinh", half), call.add("Exp", half))
    return call.add("Mul", product, call.nodes.constant(2.0, call.dtype))


def _log1p(call: Call) -> str:
    # As 2 * atanh(x / (2 + x)), which keeps the digits that log(1 + x) loses near 0.
    two = call.nodes.constant(2.0, call.dtype)
    ratio = call.add("Div", *call.inputs, call.add("Add", *call.inputs, two))
    return call.add("Mul", call.add("Atanh", ratio), two)


def _logarithm(base: float) -> Writer:
    def write(call: Call) -> str:
        factor = call.nodes.constant(1 / math.log(base), call.dtype)
        return call.add("Mul", call.add("Log"), factor)

    return write


def _not_equal(call: Call) -> str:
    return call.add("Not", call.add("Equal", *call.aligned(common_dtype(call))))


def _where(call: Call) -> str:
    condition, *branches = call.inputs
    kinds = [getattr(x, "dtype", call.dtype) for x in call.equation.inputs[1:]]
    cast = [
        name if kind == call.dtype else call.nodes.cast(name, call.dtype)
        for name, kind in zip(branches, kinds, strict=True)
    ]
    return call.add("Where", condition, *cast)


def _clip(call: Call) -> str:
    x, low, high = call.aligned(call.dtype)
    for name, bound, kind in [(low, 1, "Max"), (high, 2, "Min")]:
        if call.equation.inputs[bound] is not None:
            x = call.add(kind, x, name)
    return x


def _gelu(call: Call) -> str:
    return call.add("Gelu", approximate=call.param("approximate"))


def _sigmoid_slope(call: Call) -> str:
    """Write the derivative of a sigmoid; the product keeps its digits in both tails."""
    return call.add("Mul", call.add("Sigmoid"), call.add("Sigmoid", call.add("Neg", *call.inputs)))


def _sech_squared(call: Call) -> str:
    slope = _sigmoid_slope(call._replace(inputs=(call.add("Add", *call.inputs * 2),)))
    return call.add("Mul", slope, call.nodes.constant(4, call.dtype))


def _normal_probability(call: Call) -> str:
    scale, half = (call.nodes.constant(n, call.dtype) for n in (math.sqrt(0.5), 0.5))
    part = call.add("Erf", call.add("Mul", *call.inputs, scale))
    return call.add("Add", call.add("Mul", part, half), half)


def _astype(call: Call) -> str:
    if "complex" in call.dtype:
        raise ExportError("astype: ONNX's operators have no complex numbers")
    return call.nodes.cast(call.inputs[0], call.dtype)


ELEMENTWISE: dict[str, Writer] = {
    **{name: _same(kind) for name, kind in SAME.items()},
    **{name: _comparison(kind) for name, kind in COMPARISONS.items()},
    **{name: _plain(kind) for name, kind in PLAIN.items()},
    "astype": _astype,
    "clip_between": _clip,
    "expm1": _expm1,
    "gelu": _gelu,
    "log10": _logarithm(10.0),
    "log1p": _log1p,
    "log2": _logarithm(2.0),
    "normal_probability": _normal_probability,
    "not_equal": _not_equal,
    "sech_squared": _sech_squared,
    "sigmoid_slope": _sigmoid_slope,
    "square": _square,
    "where": _where,
}
