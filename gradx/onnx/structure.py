"""Ops that move, join, look up and reduce."""

from typing import Any

import numpy as np

from gradx.onnx.nodes import Call, ExportError, Writer, shape_of
from gradx.ops.slicing import expanded

LAST = 2**62  # beyond the end of every axis


def _matmul(call: Call) -> str:
    return call.add("MatMul", *call.aligned(call.dtype))


def _sizes(call: Call) -> str:
    return call.nodes.sizes(call.shape, call.other.outputs[0].shape, call.rows)


def _reshape(call: Call) -> str:
    if 0 in call.shape:  # which is to mean 0, not what there was before
        return call.add("Reshape", call.inputs[0], _sizes(call), allowzero=1)
    return call.add("Reshape", call.inputs[0], _sizes(call))


def _broadcast(call: Call) -> str:
    if 0 in call.shape and 0 not in call.input_shape():  # where runtimes leave a 1
        raise ExportError(f"broadcast_to: {call.input_shape()} to no elements, {call.shape}")
    return call.add("Expand", call.inputs[0], _sizes(call))


def _filled(value: int) -> Writer:
    def write(call: Call) -> str:
        element = call.nodes.arrays.from_array(np.asarray([value], dtype=call.dtype))
        return call.add("ConstantOfShape", _sizes(call), value=element)

    return write


def _permute(call: Call) -> str:
    if not call.shape:
        return call.add("Identity")
    axes = [axis % len(call.shape) for axis in call.param("axes")]
    return call.add("Transpose", perm=axes)


def _matrix_transpose(call: Call) -> str:
    *batch, row, column = range(len(call.shape))
    return call.add("Transpose", perm=[*batch, column, row])


def _concat(call: Call) -> str:
    names = call.aligned(call.dtype)
    if call.param("axis") is None:
        names = [call.add("Reshape", name, call.nodes.integers([-1])) for name in names]
    return call.add("Concat", *names, axis=call.param("axis") or 0)


def _flip(call: Call) -> str:
    axes = axes_of(call)
    if not axes:
        return call.add("Identity")
    starts, ends, steps = [-1] * len(axes), [-LAST] * len(axes), [-1] * len(axes)
    vectors = map(call.nodes.integers, (starts, ends, axes, steps))
    return call.add("Slice", *call.inputs, *vectors)


def _take(call: Call) -> str:
    axis, (x, places) = call.param("axis"), call.inputs
    if axis is None:
        x, axis = call.add("Reshape", x, call.nodes.integers([-1])), 0
    return call.add("Gather", x, places, axis=axis)


def _getitem(call: Call) -> str:
    """Slice, then remove the axes of integers and insert those of ``None``."""
    key = _whole_key(call)
    old = list(enumerate(part for part in key if part is not None))
    removed = [axis for axis, part in old if isinstance(part, int)]
    new = [n for n, part in enumerate(p for p in key if not isinstance(p, int)) if part is None]
    slices = [(axis, _as_slice(part)) for axis, part in old if part != slice(None)]
    x = call.inputs[0]
    if slices:
        x = call.add("Slice", x, *map(call.nodes.integers, zip(*map(_bounds, slices), strict=True)))
    if removed:
        x = call.add("Squeeze", x, call.nodes.integers(removed))
    return call.add("Unsqueeze", x, call.nodes.integers(new)) if new else call.add("Identity", x)


def _whole_key(call: Call) -> list[Any]:
    """Return the key with ``...`` written out."""
    key = call.param("key")
    key = list(key) if isinstance(key, tuple) else [key]
    if any(part is not None and part is not ... and type(part) not in (int, slice) for part in key):
        raise ExportError(f"getitem: the key {key!r}")
    if not any(part is ... for part in key):
        key.append(...)
    place = next(i for i, part in enumerate(key) if part is ...)
    taken = sum(part is not None for part in key) - 1
    missing = len(call.input_shape()) - taken
    return [*key[:place], *[slice(None)] * missing, *key[place + 1 :]]


def _as_slice(part: Any) -> slice:
    return slice(part, part + 1 or None) if isinstance(part, int) else part


def _bounds(row: tuple[int, slice]) -> tuple[int, int, int, int]:
    axis, part = row
    step = 1 if part.step is None else part.step
    start = (0 if step > 0 else LAST) if part.start is None else part.start
    stop = (LAST if step > 0 else -LAST) if part.stop is None else part.stop
    return start, stop, axis, step


