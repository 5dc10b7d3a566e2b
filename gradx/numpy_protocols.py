"""NumPy's own functions on Tensors: ``np.sin(t)`` and ``np.sum(t)`` call gradx's ops.

A function that is not in these tables raises: NumPy would otherwise compute it
from plain values, and the derivative would be lost without a word.
"""

from typing import Any

import numpy as np

from gradx.errors import TrackedError
from gradx.ops.along import (
    take,
)
from gradx.ops.creation import (
    ones_like,
    zeros_like,
)
from gradx.ops.elementwise import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    clip,
    conj,
    copysign,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    imag,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    positive,
    pow,
    real,
    reciprocal,
    remainder,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
    where,
)
from gradx.ops.joining import (
    concat,
    stack,
)
from gradx.ops.linalg import (
    matmul,
    tensordot,
)
from gradx.ops.moving import (
    flip,
    pad,
    repeat,
    roll,
    tile,
)
from gradx.ops.products import (
    cumulative_prod,
    prod,
)
from gradx.ops.searching import (
    argmax,
    argmin,
)
from gradx.ops.shapes import (
    astype,
    broadcast_to,
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    squeeze,
    sum,
)
from gradx.ops.sorting import (
    argsort,
    sort,
)
from gradx.ops.statistical import (
    all,
    any,
    cumulative_sum,
    max,
    mean,
    min,
    std,
    var,
)

UFUNCS: dict[Any, Any] = {
    np.absolute: abs,
    np.add: add,
    np.arccos: acos,
    np.arccosh: acosh,
    np.arcsin: asin,
    np.arcsinh: asinh,
    np.arctan: atan,
    np.arctan2: atan2,
    np.arctanh: atanh,
    np.ceil: ceil,
    np.conjugate: conj,
    np.copysign: copysign,
    np.cos: cos,
    np.cosh: cosh,
    np.divide: divide,
    np.equal: equal,
    np.exp: exp,
    np.expm1: expm1,
    np.fabs: abs,
    np.floor: floor,
    np.floor_divide: floor_divide,
    np.greater: greater,
    np.greater_equal: greater_equal,
    np.hypot: hypot,
    np.isfinite: isfinite,
    np.isinf: isinf,
    np.isnan: isnan,
    np.less: less,
    np.less_equal: less_equal,
    np.log: log,
    np.log10: log10,
    np.log1p: log1p,
    np.log2: log2,
    np.logaddexp: logaddexp,
    np.matmul: matmul,
    np.maximum: maximum,
    np.minimum: minimum,
    np.multiply: multiply,
    np.negative: negative,
    np.not_equal: not_equal,
    np.positive: positive,
    np.power: pow,
    np.reciprocal: reciprocal,
    np.remainder: remainder,
    np.rint: round,
    np.sign: sign,
    np.signbit: signbit,
    np.sin: sin,
    np.sinh: sinh,
    np.sqrt: sqrt,
    np.square: square,
    np.subtract: subtract,
    np.tan: tan,
    np.tanh: tanh,
    np.trunc: trunc,
}

REDUCTIONS: dict[Any, Any] = {
    np.add: sum,
    np.logical_and: all,
    np.logical_or: any,
    np.maximum: max,
    np.minimum: min,
    np.multiply: prod,
}


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Answer ``np.sin(t)`` and ``np.add.reduce(t)``, as NumPy's protocol asks."""
    if kwargs.get("out") is not None:
        raise TrackedError(
            f"np.{ufunc.__name__}(..., out=...): writing a tracked Tensor into an array would lose "
            "its derivative; use the value that the function returns"
        )
    if method == "__call__" and ufunc in UFUNCS and not kwargs:
        return UFUNCS[ufunc](*inputs)
    if method == "reduce" and ufunc in REDUCTIONS and set(kwargs) <= {"axis", "keepdims"}:
        return REDUCTIONS[ufunc](*inputs, **({"axis": 0} | kwargs))
    call = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    options = f" with {', '.join(kwargs)}" if kwargs else ""
    raise _unknown(call + options)


def array_function(self: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Answer ``np.sum(t)``, as NumPy's protocol asks."""
    adapter = FUNCTIONS.get(function)
    if adapter is None:
        raise _unknown(f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1))
    if kwargs.get("out") is not None:
        raise TrackedError(
            f"np.{function.__name__}(..., out=...): writing a tracked Tensor into an array would "
            "lose its derivative; use the value that the function returns"
        )
    return adapter(*args, **kwargs)


def _unknown(call: str) -> TrackedError:
    return TrackedError(
        f"gradx has no derivative for {call}: write it with functions of gx, or, where no "
        "derivative is needed, call it on t.detach() or gx.stop_gradient(t)"
    )


