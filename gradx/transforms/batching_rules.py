"""How ops other than elementwise ones run on a whole batch: the batch axis is in front.

A rule is called with the op, the values (some of them batched, as ``mine``
says), their ranks without the batch axis, the parameters and the batch size.
"""

from collections.abc import Callable
from typing import Any

from gradx.core import tree
from gradx.core.arrays import FLOATING, backend_for, is_kind, untracked
from gradx.errors import AxisError, ShapeError
from gradx.ops.creation import place_of
from gradx.ops.joining import stack
from gradx.ops.shapes import as_shape, broadcast_to, expand_dims, moveaxis, reshape, squeeze
from gradx.ops.slicing import read_shape
from gradx.transforms.structural import names

# Reduce, or work along, the axes that ``axis`` names: all of them, if it is None.
ALONG_AXES = names(
    """
    all any argmax argmin argsort count_nonzero cumulative_prod cumulative_sum euclidean_norm
    fft flip hfft ifft ihfft irfft last_extremes log_softmax logsumexp max mean min power_norm
    prod rfft roll softmax sort std sum var
    """
)
# Work on the last one or two axes, and on stacks of what is there.
ON_STACKS = names(
    """
    astype checked_labels cholesky class_mask det eig eigh eigvals eigvalsh empty_like expm
    inv logm matrix_transpose ones_like qr slogdet sqrtm svd svdvals tril triu unitary_factor
    zeros_like
    """
)


def aligned(values: Any, mine: list[bool], ranks: list[int]) -> tuple[Any, ...]:
    """Insert axes after the batch axis, so that the others broadcast as they would alone."""
    rank = max(ranks)
    if min(ranks) == rank:
        return tuple(values)
    return tuple(_with_rank(v, rank) if m else v for v, m in zip(values, mine, strict=True))


def _with_rank(value, rank):
    missing = rank + 1 - len(value.shape)
    return reshape(value, (value.shape[0], *(1,) * missing, *value.shape[1:])) if missing else value


def one_by_one(op: Any, values: Any, mine: list[bool], params: Any, size: int) -> Any:
    """Run the op on each element of the batch."""
    outs = [
        op.run(tuple([v[i] if m else v for v, m in zip(values, mine, strict=True)]), params)
        for i in range(size)
    ]
    if isinstance(outs[0], tuple):
        columns = [_stacked(column) for column in zip(*outs, strict=True)]
        return op.results(*columns) if op.results else tuple(columns)
    return _stacked(outs)


def _stacked(outs):
    if len({tuple(out.shape) for out in outs}) > 1:
        raise ShapeError(
            "vmap: the shape of a result depends on numbers, as that of x[x > 0] does, and differs "
            "from element to element: use a mask with gx.where"
        )
    return stack(list(outs))


def of_none(op: Any, values: Any, mine: list[bool], params: Any) -> Any:
    """Return what the op gives for a batch of no elements: its shapes are those of an example's."""
    example = [_example(v) if m else untracked(v) for v, m in zip(values, mine, strict=True)]
    with backend_for(example[mine.index(True)]).quiet():  # its numbers are nobody's
        return tree.map(_no_elements, op.run(tuple(example), params))


def _example(batch):
    """Return zeros for one element of a batch; of matrices, which may be inverted, the identity."""
    xp, device = place_of(batch)
    shape, dtype = tuple(batch.shape[1:]), untracked(batch).dtype
    if len(shape) < 2 or not is_kind(batch, FLOATING):
        return xp.zeros(shape, dtype=dtype, device=device)
    return xp.broadcast_to(xp.eye(shape[-2], shape[-1], dtype=dtype, device=device), shape)


def _no_elements(out):
    xp, device = place_of(out)
    return xp.zeros((0, *out.shape), dtype=out.dtype, device=device)


def _behind_batch(axis, rank):
    """Return the axis or axes of a batched value that ``axis`` of each element means."""
    if isinstance(axis, tuple | list):
        return tuple(_behind_batch(a, rank) for a in axis)
    if not -rank <= axis < rank:
        raise AxisError(f"axis {axis} is out of bounds for an array of {rank} axes")
    return axis % rank + 1


def _batched(values, mine, size):
    """Return the values with the batch axis on all of them."""
    return [
        v if m else broadcast_to(v, (size, *v.shape)) for v, m in zip(values, mine, strict=True)
    ]