def _scatter(call: Call) -> str:
    """Zeros around: where ``scatter`` puts a block, as padding does."""
    pads, same = (_pads(equation.params) for equation in (call.equation, call.other))
    if pads != same:
        raise ExportError("scatter: where it puts things depends on the number of rows")
    if not pads:
        return call.add("Identity")
    x, key = call.inputs[0], expanded(call.equation.params["key"], len(pads))
    if new := [axis for axis, part in enumerate(key) if isinstance(part, int)]:
        x = call.add("Unsqueeze", x, call.nodes.integers(new))
    before, after = zip(*pads, strict=True)
    return call.add("Pad", x, call.nodes.integers([*before, *after]))


def _pads(params: dict[str, Any]) -> list[tuple[int, int]]:
    """Return how many zeros lie before and after the block, along each axis."""
    pads = []
    for part, length in zip(
        expanded(params["key"], len(params["shape"])), params["shape"], strict=False
    ):
        if part is None or (isinstance(part, slice) and part.step not in (None, 1)):
            raise ExportError(f"scatter: the key {part!r}")
        start, stop, _ = _as_slice(part).indices(length)
        pads.append((start, length - stop))
    return pads


def axes_of(call: Call) -> list[int]:
    """Return the axes of a reduction, all for None, counted from the front."""
    ndim, axis = len(call.input_shape()), call.param("axis")
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return [a % ndim for a in axes]


def _reduction(kind: str) -> Writer:
    def write(call: Call) -> str:
        x = call.aligned(call.dtype)[0]
        if not axes_of(call):  # which ONNX would take for all of them
            return call.add("Identity", x)
        axes = call.nodes.integers(axes_of(call))
        return call.add(kind, x, axes, keepdims=int(call.param("keepdims")))

    return write


def _variance(call: Call) -> str:
    """Write the mean of squared deviations, times n / (n - correction)."""
    if not axes_of(call):
        raise ExportError(f"{call.equation.op.name}: over no axes")
    nodes, axes = call.nodes, call.nodes.integers(axes_of(call))
    deviations = call.add("Sub", *call.inputs, call.add("ReduceMean", *call.inputs, axes))
    squares = call.add("Mul", deviations, deviations)
    total = call.add("ReduceSum", squares, axes, keepdims=int(call.param("keepdims")))
    count = 1
    for axis in axes_of(call):
        if call.input_shape()[axis] != shape_of(call.other.inputs[0])[axis]:
            raise ExportError(f"{call.equation.op.name}: over the rows")
        count *= call.input_shape()[axis]
    return call.add("Div", total, nodes.constant(count - call.param("correction"), call.dtype))


def _deviation(call: Call) -> str:
    return call.add("Sqrt", _variance(call))


def _place(kind: str) -> Writer:
    def write(call: Call) -> str:
        axis, keepdims = call.param("axis"), int(call.param("keepdims"))
        if axis is not None:
            return call.add(kind, axis=axis, keepdims=keepdims)
        flat = call.add("Reshape", *call.inputs, call.nodes.integers([-1]))
        place = call.add(kind, flat, axis=0, keepdims=0)
        ones = call.nodes.integers([1] * len(call.shape))
        return call.add("Reshape", place, ones) if keepdims else place

    return write


def _softmax(call: Call) -> str:
    if type(call.param("axis")) is int:
        return call.add("Softmax", axis=call.param("axis"))
    return call.add("Exp", _log_softmax(call))


def _log_softmax(call: Call) -> str:
    if type(call.param("axis")) is int:
        return call.add("LogSoftmax", axis=call.param("axis"))
    if not axes_of(call):
        raise ExportError(f"{call.equation.op.name}: over no axes")
    total = call.add("ReduceLogSumExp", *call.inputs, call.nodes.integers(axes_of(call)))
    return call.add("Sub", *call.inputs, total)


STRUCTURE: dict[str, Writer] = {
    "argmax": _place("ArgMax"),
    "argmin": _place("ArgMin"),
    "broadcast_to": _broadcast,
    "concat": _concat,
    "expand_dims": _reshape,
    "flip": _flip,
    "getitem": _getitem,
    "log_softmax": _log_softmax,
    "logsumexp": _reduction("ReduceLogSumExp"),
    "matmul": _matmul,
    "matrix_transpose": _matrix_transpose,
    "max": _reduction("ReduceMax"),
    "mean": _reduction("ReduceMean"),
    "min": _reduction("ReduceMin"),
    "ones_like": _filled(1),
    "permute_dims": _permute,
    "prod": _reduction("ReduceProd"),
    "reshape": _reshape,
    "scatter": _scatter,
    "softmax": _softmax,
    "squeeze": _reshape,
    "std": _deviation,
    "sum": _reduction("ReduceSum"),
    "take": _take,
    "var": _variance,
    "zeros_like": _filled(0),
}
