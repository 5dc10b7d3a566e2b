"""Declaring an op, once: its forward function, derivatives and samples.

A declaration is complete or importing it fails. The decorator is chosen by
how much must be said for both derivative modes to follow:

* ``elementwise`` ops give one partial derivative per input;
* ``multilinear`` ops give one transpose per input;
* ``primitive`` ops give their vjp and jvp;
* ``constant`` ops have no derivative;
* ``composed`` functions call other ops, and need no rules at all.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, NamedTuple, ParamSpec

from gradx.backends import Backend, backend_for_device, backend_of, current_device
from gradx.core.arrays import PYTHON_SCALARS
from gradx.core.call import Tensor, make_calls
from gradx.core.explain import EXPLAINED, explain_composed, mixed_places
from gradx.core.rules import (
    Function,
    Needs,
    Rule,
    Signature,
    as_written,
    compile_all_edges,
    compile_rule,
    replacing,
    scaling_by,
    when_called,
)
from gradx.core.samples import SampleSet
from gradx.errors import GradxError

P = ParamSpec("P")
Declare = Callable[[Function], Function]
# How to put a changed view back into its base: ``view(base, changed, params)``.
# "transpose": by the op's own transpose; "read-only": never; None: not a view.
View = Function | str | None

OPS: dict[str, "Op"] = {}
COMPOSED: dict[str, "Composed"] = {}


class Op:
    """Everything gradx knows about one primitive."""

    __slots__ = (
        "all_edges",
        "call",
        "defaults",
        "elementwise",
        "forward",
        "implementations",
        "jvp",
        "name",
        "results",
        "run",
        "samples",
        "signature",
        "sizes_vary",
        "steady",
        "view",
        "visible",
        "vjp",
    )

    call: Function  # what users call
    run: Function  # run(arrays, params): what traces call
    vjp: tuple[Rule | None, ...]  # per input
    jvp: tuple[Rule | None, ...]  # per input
    all_edges: Function | None  # of an op of one or two inputs, all differentiable

    def __init__(self, forward: Function, samples: SampleSet, view: View = None) -> None:
        self.name = forward.__name__
        self.forward = forward
        self.samples = samples
        self.view = view
        self.elementwise = False  # each element of the output depends on its own inputs only
        # Inputs on whose numbers the shape of the output depends.
        self.sizes_vary: tuple[str, ...] = ()
        self.results: type | None = None  # the NamedTuple of an op with several outputs
        self.steady: Function | None = None  # what it is called with in place of a tracked input
        self.signature = _read_signature(forward)
        self.visible, self.defaults = _visible_signature(forward)
        # By the types of all arrays; by that one type, which is found faster, if they have one.
        self.implementations: dict[Any, Function] = {}

    def resolve(self, arrays: tuple[Any, ...]) -> Function:
        """Find the implementation for plain arrays, and remember it."""
        types = [type(a) for a in arrays if type(a) not in PYTHON_SCALARS and a is not None]
        if not types:
            return self._implementation_on_default_device
        backend = backend_of(types[0])
        for other in map(backend_of, types[1:]):
            if other is not backend:
                raise mixed_places(self.name, [backend.name, other.name])
        function = self.on(backend)
        kinds = tuple(map(type, arrays))
        self.implementations[kinds] = function
        if len(set(kinds)) == 1:
            self.implementations[kinds[0]] = function
        return function

    def on(self, backend: Backend) -> Function:
        """Return the implementation on one array library: a function of plain arrays."""
        kernel = backend.kernels.get(self.name)
        if kernel is None and (namesake := _namesake(self.forward, self.signature)) is not None:
            return getattr(backend.xp, namesake)
        return partial(kernel or self.forward, backend.xp)

    def _implementation_on_default_device(self, *arrays: Any, **params: Any) -> Any:
        """Run on Python scalars alone: as 0-d arrays of the default device."""
        backend, device = backend_for_device(current_device())
        first, *rest = arrays
        first = backend.xp.asarray(first, device=device)
        return self.run((first, *rest), params)

    def shares_memory(self, view: Any, base: Any) -> bool:
        """Tell whether NumPy would have given a view here, not a copy."""
        shape, params, base_shape = view.shape, view.links.params, base.shape
        while type(view) is Tensor:
            view.trace.reads_layout()
            view = view.value
        while type(base) is Tensor:
            base = base.value
        backend = backend_of(type(base))
        if backend.gives_numbers and shape == () != view.shape:
            # One of a batch, of which the rows are arrays: asked of an array as it is without.
            base = backend.xp.empty(base_shape, dtype=base.dtype)
            view = self.run((base,), params)
        return backend.shares_memory(view, base)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def elementwise(*, partials: Mapping[str, Any], samples: SampleSet) -> Declare:
    """Declare an elementwise op by ``d out / d input``, per input."""

    def declare(forward):
        op = Op(forward, samples)
        op.elementwise = True
        rules = {name: scaling_by(value) for name, value in partials.items()}
        return _finish(op, vjp=rules, jvp=rules)

    return declare


def multilinear(
    *,
    transpose: Mapping[str, Function],
    samples: SampleSet,
    view: View = None,
    sizes_vary: tuple[str, ...] = (),
) -> Declare:
    """Declare an op linear in each input by its transposes; its jvp is itself.

    The shape of the output depends on the numbers in the inputs that ``sizes_vary`` names.
    """

    def declare(forward):
        op = Op(forward, samples, view)
        op.sizes_vary = sizes_vary
        vjp = {name: as_written(rule) for name, rule in transpose.items()}
        itself = lambda arrays, params: op.run(arrays, params)
        jvp = {name: replacing(name, op.signature, itself) for name in transpose}
        if view == "transpose":
            op.view = _put_back_by_transpose(op)
        return _finish(op, vjp=vjp, jvp=jvp)

    return declare


def primitive(
    *,
    vjp: Mapping[str, Any],
    jvp: Mapping[str, Any],
    samples: SampleSet,
    view: View = None,
    results: type | None = None,
    elementwise: bool = False,
    steady: Function | None = None,
) -> Declare:
    """Declare an op with both derivatives written out, per input.

    An op with several outputs names the NamedTuple that it returns as
    ``results``. In its vjp ``g`` is a tuple of cotangents, ``None`` where an
    output is not used; its jvp returns a tuple of tangents, ``None`` for zero.

    An op that for some shapes does not vary with an input ``x`` says so by ``steady``: for one
    input and parameters ``steady(x, params)`` is ``x``, or then ``creation.steadied(x)``, of which
    every derivative is dead; for all others ``steady(arrays, params)`` is a tuple of them.
    """

    def declare(forward):
        op = Op(forward, samples, view)
        op.results = results
        op.elementwise = elementwise
        op.steady = steady
        return _finish(
            op,
            vjp={name: as_written(rule) for name, rule in vjp.items()},
            jvp={name: as_written(rule) for name, rule in jvp.items()},
        )

    return declare


def constant(
    *, samples: SampleSet, elementwise: bool = False, sizes_vary: tuple[str, ...] = ()
) -> Declare:
    """Declare an op whose output does not vary with its inputs (``argmax``, ``less``).

    The shape of the output depends on the numbers in the inputs that ``sizes_vary`` names.
    """

    def declare(forward):
        op = Op(forward, samples)
        op.elementwise = elementwise
        op.sizes_vary = sizes_vary
        return _finish(op, vjp={}, jvp={})

    return declare


class Composed(NamedTuple):
    """A function of other ops, listed so that it is tested like one."""

    name: str
    call: Function
    samples: SampleSet


def composed(*, samples: SampleSet) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """List a function made of other ops; what it cannot use it names."""

    def declare(function):
        if not function.__doc__:
            raise TypeError(f"composed function {function.__name__!r} has no docstring")

        @wraps(function)
        def call(*args, **kwargs):
            try:
                return function(*args, **kwargs)
            except GradxError:
                raise
            except EXPLAINED as error:
                raise explain_composed(function.__name__, error, args, kwargs) from error

        COMPOSED[function.__name__] = Composed(function.__name__, call, samples)
        return call

    return declare


def _finish(op: Op, *, vjp: Mapping[str, Needs], jvp: Mapping[str, Needs]) -> Function:
    """Check a declaration, register it and return the function users call."""
    if not op.forward.__doc__:
        raise TypeError(f"op {op.name!r} has no docstring")
    if op.name in OPS:
        raise TypeError(f"op {op.name!r} is declared twice")
    call = complete(op, vjp=vjp, jvp=jvp)
    OPS[op.name] = op
    return call


def complete(op: Op, *, vjp: Mapping[str, Needs], jvp: Mapping[str, Needs]) -> Function:
    """Give an op its rules and return the function users call."""
    if vjp.keys() != jvp.keys() or not vjp.keys() <= set(op.signature.inputs):
        raise TypeError(f"op {op.name!r}: vjp and jvp must have rules for the same inputs")
    op.vjp = _per_input(op, vjp)
    op.jvp = _per_input(op, jvp)
    op.all_edges = None
    if len(op.vjp) <= 2 and all(op.vjp) and not op.signature.variadic:
        when_called(op, "all_edges", lambda: compile_all_edges(op.vjp, op.signature))
    op.call, op.run = make_calls(op)
    call: Any = op.call
    call.__name__ = call.__qualname__ = op.name
    call.__module__ = op.forward.__module__
    call.__doc__ = op.forward.__doc__
    _name_inputs(op)
    return call


def _per_input(op: Op, rules: Mapping[str, Needs]) -> tuple[Rule | None, ...]:
    return tuple(
        compile_rule(rules[name], op.signature) if name in rules else None
        for name in op.signature.inputs
    )


def _put_back_by_transpose(op: Op) -> Function:
    # Where an op only moves elements, its transpose moves them back.
    def put_back(base, changed, params):
        rule: Any = op.vjp[0]
        return rule.apply(changed, *rule.pick(None, base, params))

    return put_back


class _Recorder:
    """A namespace whose functions return what they were called with."""

    def __getattr__(self, name: str) -> Function:
        return lambda *arrays, **params: (name, arrays, params)


def _namesake(forward: Function, signature: Signature) -> str | None:
    """Name the library's function that ``forward`` does nothing but call, if there is one.

    It is then called directly, which halves gradx's own cost of a plain call.
    """
    inputs = tuple([object() for _ in signature.inputs])
    if signature.params or signature.variadic:
        return None
    try:
        name, arrays, params = forward(_Recorder(), *inputs)
    except Exception:  # it looks at its arguments, so it is not only a call
        return None
    return name if arrays == inputs and not params else None


class _Parameters(NamedTuple):
    """The parameters of a forward function, without ``xp``."""

    inputs: tuple[str, ...]  # before the "/", or the name of "*arrays"
    either: tuple[str, ...]  # may be given by position or by name
    named: tuple[str, ...]  # after the "*"
    variadic: bool
    defaults: dict[str, Any]


def _parameters(forward: Function) -> _Parameters:
    # inspect.signature would be a quarter of the time that importing gradx takes.
    code = forward.__code__
    names, count = code.co_varnames, code.co_argcount
    inputs, either = names[1 : code.co_posonlyargcount], names[code.co_posonlyargcount : count]
    named = names[count : count + code.co_kwonlyargcount]
    variadic = bool(code.co_flags & inspect.CO_VARARGS)
    if variadic:
        inputs += (names[count + len(named)],)
    first = count - len(forward.__defaults__ or ())
    defaults = dict(zip(names[first:count], forward.__defaults__ or (), strict=True))
    return _Parameters(inputs, either, named, variadic, defaults | (forward.__kwdefaults__ or {}))


def _read_signature(forward: Function) -> Signature:
    """Split ``forward(xp, x, y, /, *, axis=None)`` into inputs and params."""
    found = _parameters(forward)
    if not found.inputs or (found.variadic and len(found.inputs) > 1):
        raise TypeError(f"op {forward.__name__!r}: write arrays before '/', or as one '*arrays'")
    return Signature(found.inputs, found.either + found.named, found.variadic)


def _visible_signature(forward: Function) -> tuple[str, dict[str, Any]]:
    """Return what users see, as source, and the defaults that it names.

    There is no ``xp``, and ``*arrays`` are one sequence.
    """
    found = _parameters(forward)
    shown = lambda name: f"{name}=_{name}" if name in found.defaults else name
    parts = [*map(shown, found.inputs), "/", *map(shown, found.either)]
    if found.named:
        parts += ["*", *map(shown, found.named)]
    return f"({', '.join(parts)})", {f"_{name}": value for name, value in found.defaults.items()}


def _name_inputs(op: Op) -> None:
    """Give a call that was not compiled for the op the names of the op's own inputs."""
    call: Any = op.call
    names = call.__code__.co_varnames[: call.__code__.co_argcount]
    if not op.signature.params and names != op.signature.inputs:
        kind = inspect.Parameter.POSITIONAL_ONLY
        named = [inspect.Parameter(name, kind) for name in op.signature.inputs]
        call.__signature__ = inspect.Signature(named)
