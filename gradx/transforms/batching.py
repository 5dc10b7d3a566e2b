"""Map a function over an axis by running each op once on all elements.

A batched value has the mapped axis in front; who computes with it sees the
shape without it. Elementwise ops broadcast; many others have a rule; the rest
are run element by element and stacked, which is slower and always right.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from gradx.core import tree
from gradx.core.arrays import is_array, read_for, untracked
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.trace import Trace
from gradx.core.views import held, new_tensor, without_constants
from gradx.errors import AxisError, DTypeError, ShapeError, TrackedError
from gradx.ops.creation import place_of
from gradx.ops.shapes import broadcast_to, permute_dims
from gradx.transforms.batching_rules import RULES, aligned, of_none, one_by_one
from gradx.transforms.boundary import as_array, label_of, leave, own


class Batching(Trace):
    """Runs ops on whole batches. The payload of a value is unused."""

    differentiates = False

    def __init__(self, name: str, size: int) -> None:
        super().__init__(name)
        self.size = size

    def shape_of(self, x):
        return x.value.shape[1:]

    def example(self, x):
        if self.size:
            return x.value[0]
        plain = untracked(x)
        xp, device = place_of(plain)
        # At 0 more functions are infinite, and NumPy would say so.
        return xp.ones(x.shape, dtype=plain.dtype, device=device)

    def plain(self, x, what):
        read_for(x.value, what)  # in a captured graph that is the reason
        raise self.refusal(what)

    def refusal(self, what):
        return TrackedError(
            f"{what} asks for the numbers of one call, and a Tensor tracked by {self.name} holds "
            "those of all: use gx functions of it, such as gx.where, or loop over the axis"
        )

    def lift(self, constant):
        return new_tensor(broadcast_to(constant, (self.size, *constant.shape)), self, None)

    def apply_unary(self, op, x):
        if not op.elementwise:
            return self.apply_general(op, (x,), {})
        return new_tensor(op.call(x.value), self, None)

    def apply_general(self, op, arrays, params):
        mine = [type(a) is Tensor and a.trace is self for a in arrays]
        values = [a.value if m else without_constants(a) for a, m in zip(arrays, mine, strict=True)]
        ranks = [len(getattr(a, "shape", ())) for a in arrays]
        if not self.size:
            out = of_none(op, values, mine, params)
        elif op.elementwise:
            out = op.run(aligned(values, mine, ranks), params)
        elif op.name in RULES:
            out = RULES[op.name](op, values, mine, ranks, params, self.size)
        else:
            out = one_by_one(op, values, mine, params, self.size)
        if not isinstance(out, tuple):  # as most are: to ask optree takes longer than the op
            return new_tensor(out, self, None)
        return tree.map(lambda leaf: new_tensor(leaf, self, None), out)


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """Return a function that maps ``f`` over an axis of its arguments.

    ``in_axes`` says which axis: of all arguments, or of each one in a tuple. For
    an argument that is a tree it may be a tree, too, down to any depth. ``None``
    passes what it stands for as it is to every call. The results are stacked
    along ``out_axes``, which may be a tree; ``None`` there returns one value for
    all calls, which must not vary with what is mapped.

    Raises:
        ValueError: the mapped axes differ in length, or nothing is mapped.
        IndexError: an argument lacks the axis.
        TypeError: an argument is given by name.

    >>> import numpy as np, gradx as gx
    >>> gx.vmap(lambda x, y: gx.sum(x * y), in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    >>> gx.vmap(lambda p: p["w"] @ p["x"], in_axes=({"w": None, "x": 0},))(
    ...     {"w": np.ones(2), "x": np.ones((3, 2))}
    ... )
    array([2., 2., 2.])
    """
    label = label_of("vmap", f)

    @wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        _require_positions(kwargs, label)
        leaves, structure = tree.flatten(args)
        axes = _axes_of_arguments(in_axes, args, label)
        fronts = [
            leaf if axis is None else _to_front(leaf, axis, label)
            for leaf, axis in zip(leaves, axes, strict=True)
        ]
        trace = Batching.start(label, _common_size(fronts, axes, label))
        starts = [
            leaf if axis is None else new_tensor(held(leaf), trace, None)
            for leaf, axis in zip(fronts, axes, strict=True)
        ]
        try:
            out = f(*tree.unflatten(structure, starts))
            results, out_structure = tree.flatten(out)
            wanted = _spread(out_axes, out, f"{label}: out_axes")
            values = [
                _result(trace, leaf, axis, label)
                for leaf, axis in zip(results, wanted, strict=True)
            ]
        finally:
            trace.end()
        return tree.unflatten(out_structure, own(values, lent=leaves))

    return mapped


def _require_positions(named, label):
    if named:
        raise DTypeError(
            f"{label}: {', '.join(named)} given by name, and only positions are mapped: give "
            "it by position, with None in in_axes if it is the same in every call, or bind it with "
            "functools.partial"
        )


def _axes_of_arguments(in_axes, args, label):
    """Return the axis of each leaf of the arguments, or ``None``."""
    if not isinstance(in_axes, (tuple, list)):
        in_axes = (in_axes,) * len(args)
    if len(in_axes) != len(args):
        raise ShapeError(f"{label}: in_axes has {len(in_axes)} entries for {len(args)} arguments")
    return _spread(tuple(in_axes), args, f"{label}: in_axes")


def _spread(axes, value, what):
    try:
        spread = tree.spread(axes, value)
    except ValueError as error:
        raise ShapeError(f"{what}={axes!r} is no prefix of what it is for: {error}") from error
    for axis in spread:
        if axis is not None and type(axis) is not int:
            raise DTypeError(f"{what}: expected integers and None, got {axis!r}")
    return spread


def _to_front(leaf, axis, label):
    if not is_array(leaf := as_array(leaf)):
        raise DTypeError(f"{label}: an argument to map over is {describe(leaf)}, expected an array")
    rank = len(leaf.shape)
    if not -rank <= axis < rank:
        raise AxisError(f"{label}: in_axes={axis}, but an argument has shape {tuple(leaf.shape)}")
    axis %= rank
    return permute_dims(leaf, (axis, *(a for a in range(rank) if a != axis))) if axis else leaf


def _common_size(fronts, axes, label):
    sizes = {leaf.shape[0] for leaf, axis in zip(fronts, axes, strict=True) if axis is not None}
    if len(sizes) != 1:
        raise ShapeError(
            f"{label}: the mapped axes have lengths {sorted(sizes)}, expected one length"
            if sizes
            else f"{label}: in_axes maps no argument"
        )
    return sizes.pop()


def _result(trace, leaf, axis, label):
    """Return what one result is to who called: stacked, or the one value for all calls."""
    value, _ = leave(trace, leaf)
    value = as_array(value)
    if not is_array(value):
        raise DTypeError(f"{trace.name}: a result is {describe(value)}, expected an array")
    varies = type(leaf) is Tensor and leaf.trace is trace
    if axis is None:
        if varies:
            raise ShapeError(
                f"{label}: out_axes=None, but a result of shape {tuple(leaf.shape)} depends on "
                "what is mapped"
            )
        return value
    return _from_front(value if varies else broadcast_to(value, (trace.size, *value.shape)), axis)


def _from_front(value, axis):
    rank = len(value.shape)
    if not -rank <= axis < rank:
        raise AxisError(f"vmap: out_axes={axis}, but a result has {rank} axes")
    axes = list(range(1, rank))
    axes.insert(axis % rank, 0)
    return permute_dims(value, tuple(axes)) if axis % rank else value