def _along_axes(op, values, mine, ranks, params, size):
    rank, axis = ranks[0], params["axis"]
    # Each library has its own word on axis 0 of what has none: NumPy adds up along it.
    if rank == 0 or (axis is None and op.name in {"argmax", "argmin", "cumulative_prod", "roll"}):
        return one_by_one(op, values, mine, params, size)
    axis = tuple(range(rank)) if axis is None else axis
    if op.name == "cumulative_sum" and isinstance(axis, tuple):
        (axis,) = axis
    return op.run(tuple(values), params | {"axis": _behind_batch(axis, rank)})


def _on_stacks(op, values, mine, ranks, params, size):
    return op.run(tuple(values), params)


def _reshape(op, values, mine, ranks, params, size):
    return op.run(tuple(values), params | {"shape": (size, *as_shape(params["shape"]))})


def _broadcast_to(op, values, mine, ranks, params, size):
    shape = as_shape(params["shape"])
    return op.run((_with_rank(values[0], len(shape)),), {"shape": (size, *shape)})


def _permute_dims(op, values, mine, ranks, params, size):
    return op.run(tuple(values), {"axes": (0, *_behind_batch(tuple(params["axes"]), ranks[0]))})


def _expand_dims(op, values, mine, ranks, params, size):
    axis = params["axis"]
    places = as_shape(axis)
    return op.run(tuple(values), {"axis": _behind_batch(places, ranks[0] + len(places))})


def _squeeze(op, values, mine, ranks, params, size):
    axis = params["axis"]
    if axis is None:
        axis = tuple(i for i, n in enumerate(values[0].shape[1:]) if n == 1)
    return op.run(tuple(values), {"axis": _behind_batch(axis, ranks[0])})


def _matmul(op, values, mine, ranks, params, size):
    if 0 in ranks:
        return one_by_one(op, values, mine, params, size)  # which says what is wrong
    if ranks == [1, 2] and mine == [True, False]:
        return op.run(tuple(values), params)  # a batch of rows is a matrix
    row, column = ranks[0] == 1, ranks[1] == 1
    x = expand_dims(values[0], axis=-2) if row else values[0]
    y = expand_dims(values[1], axis=-1) if column else values[1]
    out = op.run(aligned((x, y), mine, [max(rank, 2) for rank in ranks]), params)
    extra = (-2,) * row + (-1,) * column
    return squeeze(out, axis=extra) if extra else out


def _concat(op, values, mine, ranks, params, size):
    if params["axis"] is None:
        return one_by_one(op, values, mine, params, size)
    axis = _behind_batch(params["axis"], ranks[0])
    return op.run(tuple(_batched(values, mine, size)), {"axis": axis})


def _take(op, values, mine, ranks, params, size):
    if mine[1] or params["axis"] is None:
        return one_by_one(op, values, mine, params, size)
    return op.run(tuple(values), {"axis": _behind_batch(params["axis"], ranks[0])})


def _behind(key):
    return (slice(None), *(key if isinstance(key, tuple) else (key,)))


def _vecdot(op, values, mine, ranks, params, size):
    axis = params["axis"]
    if axis >= 0:  # counted from the first one of each array: of a batched one it is the next
        values = [moveaxis(v, axis + m, -1) for v, m in zip(values, mine, strict=True)]
    return op.run(aligned(values, mine, ranks), {"axis": min(axis, -1)})


def _take_along_axis(op, values, mine, ranks, params, size):
    axis = _behind_batch(params["axis"], ranks[0])
    return op.run(tuple(_batched(values, mine, size)), {"axis": axis})


def _getitem(op, values, mine, ranks, params, size):
    return op.run(tuple(values), {"key": _behind(params["key"])})


def _scatter(op, values, mine, ranks, params, size):
    return op.run(tuple(values), {"shape": (size, *params["shape"]), "key": _behind(params["key"])})


def _setitem(op, values, mine, ranks, params, size):
    x, value = values
    x = x if mine[0] else broadcast_to(x, (size, *x.shape))
    if mine[1]:
        rank = len(read_shape(params["key"], x.shape[1:]))
        # Leading axes of length 1 that NumPy would ignore are in the way of the batch's.
        shape = value.shape[max(1, len(value.shape) - rank) :]
        value = _with_rank(reshape(value, (size, *shape)), rank)
    return op.run((x, value), {"key": _behind(params["key"])})


RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(ALONG_AXES, _along_axes),
    **dict.fromkeys(ON_STACKS, _on_stacks),
    "broadcast_to": _broadcast_to,
    "concat": _concat,
    "expand_dims": _expand_dims,
    "getitem": _getitem,
    "matmul": _matmul,
    "permute_dims": _permute_dims,
    "reshape": _reshape,
    "scatter": _scatter,
    "setitem": _setitem,
    "squeeze": _squeeze,
    "take": _take,
    "take_along_axis": _take_along_axis,
    "vecdot": _vecdot,
}
