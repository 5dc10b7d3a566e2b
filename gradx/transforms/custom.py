"""Derivative rules of one's own: a function that every transform takes for an op.

Its rules are written as those of gradx's ops are. Of vjp and jvp one is
enough: each is linear, and the other's transpose.
"""

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, TypeVar

from gradx.core.arrays import PYTHON_SCALARS, is_array
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.op import Op, complete
from gradx.core.rules import Needs, as_written, scaling_by
from gradx.core.views import without_constants
from gradx.errors import DTypeError, TrackedError
from gradx.ops.creation import zeros_like
from gradx.ops.shapes import conform
from gradx.transforms.boundary import as_array, name_of
from gradx.transforms.grad import vjp as pull_back
from gradx.transforms.honesty import apply_rule

Function = Callable[..., Any]
Rules = Mapping[str, Any]
Given = TypeVar("Given", bound=Callable[..., Any])

# Pairs of an op whose rule is being transposed, and the trace that does so.
_transposing: ContextVar[tuple[tuple[Any, Any], ...]] = ContextVar("transposing", default=())


def custom_rule(
    *, partials: Rules | None = None, vjp: Rules | None = None, jvp: Rules | None = None
) -> Callable[[Given], Given]:
    """Return a decorator that gives a function derivative rules of your own.

    The function takes arrays by position and settings by keyword only, and
    returns one array. ``partials`` are the derivatives of an elementwise
    function by each input: a number, or a function of what it needs by name.
    ``vjp`` maps the cotangent ``g`` of the output to that of an input, ``jvp``
    the tangent ``g`` of an input to what it adds to that of the output; of the
    two one is enough. A ``jvp`` may call the function, as that of a linear one
    does. The other parameters of a rule name what it needs: inputs,
    ``out``, settings, or ``x_shape``, the shape of input ``x``. Rules are made
    of gx functions, and are differentiated for the next order. An input that
    has no rule is a constant.

    Raises:
        TypeError: a rule names what is not there, or the function returns no array.

    >>> import numpy as np, gradx as gx
    >>> @gx.custom_rule(partials={"x": lambda out: 1 - out * out})
    ... def squash(x):
    ...     return gx.tanh(x)
    >>> gx.grad(squash)(np.asarray(0.0))
    array(1.)

    A gradient that is clipped on its way back:

    >>> @gx.custom_rule(vjp={"x": lambda g, limit: gx.clip(g, -limit, limit)})
    ... def limited(x, *, limit):
    ...     return x
    >>> gx.grad(lambda x: 100 * limited(x, limit=1.0))(np.asarray(2.0))
    array(1.)
    """
    if (partials is None) == (vjp is None and jvp is None):
        raise DTypeError("custom_rule: give partials=, or vjp=, jvp= or both of them")

    def declare(f):
        label = f"custom_rule of {name_of(f)}"
        op = CustomOp(_as_forward(f, label), lambda draw: ())
        op.elementwise = partials is not None
        try:
            call = _with_rules(op, partials, vjp, jvp)
        except (TypeError, AttributeError) as error:
            raise DTypeError(
                f"{label}: {error}; a rule is a function, as in lambda g, x: g * x"
            ) from error
        # No table of ops knows the name: a function called where is not our where.
        op.name = f"{op.name} (custom rule)"
        return call if vjp is not None or partials is not None else _of_itself(f, op, call)

    return declare


class CustomOp(Op):
    """An op that runs the user's function, whatever the array library."""

    __slots__ = ()

    def on(self, backend):
        return partial(self.forward, backend.xp)


