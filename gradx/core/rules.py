"""Derivative rules: from the form they are written in to the form that runs.

A rule is a linear map. Its first parameter ``g`` is what it maps: the
cotangent of the output (vjp) or the tangent of one input (jvp). Its other
parameters name what it needs from the call, and so what must be kept:

=============  =======================================================
``out``        the output
``x``          an input, by its name in the forward function
``x_shape``    the shape of that input, without keeping its data
``axis``       a parameter of the call
``position``   which of a variadic op's inputs the rule is for
``shapes``     the shapes of all of a variadic op's inputs
``live``       what of ``g`` lives: an array like it, 0 where it is dead; or
               ``None``, where all of it may live
=============  =======================================================
"""

from collections.abc import Callable
from functools import cache
from operator import mul
from typing import Any, NamedTuple

Function = Callable[..., Any]


class Signature(NamedTuple):
    """What ``forward(xp, x, y, /, *, axis)`` takes: ``("x", "y")`` and ``("axis",)``."""

    inputs: tuple[str, ...]
    params: tuple[str, ...]
    variadic: bool = False


class Rule:
    """The linear map ``apply(g, *saved)``, with ``saved = pick(out, *inputs, params)``.

    A variadic op's ``pick`` takes ``(out, position, inputs, params)``.
    """

    __slots__ = ("apply", "asks_what_lives", "pick", "saved")

    pick: Function

    def __init__(self, apply: Function, saved: str, asks_what_lives: bool) -> None:
        self.apply = apply
        self.saved = saved  # what ``pick`` returns, as Python source
        self.asks_what_lives = asks_what_lives  # which is then the last of what it saves

    def replaced(self, apply: Function) -> "Rule":
        """Return a rule that applies another map to the same values."""
        rule = Rule(apply, self.saved, self.asks_what_lives)
        rule.pick = self.pick
        return rule

    def of_output(self, index: int, count: int) -> "Rule":
        """Return the vjp of one of several outputs, the others being unused."""
        before, after = (None,) * index, (None,) * (count - index - 1)
        return self.replaced(lambda g, *saved: self.apply((*before, g, *after), *saved))


class Needs(NamedTuple):
    """A linear map and the names of the values it is applied with."""

    apply: Function
    names: tuple[str, ...]


def _parameters(function: Function) -> tuple[str, ...]:
    # inspect.signature would be a third of the time that importing gradx takes.
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


def as_written(rule: Function) -> Needs:
    """Read the names a hand-written rule needs from its parameters."""
    g, *names = _parameters(rule)
    if g != "g":
        raise TypeError(f"the first parameter of a rule is 'g', not {g!r}")
    return Needs(rule, tuple(names))


def scaling_by(partial: Any) -> Needs:
    """Multiply by a partial derivative: the rule of an elementwise op."""
    if callable(partial):
        names = _parameters(partial)
        if len(names) == 1:
            # Most name one value, and many are it: then nothing but the product is called.
            itself = returns_its_argument(partial)
            return Needs(mul if itself else lambda g, value: g * partial(value), names)
        return Needs(lambda g, *saved: g * partial(*saved), names)
    if partial == 1:
        return Needs(lambda g: g, ())
    if partial == -1:
        return Needs(lambda g: -g, ())
    return Needs(lambda g: g * partial, ())


def returns_its_argument(function: Function) -> bool:
    """Tell whether a function of one argument is the identity, by trying it on a bare object."""
    probe = object()
    try:
        return function(probe) is probe
    except Exception:  # whatever it does with its argument, it is not the identity
        return False


def replacing(name: str, signature: Signature, run: Function) -> Needs:
    """Call the op with ``g`` in place of one input: the jvp of a multilinear op."""
    position = signature.inputs.index(name)
    others = signature.inputs[:position] + signature.inputs[position + 1 :]

    def apply(g, *saved):
        arrays = (*saved[:position], g, *saved[position : len(others)])
        return run(arrays, dict(zip(signature.params, saved[len(others) :], strict=True)))

    return Needs(apply, (*others, *signature.params))


def compile_rule(needs: Needs, signature: Signature) -> Rule:
    """Check the names and compile ``pick``, which selects what the tape keeps."""
    sources = {"out": "out", "live": "None"}
    sources |= {name: f"params[{name!r}]" for name in signature.params}
    if signature.variadic:
        sources |= {"position": "position", "shapes": "tuple([a.shape for a in inputs])"}
        arguments = "out, position, inputs, params"
    else:
        sources |= {name: name for name in signature.inputs}
        sources |= {f"{name}_shape": f"{name}.shape" for name in signature.inputs}
        arguments = ", ".join(["out", *signature.inputs, "params"])
    if unknown := [name for name in needs.names if name not in sources]:
        raise TypeError(f"a rule names {unknown}; it may name {list(sources)}")
    saved = "".join(f"{sources[name]}, " for name in needs.names)
    rule = Rule(needs.apply, f"({saved})", needs.names[-1:] == ("live",))
    when_called(rule, "pick", lambda: _compiled(f"lambda {arguments}: ({saved})"))
    return rule


def when_called(owner: Any, name: str, build: Callable[[], Function]) -> None:
    """Give ``owner`` a function that is built at its first call, and replaces itself.

    Building those of all ops would be a tenth of what importing gradx takes.
    """

    def first(*args: Any) -> Any:
        function = build()
        setattr(owner, name, function)
        return function(*args)

    setattr(owner, name, first)


def compile_all_edges(rules: tuple[Any, ...], signature: Signature) -> Function:
    """Compile what builds the edges of all inputs at once, for less than a call each costs.

    For inputs x and y: ``edges(x_node, y_node, out, x, y, params)``.
    """
    inputs = signature.inputs
    nodes = ", ".join([f"{name}_node" for name in inputs])
    named = ", ".join([f"{name}_rule" for name in inputs])
    edges = "".join(
        [f"({x}_node, {x}_rule, {r.saved}), " for x, r in zip(inputs, rules, strict=True)]
    )
    build = _compiled(
        f"lambda {named}: lambda {nodes}, out, {', '.join(inputs)}, params: ({edges})"
    )
    return build(*rules)


@cache
def _compiled(source: str) -> Function:
    # The way dataclasses compile __init__: a loop over names at every call would
    # cost more than the rest of the recording. Many rules keep the same values.
    return eval(source)
