"""Gradients and pullbacks of functions."""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from numbers import Integral
from typing import Any, ParamSpec

from gradx.core import tree
from gradx.core.arrays import is_array, is_kind
from gradx.core.explain import describe
from gradx.core.views import freeze
from gradx.errors import DTypeError, ShapeError
from gradx.ops.complex import conj
from gradx.ops.creation import ones_like, zeros_like
from gradx.ops.shapes import conform
from gradx.transforms.boundary import (
    as_array,
    as_tensors_inside,
    copied,
    detach_tree,
    is_differentiable,
    label_of,
    leave,
    leaves_like,
    own,
    require_differentiable,
    require_match,
    split_aux,
)
from gradx.transforms.honesty import is_differentiated
from gradx.transforms.reverse import Reverse, propagate

Function = Callable[..., Any]
P = ParamSpec("P")


def grad(
    f: Callable[P, Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[P, Any]:
    """Return a function that computes the gradient of ``f``.

    ``f`` returns a real scalar (with ``has_aux``, a pair of it and anything else,
    and the result is then a pair of the gradient and that). The gradient has the
    structure, shapes and dtypes of the argument it belongs to; with a tuple of
    ``argnums`` it is a tuple. Of a complex argument it is the direction of
    steepest ascent, twice the derivative with respect to the conjugate; with
    ``holomorphic``, ``f`` is complex and the result is its complex derivative.

    Raises:
        TypeError: an argument is not floating point, or the result is complex; with
            ``holomorphic``, either is real.
        ValueError: the result is not a scalar, or there is no such argument.

    >>> import numpy as np, gradx as gx
    >>> gx.grad(lambda x: gx.sum(x**2))(np.asarray([1.0, 2.0]))
    array([2., 4.])
    """
    run = value_and_grad(f, argnums, has_aux, holomorphic)

    @wraps(f)
    def gradient(*args, **kwargs):
        value, gradients = run(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def value_and_grad(
    f: Callable[P, Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[P, tuple[Any, Any]]:
    """Return a function that computes ``f`` and its gradient, as ``grad`` describes it.

    >>> import numpy as np, gradx as gx
    >>> value, gradient = gx.value_and_grad(lambda x: gx.sum(x**2))(np.asarray([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))
    """
    label = label_of("grad", f)
    require_argnums(argnums, label)

    @wraps(f)
    def value_and_gradient(*args, **kwargs):
        trace = Reverse.start(label)
        positions = argument_positions(argnums, args, label)
        leaves, structure = tree.flatten(tuple([args[i] for i in positions]))
        starts = _start(trace, f, args, positions, leaves)
        if holomorphic:
            _require_complex(trace, f, args, positions, starts)
        replaced = list(args)
        for i, primal in zip(positions, tree.unflatten(structure, starts), strict=True):
            replaced[i] = primal
        try:
            result = f(*replaced, **kwargs)
            loss, aux = split_aux(result, label) if has_aux else (result, None)
            value, node = leave(trace, loss)
            if has_aux:
                aux = detach_tree(trace, aux)
        finally:
            trace.end()
        value = _require_scalar(value, holomorphic, label)
        nested = any(map(is_differentiated, (value, *[start.value for start in starts])))
        seed = {} if node is None else {node: ones_like(value)}
        found = propagate(seed, retain=False, nested=nested)
        gradients = [_gradient_of(start, found, holomorphic) for start in starts]
        value, *gradients = own([value, *gradients], lent=[*leaves, *args])
        gradients = tree.unflatten(structure, gradients)
        return (value, aux) if has_aux else value, (
            gradients if isinstance(argnums, tuple) else gradients[0]
        )

    return value_and_gradient


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Compute ``f(*primals)`` and its pullback, which maps cotangents of the output to theirs.

    The pullback takes a tree like the output and returns a tuple like
    ``primals``; it may be called again. It is the plain transpose: nothing is
    conjugated. With ``has_aux`` a third value is returned: what ``f`` returned
    beside its output.

    >>> import numpy as np, gradx as gx
    >>> out, pullback = gx.vjp(lambda x: x * x, np.asarray([1.0, 3.0]))
    >>> pullback(np.asarray([1.0, 10.0]))
    (array([ 2., 60.]),)
    """
    label = label_of("vjp", f)
    trace = Reverse.start(label)
    leaves, structure = tree.flatten(primals)
    starts, points, watched = list(leaves), list(leaves), [None] * len(leaves)
    for i, leaf in enumerate(leaves):
        if is_differentiable(leaf):
            # The caller may overwrite what it gave and what it got before it pulls back.
            points[i] = copied(as_array(leaf))
            starts[i] = _watch(trace, points[i], label)
            watched[i] = starts[i].payload
    try:
        out, aux = f(*tree.unflatten(structure, starts)), None
        if has_aux:
            out, aux = split_aux(out, label)
            # The caller may write to it, too, before it pulls back.
            aux = tree.map(_copied_if_array, detach_tree(trace, aux))
        results, out_structure = tree.flatten(out)
        pairs = [leave(trace, result) for result in results]
    finally:
        trace.end()
    values = [as_array(value) for value, _ in pairs]
    inside = any(map(is_differentiated, points)) or any(map(is_differentiated, values))

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        what = f"{label}: the cotangent's structure differs from the output's"
        given = leaves_like(out_structure, cotangent, what)
        nested = inside or any(map(is_differentiated, given))
        found = propagate(_seeds(given, values, pairs, label), retain=True, nested=nested)
        cotangents = [
            found[node] if node in found else zeros_like(as_array(point))
            for point, node in zip(points, watched, strict=True)
        ]
        return tree.unflatten(structure, own(cotangents, lent=[*leaves, *given]))

    results = as_tensors_inside(leaves, [copied(value) for value in values])
    out = tree.unflatten(out_structure, results)
    return (out, pullback, aux) if has_aux else (out, pullback)


def _copied_if_array(leaf):
    return copied(leaf) if is_array(leaf) else leaf


def require_argnums(argnums, label):
    """Raise unless ``argnums`` is an integer or a tuple of them: before the function is called."""
    for i in argnums if isinstance(argnums, tuple) else (argnums,):
        if isinstance(i, bool) or not isinstance(i, Integral):
            raise DTypeError(
                f"{label}: argnums is {describe(argnums)}, expected an integer or a tuple of them; "
                "the arguments of the function go to what this returns, as in gx.grad(f)(x)"
            )


def argument_positions(argnums, args, label):
    """Return the positions that ``argnums`` names, all counted from the start."""
    positions = argnums if isinstance(argnums, tuple) else (argnums,)
    for i in positions:
        if not -len(args) <= i < len(args):
            raise ShapeError(
                f"{label}: argnums={argnums!r}, which counts positional arguments, of which "
                f"there were {len(args)}"
            )
    found = [i % len(args) for i in positions]
    if len(set(found)) < len(found):
        raise ShapeError(f"{label}: argnums={argnums!r} names an argument twice")
    return found


def _start(trace, f, args, positions, leaves):
    """Watch each leaf; name the argument it belongs to only if that fails."""
    starts = []
    for index, leaf in enumerate(leaves):
        what = partial(_leaf_name, trace, f, args, positions, index)
        array = require_differentiable(leaf, what)
        starts.append(_watch(trace, array, trace.name))
    return starts


def _require_complex(trace, f, args, positions, starts):
    for index, start in enumerate(starts):
        if not is_kind(start, "complex floating"):
            what = _leaf_name(trace, f, args, positions, index)
            raise DTypeError(
                f"{what} is {describe(start.value)}, and a holomorphic function is one of complex "
                "numbers: convert it, or take gx.jacobian, which is complex where the result is"
            )


def _watch(trace, array, label):
    return freeze(trace.watch(array), f"an argument of {label.partition(' of ')[2]}")


def _leaf_name(trace, f, args, positions, index):
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):
        names = []
    count = 0
    for position in positions:
        paths = tree.paths(args[position])
        if index < count + len(paths):
            name = f" ({names[position]}{paths[index - count]})" if position < len(names) else ""
            return f"{trace.name}: argument {position}{name}"
        count += len(paths)
    return f"{trace.name}: an argument"


def _require_scalar(value, holomorphic, label):
    try:
        value = as_array(value)
        shape = value.shape
    except AttributeError:
        raise DTypeError(
            f"{label}: it must return a scalar array, got {type(value).__name__}"
        ) from None
    if shape != ():
        raise ShapeError(
            f"{label}: it must return a scalar, got {describe(value)}: reduce it, as in "
            "gx.sum(...), or use gx.jacobian or gx.vjp"
        )
    if is_kind(value, "complex floating") and not holomorphic:
        raise DTypeError(
            f"{label}: it returned {describe(value)}; take a real value of it, "
            "or pass holomorphic=True for the complex derivative"
        )
    if holomorphic and is_kind(value, "real floating"):
        raise DTypeError(
            f"{label}: it returned {describe(value)}, and a holomorphic function is complex: "
            "leave holomorphic=True out for the direction of steepest ascent"
        )
    if not is_kind(value, ("real floating", "complex floating")):
        raise DTypeError(f"{label}: it must return a floating-point scalar, got {describe(value)}")
    return value


def _gradient_of(start, found, holomorphic):
    g = found.get(start.payload)
    if g is None:
        return zeros_like(start.value)
    return conj(g) if not holomorphic and is_kind(g, "complex floating") else g


def _seeds(given, values, pairs, label):
    """Map the nodes of the outputs to their cotangents; ``None`` counts as zero."""
    seeds: dict[Any, Any] = {}
    for g, value, (_, node) in zip(given, values, pairs, strict=True):
        if g is None or node is None:
            continue
        g = require_match(g, value, f"{label}: the cotangent")
        if g.dtype != node.dtype:
            g = conform(g, node.shape, node.dtype)
        seeds[node] = g if node not in seeds else seeds[node] + g
    return seeds
