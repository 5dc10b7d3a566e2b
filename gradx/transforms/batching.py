"""Map a function over an axis by running each op once on all elements.

A batched value has the mapped axis in front; who computes with it sees the
shape without it. Elementwise ops broadcast; some others have a rule below; the
rest are run element by element and stacked, which is slower and always right.
"""

from collections.abc import Callable
from typing import Any

from gradx.core import tree
from gradx.core.call import Tensor
from gradx.core.trace import Trace
from gradx.errors import AxisError, ShapeError
from gradx.ops.joining import stack
from gradx.ops.shapes import broadcast_to, permute_dims, reshape
from gradx.transforms.boundary import as_array, leave, name_of, own


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
            out = op.run(_aligned(values, mine, ranks), params)
        elif op.name in RULES and all(mine):
            out = RULES[op.name](op, values, ranks, params)
        else:
            out = _one_by_one(op, values, mine, params, self.size)
        return tree.map(lambda leaf: Tensor(leaf, self, None), out)


def _aligned(values, mine, ranks):
    """Insert axes after the batch axis, so that the others broadcast as they would alone."""
    rank = max(ranks)
    return tuple(
        reshape(v, (v.shape[0], *(1,) * (rank - r), *v.shape[1:])) if m and r < rank else v
        for v, m, r in zip(values, mine, ranks, strict=True)
    )


def _one_by_one(op, values, mine, params, size):
    outs = [
        op.run(tuple([v[i] if m else v for v, m in zip(values, mine, strict=True)]), params)
        for i in range(size)
    ]
    if isinstance(outs[0], tuple):
        columns = [stack(list(column)) for column in zip(*outs, strict=True)]
        return op.results(*columns) if op.results else tuple(columns)
    return stack(outs)


def _behind_batch(axis, rank):
    """Return the axis or axes of a batched value that ``axis`` of each element means."""
    if isinstance(axis, tuple):
        return tuple(_behind_batch(a, rank) for a in axis)
    if not -rank <= axis < rank:
        raise AxisError(f"axis {axis} is out of bounds for an array of {rank} axes")
    return axis % rank + 1


def _reduction(op, values, ranks, params):
    axis = tuple(range(ranks[0])) if params["axis"] is None else params["axis"]
    return op.run(tuple(values), params | {"axis": _behind_batch(axis, ranks[0])})


def _reshape(op, values, ranks, params):
    shape = params["shape"]
    return op.run(tuple(values), params | {"shape": (values[0].shape[0], *shape)})


def _broadcast_to(op, values, ranks, params):
    missing = len(params["shape"]) - ranks[0]
    aligned = reshape(values[0], (values[0].shape[0], *(1,) * missing, *values[0].shape[1:]))
    return op.run((aligned,), {"shape": (values[0].shape[0], *params["shape"])})


def _permute_dims(op, values, ranks, params):
    return op.run(tuple(values), {"axes": (0, *_behind_batch(tuple(params["axes"]), ranks[0]))})


def _matmul(op, values, ranks, params):
    if min(ranks) < 2:
        return _one_by_one(op, values, [True, True], params, values[0].shape[0])
    return op.run(_aligned(values, [True, True], ranks), params)


RULES: dict[str, Callable[..., Any]] = {
    "broadcast_to": _broadcast_to,
    "matmul": _matmul,
    "permute_dims": _permute_dims,
    "reshape": _reshape,
    "sum": _reduction,
}


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
    label = f"vmap of {name_of(f)}"

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


def _to_front(leaf, axis, label):
    leaf = as_array(leaf)
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
    value = as_array(value)
    return broadcast_to(value, (trace.size, *value.shape))


def _from_front(value, axis):
    rank = len(value.shape)
    if not -rank <= axis < rank:
        raise AxisError(f"vmap: out_axes={axis}, but a result has {rank} axes")
    axes = list(range(1, rank))
    axes.insert(axis % rank, 0)
    return permute_dims(value, tuple(axes)) if axis % rank else value
