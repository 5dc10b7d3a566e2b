"""Forward mode: carry a tangent along with every value."""

from collections.abc import Callable
from typing import Any

from gradx.core import tree
from gradx.core.arrays import backend_for
from gradx.core.call import Tensor
from gradx.core.explain import MISSED, describe
from gradx.core.trace import Trace
from gradx.core.views import freeze, held, new_tensor
from gradx.errors import DTypeError, ShapeError
from gradx.ops.creation import zeros_like
from gradx.ops.elementwise import add
from gradx.ops.shapes import conform
from gradx.transforms.boundary import (
    as_array,
    detach_tree,
    is_differentiable,
    label_of,
    leave,
    leaves_like,
    own,
    require_match,
    split_aux,
)
from gradx.transforms.constants import constant, constants, is_discrete
from gradx.transforms.honesty import PRODUCTS, apply_rule
from gradx.transforms.structural import HOLLOW, follow, join, match, of_seed, reached_in


class Forward(Trace):
    """Pushes tangents forward. The payload of a value is its tangent, and what of that lives."""

    def lift(self, constant):
        nothing = zeros_like(constant)
        return new_tensor(constant, self, (nothing, of_seed(nothing)))

    def apply_unary(self, op, x):
        value = x.value
        try:
            out = op.implementations[type(value)](value)
        except MISSED:
            out = op.call(value)
        return self._push(op, x, out, None)

    def apply_to_one(self, op, x, params):
        value = x.value
        try:
            out = op.implementations[type(value)](value, **params)
        except MISSED:
            out = op.run((value,), params)
        if op.jvp[0] is None or (params.get("dtype") is not None and is_discrete(out)):
            return constants(op, out)
        return self._push(op, x, out, params)

    def _push(self, op, x, out, params):
        """Give ``out``, made of ``x`` alone, its tangent."""
        rule = op.jvp[0]
        with backend_for(out).quiet():
            part = _followed(op, rule, rule.pick(out, x.value, params), x.payload, out)
        return self._carry(out, (part,))

    def apply_binary(self, op, x, y):
        x_is_mine = type(x) is Tensor and x.trace is self
        y_is_mine = type(y) is Tensor and y.trace is self
        values = (x.value if x_is_mine else held(x), y.value if y_is_mine else held(y))
        try:
            out = op.implementations[type(values[0]), type(values[1])](*values)
        except MISSED:
            out = op.call(*values)
        x_rule, y_rule = op.jvp
        if x_rule is None or y_rule is None:  # it has both or none
            return constant(out)
        factor = _constant_factor(op, values, (x_is_mine, y_is_mine))
        parts = []
        with backend_for(out).quiet():
            if x_is_mine:
                tangent, live = x.payload
                saved = x_rule.pick(out, *values, None)
                parts.append(follow(op, x_rule, saved, tangent, live, factor))
            if y_is_mine:
                tangent, live = y.payload
                saved = y_rule.pick(out, *values, None)
                parts.append(follow(op, y_rule, saved, tangent, live, factor))
        return self._carry(out, parts)

    def apply_general(self, op, arrays, params):
        mine = [type(a) is Tensor and a.trace is self for a in arrays]
        values = tuple([a.value if m else held(a) for a, m in zip(arrays, mine, strict=True)])
        out = op.run(values, params)
        if not any(op.jvp) or (params.get("dtype") is not None and is_discrete(out)):
            return constants(op, out)
        factor = _constant_factor(op, values, mine)
        with backend_for(next(a for a, m in zip(arrays, mine, strict=True) if m)).quiet():
            parts = [
                _part(op, position, array.payload, values, params, out, factor)
                for position, (array, is_mine) in enumerate(zip(arrays, mine, strict=True))
                if is_mine
            ]
        parts = [part for part in parts if part is not None]
        if op.results:
            pairs = [zip(tangents, lives, strict=True) for tangents, lives in parts]
            columns = [
                [(tangent, live) for tangent, live in column if tangent is not None]
                for column in zip(*pairs, strict=True)
            ]
            return op.results(*map(self._carry, out, columns or [[]] * len(out)))
        return self._carry(out, parts)

    def _carry(self, out, parts):
        """Give ``out`` the sum of what each input contributes to its tangent."""
        if not parts:
            return constant(out)
        total, live = parts[0]
        for tangent, lives in parts[1:]:
            live = join(match(live, out.shape), match(lives, out.shape))
            total = add(total, tangent)
        return new_tensor(out, self, (conform(total, out.shape, out.dtype), match(live, out.shape)))