def _with_rules(op, partials, vjp, jvp):
    unknown = {*(partials or {}), *(vjp or {}), *(jvp or {})} - {*op.signature.inputs}
    if unknown:
        raise TypeError(f"rules for {sorted(unknown)}; its inputs are {list(op.signature.inputs)}")
    if partials is not None:
        rules = {name: scaling_by(partial) for name, partial in partials.items()}
        return complete(op, vjp=rules, jvp=rules)
    back = {name: _returning_arrays(as_written(rule)) for name, rule in (vjp or {}).items()}
    along = {name: _returning_arrays(as_written(rule)) for name, rule in (jvp or {}).items()}
    return complete(
        op,
        vjp=back if vjp is not None else {n: _transposed(op, along[n], n) for n in along},
        jvp=along if jvp is not None else {n: _transposed(op, back[n], "out") for n in back},
    )


def _returning_arrays(rule):
    """Let a rule return a number, as ``1j * g`` is where ``g`` is a NumPy scalar."""

    def apply(g, *saved):
        out = rule.apply(g, *saved)
        return zeros_like(g) + out if type(out) in PYTHON_SCALARS else out

    return Needs(apply, rule.names)


def _transposed(op, rule, domain):
    """Return the transpose of a rule that maps what is like ``domain``: its own pullback."""

    def apply(g, *saved):
        *needed, like = saved

        def itself(t):
            token = _transposing.set((*_transposing.get(), (op, t.trace)))
            try:
                # Rules may leave broadcasting to the engine. A 0 that they multiply by is no
                # constant.
                return conform(apply_rule(rule, t, needed, None), g.shape, g.dtype)
            finally:
                _transposing.reset(token)

        return pull_back(itself, zeros_like(like))[1](g)[0]

    return Needs(apply, (*rule.names, domain))


def _of_itself(f, op, call):
    """Run ``f`` without its rule where that is transposed: the rule may call ``f`` itself."""

    @wraps(call)
    def function(*arrays, **settings):
        for transposed, trace in _transposing.get():
            if transposed is op and any(_is_made_in(trace, array) for array in arrays):
                return f(*arrays, **settings)
        return call(*arrays, **settings)

    return function


def _is_made_in(trace, x):
    while type(x) is Tensor:
        if x.trace is trace:
            return True
        x = x.value
    return False


def _as_forward(f, label):
    """Compile a forward function with the inputs of ``f``, as ops are declared with."""
    inputs, settings = _parameters(f, label)
    name = name_of(f) if name_of(f).isidentifier() else "function"
    named = ", ".join(f"{setting}={setting}" for setting in settings)
    star = ["*", *settings] if settings else []
    source = (
        f"def {name}({', '.join(['xp', *inputs, '/', *star])}):\n"
        f"    return run({', '.join(inputs)}, {named})\n"
    )
    scope: dict[str, Any] = {"run": partial(_run, f, label)}
    exec(compile(source, f"{__file__} ({name})", "exec"), scope)
    forward = scope[name]
    forward.__doc__, forward.__module__ = f.__doc__, getattr(f, "__module__", __name__)
    forward.__kwdefaults__ = {n: p.default for n, p in settings.items() if p.default is not p.empty}
    return forward


def _parameters(f, label):
    parameters = inspect.signature(f).parameters
    settings = {n: p for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    inputs = [n for n in parameters if n not in settings]
    for name in inputs:
        kind, default = parameters[name].kind, parameters[name].default
        if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise DTypeError(f"{label}: its inputs must be named one by one, not as *{name}")
        if default is not inspect.Parameter.empty:
            raise DTypeError(
                f"{label}: {name}={default!r} is a setting: write it after a *, as keyword only"
            )
    if not inputs:
        raise DTypeError(f"{label}: it takes no array by position")
    return inputs, settings


def _run(f, label, *arrays, **settings):
    out = without_constants(as_array(f(*arrays, **settings)))
    if type(out) is Tensor:
        raise TrackedError(
            f"{label}: it uses a Tensor tracked by {out.trace.name} that is not among its "
            "arguments, so it has no rule for it: pass it as an argument"
        )
    if not is_array(out):
        raise DTypeError(f"{label}: it must return one array, got {describe(out)}")
    return out
