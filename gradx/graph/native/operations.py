"""What each elementwise op is in machine code: a function of vectors, by the op's name."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradx.backends.native import exponential, library, powers, special, trigonometric
from gradx.backends.native.values import Code, Value, magnitude, with_sign_of
from gradx.errors import GradxError
from gradx.graph.equations import Equation, Input, Variable
from gradx.ops.neural import TANH_CUBIC, TANH_SCALE
from gradx.ops.special import ROOT_HALF

Emit = Callable[..., Value]


class UnsupportedError(GradxError):
    """A group has what machine code is not made for."""


class Operation(NamedTuple):
    """How to emit one op: of which dtype its operands must be, then what to do with them."""

    operands: Callable[[Equation], str]  # their common dtype
    emit: Emit  # of as many values as the op has inputs, and the op's params


def _of_result(equation: Equation) -> str:
    """Operands of the result's dtype: a float's for floats, as NumPy promotes."""
    return equation.outputs[0].dtype


def _of_floats(equation: Equation) -> str:
    dtype = equation.outputs[0].dtype
    if not dtype.startswith("float"):
        raise UnsupportedError(f"{equation.op.name} of {dtype}")
    return dtype


def _of_numbers(equation: Equation) -> str:
    dtype = equation.outputs[0].dtype
    if dtype == "bool":
        raise UnsupportedError(f"{equation.op.name} of bool")
    return dtype


def _of_operands(equation: Equation) -> str:
    """Operands of one dtype, whatever the result is."""
    return promoted(equation.inputs)


def _of_truths(equation: Equation) -> str:
    return "bool"


def promoted(inputs: tuple[Input, ...]) -> str:
    """Return the dtype in which NumPy would compare these."""
    strong = [x.dtype for x in inputs if type(x) is Variable and not x.weak]
    kinds = {"bool": False, "int64": 0, "float64": 0.0}
    weak = [kinds[x.dtype] for x in inputs if type(x) is Variable and x.weak]
    weak += [x for x in inputs if isinstance(x, int | float)]
    return np.result_type(*map(np.dtype, strong), *weak).name


def _maximum(x: Value, y: Value) -> Value:
    first = x > y
    return (first | x.differs(x) if x.floating else first).where(x, y)


def _minimum(x: Value, y: Value) -> Value:
    first = x < y
    return (first | x.differs(x) if x.floating else first).where(x, y)


def _absolute(x: Value) -> Value:
    if x.floating:
        return magnitude(x)
    return x if x.dtype.startswith("u") else (x < 0).where(-x, x)


def _sign(x: Value) -> Value:
    zero, one = x.like(0), x.like(1)
    positive = (x > 0).where(one, zero)
    if x.dtype.startswith("u"):
        return positive
    result = (x < 0).where(-one, positive)
    return x.differs(x).where(x, result) if x.floating else result


def _unchanged_if_whole(name: str) -> Emit:
    return lambda x: x.code.intrinsic(name, x.dtype, x) if x.floating else x


def _square_root(x: Value) -> Value:
    return x.code.intrinsic("sqrt", x.dtype, x)


def _false(x: Value) -> Value:
    return x.code.constant("bool", False)


def _relu(x: Value) -> Value:
    return _maximum(x, x.like(0))


def _gelu(x: Value, *, approximate: str = "none") -> Value:
    if approximate == "none":
        return x * _normal_probability(x)
    bend = (2 * TANH_SCALE) * (x + TANH_CUBIC * x * x * x)
    return x * exponential.sigmoid(bend)


def _normal_probability(x: Value) -> Value:
    return 0.5 * special.erfc(-ROOT_HALF * x)


def _direction(x: Value, y: Value) -> Value:
    length = library.from_library("hypot", x, y)
    special = length.equal(0.0) | magnitude(x).equal(math.inf)
    return special.where(_sign(x), x / length)


def _library(name: str) -> Emit:
    return lambda *operands: library.from_library(name, *operands)


OPERATIONS: dict[str, Operation] = {}


def _declare(operands: Callable[[Equation], str], **emits: Emit) -> None:
    OPERATIONS.update({name: Operation(operands, emit) for name, emit in emits.items()})


_declare(
    _of_result,
    positive=lambda x: x,
    stop_gradient=lambda x: x,
    number_as_array=lambda x: x,
    astype=lambda x, **params: x,
    broadcast_to=lambda x, **params: x,
    expand_dims=lambda x, **params: x,
    squeeze=lambda x, **params: x,
    reshape=lambda x, **params: x,
    real=lambda x: x,
    conj=lambda x: x,
    maximum=_maximum,
    minimum=_minimum,
    relu=_relu,
    bitwise_and=lambda x, y: x & y,
    bitwise_or=lambda x, y: x | y,
    bitwise_xor=lambda x, y: x ^ y,
    bitwise_invert=lambda x: ~x,
    floor=_unchanged_if_whole("floor"),
    ceil=_unchanged_if_whole("ceil"),
    trunc=_unchanged_if_whole("trunc"),
    round=_unchanged_if_whole("roundeven"),
)
_declare(
    _of_numbers,
    add=lambda x, y: x + y,
    subtract=lambda x, y: x - y,
    multiply=lambda x, y: x * y,
    negative=lambda x: -x,
    square=lambda x: x * x,
    abs=_absolute,
    sign=_sign,
)
_declare(
    _of_floats,
    divide=lambda x, y: x / y,
    quotient=lambda x, y: x / y,
    reciprocal=lambda x: 1.0 / x,
    sqrt=_square_root,
    copysign=with_sign_of,
    exp=exponential.exp,
    expm1=exponential.expm1,
    log=exponential.log,
    log1p=exponential.log1p,
    log2=exponential.log2,
    log10=exponential.log10,
    logaddexp=exponential.logaddexp,
    sigmoid=exponential.sigmoid,
    sigmoid_slope=exponential.sigmoid_slope,
    sech_squared=exponential.sech_squared,
    one_minus_square=lambda x: (1.0 - x) * (1.0 + x),
    direction=_direction,
    normal_probability=_normal_probability,
    softplus=exponential.softplus,
    tanh=exponential.tanh,
    sin=trigonometric.sin,
    cos=trigonometric.cos,
    tan=trigonometric.tan,
    erf=special.erf,
    erfc=special.erfc,
    gelu=_gelu,
    pow=powers.power,
    quiet_pow=powers.power,
    **{name: _library(name) for name in library.BINARY if name not in ("pow", "fmod")},
    **{name: _library(name) for name in library.UNARY if name not in ("sin", "cos", "tan")},
)
_declare(
    _of_operands,
    equal=lambda x, y: x.equal(y),
    not_equal=lambda x, y: x.differs(y),
    less=lambda x, y: x < y,
    less_equal=lambda x, y: x <= y,
    greater=lambda x, y: x > y,
    greater_equal=lambda x, y: x >= y,
    isnan=lambda x: x.differs(x) if x.floating else _false(x),
    isinf=lambda x: magnitude(x).equal(math.inf) if x.floating else _false(x),
    isfinite=lambda x: magnitude(x) < math.inf if x.floating else ~_false(x),
    signbit=lambda x: x.bits() < 0 if x.floating else x < 0,
)
_declare(
    _of_truths,
    logical_and=lambda x, y: x & y,
    logical_or=lambda x, y: x | y,
    logical_xor=lambda x, y: x ^ y,
    logical_not=lambda x: ~x,
)


FILLED = {"zeros_like": 0, "ones_like": 1}  # of an array whose elements do not matter


def read_by(equation: Equation) -> list[Variable]:
    """Return the variables whose elements an equation reads."""
    return [] if equation.op.name in FILLED else list(equation.variables)


def emit(code: Code, equation: Equation, value_of: Callable[[Variable], Value]) -> Value:
    """Add the instructions of one elementwise equation."""
    name = equation.op.name
    if name in FILLED:
        return code.constant(_of_result(equation), FILLED[name])
    if name == "where":
        condition, *choices = equation.inputs
        dtype = _of_result(equation)
        x, y = (operand(code, choice, dtype, value_of) for choice in choices)
        return operand(code, condition, "bool", value_of).where(x, y)
    if name == "clip_between":
        return _clip(code, equation, value_of)
    if name in ("pow", "quiet_pow") and isinstance(exponent := equation.inputs[1], int | float):
        base = operand(code, equation.inputs[0], _of_floats(equation), value_of)
        return powers.constant_power(base, exponent)
    operation = OPERATIONS[name]
    dtype = operation.operands(equation)
    operands = [operand(code, x, dtype, value_of) for x in equation.inputs]
    return operation.emit(*operands, **equation.params)


def _clip(code: Code, equation: Equation, value_of: Callable[[Variable], Value]) -> Value:
    x, low, high = equation.inputs
    dtype = _of_result(equation)
    result = operand(code, x, dtype, value_of)
    if low is not None:
        result = _maximum(result, operand(code, low, dtype, value_of))
    if high is not None:
        result = _minimum(result, operand(code, high, dtype, value_of))
    return result


def operand(code: Code, x: Any, dtype: str, value_of: Callable[[Variable], Value]) -> Value:
    """Return an input of an equation as a vector of a dtype."""
    if type(x) is not Variable:
        return code.constant(dtype, _within(dtype, x))
    value = value_of(x)
    if value.floating and dtype not in ("float32", "float64", "bool"):
        raise UnsupportedError(f"{value.dtype} to {dtype}")  # NumPy's result varies
    return value.to(dtype)


def _within(dtype: str, number: Any) -> Any:
    """Check that a Python number can be what NumPy would make of it."""
    if type(number) not in (bool, int, float):
        raise UnsupportedError(f"{number!r} as {dtype}")
    if dtype.startswith(("int", "uint")):
        limits = np.iinfo(dtype)
        if type(number) is float or not limits.min <= number <= limits.max:
            raise UnsupportedError(f"{number!r} as {dtype}")
    return number


SUPPORTED = frozenset(OPERATIONS) | FILLED.keys() | {"where", "clip_between"}