def _constant_factor(op, values, mine):
    """Return the factor of a product that has no tangent."""
    if op.name not in PRODUCTS or all(mine):
        return None
    return values[0] if mine[1] else values[1]


def _part(op, position, payload, values, params, out, factor):
    """Return what the tangent of one input adds to that of the output, and what of it lives."""
    tangent, live = payload
    if op.signature.variadic:
        rule = op.jvp[0]
        if rule is None:
            return None
        return follow(op, rule, rule.pick(out, position, values, params), tangent, live)
    rule = op.jvp[position]
    if rule is None:
        return None
    saved = rule.pick(out, *values, params)
    if op.results:
        lives = (None,) * len(out)
        if op.name in HOLLOW:
            lives = reached_in(op, rule, saved, tangent, out)
        return apply_rule(rule, tangent, saved, live), lives
    return _followed(op, rule, saved, payload, out, factor)


def _followed(op, rule, saved, payload, out, factor=None):
    tangent, live = payload
    part, lives = follow(op, rule, saved, tangent, live, factor)
    if lives is None and op.name in HOLLOW:
        lives = reached_in(op, rule, saved, tangent, out)
    return part, lives


def jvp(
    f: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """Compute ``f(*primals)`` and its derivative along ``tangents``.

    ``tangents`` is a tuple like ``primals``, with arrays of the same shapes;
    ``None`` counts as zero, and so does the tangent of an integer array. With ``has_aux`` a
    third value is returned: what ``f`` returned beside its output.

    >>> import numpy as np, gradx as gx
    >>> gx.jvp(gx.sin, (np.asarray(0.0),), (np.asarray(2.0),))[1]
    array(2.)
    """
    label = label_of("jvp", f)
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise DTypeError(f"{label}: primals and tangents are tuples, one element per argument")
    if len(primals) != len(tangents):
        raise ShapeError(f"{label}: {len(primals)} primals, but {len(tangents)} tangents")
    leaves, structure = tree.flatten(tuple(primals))
    what = f"{label}: the structure of the tangents differs from that of the primals"
    directions = leaves_like(structure, tuple(tangents), what)
    trace = Forward.start(label)
    starts = [_start(trace, x, t, label) for x, t in zip(leaves, directions, strict=True)]
    try:
        out, aux = f(*tree.unflatten(structure, starts)), None
        if has_aux:
            out, aux = split_aux(out, label)
        results, out_structure = tree.flatten(out)
        pairs = [leave(trace, result) for result in results]
        aux = detach_tree(trace, aux)
    finally:
        trace.end()
    values = [as_array(value) for value, _ in pairs]
    moved = [
        zeros_like(v) if payload is None else payload[0]
        for v, (_, payload) in zip(values, pairs, strict=True)
    ]
    owned = own([*values, *moved], lent=[*leaves, *directions])
    out = tree.unflatten(out_structure, owned[: len(values)])
    out_tangent = tree.unflatten(out_structure, owned[len(values) :])
    return (out, out_tangent, aux) if has_aux else (out, out_tangent)


def _start(trace, x, tangent, label):
    if not is_differentiable(x) or tangent is None:
        return x
    x = as_array(x)
    tangent = require_match(tangent, x, f"{label}: the tangent of {describe(x)}")
    tangent = conform(tangent, x.shape, x.dtype)
    start = new_tensor(held(x), trace, (held(tangent), of_seed(tangent)))
    return freeze(start, f"an argument of {label.partition(' of ')[2]}")