def _like_numpy(op, **defaults):
    """Take NumPy's order ``(x, axis, dtype, out, keepdims)`` for a reduction."""

    def reduction(x, axis=None, dtype=None, out=None, keepdims=False, **more):
        options = {"axis": axis, "keepdims": keepdims} | defaults | more
        if dtype is not None:
            x = astype(x, dtype)
        return op(x, **options)

    return reduction


def _extremum(op):
    return lambda x, axis=None, out=None, keepdims=False: op(x, axis=axis, keepdims=keepdims)


def _spread(op):
    def spread(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **more):
        correction = more.pop("correction", ddof)
        return op(x, axis=axis, correction=correction, keepdims=keepdims, **more)

    return spread


def _cumulative(op):
    def cumulative(x, axis=None, dtype=None, out=None):
        return op(
            reshape(x, (-1,)) if axis is None else x, axis=0 if axis is None else axis, dtype=dtype
        )

    return cumulative


def _transpose(x, axes=None):
    return permute_dims(x, tuple(reversed(range(x.ndim))) if axes is None else tuple(axes))


def _dot(x, y, out=None):
    if x.ndim == 0 or y.ndim == 0:
        return multiply(x, y)
    return tensordot(x, y, axes=((-1,), (-1,) if y.ndim == 1 else (-2,)))


def _squeeze(x, axis=None):
    return squeeze(x, tuple(i for i, n in enumerate(x.shape) if n == 1) if axis is None else axis)


def _clip(x, a_min=None, a_max=None, out=None, *, min=None, max=None):
    return clip(x, a_min if min is None else min, a_max if max is None else max)


def _reshape(x, /, shape=None, order="C", *, newshape=None, copy=None):
    if order != "C":
        raise _unknown(f"np.reshape with order={order!r}")
    return reshape(x, newshape if shape is None else shape)


def _ravel(x, order="C"):
    return _reshape(x, (-1,), order)


def _swapaxes(x, axis1, axis2):
    axes = list(range(x.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return permute_dims(x, tuple(axes))


def _outer(x, y, out=None):
    return multiply(reshape(x, (-1, 1)), reshape(y, (1, -1)))


def _vstack(arrays):
    return concat([x if x.ndim > 1 else expand_dims(x, 0) for x in arrays], axis=0)


def _hstack(arrays):
    return concat(arrays, axis=0 if arrays[0].ndim == 1 else 1)


FUNCTIONS: dict[Any, Any] = {
    np.all: _extremum(all),
    np.amax: _extremum(max),
    np.amin: _extremum(min),
    np.any: _extremum(any),
    np.argmax: lambda x, axis=None, out=None, keepdims=False: argmax(
        x, axis=axis, keepdims=keepdims
    ),
    np.argmin: lambda x, axis=None, out=None, keepdims=False: argmin(
        x, axis=axis, keepdims=keepdims
    ),
    np.argsort: lambda x, axis=-1: argsort(x, axis=axis),
    np.astype: astype,
    np.broadcast_to: broadcast_to,
    np.clip: _clip,
    np.concatenate: lambda arrays, axis=0, out=None: concat(arrays, axis=axis),
    np.cumprod: _cumulative(cumulative_prod),
    np.cumsum: _cumulative(cumulative_sum),
    np.dot: _dot,
    np.expand_dims: expand_dims,
    np.flip: lambda x, axis=None: flip(x, axis=axis),
    np.hstack: _hstack,
    np.imag: imag,
    np.matrix_transpose: matrix_transpose,
    np.max: _extremum(max),
    np.mean: _like_numpy(mean),
    np.min: _extremum(min),
    np.moveaxis: moveaxis,
    np.ndim: lambda x: x.ndim,
    np.ones_like: lambda x, dtype=None: ones_like(x, dtype=dtype),
    np.outer: _outer,
    np.pad: pad,
    np.permute_dims: permute_dims,
    np.prod: _like_numpy(prod),
    np.ravel: _ravel,
    np.real: real,
    np.repeat: lambda x, repeats, axis=None: repeat(x, repeats, axis=axis),
    np.reshape: _reshape,
    np.roll: lambda x, shift, axis=None: roll(x, shift, axis=axis),
    np.shape: lambda x: x.shape,
    np.size: lambda x: x.size,
    np.sort: lambda x, axis=-1: sort(x, axis=axis),
    np.squeeze: _squeeze,
    np.stack: lambda arrays, axis=0: stack(arrays, axis=axis),
    np.std: _spread(std),
    np.sum: _like_numpy(sum),
    np.swapaxes: _swapaxes,
    np.take: lambda x, indices, axis=None: take(x, indices, axis=axis),
    np.tensordot: lambda x, y, axes=2: tensordot(x, y, axes=axes),
    np.tile: tile,
    np.transpose: _transpose,
    np.var: _spread(var),
    np.vstack: _vstack,
    np.where: where,
    np.zeros_like: lambda x, dtype=None: zeros_like(x, dtype=dtype),
}
