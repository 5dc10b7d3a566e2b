"""Calling an op: the only code that runs on every operation.

Each op gets one closure, chosen by arity when it is declared. On plain arrays
it runs the backend's implementation; if a transform is watching one of the
arguments, it hands the call to the innermost such transform.

Budget: 0.3 us on plain arrays, 1 us while recording, beyond the array library.
"""

from collections.abc import Callable
from typing import Any

from gradx.core.explain import EXPLAINED, explain
from gradx.core.views import Tensor as Tensor
from gradx.core.views import link


def make_calls(op: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Build ``call``, which users call, and ``run(arrays, params)``, which traces call."""
    inputs, params, variadic = op.signature
    run = _run_any(op)
    if params or variadic or op.results:
        return _front(op, _linking(op, run) if op.view else run), run
    if len(inputs) == 1 and any(op.vjp):
        call = _call_unary(op)
        return (_linking_unary(op, call) if op.view else call), run
    if len(inputs) == 2:
        return (_call_binary(op) if all(op.vjp) else lambda x, y, /: run((x, y), {})), run
    return _front(op, run), run


def _call_unary(op):
    implementations, resolve = op.implementations, op.resolve

    def call(x, /):
        if type(x) is Tensor:
            return x.trace.apply_unary(op, x)
        try:
            return (implementations.get(type(x)) or resolve((x,)))(x)
        except EXPLAINED as error:
            raise explain(op, error, (x,), {}) from error

    return call


def _call_binary(op):
    implementations, resolve = op.implementations, op.resolve

    def call(x, y, /):
        if type(x) is Tensor:
            trace = x.trace
            if type(y) is Tensor and y.trace is not trace and y.trace.level > trace.level:
                trace = y.trace
            return trace.apply_binary(op, x, y)
        if type(y) is Tensor:
            return y.trace.apply_binary(op, x, y)
        try:
            return (implementations.get((type(x), type(y))) or resolve((x, y)))(x, y)
        except EXPLAINED as error:
            raise explain(op, error, (x, y), {}) from error

    return call


def _run_any(op):
    implementations, resolve = op.implementations, op.resolve
    single = (
        op.signature.inputs if len(op.signature.inputs) == 1 and not op.signature.variadic else ()
    )

    def run(arrays, params):
        innermost = None
        for array in arrays:
            if type(array) is Tensor and (innermost is None or array.trace.level > innermost.level):
                innermost = array.trace
        if innermost is not None:
            return innermost.apply_general(op, arrays, params)
        try:
            types = type(arrays[0]) if single else tuple(map(type, arrays))
            return (implementations.get(types) or resolve(arrays))(*arrays, **params)
        except EXPLAINED as error:
            raise explain(op, error, arrays, params) from error

    return run


def _front(op, run):
    """Give ``run`` the op's real signature.

    Compiled once per op: Python then binds positional and keyword arguments
    at the speed of an ordinary call, and reports wrong ones in its own words.
    """
    inputs, params, variadic = op.signature
    arrays = f"tuple({inputs[0]})" if variadic else f"({', '.join(inputs)},)"
    named = ", ".join(f"{name!r}: {name}" for name in params)
    source = f"def {op.name}{op.visible}:\n    return run({arrays}, {{{named}}})\n"
    scope: dict[str, Any] = {"run": run, **op.defaults}
    # Named as a part of this file, so that gx.debug() knows it for gradx's own.
    exec(compile(source, f"{__file__} ({op.name})", "exec"), scope)
    return scope[op.name]


def _linking(op, run):
    """Link the outputs of an op that gives views to what they are views of."""

    def run_and_link(arrays, params):
        out = run(arrays, params)
        if type(out) is Tensor and out is not arrays[0]:
            link(out, arrays[0], op, params)
        return out

    return run_and_link


def _linking_unary(op, call):
    def call_and_link(x, /):
        out = call(x)
        if type(out) is Tensor and out is not x:
            link(out, x, op, {})
        return out

    return call_and_link
