"""How NumPy computes an op into memory that it is given, to the same bits as without.

Most elementwise ops are one ufunc, which takes ``out``; the others here are a few calls.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradx.backends import backend_of
from gradx.backends.native.optional import machine_code
from gradx.backends.numpy_products import product_of
from gradx.backends.numpy_where import choose
from gradx.graph.equations import Equation, Group
from gradx.graph.executors.source import Source
from gradx.graph.weak import computed_by_python
from gradx.ops.statistical import largest_real

BACKEND = backend_of(np.ndarray)

Writer = Callable[..., Any]  # writer(*inputs, out=array, **params)


def writer_of(equation: Equation) -> Writer | None:
    """Return what computes an equation into its last argument, None if nothing does."""
    if type(equation.op) is Group or equation.op.results or computed_by_python(equation):
        return None
    if equation.op.name == "matmul":
        return _product(equation)
    if equation.op.name in WRITERS:
        return WRITERS[equation.op.name]
    if equation.op.name in WITH_PARAMS:
        function = BACKEND.kernels[equation.op.name]
        return lambda *inputs, out, **params: function(np, *inputs, out=out, **params)
    if equation.params:
        return None
    function = equation.op.on(BACKEND)
    is_plain = isinstance(function, np.ufunc) and function.nout == 1
    return function if is_plain and len(equation.inputs) == function.nin else None


def written(source: Source, equation: Equation) -> str:
    """Return the source of a call that writes the output of ``equation`` where it lies."""
    arguments = [source.name(x) for x in equation.inputs]
    arguments.append(f"out={source.name(equation.outputs[0])}")
    arguments += [f"{name}={source.bind(value)}" for name, value in equation.params.items()]
    return f"{source.bind(writer_of(equation))}({', '.join(arguments)})"


def _product(equation: Equation) -> Writer:
    """Return what multiplies matrices of these shapes: a loop of our own where there is one."""
    factors = list(equation.variables)
    dtypes = {x.dtype for x in (*factors, *equation.outputs)}
    if len(dtypes) > 1 or len(factors) < len(equation.inputs):
        return np.matmul
    x, y = factors
    return product_of(x.shape, y.shape, x.dtype)


def _where(condition: Any, x: Any, y: Any, out: Any) -> None:
    if (
        np.ndim(condition)
        and out.itemsize in (4, 8)
        and out.dtype.kind in "fiu"
        and condition.dtype == bool
    ):
        choose(condition, x, y, out=out)
    else:
        np.copyto(out, y)
        np.copyto(out, x, where=condition)


def _relu(x: Any, out: Any) -> None:
    np.maximum(x, 0, out=out)


def _power(x: Any, y: Any, out: Any) -> None:
    if type(y) in (int, float) and y == 2:
        np.square(x, out)
    else:
        np.power(x, y, out)


def _sigmoid(x: Any, out: Any) -> None:
    with np.errstate(over="ignore"):
        np.multiply(x, -1.0, out)
        np.exp(out, out)
        np.add(out, 1, out)
        np.divide(1, out, out)


def _sigmoid_slope(x: Any, out: Any) -> None:
    if out.dtype.kind == "c":
        np.copyto(out, BACKEND.kernels["sigmoid_slope"](np, x))
        return
    np.negative(np.abs(x, out), out)
    np.exp(out, out)
    above = 1 + out
    above *= above
    np.divide(out, above, out)


def _sech_squared(x: Any, out: Any) -> None:
    np.multiply(2, x, out)
    _sigmoid_slope(out, out)
    np.multiply(out, 4, out)


def _one_minus_square(x: Any, out: Any) -> None:
    if out.dtype.kind == "c":
        np.multiply(x - 1, -x - 1, out)  # as the op does, for the signs of zeros
    else:
        np.multiply(1 - x, 1 + x, out)


# Ops whose kernels on NumPy take ``out``.
WITH_PARAMS = {
    "class_mask",
    "convolution",
    "convolution_kernel",
    "convolution_transpose",
    "maximum_of_windows",
    "softmax_cross_entropy",
    "spread_to_maxima",
}


def _softmax(x: Any, out: Any, axis: Any) -> None:
    np.subtract(x, largest_real(np, x, axis), out=out)
    np.exp(out, out=out)
    np.divide(out, np.add.reduce(out, axis=axis, keepdims=True), out=out)


def _concat(*arrays: Any, out: Any, axis: int | None) -> None:
    copying: Any = machine_code("copying")
    if copying is not None and len(arrays) == 1 and arrays[0].shape == out.shape:
        copying.copy(out, arrays[0])
    else:
        np.concatenate(arrays, axis, out)


def _scatter(x: Any, out: Any, shape: tuple[int, ...], key: Any) -> None:
    out.fill(0)
    out[key] = x


WRITERS: dict[str, Writer] = {
    "concat": _concat,
    "one_minus_square": _one_minus_square,
    "pow": _power,
    "relu": _relu,
    "scatter": _scatter,
    "sech_squared": _sech_squared,
    "sigmoid": _sigmoid,
    "sigmoid_slope": _sigmoid_slope,
    "softmax": _softmax,
    "where": _where,
}
