"""Calling an op: the only code that runs on every operation.

Each op gets one closure, chosen by arity when it is declared. On plain arrays
it runs the backend's implementation; if a transform is watching one of the
arguments, it hands the call to the innermost such transform.

Budget: 0.3 us on plain arrays, 1 us while recording, beyond the array library.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from gradx.backends import find_backend
from gradx.core.arrays import backend_for
from gradx.core.explain import EXPLAINED, describe, explain
from gradx.core.views import Tensor as Tensor
from gradx.core.views import link, read_again, writes
from gradx.errors import DTypeError


def make_calls(op: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Build ``call``, which users call, and ``run(arrays, params)``, which traces call."""
    inputs, params, variadic = op.signature
    run = _run_any(op)
    if variadic or op.results:
        return _front(op, run), run
    if len(inputs) == 1 and params:
        return _front_of_one(op), run
    if len(inputs) == 1 and any(op.vjp):
        call = _front(op, run) if op.steady else _call_unary(op)
        return (_linking(op, call) if op.view else call), run
    if len(inputs) == 2 and not params and not op.steady:
        alike = all(op.vjp) or not any(op.vjp)
        return (_call_binary(op) if alike else lambda x, y, /: run((x, y), {})), run
    return _front(op, run), run


def _call_unary(op):
    implementations, resolve = op.implementations, op.resolve

    def call(x, /):
        try:
            if type(x) is Tensor:
                return x.trace.apply_unary(op, x)
            return (implementations.get(type(x)) or resolve((x,)))(x)
        except EXPLAINED as error:
            raise explain(op, error, (x,), {}) from error

    return call


def operator_of(op: Any) -> Callable[[Any, Any], Any]:
    """Return an op of two arrays as an operator: as NumPy's do, it takes lists of numbers."""
    return _call_binary(op, takes_lists=True)


def _call_binary(op, takes_lists=False):
    implementations, resolve = op.implementations, op.resolve

    def call(x, y, /):
        try:
            if type(x) is Tensor:
                trace = x.trace
                if type(y) is Tensor and y.trace is not trace and y.trace.level > trace.level:
                    trace = y.trace
                return trace.apply_binary(op, x, y)
            if type(y) is Tensor:
                return y.trace.apply_binary(op, x, y)
            types = type(x) if type(x) is type(y) else (type(x), type(y))
            return (implementations.get(types) or resolve((x, y)))(x, y)
        except EXPLAINED as error:
            if takes_lists and holds_arrays(y):
                return NotImplemented
            if takes_lists and (pair := _with_a_list(x, y)):
                return call(*pair)
            raise explain(op, error, (x, y), {}) from error

    return call


def holds_arrays(x: Any) -> bool:
    """Tell whether ``x`` holds an array and computes with it, as NumPy's protocol has it.

    So do the arrays with labels of xarray and the quantities of pint: an operator is theirs.
    """
    kind = type(x)
    if not hasattr(kind, "__array_ufunc__") or kind.__module__.partition(".")[0] == "numpy":
        return False
    return kind is not Tensor and find_backend(kind) is None


def _with_a_list(x, y):
    """Return the operands of an operator, the list among them as an array; None without one."""
    (tensor, given) = (x, y) if type(x) is Tensor else (y, x)
    backend = backend_for(tensor)
    if not isinstance(given, list | tuple) or not backend.takes_lists:
        return None
    array = backend.xp.asarray(given)
    return (x, array) if tensor is x else (array, y)


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
        try:
            if innermost is not None:
                return innermost.apply_general(op, arrays, params)
            types = type(arrays[0]) if single else tuple(map(type, arrays))
            return (implementations.get(types) or resolve(arrays))(*arrays, **params)
        except EXPLAINED as error:
            raise explain(op, error, arrays, params) from error

    return run


def _front(op, run):
    """Give ``run`` the op's real signature.

    Compiled from source: Python then binds positional and keyword arguments
    at the speed of an ordinary call, and reports wrong ones in its own words.
    """
    inputs, params, variadic = op.signature
    arrays = f"SEQUENCE({inputs[0]})" if variadic else f"({', '.join(inputs)},)"
    arrays = f"STEADY({arrays}, {_as_dict(params)})" if op.steady else arrays
    body = f"    return RUN({arrays}, {_as_dict(params)})\n"
    scope = {"RUN": run, "SEQUENCE": _as_sequence(op), "STEADY": op.steady}
    return _compiled_front(op, body, scope)


def _as_sequence(op):
    def as_sequence(arrays):
        try:
            return tuple(arrays)
        except TypeError as error:
            raise DTypeError(
                f"{op.name}: expected a sequence of arrays, got {describe(arrays)}"
            ) from error

    return as_sequence


def _front_of_one(op):
    """Give an op of one array its real signature, with what ``run`` would do written out."""
    (x,), params, _ = op.signature
    scope = {
        "OP": op,
        "IMPLEMENTATIONS": op.implementations,
        "RESOLVE": op.resolve,
        "Tensor": Tensor,
        "EXPLAINED": EXPLAINED,
        "EXPLAIN": explain,
        "LINKED": linked,
        "WRITES": writes,
        "STEADY": op.steady,
    }
    applied = f"{x}.trace.apply_to_one(OP, {x}, {_as_dict(params)})"
    tracked = f"return {applied}"
    if op.view:
        tracked = (
            f"seen = WRITES.count; return LINKED({applied}, {x}, OP, {_as_dict(params)}, seen)"
        )
    named = ", ".join([f"{name}={name}" for name in params])
    steady = f"            {x} = STEADY({x}, {_as_dict(params)})\n" if op.steady else ""
    body = (
        f"    try:\n"
        f"        if type({x}) is Tensor:\n"
        f"{steady}"
        f"            {tracked}\n"
        f"        return (IMPLEMENTATIONS.get(type({x})) or RESOLVE(({x},)))({x}, {named})\n"
        f"    except EXPLAINED as error:\n"
        f"        raise EXPLAIN(OP, error, ({x},), {_as_dict(params)}) from error\n"
    )
    return _compiled_front(op, body, scope)


def _as_dict(params):
    return "{" + ", ".join([f"{name!r}: {name}" for name in params]) + "}"


def _compiled_front(op, body, scope):
    scope = {**scope, **op.defaults}
    exec(_front_code(op.visible, body), scope)
    call = scope["call"]
    call.__code__ = call.__code__.replace(co_name=op.name)
    return call


@cache
def _front_code(visible, body):
    """Compile a front, which ops of the same signature share."""
    # A name inside the package: what looks for the user's own line passes over it.
    filename = os.path.join(os.path.dirname(__file__), "<call of an op>")
    return compile(f"def call{visible}:\n{body}", filename, "exec")


def _linking(op, call):
    """Link the output of an op that gives a view to what it is a view of."""

    def call_and_link(x, /):
        if type(x) is not Tensor:
            return call(x)
        seen = writes.count
        return linked(call(x), x, op, {}, seen)

    return call_and_link


def linked(out: Any, x: Any, op: Any, params: dict[str, Any], seen: int) -> Any:
    """Return ``out``, tied to ``x`` if it is a view of it; ``seen`` writes went before it."""
    if type(out) is Tensor and out is not x:
        link(out, x, op, params)
        if writes.count != seen or seen % 2:
            read_again(out)
    return out
