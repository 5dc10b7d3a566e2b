"""Map a function over an axis by running each op once on all elements.

A batched value has the mapped axis in front; who computes with it sees the
shape without it. Elementwise ops broadcast; many others have a rule; the rest
are run element by element and stacked, which is slower and always right.
"""

from collections.abc import Callable
from typing import Any

from gradx.core import tree
from gradx.core.arrays import is_array
from gradx.core.call import Tensor
from gradx.core.explain import describe
from gradx.core.trace import Trace
from gradx.errors import AxisError, DTypeError, ShapeError
from gradx.ops.shapes import broadcast_to, permute_dims
from gradx.transforms.batching_rules import RULES, aligned, one_by_one
from gradx.transforms.boundary import as_array, label_of, leave, own


class Batching(Trace):
    """Runs ops on whole batches. The payload of a value is unused."""

    differentiates = False

    def __init__(self, name: str, size: int) -> None:
        super().__init__(name)
        self.size = size

    def shape_of(self, x):
        return x.value.shape[1:]

    def lift(self, constant):
        return Tensor(broadcast_to(constant, (self.size, *constant.shape)), self, None)

    def apply_general(self, op, arrays, params):
        mine = [type(a) is Tensor and a.trace is self for a in arrays]
        values = [a.value if m else a for a, m in zip(arrays, mine, strict=True)]
        ranks = [len(getattr(a, "shape", ())) for a in arrays]
        if op.elementwise:
            out = op.run(aligned(values, mine, ranks), params)
        elif op.name in RULES:
            out = RULES[op.name](op, values, mine, ranks, params, self.size)
        else:
            out = one_by_one(op, values, mine, params, self.size)
        return tree.map(lambda leaf: Tensor(leaf, self, None), out)


def vmap(
    f: Callable[..., Any], in_axes: int | tuple[int | None, ...] | None = 0, out_axes: int = 0
) -> Callable[..., Any]:
    """Return a function that maps ``f`` over an axis of its arguments.

    ``in_axes`` says which axis, for all arguments or one by one; ``None`` passes
    an argument as it is to every call. The results are stacked along ``out_axes``.

    Raises:
        ValueError: the mapped axes differ in length, or nothing is mapped.
        IndexError: an argument lacks the axis.

    >>> import numpy as np, gradx as gx
    >>> gx.vmap(lambda x, y: gx.sum(x * y), in_axes=(0, None))(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    """
    label = label_of("vmap", f)
    for axis in in_axes if isinstance(in_axes, tuple) else (in_axes,):
        if axis is not None:
            _require_axis(label, "in_axes", axis)
    _require_axis(label, "out_axes", out_axes)

    def mapped(*args: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ShapeError(f"{label}: in_axes has {len(axes)} entries for {len(args)} arguments")
        fronts = [
            arg if axis is None else tree.map(lambda leaf, a=axis: _to_front(leaf, a, label), arg)
            for arg, axis in zip(args, axes, strict=True)
        ]
        trace = Batching(label, _common_size(fronts, axes, label))
        starts = [
            arg if axis is None else tree.map(lambda leaf: Tensor(leaf, trace, None), arg)
            for arg, axis in zip(fronts, axes, strict=True)
        ]
        try:
            out = f(*starts)
            leaves, structure = tree.flatten(out)
            values = [_batched(trace, leaf) for leaf in leaves]
        finally:
            trace.end()
        moved = own([_from_front(value, out_axes) for value in values], lent=tree.leaves(args))
        return tree.unflatten(structure, moved)

    return mapped


def _require_axis(label, what, axis):
    if type(axis) is not int:
        raise DTypeError(f"{label}: {what} is {describe(axis)}, expected an integer")


def _to_front(leaf, axis, label):
    if not is_array(leaf := as_array(leaf)):
        raise DTypeError(f"{label}: an argument to map over is {describe(leaf)}, expected an array")
    rank = len(leaf.shape)
    if not -rank <= axis < rank:
        raise AxisError(f"{label}: in_axes={axis}, but an argument has shape {tuple(leaf.shape)}")
    axis %= rank
    return permute_dims(leaf, (axis, *(a for a in range(rank) if a != axis))) if axis else leaf


def _common_size(fronts, axes, label):
    sizes = {
        leaf.shape[0]
        for arg, axis in zip(fronts, axes, strict=True)
        if axis is not None
        for leaf in tree.leaves(arg)
    }
    if len(sizes) != 1:
        raise ShapeError(
            f"{label}: the mapped axes have lengths {sorted(sizes)}, expected one length"
            if sizes
            else f"{label}: in_axes maps no argument"
        )
    return sizes.pop()


def _batched(trace, leaf):
    value, _ = leave(trace, leaf)
    if type(leaf) is Tensor and leaf.trace is trace:
        return value
    if not is_array(value := as_array(value)):
        raise DTypeError(f"{trace.name}: a result is {describe(value)}, expected an array")
    return broadcast_to(value, (trace.size, *value.shape))


def _from_front(value, axis):
    rank = len(value.shape)
    if not -rank <= axis < rank:
        raise AxisError(f"vmap: out_axes={axis}, but a result has {rank} axes")
    axes = list(range(1, rank))
    axes.insert(axis % rank, 0)
    return permute_dims(value, tuple(axes)) if axis % rank else value
