"""Forward mode: carry a tangent along with every value."""

from collections.abc import Callable
from typing import Any

from gradx.core import tree
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.trace import Trace
from gradx.core.views import freeze
from gradx.errors import DTypeError, ShapeError
from gradx.ops.creation import zeros_like
from gradx.ops.elementwise import add
from gradx.ops.shapes import conform
from gradx.transforms.boundary import (
    as_array,
    is_differentiable,
    leave,
    name_of,
    own,
    require_match,
)


class Forward(Trace):
    """Pushes tangents forward. The payload of a value is its tangent."""

    def apply_general(self, op, arrays, params):
        mine = [type(a) is Tensor and a.trace is self for a in arrays]
        values = tuple([a.value if m else a for a, m in zip(arrays, mine, strict=True)])
        out = op.run(values, params)
        parts = [
            _part(op, position, array.payload, values, params, out)
            for position, (array, is_mine) in enumerate(zip(arrays, mine, strict=True))
            if is_mine
        ]
        if op.results:
            columns = zip(*[part or (None,) * len(out) for part in parts], strict=True)
            return op.results(*map(self._carry, out, map(_added, columns)))
        return self._carry(out, _added(parts))

    def _carry(self, out, tangent):
        if tangent is None:
            return out
        return Tensor(out, self, conform(tangent, out.shape, out.dtype))


def _added(parts):
    """Add up what each input contributes; ``None`` is zero."""
    total = None
    for part in parts:
        if part is not None:
            total = part if total is None else add(total, part)
    return total


def _part(op, position, tangent, values, params, out):
    """Return what the tangent of one input adds to the tangent of the output."""
    if op.signature.variadic:
        rule = op.jvp[0]
        return rule and rule.apply(tangent, *rule.pick(out, position, values, params))
    rule = op.jvp[position]
    return rule and rule.apply(tangent, *rule.pick(out, *values, params))


def jvp(
    f: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """Compute ``f(*primals)`` and its derivative along ``tangents``.

    ``tangents`` is a tuple like ``primals``, with arrays of the same shapes;
    ``None`` counts as zero, and so does the tangent of an integer array.

    >>> import numpy as np, gradx as gx
    >>> gx.jvp(gx.sin, (np.asarray(0.0),), (np.asarray(2.0),))[1]
    array(2.)
    """
    label = f"jvp of {name_of(f)}"
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise DTypeError(f"{label}: primals and tangents are tuples, one element per argument")
    if len(primals) != len(tangents):
        raise ShapeError(f"{label}: {len(primals)} primals, but {len(tangents)} tangents")
    leaves, structure = tree.flatten(tuple(primals))
    directions = structure.flatten_up_to(tuple(tangents))
    trace = Forward(label)
    starts = [_start(trace, x, t, label) for x, t in zip(leaves, directions, strict=True)]
    try:
        out, aux = f(*tree.unflatten(structure, starts)), None
        if has_aux:
            out, aux = out
        results, out_structure = tree.flatten(out)
        pairs = [leave(trace, result) for result in results]
        aux = tree.map(lambda leaf: leave(trace, leaf)[0], aux)
    finally:
        trace.end()
    values = [as_array(value) for value, _ in pairs]
    moved = [zeros_like(v) if t is None else t for v, (_, t) in zip(values, pairs, strict=True)]
    owned = own([*values, *moved], lent=[*leaves, *directions])
    out = tree.unflatten(out_structure, owned[: len(values)])
    out_tangent = tree.unflatten(out_structure, owned[len(values) :])
    return (out, out_tangent, aux) if has_aux else (out, out_tangent)


def _start(trace, x, tangent, label):
    if not is_differentiable(x) or tangent is None:
        return x
    x = as_array(x)
    tangent = require_match(tangent, x, f"{label}: the tangent of {describe(x)}")
    start = Tensor(x, trace, conform(tangent, x.shape, x.dtype))
    return freeze(start, f"an argument of {label.partition(' of ')[2]}")
